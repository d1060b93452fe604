"""A plane through three attractors, or along two directions, cut out of the state space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.basins.traps import Trap
from fpcheck.attractors.selfmap import Array
from fpcheck.core.errors import UsageError

# Room around the points that the plane is laid through, as a share of their spread.
MARGIN = 0.45
# A point is on the plane if it is this close to it, relative to the plane's width.
ON_THE_PLANE = 1e-6
# The width around a single attractor, in units of its size, or of 1 at the origin.
AROUND_ONE = 2.0
# Titles of axes: one that nothing fixes, and the second of a space that has one dimension.
RANDOM, NOWHERE = "along a random direction", "nowhere: a state is one number"


@dataclass(frozen=True, slots=True)
class Plane:
    """The states origin + x first + y second, x and y between their ends.

    origin, first, second: (n,); first and second are orthonormal, so x and y are 2-norm distances.
    name: what plane it is, as `the plane through A, B and C`; centre: what `origin` is; through:
    the ids of the attractors that it is laid through.
    """

    origin: Array
    first: Array
    second: Array
    x_low: float
    x_high: float
    y_low: float
    y_high: float
    x_title: str
    y_title: str
    name: str = "a plane"
    centre: str = ""
    through: tuple[str, ...] = ()

    def states(self, columns: int, rows: int, cells: NDArray[np.intp]) -> Array:
        """The centres of a grid's cells by their number, the top row first. (c,) -> (c, n)."""
        row, column = np.divmod(cells, columns)
        x = self.x_low + (column + 0.5) * (self.x_high - self.x_low) / columns
        y = self.y_high - (row + 0.5) * (self.y_high - self.y_low) / rows
        states: Array = self.origin + x[:, None] * self.first + y[:, None] * self.second
        return states

    def coordinates(self, points: Array) -> tuple[Array, Array]:
        """(x, y) of the points' feet on the plane and their distances to it. (m, n) -> (m, 2)."""
        away = points - self.origin
        feet = np.stack([away @ self.first, away @ self.second], axis=1)
        rest = away - feet[:, :1] * self.first - feet[:, 1:] * self.second
        return feet, np.linalg.norm(rest, axis=1)

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """Whether each point lies on the plane, up to rounding. (m, n) -> (m,)."""
        width = max(self.x_high - self.x_low, self.y_high - self.y_low)
        held: NDArray[np.bool_] = self.coordinates(points)[1] <= ON_THE_PLANE * width
        return held


def plane_through(traps: Sequence[Trap], ids: Sequence[str], rng: np.random.Generator) -> Plane:
    """The plane through the attractors named, the first one at its origin.

    ids: up to three, or ("auto",): the first three of `traps`. The first axis leads from the
    first to the second; where fewer than three points span it, a random direction completes it.

    Raises:
        UsageError: an id that no attractor has.
    """
    chosen = list(traps[:3]) if tuple(ids) == ("auto",) else [_named(traps, name) for name in ids]
    points = [trap.found.point for trap in chosen]
    if not points:
        raise UsageError(
            "there is no attractor to lay a plane through",
            where="--slice",
            hint="--slice random needs none",
        )
    away = [point - points[0] for point in points[1:]]
    titles = [f"from {chosen[0].id} towards {trap.id}" for trap in chosen[1:]]
    first, second = orthonormal(away, len(points[0]), rng)
    titles += [RANDOM if unit.any() else NOWHERE for unit in (first, second)[len(titles) :]]
    if len(away) > 1:
        titles[1] = f"across, on the side of {chosen[2].id}"
    names = tuple(trap.id for trap in chosen)
    return replace(
        _framed(points, first, second, titles),
        name=f"the plane through {listed(names)}",
        centre=names[0],
        through=names,
    )


def plane_along(
    origin: Array,
    directions: tuple[Array, Array],
    reach: float,
    titles: tuple[str, str],
    *,
    name: str = "a plane",
    centre: str = "",
) -> Plane:
    """The plane through a state along two directions, as far as `reach` to every side.

    name, centre: as `Plane` has them.

    Raises:
        UsageError: the directions do not span a plane.
    """
    first, second = directions
    size = float(np.linalg.norm(first))
    unit = first / size if size > 0.0 else first
    rest = second - (second @ unit) * unit
    if not (size > 0.0 and np.linalg.norm(rest) > ON_THE_PLANE * np.linalg.norm(second)):
        raise UsageError("the two directions of a slice lie on one line")
    across = rest / np.linalg.norm(rest)
    return Plane(origin, unit, across, -reach, reach, -reach, reach, *titles, name, centre)


def listed(names: Sequence[str]) -> str:
    """A, B and C."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _named(traps: Sequence[Trap], name: str) -> Trap:
    for trap in traps:
        if trap.id == name:
            return trap
    known = ", ".join(trap.id for trap in traps[:12]) or "none"
    raise UsageError(
        f"no attractor has the id '{name}'",
        where="--slice",
        hint=f"there are: {known}; --slice auto chooses",
    )


def orthonormal(away: list[Array], n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Two orthonormal directions, the given ones first; (0, ..., 0) where the space has one."""
    basis: list[Array] = []
    for wanted in [*away, rng.standard_normal(n), rng.standard_normal(n)]:
        rest = wanted - sum((wanted @ unit) * unit for unit in basis)
        size = float(np.linalg.norm(rest))
        if len(basis) < 2 and size > ON_THE_PLANE * float(np.linalg.norm(wanted)):
            basis.append(rest / size)
    while len(basis) < 2:
        basis.append(np.zeros(n))
    return basis[0], basis[1]


def _framed(points: list[Array], first: Array, second: Array, titles: list[str]) -> Plane:
    """The plane cut out as a square around the points."""
    away = np.array(points) - points[0]
    x, y = away @ first, away @ second
    spread = max(float(np.ptp(x)), float(np.ptp(y)))
    if spread == 0.0:
        spread = AROUND_ONE * (float(np.linalg.norm(points[0])) or 1.0)
    half = (0.5 + MARGIN) * spread
    across, up = 0.5 * float(x.min() + x.max()), 0.5 * float(y.min() + y.max())
    return Plane(
        origin=points[0],
        first=first,
        second=second,
        x_low=across - half,
        x_high=across + half,
        y_low=up - half,
        y_high=up + half,
        x_title=titles[0],
        y_title=titles[1],
    )
