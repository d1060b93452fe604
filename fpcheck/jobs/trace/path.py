"""The straight way between two checkpoints' weights, and a fixed point followed along it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.discover import DENSE_LIMIT
from fpcheck.attractors.polish import Polished, polish
from fpcheck.attractors.selfmap import differentiable, image, return_jacobian
from fpcheck.core.progress import Monitor
from fpcheck.network.network import Network, needed_parameters
from fpcheck.network.program import Program, compile_program

Array = NDArray[np.float64]

FINEST = 2.0**-6  # of the way: the smallest step that is tried
# A step is taken where Newton ends within this share of where its first, tangent, step leads.
STRAIGHT = 0.5
KEPT_BYTES = 2**27  # of the weights between two checkpoints
ROUNDING = 1e-9  # relative: a move below it needs no tangent to be believed


@dataclass(eq=False)
class Way:
    """The weights theta(t) = (1 - t) a + t b, a and b two checkpoints of one architecture."""

    start: Network
    end: Network
    programs: dict[float, Program] = field(default_factory=dict)

    def program(self, t: float) -> Program:
        """The program at `t` in [0, 1], made once while KEPT_BYTES hold them."""
        if t in (0.0, 1.0):
            return (self.start if t == 0.0 else self.end).program
        if t not in self.programs:
            mixed: dict[str, NDArray[np.generic]] = {}
            for old, new in zip(_names(self.start), _names(self.end), strict=True):
                first = np.asarray(self.start.parameters[old], np.float64)
                last = np.asarray(self.end.parameters[new], np.float64)
                mixed[new] = (1.0 - t) * first + t * last
            made = compile_program(self.end.skeleton, mixed)
            size = sum(tensor.nbytes for tensor in mixed.values())
            if (len(self.programs) + 1) * size > KEPT_BYTES:
                return made
            self.programs[t] = made
        return self.programs[t]

    def turned(self) -> Way:
        """The same way from its end to its start."""
        back = {1.0 - t: program for t, program in self.programs.items()}
        return Way(self.end, self.start, back)

    @property
    def walkable(self) -> bool:
        """Whether points can be followed: dense Jacobians, and tensors that lie alike."""
        if not differentiable(self.end.program) or self.end.program.input_size > DENSE_LIMIT:
            return False
        return _layout(self.start) == _layout(self.end)


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """Where a point went: `end` at t = 1, None where it was lost; `last` and `at`: the last point
    that was reached, and where on the way."""

    end: Polished | None
    last: Array
    at: float


def follow(way: Way, point: Array, reach: float, monitor: Monitor) -> Followed:
    """The fixed point of x <- f(x) that `point`, one at t = 0, becomes at t = 1.

    The step along the way is halved where Newton's method goes further than `reach`, not where the
    tangent leads, or to a point with another sign of det(I - J): that sign is the same all along a
    branch without a fold. Near a fold no step is right, and the point is lost there.
    """
    t, step, x = 0.0, 1.0, point
    side = _side(return_jacobian(way.program(0.0), x.reshape(1, -1)))
    found: Polished | None = None
    while t < 1.0:
        monitor.check()
        there = min(1.0, t + step)
        found = _stepped(way.program(there), x, reach, monitor)
        if found is not None and not _believed(way.program(there), x, found, side, step):
            found = None
        if found is None:
            if step <= FINEST:
                return Followed(None, x, t)
            step *= 0.5
            continue
        t, x, side = there, found.point, _side(found.jacobian)
        # Steps stay on the dyadic grid, so that all points share their programs.
        if (t / (2.0 * step)).is_integer():
            step *= 2.0
    return Followed(found, x, 1.0)


def _stepped(program: Program, x: Array, reach: float, monitor: Monitor) -> Polished | None:
    """The fixed point of `program` next to `x`; None where it is too far, or none is found."""
    moved = polish(program, x, 1, monitor)
    return moved if moved is not None and np.linalg.norm(moved.point - x) <= reach else None


def _believed(program: Program, x: Array, moved: Polished, side: float, step: float) -> bool:
    """Whether `moved` is what `x` becomes over one step, and not a point of another branch."""
    change = moved.point - x
    size = float(np.linalg.norm(change))
    if size <= ROUNDING * (1.0 + float(np.linalg.norm(x))):
        return True  # as the origin of a network without biases, whose stability may change
    if step <= FINEST and moved.degenerate:
        return True
    same = _side(moved.jacobian) == side
    if step <= FINEST:  # where branches meet no tangent leads to the end
        return same
    try:
        jac = return_jacobian(program, x.reshape(1, -1))
        tangent = np.linalg.solve(np.eye(len(x)) - jac, image(program, x.reshape(1, -1))[0] - x)
    except np.linalg.LinAlgError:
        return False
    return same and float(np.linalg.norm(change - tangent)) <= STRAIGHT * size


def _side(jacobian: Array | None) -> float:
    """The sign of det(I - J)."""
    assert jacobian is not None  # dense on every way that can be walked
    return float(np.linalg.slogdet(np.eye(len(jacobian)) - jacobian)[0])


def _names(network: Network) -> list[str]:
    """The parameters in the skeleton's order, a shared one once."""
    return list(dict.fromkeys(name for _, name, _ in needed_parameters(network.skeleton)))


def _layout(network: Network) -> list[tuple[tuple[int, ...], str]]:
    """The stored shape of every parameter and how its axes lie."""
    layouts = {
        node.weight: str(node.layout)
        for node in network.skeleton.nodes
        if hasattr(node, "weight") and hasattr(node, "layout")
    }
    return [
        (tuple(network.parameters[name].shape), layouts.get(name, "")) for name in _names(network)
    ]
