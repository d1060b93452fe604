"""States followed in rounds, each as long as all before it, until it is clear what they do."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fpcheck.attractors.iterate import BOUND
from fpcheck.attractors.motion.averages import REGULAR_DIGITS, average_digits
from fpcheck.attractors.motion.exponents import exponent
from fpcheck.attractors.motion.result import Exponent, Kind
from fpcheck.attractors.motion.returns import Return, Shadow, hardly_returns, returns, target_of
from fpcheck.attractors.motion.walk import Segment, orthonormal, stretch
from fpcheck.attractors.polish import Polished
from fpcheck.attractors.selfmap import Array, differentiable
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.program import Program

# Steps of the first round; half of them are burn-in. In every round the newest half is judged.
FIRST_ROUND = 1024
# Steps between two looks at the wish to stop.
PIECE = 128
# Steps between two normalisations of a tangent.
EVERY = 4
# Each state is moved by this much of its size, so that no symmetry which rounding respects holds
# it on a set that repels; chaos is believed once such a deviation had time to grow to full size.
KICK = 1e-6
# The largest exponent counts as zero only where its interval is no wider than this to each side.
QUIET = 0.01


@dataclass(frozen=True, slots=True)
class Followed:
    """What a followed state does. row: its place among the given states.

    state: (n,), where it is now; tangent: (1, n), its leading direction, None without a
    derivative; orbit: (steps, d), shadows of the newest half; target: index of an orbit.
    """

    row: int
    kind: Kind
    state: Array
    tangent: Array | None
    orbit: Array
    steps: int
    exponent: Exponent | None
    digits: float | None = None
    target: int | None = None
    distance: float | None = None
    note: str = ""


def follow(
    program: Program,
    states: Array,
    orbits: list[Polished],
    *,
    steps: int,
    settings: Settings,
    shadow: Shadow,
    rng: np.random.Generator,
    monitor: Monitor,
    patient: bool = False,
) -> list[Followed]:
    """What each state does, told by at most `steps` steps of it.

    states: (m, n); orbits: the known fixed points and cycles, to which new ones are added; shadow:
    what is kept of a state for comparisons, (m, n) -> (m, d); patient: chaos is believed only after
    all steps, since it may be a transient.
    """
    sizes = np.maximum(1.0, np.abs(states).max(axis=1, keepdims=True))
    now = states + KICK * sizes * rng.uniform(-1.0, 1.0, states.shape)
    tangents = None
    if differentiable(program):
        tangents, _ = orthonormal(rng.standard_normal((len(states), 1, states.shape[1])))
    rows = np.arange(len(states))
    segment = _round(program, now, tangents, FIRST_ROUND // 2, shadow, monitor)
    total, out = FIRST_ROUND // 2, []
    while len(rows):
        monitor.report("following what does not settle", len(states) - len(rows), len(states))
        segment = _round(program, segment.states, segment.tangents, total, shadow, monitor)
        total *= 2
        open_lanes = []
        for lane, row in enumerate(rows):
            monitor.check()
            seen = _seen(segment, lane, int(row), total)
            judged = _judge(program, seen, orbits, settings, shadow, monitor)
            waits = judged.kind == "unresolved" or (patient and judged.kind == "chaotic")
            if waits and 2 * total <= steps:
                open_lanes.append(lane)
            else:
                out.append(judged)
        rows = rows[open_lanes]
        segment = _only(segment, open_lanes)
    return sorted(out, key=lambda one: one.row)


def _round(
    program: Program,
    states: Array,
    tangents: Array | None,
    steps: int,
    shadow: Shadow,
    monitor: Monitor,
) -> Segment:
    pieces = []
    for begin in range(0, steps, PIECE):
        monitor.check()
        size = min(PIECE, steps - begin)
        piece = stretch(program, states, tangents, steps=size, every=EVERY, shadow=shadow)
        states, tangents = piece.states, piece.tangents
        pieces.append(piece)
    return Segment(
        states,
        tangents,
        np.concatenate([piece.orbit for piece in pieces]),
        np.concatenate([piece.growth for piece in pieces]),
    )


def _seen(segment: Segment, lane: int, row: int, steps: int) -> Followed:
    """A lane as it stands before it is judged."""
    tangents = segment.tangents
    return Followed(
        row=row,
        kind="unresolved",
        state=segment.states[lane],
        tangent=None if tangents is None else tangents[lane],
        orbit=np.ascontiguousarray(segment.orbit[:, lane]),
        steps=steps,
        exponent=None if tangents is None else exponent(segment.growth[:, [lane], 0], EVERY),
    )


def _judge(
    program: Program,
    seen: Followed,
    orbits: list[Polished],
    settings: Settings,
    shadow: Shadow,
    monitor: Monitor,
) -> Followed:
    """The lane with its kind, or `unresolved` with what is known of it."""
    # Written so that a NaN has diverged.
    if not (np.abs(seen.state) <= BOUND).all() or not np.isfinite(seen.orbit).all():
        return replace(seen, kind="diverged", exponent=None)
    rate = seen.exponent
    if rate is not None and rate.low > 0.0 and rate.low * seen.steps / 2 >= -math.log(KICK):
        return replace(seen, kind="chaotic", digits=average_digits(seen.orbit))
    backs = returns(seen.orbit, settings)
    for back in backs:
        target = target_of(
            program, seen.state, seen.orbit, back, orbits,
            settings=settings, shadow=shadow, monitor=monitor,
        )  # fmt: skip
        if target is not None:
            period = orbits[target.index].period
            return replace(
                seen,
                kind="cycle" if period > settings.max_period else "slow",
                target=target.index,
                distance=target.distance,
                note="reached while it was followed" if target.arrived else "",
            )
    digits = average_digits(seen.orbit)
    regular = digits >= REGULAR_DIGITS and not backs and hardly_returns(seen.orbit)
    if rate is not None and regular and _is_zero(rate):
        return replace(seen, kind="quasi-periodic", digits=digits, note=_no_return(seen))
    return replace(seen, digits=digits, note=_why_open(seen, backs, digits))


def _is_zero(rate: Exponent) -> bool:
    return rate.low <= 0.0 <= rate.high and rate.high - rate.low <= 2.0 * QUIET


def _no_return(seen: Followed) -> str:
    return f"no cycle of period up to {len(seen.orbit) // 2}; a longer one is not excluded"


def _why_open(seen: Followed, backs: tuple[Return, ...], digits: float) -> str:
    """What is known of a state that fits no kind."""
    rate = seen.exponent
    if any(back.settled for back in backs):
        return "hardly moves, but no fixed point or cycle was found there: a slow passage"
    if backs:
        return "its steps shrink, towards no fixed point or cycle that was found: a slow passage"
    if rate is None:
        return "no derivative, so no exponent; no return was found"
    if rate.high < 0.0:
        return (
            "near starts draw together, so it nears a fixed point or a cycle, but none of period "
            f"up to {len(seen.orbit) // 2} was found"
        )
    if rate.low > 0.0:
        return "the exponent is above zero, but a small deviation had no time to grow to full size"
    if digits < REGULAR_DIGITS:
        return (
            "the exponent's interval holds zero, but averages converge slowly: neither chaos nor "
            "regular motion is shown"
        )
    if not hardly_returns(seen.orbit):
        return "it almost repeats and slowly drifts, past or along a cycle that was not found"
    return "the motion is regular, but the exponent's interval is too wide to call it zero"


def _only(segment: Segment, lanes: list[int]) -> Segment:
    tangents = None if segment.tangents is None else segment.tangents[lanes]
    return Segment(
        segment.states[lanes], tangents, segment.orbit[:, lanes], segment.growth[:, lanes]
    )
