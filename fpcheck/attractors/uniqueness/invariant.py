"""A closed ball that the network maps into its interior: what the index sum needs.

For a continuous map of such a ball whose fixed points in it are all non-degenerate, the signs of
det(I - J) add up to +1 [Lefschetz, Hopf; Brouwer's degree is invariant under the homotopy to a
constant map]. Kinks elsewhere do not matter; jumps do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.selfmap import Array
from fpcheck.attractors.uniqueness.norms import lipschitz_upper
from fpcheck.network.enclosure import Ball, enclosable, enclose
from fpcheck.network.enclosure.ball import TINY, WIDEN, U, widen
from fpcheck.network.program import Program
from fpcheck.network.skeleton import Activation, Add, Input, Multiply, Node, Scale

EDGE = 1e-6  # no fixed point is so near the ball's edge that rounding could put it outside
GROWTH = 2.0
GROWTHS = 24
LEAST = 1e-3  # radius of a ball around a fixed point at the origin
ROOM = 1e-3  # by how much a ball is wider than what the map fills


@dataclass(frozen=True, slots=True, eq=False)
class InvariantBall:
    """A closed ball of the 2-norm, or of a weighted max-norm, whose image lies in its interior.

    centre: (n,); radii: (n,), half the widths of a box (max-norm), or of the box around a ball of
    the 2-norm; norm: "max" or "2"; whole: whether every fixed point in R^n lies in it; reason:
    why the map stays inside.
    """

    centre: Array
    radii: Array
    norm: str
    whole: bool
    reason: str

    @property
    def radius(self) -> float:
        """The largest half width."""
        return float(self.radii.max())

    @property
    def box(self) -> Ball:
        """The ball, or the box around it, (1, n)."""
        return Ball(self.centre[None], self.radii[None])


def inside(ball: InvariantBall, points: Array) -> NDArray[np.bool_]:
    """Whether each point surely lies in the ball. points: (k, n) -> (k,)."""
    away = np.abs(points - ball.centre)
    if ball.norm == "2":
        return np.asarray(
            np.sqrt((away * away).sum(axis=1)) * widen(len(ball.centre)) < ball.radius
        )
    return np.asarray((away * WIDEN < ball.radii).all(axis=1))


def invariant_ball(program: Program) -> InvariantBall | str:
    """A ball that f maps into its interior, proved, or why none was found."""
    reason = enclosable(program)
    if reason:
        return reason
    if not all(np.isfinite(tensor).all() for tensor in program.parameters.values()):
        return "a weight is not finite"
    n = program.input_size
    everywhere = enclose(program, Ball(np.zeros((1, n)), np.full((1, n), np.inf)))
    image = everywhere.map(lambda x: x.reshape(1, n))
    if np.isfinite(image.rad).all():
        radii = image.rad[0] * (1.0 + ROOM) + ROOM * float(image.rad.max()) + TINY
        return InvariantBall(
            image.mid[0], radii, "max", whole=True, reason="its values are bounded"
        )
    gated = _gated_bound(program)
    if gated is not None:
        radii = np.full(n, gated * (1.0 + ROOM))
        return InvariantBall(
            np.zeros(n),
            radii,
            "max",
            whole=True,
            reason="a gate mixes the state and bounded values",
        )
    return (
        _by_gain(program)
        or _by_growth(program)
        or ("its values are not bounded, and no bound of its gain is below 1")
    )


def _by_gain(program: Program) -> InvariantBall | None:
    """The ball of radius |f(0)| / (1 - L) and a little, for a Lipschitz constant L below 1."""
    gain, _ = lipschitz_upper(program)
    if not gain < 1.0:
        return None
    n = program.input_size
    origin = enclose(program, Ball(np.zeros((1, n)), np.zeros((1, n))))
    size = (np.abs(origin.mid) + origin.rad).reshape(-1)
    offset = math.sqrt(float((size * size).sum()) * widen(n)) * WIDEN
    radius = max(offset / (1.0 - gain) * (1.0 + ROOM), LEAST)
    # |f(x)| <= |f(0)| + L R < R, with room for the rounding of either side.
    if not (math.isfinite(radius) and (offset + gain * radius) * (1.0 + 8 * U) < radius):
        return None
    radii = np.full(n, radius)
    return InvariantBall(np.zeros(n), radii, "2", whole=True, reason="its gain is below 1")


def _by_growth(program: Program) -> InvariantBall | None:
    """A box that grows where its image sticks out, until none does; no proof that all is inside."""
    n = program.input_size
    box = Ball(np.zeros((1, n)), np.ones((1, n)))
    for _ in range(GROWTHS):
        image = enclose(program, box).map(lambda x: x.reshape(1, n))
        if not np.isfinite(image.rad).all():
            return None
        reach = (np.abs(image.mid) + image.rad) * WIDEN + TINY
        if (reach < (1.0 - EDGE) * box.rad).all():
            return InvariantBall(
                box.mid[0], box.rad[0], "max", whole=False, reason="a box's image lies inside it"
            )
        grown = np.where(reach < (1.0 - EDGE) * box.rad, box.rad, GROWTH * reach)
        box = Ball(box.mid, grown)
    return None


def _gated_bound(program: Program) -> float | None:
    """The bound b of n where the map is h -> (1 - z) n + z h with |n| <= b and 0 <= z < 1; or None.

    A fixed point then has h = n, so |h| <= b; and every box of radius R > b is mapped inside, as
    (1 - z) b + z R < R.
    """
    nodes = {node.name: node for node in program.skeleton.nodes}
    last, first = program.skeleton.nodes[-1], program.skeleton.nodes[0]
    if not isinstance(last, Add) or len(last.inputs) != 2:
        return None
    pairs = [nodes[name] for name in last.inputs]
    for fresh, kept in (pairs, pairs[::-1]):
        if not (isinstance(fresh, Multiply) and isinstance(kept, Multiply)):
            continue
        for gate, state in _orders(kept, nodes):
            for rest, value in _orders(fresh, nodes):
                if state is first and _is_gate(gate) and _is_one_minus(program, rest, gate):
                    return _value_bound(value)
    return None


def _orders(product: Multiply, nodes: dict[str, Node]) -> list[tuple[Node, Node]]:
    """Both orders of a product of two."""
    if len(product.inputs) != 2:
        return []
    one, other = (nodes[name] for name in product.inputs)
    return [(one, other), (other, one)]


def _is_gate(node: Node) -> bool:
    return isinstance(node, Activation) and node.function.name == "sigmoid"


def _is_one_minus(program: Program, node: Node, gate: Node) -> bool:
    """Whether the node is exactly 1 - gate."""
    if not isinstance(node, Scale) or node.inputs != (gate.name,):
        return False
    if node.factor is None or node.shift is None:
        return False
    factor, shift = program.parameters[node.factor], program.parameters[node.shift]
    return bool((factor == -1).all() and (shift == 1).all())


def _value_bound(node: Node) -> float | None:
    if isinstance(node, Input) or not isinstance(node, Activation):
        return None
    bound = max(map(abs, node.function.values))
    return bound if math.isfinite(bound) else None
