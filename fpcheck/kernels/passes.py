"""Activation passes, one kernel a family: z[i, j] <- phi(z[i, j] + shift[i]) for j < columns.

z: (n, columns or more); shift: (n,); p0, p1: the parameters. All return 0.
Each opcode has a loop of its own, so that each loop vectorises; and all work in place, since with a
second array the compiler's check for overlap would send the in-place call to a scalar loop.
"""

from __future__ import annotations

import math

from fpcheck.kernels.arithmetic import choose
from fpcheck.kernels.compile import kernel, scalar
from fpcheck.kernels.functions import elu, erf, gelu, gelu_tanh, sigmoid, silu, softplus, tanh
from fpcheck.kernels.opcodes import (
    CRELU,
    CST,
    ELU,
    GELU,
    GELU_TANH,
    HARDTANH,
    IDENTITY,
    LEAKY_RELU,
    RELU,
    SELU,
    SIGMOID,
    SILU,
    SOFT_THRESHOLD,
    SOFTPLUS,
    SOFTSIGN,
    STEP,
    TANH,
)
from fpcheck.kernels.periodic import NEAR, far_sin, near_sin

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717
GELU_TANH_SCALE = math.sqrt(2.0 / math.pi)
GELU_TANH_CUBIC = 0.044715


@scalar
def between(v, low, high):
    """`v` held to low..high; NaN stays NaN."""
    v = choose(v < low, low, v)
    return choose(v > high, high, v)


@kernel
def piecewise(opcode, z, columns, shift, p0, p1):
    """Identity, the kinked lines, step and softsign."""
    for i in range(z.shape[0]):
        b = shift[i]
        if opcode == IDENTITY:
            for j in range(columns):
                z[i, j] = z[i, j] + b
        elif opcode == LEAKY_RELU:
            for j in range(columns):
                v = z[i, j] + b
                z[i, j] = v if v > 0.0 else p0 * v
        elif opcode == SOFTSIGN:
            for j in range(columns):
                v = z[i, j] + b
                z[i, j] = v / (1.0 + abs(v))
        elif opcode == STEP:
            for j in range(columns):
                v = z[i, j] + b
                z[i, j] = 1.0 if v > 0.0 else 0.0
        elif opcode in (SOFT_THRESHOLD, CST):
            high = p1 if opcode == CST else math.inf
            for j in range(columns):
                v = z[i, j] + b
                z[i, j] = math.copysign(between(abs(v) - p0, 0.0, high), v)
        else:
            # What is left is a line of slope 1 between two levels: v - left, held to low..high.
            left = 0.0 if opcode in (RELU, HARDTANH) else p0
            low = p0 if opcode == HARDTANH else 0.0
            high = p1 if opcode in (HARDTANH, CRELU) else math.inf
            for j in range(columns):
                z[i, j] = between(z[i, j] + b - left, low, high)
    return 0


@kernel
def exponential(opcode, z, columns, shift, p0, p1):
    """What is made of the exponential function."""
    for i in range(z.shape[0]):
        b = shift[i]
        if opcode == TANH:
            for j in range(columns):
                z[i, j] = tanh(z[i, j] + b)
        elif opcode == SIGMOID:
            for j in range(columns):
                z[i, j] = sigmoid(z[i, j] + b)
        elif opcode in (ELU, SELU):
            alpha = p0 if opcode == ELU else SELU_ALPHA
            scale = 1.0 if opcode == ELU else SELU_SCALE
            for j in range(columns):
                z[i, j] = scale * elu(z[i, j] + b, alpha)
        elif opcode == SILU:
            for j in range(columns):
                z[i, j] = silu(z[i, j] + b)
        elif opcode == GELU_TANH:
            for j in range(columns):
                z[i, j] = gelu_tanh(z[i, j] + b, GELU_TANH_SCALE, GELU_TANH_CUBIC)
        elif opcode == SOFTPLUS:
            for j in range(columns):
                z[i, j] = softplus(z[i, j] + b)
    return 0


@kernel
def normal(opcode, z, columns, shift, p0, p1):
    """What is made of the error function."""
    for i in range(z.shape[0]):
        b = shift[i]
        if opcode == GELU:
            for j in range(columns):
                z[i, j] = gelu(z[i, j] + b)
        else:
            for j in range(columns):
                z[i, j] = erf(z[i, j] + b)
    return 0


@kernel
def periodic(opcode, z, columns, shift, p0, p1):
    """The sine; a row with an argument beyond NEAR goes element by element."""
    for i in range(z.shape[0]):
        b = shift[i]
        far = 0
        for j in range(columns):
            far |= abs(z[i, j] + b) > NEAR
        if far:
            for j in range(columns):
                z[i, j] = far_sin(z[i, j] + b)
        else:
            for j in range(columns):
                z[i, j] = near_sin(z[i, j] + b)
    return 0
