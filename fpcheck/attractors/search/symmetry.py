"""Odd maps, f(-x) = -x: whether a network is one, so that every fixed point has its partner."""

from __future__ import annotations

import numpy as np

from fpcheck.attractors.selfmap import Array, image
from fpcheck.core.findings import Status
from fpcheck.kernels import opcodes
from fpcheck.network.program import Program

ODD_ACTIVATIONS = frozenset(
    {opcodes.IDENTITY, opcodes.TANH, opcodes.SOFTSIGN, opcodes.ERF, opcodes.SIN}
    | {opcodes.SOFT_THRESHOLD, opcodes.CST}
)
# |f(x) + f(-x)| below this, relative to |f(x)|, at every state that is tried.
ODD = 1e-12
TRIED = 16


def oddness(program: Program, states: Array) -> tuple[bool, Status]:
    """Whether f(-x) = -f(x): proved by a chain's structure, or tried at some states.

    states: (k, n), at least one.
    """
    if program.chain is not None and _odd_chain(program):
        return True, "proved"
    tried = states[:TRIED]
    values, mirrored = image(program, tried), image(program, -tried)
    size = np.maximum(np.abs(values).max(axis=1), np.finfo(np.float64).tiny)
    odd = len(tried) > 0 and bool((np.abs(values + mirrored).max(axis=1) <= ODD * size).all())
    return odd, "numerical"


def _odd_chain(program: Program) -> bool:
    assert program.chain is not None
    return all(layer.opcode in ODD_ACTIVATIONS and not layer.bias.any() for layer in program.chain)
