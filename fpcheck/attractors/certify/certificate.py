"""What is proved about a fixed point or a cycle, as data that can be checked again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.selfmap import Array
from fpcheck.attractors.stability import Kind
from fpcheck.network.enclosure.ball import U


@dataclass(frozen=True, slots=True, eq=False)
class AttractingBall:
    """{x : |S (x - c)|_2 <= radius}, c the point as printed: all of it flows to the exact point.

    On it f^p contracts towards the exact point by `rate` in a norm that S gives. transform: S,
    (n, n), or (n,) where it is diagonal; inner_radius: a ball of the 2-norm of this radius around c
    lies inside.
    """

    transform: Array
    radius: float = field(metadata={"digits": 17})
    rate: float = field(metadata={"digits": 17})
    inner_radius: float = field(metadata={"digits": 17})


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """What is proved for the exact map of the stored weights; distances in the largest entry.

    status: "proved" where a point of least period p exists within `error` of the point as printed
    and is the only fixed point of f^p within `radius` of it; `reason` says why not. Stability is
    proved where it is not None: the number of eigenvalues of f^p's Jacobian outside the unit circle
    (at a kink, of every Jacobian in the hull), the sign of det(I - J), an interval that holds the
    spectral radius, and the ball that surely flows to it.
    orbit: (p, n), the points as printed; orbit_error: (p,), how far from them the exact ones are.
    """

    status: Literal["proved", "numerical"]
    reason: str
    orbit: Array
    orbit_error: Array
    error: float | None = field(default=None, metadata={"digits": 17})
    radius: float | None = field(default=None, metadata={"digits": 17})
    unstable_directions: int | None = None
    index_sign: int | None = None
    spectral_radius_low: float | None = field(default=None, metadata={"digits": 17})
    spectral_radius_high: float | None = field(default=None, metadata={"digits": 17})
    kind: Kind | None = None
    attracting: AttractingBall | None = None

    @property
    def proved(self) -> bool:
        """Whether existence, uniqueness and the least period are proved."""
        return self.status == "proved"


def inside(ball: AttractingBall, centre: Array, states: Array) -> NDArray[np.bool_]:
    """Which states surely lie in the ball around the printed point `centre`. (k, n) -> (k,)."""
    away = states - centre
    n = len(centre)
    # Rounding of the difference, of the product, of squares and root, all relative to |S| |x - c|.
    slack = 4 * (n + 8) * U
    if ball.transform.ndim == 1:
        moved = away * ball.transform
        length = np.sqrt((moved * moved).sum(axis=1))
        return np.asarray(length * (1.0 + slack) < ball.radius)
    moved = np.abs(away @ ball.transform.T)
    length = np.sqrt((moved * moved).sum(axis=1))
    sizes = np.sqrt((away * away).sum(axis=1))
    doubt = slack * float(np.sqrt((ball.transform**2).sum())) * sizes
    return np.asarray((length + doubt) * (1.0 + slack) < ball.radius)


def same_point(a: Certificate, b: Certificate) -> bool | None:
    """Whether two proved orbits are one: proved equal, proved different, or None: undecided."""
    if not (a.proved and b.proved) or a.error is None or a.radius is None:
        return None
    if len(a.orbit) != len(b.orbit):
        return False
    distances = np.abs(b.orbit - a.orbit[0]).max(axis=1)
    doubt = 4 * U * (np.abs(b.orbit).max(axis=1) + np.abs(a.orbit[0]).max())
    reach = (distances + doubt + b.orbit_error) * (1.0 + 4 * U)
    if bool((reach <= a.radius).any()):
        return True  # b's exact point is a fixed point of f^p where a's is the only one
    apart = distances - doubt > (a.error + b.orbit_error) * (1.0 + 4 * U)
    return False if bool(apart.all()) else None
