"""The arithmetic below the activation functions: fused multiply-add, selection, bits of doubles."""

from __future__ import annotations

import llvmlite.ir as llvm
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from fpcheck.kernels.compile import scalar

MAGNITUDE_BITS = 0x7FFFFFFFFFFFFFFF
LEADING_BITS = ~0x7FFFFFF  # the 26 leading bits of a significand, whose square is exact


@intrinsic
def _fused(typing_context, a, b, c):
    signature = types.float64(types.float64, types.float64, types.float64)

    def generate(context, builder, signature, arguments):
        double = llvm.DoubleType()
        kind = llvm.FunctionType(double, [double, double, double])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.fmuladd.f64")
        return builder.call(function, arguments)

    return signature, generate


def multiply_add(a, b, c):
    """a * b + c, rounded once where the processor can (every x86-64 since 2013, every ARM64).

    Written out rather than left to the compiler's `contract` flag, so that a function gives the
    same bits in a vector loop, in its scalar remainder and inlined elsewhere.
    """
    return a * b + c


@overload(multiply_add)
def _multiply_add(a, b, c):
    def fused(a, b, c):
        return _fused(a, b, c)

    return fused


@intrinsic
def _choice(typing_context, condition, yes, no):
    signature = types.float64(types.boolean, types.float64, types.float64)

    def generate(context, builder, signature, arguments):
        condition, yes, no = arguments
        return builder.select(builder.trunc(condition, llvm.IntType(1)), yes, no)

    return signature, generate


def choose(condition, yes, no):
    """`yes` where the condition holds, else `no`, with both worked out.

    A conditional expression is a branch, into which the compiler may move half of the work, and
    then the loop around it no longer vectorises.
    """
    return yes if condition else no


@overload(choose)
def _choose(condition, yes, no):
    def selected(condition, yes, no):
        return _choice(condition, yes, no)

    return selected


@scalar
def bits_of(value):
    """The 64 bits of a double, as an integer."""
    return np.float64(value).view(np.int64)


@scalar
def double_of(bits):
    """The double that these 64 bits stand for."""
    return np.int64(bits).view(np.float64)


@scalar
def leading_half(value):
    """`value` cut to its 26 leading bits, so that its square is exact."""
    return double_of(bits_of(value) & LEADING_BITS)
