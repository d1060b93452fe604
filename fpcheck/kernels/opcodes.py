"""The integers by which kernels know the activation functions; network.activations gives the same.

A test compares both lists. An opcode is never changed: it is part of what a packed network means.
"""

from __future__ import annotations

IDENTITY = 0
TANH = 1
SIGMOID = 2
RELU = 3
LEAKY_RELU = 4
ELU = 5
SELU = 6
GELU = 7
GELU_TANH = 8
SILU = 9
SOFTPLUS = 10
SOFTSIGN = 11
ERF = 12
HARDTANH = 13
SIN = 14
SHIFTED_RELU = 15
SOFT_THRESHOLD = 16
CRELU = 17
CST = 18
STEP = 19

# The families that are compiled together: a network needs one or two of them.
PIECEWISE = 0  # identity, kinked lines, softsign: no elementary function
EXPONENTIAL = 1
NORMAL = 2  # erf and gelu
PERIODIC = 3

_FAMILIES = {
    EXPONENTIAL: (TANH, SIGMOID, ELU, SELU, GELU_TANH, SILU, SOFTPLUS),
    NORMAL: (GELU, ERF),
    PERIODIC: (SIN,),
}
FAMILY_OF = dict.fromkeys(range(STEP + 1), PIECEWISE) | {
    code: family for family, codes in _FAMILIES.items() for code in codes
}
