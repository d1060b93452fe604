"""The ladder of proofs that a network has exactly one fixed point, from cheap to strong.

Every rung is a sufficient condition on the weights and on the range of the activations' slopes. The
first ones hold for all biases and prove existence on all of R^n; those that only look at the slopes
where fixed points can be take existence from a ball that is mapped into itself. None proves that
the fixed point is stable but the product of norms and the weighted norm: they make the map a
contraction, so that every start converges to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from fpcheck.attractors.selfmap import Array
from fpcheck.attractors.uniqueness.invariant import invariant_ball
from fpcheck.attractors.uniqueness.norms import lipschitz_upper
from fpcheck.attractors.uniqueness.p_matrix import LARGEST, inverses, regular_slopes
from fpcheck.attractors.uniqueness.sector import multipliers
from fpcheck.attractors.uniqueness.slopes import narrowed, regular_on
from fpcheck.attractors.uniqueness.stacked import Stacked, stacked
from fpcheck.core.progress import Monitor
from fpcheck.network.enclosure.matrices import less_identity
from fpcheck.network.program import Program

# Units of all activations together up to which multipliers are looked for.
SEARCHED = 640
# Entries of a state up to which all Jacobians of a ball are enclosed.
MOST_ENTRIES = 256


@dataclass(frozen=True, slots=True)
class Rung:
    """One condition. It holds where it is proved; value: computed, below `limit` where it holds.

    note: why it could not be tried, or what is special; "" where there is nothing to say.
    """

    name: str
    value: float | None = field(metadata={"digits": 17})
    limit: float
    holds: bool
    note: str


@dataclass(frozen=True, slots=True)
class Uniqueness:
    """What is known of the number of fixed points.

    status: proved (there is exactly one) or unknown. method: the first rung that holds, "" where
    none does. contraction: whether that rung makes the map a contraction in some norm, so that
    every start converges to the one fixed point. lipschitz_upper: proved, in the 2-norm, over all
    of R^n; None where there is none.
    """

    status: str
    method: str
    contraction: bool
    lipschitz_upper: float | None = field(metadata={"digits": 17})
    rungs: tuple[Rung, ...]


PRODUCT, WEIGHTED, MONOTONE = "product of norms", "weighted norm", "monotone"
# Of a network whose own steps need not contract where all its activations as one layer do.
WEIGHTED_LAYER = "norm of all activations as one layer"
SCALED, P_MATRIX = "scaled monotone", "P-matrix"
LOCAL = ", slopes at fixed points"
REGULAR = "regular Jacobians on the invariant ball"


def prove_unique(program: Program, monitor: Monitor) -> Uniqueness:
    """Climb the ladder until a rung proves that there is exactly one fixed point.

    The value of most rungs is 1 over the factor by which all weights could be multiplied before it
    fails: in a network of one layer the norm, or the eigenvalue, itself.
    """
    with np.errstate(all="ignore"):
        bound, reason = lipschitz_upper(program)
        rungs = [_first(bound, reason)]
        if not rungs[0].holds:
            for rung in _others(program, monitor):
                rungs.append(rung)
                if rung.holds:
                    break
    proof = next((rung.name for rung in rungs if rung.holds), "")
    return Uniqueness(
        status="proved" if proof else "unknown",
        method=proof,
        contraction=proof.startswith((PRODUCT, WEIGHTED)),
        lipschitz_upper=bound if math.isfinite(bound) else None,
        rungs=tuple(rungs),
    )


def _first(bound: float, reason: str) -> Rung:
    """||W_L|| ... ||W_1|| times the steepest slopes is below 1: a contraction [Banach]."""
    value = bound if math.isfinite(bound) else None
    return Rung(PRODUCT, value, 1.0, bound < 1.0, reason)


def _others(program: Program, monitor: Monitor) -> Iterator[Rung]:
    """The other rungs, from cheap to strong; none is tried before it is asked for."""
    layer = stacked(program)
    if isinstance(layer, str):
        yield Rung("slopes of a stacked layer", None, 1.0, holds=False, note=layer)
    elif (layer.low == layer.high).all():
        regular = inverses(less_identity(layer.weight)) is not None
        yield Rung("regular affine map", None, 1.0, regular, "")
        return
    else:
        yield from _by_slopes(layer, monitor, "")
    ball = invariant_ball(program)
    if isinstance(ball, str):
        return
    local = None if isinstance(layer, str) else narrowed(layer)
    if local is not None:
        yield from _by_slopes(local, monitor, LOCAL)
    if ball.whole and program.input_size <= MOST_ENTRIES:
        yield Rung(REGULAR, None, 1.0, regular_on(program, ball), "")


def _by_slopes(layer: Stacked, monitor: Monitor, suffix: str) -> Iterator[Rung]:
    """The rungs that rest on W and on the range of slopes alone."""
    steepest = np.maximum(np.abs(layer.low), np.abs(layer.high))
    units = len(layer.low)
    if units > SEARCHED:
        yield _sector_rung(MONOTONE + suffix, layer, (layer.low, layer.high), monitor, search=False)
        note = f"{units} units, more than {SEARCHED}"
        yield Rung(SCALED + suffix, None, 1.0, holds=False, note=note)
        return
    weighted = WEIGHTED if layer.iterates else WEIGHTED_LAYER
    yield _sector_rung(weighted + suffix, layer, (-steepest, steepest), monitor, search=True)
    yield _sector_rung(MONOTONE + suffix, layer, (layer.low, layer.high), monitor, search=False)
    yield _sector_rung(SCALED + suffix, layer, (layer.low, layer.high), monitor, search=True)
    yield _p_matrix_rung(layer, monitor, suffix)


def _sector_rung(
    name: str, layer: Stacked, slopes: tuple[Array, Array], monitor: Monitor, *, search: bool
) -> Rung:
    found = multipliers(layer.weight, *slopes, monitor, search=search)
    value = 1.0 / found.gain if found.gain > 0.0 else None
    return Rung(name, value, 1.0, found.proved, "")


def _p_matrix_rung(layer: Stacked, monitor: Monitor, suffix: str) -> Rung:
    """Its value is minus the smallest ratio of nested principal minors, which must be above 0."""
    if len(layer.low) > LARGEST:
        note = f"{len(layer.low)} units, more than {LARGEST}"
        return Rung(P_MATRIX + suffix, None, 0.0, holds=False, note=note)
    test = regular_slopes(layer.weight, layer.low, layer.high, monitor)
    value = -test.pivot if math.isfinite(test.pivot) else None
    note = "some slopes and biases in range give several fixed points" if test.refuted else ""
    return Rung(P_MATRIX + suffix, value, 0.0, test.holds, note)
