"""Activation functions and their derivatives over arrays, as compiled passes.

The bodies in network.activations are the definition; these agree with them within the bounds that
kernels.functions states, and exactly where no elementary function is involved. One compiled pass
a family (opcodes.FAMILY_OF): a network compiles one or two of them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.kernels import opcodes, passes, slopes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

PASSES = {
    opcodes.PIECEWISE: passes.piecewise,
    opcodes.EXPONENTIAL: passes.exponential,
    opcodes.NORMAL: passes.normal,
    opcodes.PERIODIC: passes.periodic,
}
SLOPES = {
    opcodes.PIECEWISE: slopes.piecewise,
    opcodes.EXPONENTIAL: slopes.exponential,
    opcodes.NORMAL: slopes.normal,
    opcodes.PERIODIC: slopes.periodic,
}
# x + (-0.0) is x for every x, zeros of both signs included; x + 0.0 is not.
NO_SHIFT = np.array([-0.0])


def apply(
    opcode: int, p0: float, p1: float, x: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Write phi(x) into `out`; C-contiguous arrays of one shape, `out` may be `x`."""
    if out is not x:
        np.copyto(out, x)
    if opcode != opcodes.IDENTITY:
        PASSES[opcodes.FAMILY_OF[opcode]](opcode, _flat(out), out.size, NO_SHIFT, p0, p1)


def applying(opcode: int, p0: float, p1: float, x: NDArray[np.float64]) -> Callable[[], object]:
    """`apply` in place on this array, again and again: what it looks up is looked up once."""
    if opcode == opcodes.IDENTITY:
        return _nothing
    code = PASSES[opcodes.FAMILY_OF[opcode]]
    return partial(code, opcode, _flat(x), x.size, NO_SHIFT, p0, p1)


def slope(
    opcode: int, p0: float, p1: float, x: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Write phi'(x) into `out`; C-contiguous arrays of one shape, `out` may be `x`.

    Raises:
        UnsupportedOperationError: the function is a step, whose derivative says nothing.
    """
    if opcode == opcodes.STEP:
        raise UnsupportedOperationError(
            "activation 'step' has no useful derivative: it is zero almost everywhere",
            hint="gradients, Jacobians and stability need a differentiable activation",
        )
    if out is not x:
        np.copyto(out, x)
    SLOPES[opcodes.FAMILY_OF[opcode]](opcode, _flat(out), out.size, p0, p1)


def _nothing() -> None:
    """What the identity does in place."""


def _flat(x: NDArray[np.float64]) -> NDArray[np.float64]:
    if not (x.flags.c_contiguous and x.dtype == np.float64):
        raise TypeError("activation passes take C-contiguous float64 arrays")
    return x.reshape(1, -1)
