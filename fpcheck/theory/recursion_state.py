"""What the infinite-width recursion knows of one node's value."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from fpcheck.network.skeleton import BlackBox, MatMul, Multiply, Node, Softmax
from fpcheck.theory.positions import Positions


@dataclass(frozen=True, slots=True)
class UnitMoments:
    """Moments over the units of one node's value, for one input x and for two inputs x, y.

    q: E x_i^2. k: E x_i y_i. mean: E x_i. growth: log E (dx_i)^2 of an infinitesimal difference
    between two inputs of equal norm, relative to its size at the network's input. contrast: log of
    the absolute derivative of k with respect to the inputs' k. Both None behind a step. gaussian:
    whether the units are Gaussian of mean zero. places: the moments by position, of which q and k
    are the means, where the value has positions. parts: where the units are of several kinds, the
    share and the moments of each.
    """

    q: float
    k: float
    mean: float = 0.0
    growth: float | None = 0.0
    contrast: float | None = 0.0
    gaussian: bool = False
    places: Positions | None = None
    parts: tuple[tuple[float, UnitMoments], ...] = ()

    @property
    def correlation(self) -> float:
        """k / q, 1 where nothing is there to correlate."""
        return min(1.0, max(-1.0, self.k / self.q)) if self.q > 0.0 else 1.0


@dataclass(frozen=True, slots=True)
class NotKnown:
    """Why the recursion says nothing about a node."""

    reason: str


def no_limit(node: Node) -> NotKnown:
    """Why nothing is known at infinite width of a node that no recursion follows."""
    match node:
        case Multiply() | MatMul():
            why = "multiplies two signals: their product is not Gaussian"
        case Softmax():
            why = "is a softmax, whose units depend on one another"
        case BlackBox():
            why = "is a function whose inside is not known"
        case _:
            why = "is not followed"
    return NotKnown(f"'{node.name}' {why}")


Moments: TypeAlias = UnitMoments | NotKnown


def times(log_value: float | None, factor: float) -> float | None:
    """log_value + log|factor|; None stays None."""
    if log_value is None:
        return None
    return log_value + math.log(abs(factor)) if factor else -math.inf


def at_positions(m: UnitMoments, places: Positions) -> UnitMoments:
    """The same with the moments of `places`."""
    return replace(m, q=places.mean_q, k=places.mean_k, places=places)


def rescaled(m: UnitMoments, factor: float) -> UnitMoments:
    """The moments of factor x."""
    gain = factor * factor

    def grown(places: Positions) -> Positions:
        return Positions(gain * places.q, gain * places.k, places.own, places.cross)

    return replace(
        m,
        q=gain * m.q,
        k=gain * m.k,
        mean=factor * m.mean,
        growth=times(m.growth, gain),
        contrast=times(m.contrast, gain),
        places=None if m.places is None else grown(m.places),
        parts=tuple((share, rescaled(part, factor)) for share, part in m.parts),
    )


def averaged(
    parts: tuple[tuple[float, UnitMoments], ...], combine: Callable[[], Positions | None]
) -> UnitMoments:
    """The moments of units of several kinds. combine: gives their positions."""

    def mean_log(logs: list[float | None]) -> float | None:
        known = [log for log in logs if log is not None]
        if len(known) < len(logs):
            return None
        total = math.fsum(
            share * math.exp(min(log, 700.0)) for (share, _), log in zip(parts, known, strict=True)
        )
        return math.log(total) if total > 0.0 else -math.inf

    first = parts[0][1]
    alike = all(
        m.gaussian and math.isclose(m.q, first.q) and math.isclose(m.k, first.k, abs_tol=1e-12)
        for _, m in parts
    )
    return UnitMoments(
        q=math.fsum(share * m.q for share, m in parts),
        k=math.fsum(share * m.k for share, m in parts),
        mean=math.fsum(share * m.mean for share, m in parts),
        growth=mean_log([m.growth for _, m in parts]),
        contrast=mean_log([m.contrast for _, m in parts]),
        gaussian=alike,
        places=combine(),
        parts=() if alike else parts,
    )
