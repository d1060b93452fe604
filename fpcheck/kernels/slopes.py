"""Passes of the activations' derivatives, one kernel a family: z[i, j] = phi'(z[i, j]).

x, out: (n, columns or more), `out` may be `x`; p0, p1: the parameters. All return 0.
At a kink the derivative is the one that network.activations defines (PyTorch's).
"""

from __future__ import annotations

import math

from fpcheck.kernels.compile import kernel
from fpcheck.kernels.functions import (
    elu_slope,
    erf_slope,
    gelu_slope,
    gelu_tanh_slope,
    sigmoid,
    sigmoid_slope,
    silu_slope,
    tanh_slope,
)
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
    TANH,
)
from fpcheck.kernels.passes import GELU_TANH_CUBIC, GELU_TANH_SCALE, SELU_ALPHA, SELU_SCALE
from fpcheck.kernels.periodic import NEAR, far_cos, near_cos


@kernel
def piecewise(opcode, z, columns, p0, p1):
    """Identity, the kinked lines and softsign."""
    for i in range(z.shape[0]):
        if opcode == IDENTITY:
            for j in range(columns):
                z[i, j] = 1.0
        elif opcode == LEAKY_RELU:
            for j in range(columns):
                z[i, j] = 1.0 if z[i, j] > 0.0 else p0
        elif opcode == SOFTSIGN:
            for j in range(columns):
                total = 1.0 + abs(z[i, j])
                z[i, j] = 1.0 / (total * total)
        elif opcode in (SOFT_THRESHOLD, CST):
            high = p0 + p1 if opcode == CST else math.nan
            for j in range(columns):
                a = abs(z[i, j])
                z[i, j] = 1.0 if (a > p0) & (not a >= high) else 0.0
        else:
            low = 0.0 if opcode == RELU else p0
            high = math.nan  # no upper level: nothing compares with it, infinity neither
            if opcode == HARDTANH:
                high = p1
            elif opcode == CRELU:
                high = p0 + p1
            for j in range(columns):
                v = z[i, j]
                z[i, j] = 1.0 if (v > low) & (not v >= high) else 0.0
    return 0


@kernel
def exponential(opcode, z, columns, p0, p1):
    """What is made of the exponential function."""
    for i in range(z.shape[0]):
        if opcode == TANH:
            for j in range(columns):
                z[i, j] = tanh_slope(z[i, j])
        elif opcode == SIGMOID:
            for j in range(columns):
                z[i, j] = sigmoid_slope(z[i, j])
        elif opcode in (ELU, SELU):
            alpha = p0 if opcode == ELU else SELU_ALPHA
            scale = 1.0 if opcode == ELU else SELU_SCALE
            for j in range(columns):
                z[i, j] = scale * elu_slope(z[i, j], alpha)
        elif opcode == SILU:
            for j in range(columns):
                z[i, j] = silu_slope(z[i, j])
        elif opcode == GELU_TANH:
            for j in range(columns):
                z[i, j] = gelu_tanh_slope(z[i, j], GELU_TANH_SCALE, GELU_TANH_CUBIC)
        elif opcode == SOFTPLUS:
            for j in range(columns):
                z[i, j] = sigmoid(z[i, j])
    return 0


@kernel
def normal(opcode, z, columns, p0, p1):
    """What is made of the error function."""
    for i in range(z.shape[0]):
        if opcode == GELU:
            for j in range(columns):
                z[i, j] = gelu_slope(z[i, j])
        else:
            for j in range(columns):
                z[i, j] = erf_slope(z[i, j])
    return 0


@kernel
def periodic(opcode, z, columns, p0, p1):
    """The cosine; a row with an argument beyond NEAR goes element by element."""
    for i in range(z.shape[0]):
        far = 0
        for j in range(columns):
            far |= abs(z[i, j]) > NEAR
        if far:
            for j in range(columns):
                z[i, j] = far_cos(z[i, j])
        else:
            for j in range(columns):
                z[i, j] = near_cos(z[i, j])
    return 0
