"""Products of a few units with eight rows side by side, as vectors that the compiler cannot miss.

Loops of eight are unrolled before the compiler vectorises, and then they stay scalar; so the vector
is written out. It is lowered to whatever registers the processor has: the sums are the same.
"""

from __future__ import annotations

import llvmlite.ir as llvm
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from fpcheck.kernels.arithmetic import multiply_add

LANES = 8
# Units at a time: so many independent sums hide the latency of a fused multiply-add.
UNITS = 4


def _emit(units):
    """The code of `units` sums over the inputs, eight lanes each."""

    def generate(context, builder, signature, arguments):
        _, at, bias, inputs, _, x, _, y = arguments
        kinds = signature.args
        w, source, target = (
            context.make_array(kinds[i])(context, builder, arguments[i]).data for i in (0, 4, 6)
        )
        double, index = llvm.DoubleType(), llvm.IntType(64)
        vector = llvm.VectorType(double, LANES)
        kind = llvm.FunctionType(vector, [vector, vector, vector])
        fused = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f64")
        undefined = llvm.Constant(vector, llvm.Undefined)
        zeros = llvm.Constant(llvm.VectorType(llvm.IntType(32), LANES), [0] * LANES)

        def splat(place):
            value = builder.load(builder.gep(w, [place]))
            single = builder.insert_element(undefined, value, index(0))
            return builder.shuffle_vector(single, undefined, zeros)

        def lanes(base, start, number):
            place = builder.add(start, builder.mul(number, index(LANES)))
            return builder.bitcast(builder.gep(base, [place]), vector.as_pointer())

        starts, sums = [], []
        for unit in range(units):
            starts.append(builder.add(at, builder.mul(index(unit), inputs)))
            sums.append(cgutils.alloca_once(builder, vector))
            builder.store(splat(builder.add(bias, index(unit))), sums[-1])
        with cgutils.for_range(builder, inputs) as loop:
            column = builder.load(lanes(source, x, loop.index), align=8)
            for start, total in zip(starts, sums, strict=True):
                weight = splat(builder.add(start, loop.index))
                builder.store(builder.call(fused, [weight, column, builder.load(total)]), total)
        for unit, total in enumerate(sums):
            builder.store(builder.load(total), lanes(target, y, index(unit)), align=8)
        return context.get_dummy_value()

    return generate


def _vector_sums(units):
    @intrinsic
    def sums(typing_context, weights, at, bias, inputs, source, x, target, y):
        whole = types.int64
        kinds = (weights, whole, whole, whole, source, whole, target, whole)
        return types.none(*kinds), _emit(units)

    return sums


_sums_of_four = _vector_sums(UNITS)
_sums_of_one = _vector_sums(1)


def product(weights, at, bias, inputs, outputs, source, x, target, y):
    """target[y + 8 i + lane] = weights[bias + i] + sum_j weights[at + i inputs + j] x_j[lane].

    x_j[lane] is source[x + 8 j + lane]. All arrays are C-contiguous and taken as flat; what is
    written does not overlap what is read. Places rather than slices: a slice is counted, by an
    atomic instruction, in every call.
    """
    read, write = source.reshape(-1), target.reshape(-1)
    for i in range(outputs):
        for lane in range(LANES):
            total = weights[bias + i]
            for j in range(inputs):
                total = multiply_add(
                    weights[at + i * inputs + j], read[x + LANES * j + lane], total
                )
            write[y + LANES * i + lane] = total


@overload(product, inline="always")
def _product(weights, at, bias, inputs, outputs, source, x, target, y):
    def vectorised(weights, at, bias, inputs, outputs, source, x, target, y):
        i = 0
        while i + UNITS <= outputs:
            _sums_of_four(
                weights, at + i * inputs, bias + i, inputs, source, x, target, y + LANES * i
            )
            i += UNITS
        while i < outputs:
            _sums_of_one(
                weights, at + i * inputs, bias + i, inputs, source, x, target, y + LANES * i
            )
            i += 1

    return vectorised
