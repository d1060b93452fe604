"""What happened when: plateau, escape from the first saddle, the next saddle, divergence."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fpcheck.escape.probe import Run
from fpcheck.escape.problem import Array
from fpcheck.escape.result import StepRecord, Stretch

PLATEAU_CHANGE = 0.02  # of the level: the loss stays within it
PLATEAU_STEPS = 20  # at least so long, and
PLATEAU_SHARE = 0.05  # so much of the probe
BUMPS = 0.5  # so much of it at the least lies in the band
# A plateau's mean fall a step, over the steepest fall behind it: a loss that falls ever more
# slowly crosses its first 2 % at its fastest.
FLATNESS = 0.15
ESCAPE_SHARE = 0.1  # the plateau is left where so much of all that the loss falls has fallen
LEAST_FALL = 0.05  # of the plateau's level: a smaller fall is no escape
LAST = 0.05  # of the run: the end is the median over it
BLOW_UP = 10.0  # times the larger of the start's loss and a constant's: lost,
SPIKE = 1.1  # and so many times: jumped up, for the steps are too large there
GROWN = 1.02  # |theta| at an escape from zero over its least before
# A later flat stretch is a saddle's if the loss falls again, by this share of its level;
FALLS_AGAIN = 0.1
SADDLE_LEVEL = 0.25  # of the start: above, also if the run ends on it;
SADDLE_FLOOR = 1e-3  # of the start: below, all has been learnt


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The loss and |theta| by step; `steps` ascending. Full batch: every step, else the records."""

    steps: Array
    loss: Array
    norm: Array
    time: Array


@dataclass(frozen=True, slots=True)
class Events:
    """What the curve shows; steps are numbers of updates made before."""

    plateau: Stretch | None = None
    escaped_at: int | None = None
    escaped_time: float | None = None
    growth_rate: float | None = None
    norm_growth: float | None = None
    from_zero: bool | None = None
    next_saddle: Stretch | None = None
    spike_at: int | None = None
    diverged_at: int | None = None


def curve_of(run: Run, records: tuple[StepRecord, ...]) -> Curve:
    """The curve that events are read from: free of the noise of mini-batches."""
    if run.full_batch or not records:
        steps = np.arange(len(run.loss), dtype=np.float64)
        return Curve(steps, run.loss, run.parameter_norm, run.time)
    columns = np.array([(r.step, r.loss, r.parameter_norm, r.time) for r in records]).T
    steps, loss, norm, time = columns
    if run.steps > steps[-1]:  # the last step was not finite, and so has no record
        steps, loss = np.append(steps, run.steps), np.append(loss, run.loss[-1])
        norm, time = np.append(norm, run.parameter_norm[-1]), np.append(time, run.time[-1])
    return Curve(steps, loss, norm, time)


def find_events(curve: Curve, constant_loss: float, probe_steps: int) -> Events:
    """The events of a run.

    constant_loss: of the best answer that is the same for all rows.
    """
    diverged = _divergence(curve, constant_loss)
    if diverged == 0:
        return Events(diverged_at=_step(curve, 0))
    finite = Curve(
        curve.steps[:diverged], curve.loss[:diverged], curve.norm[:diverged], curve.time[:diverged]
    )
    shortest = max(PLATEAU_STEPS, PLATEAU_SHARE * probe_steps)
    found = _first_saddle(finite, constant_loss, shortest)
    spike = _step(curve, _spike(finite.loss, constant_loss) if diverged is None else None)
    return replace(found, spike_at=spike, diverged_at=_step(curve, diverged))


def _spike(loss: Array, constant_loss: float) -> int | None:
    """The place of the largest loss, if it lies above the start's and a constant's."""
    place = int(loss.argmax())
    return place if loss[place] > SPIKE * max(float(loss[0]), constant_loss) else None


def _first_saddle(curve: Curve, constant_loss: float, shortest: float) -> Events:
    """The plateau, the escape from it, and the next saddle."""
    steps, loss = curve.steps, curve.loss
    plateau = None if len(steps) < 2 else _plateau(steps, loss, constant_loss, shortest)
    if plateau is None:
        return Events()
    first, last = plateau
    escape = _escape(loss, first, last)
    if escape is None:
        return Events(_stretch(steps, first, last))
    least = float(curve.norm[: escape + 1].min())
    growth = float(curve.norm[escape]) / least if least > 0.0 else math.inf
    return Events(
        plateau=_stretch(steps, first, min(last, escape - 1)),
        escaped_at=int(steps[escape]),
        escaped_time=float(curve.time[escape]),
        growth_rate=_growth_rate(curve, first, escape),
        norm_growth=growth,
        from_zero=growth >= GROWN,
        next_saddle=_next_saddle(steps, loss, escape, shortest),
    )


def _divergence(curve: Curve, constant_loss: float) -> int | None:
    """The place from which the loss is not finite, or far above the start without coming back.

    A run that blows up and in the end only gives the same answer for every row has not come back.
    """
    start = float(curve.loss[0])
    level = (1.0 - PLATEAU_CHANGE) * min(start, constant_loss)
    after = 0
    if np.median(curve.loss[curve.steps >= (1.0 - LAST) * curve.steps[-1]]) < level:
        after = int(np.flatnonzero(curve.loss < level)[-1]) + 1
    rest = curve.loss[after:]
    high = ~np.isfinite(rest) | (rest > BLOW_UP * max(start, constant_loss))
    return after + int(np.argmax(high)) if high.any() else None


def _plateau(
    steps: Array, loss: Array, constant_loss: float, shortest: float
) -> tuple[int, int] | None:
    """The places of the first stretch at the start's level, or at a constant's."""
    for level in (float(loss[0]), constant_loss):
        near = np.abs(loss - level) <= PLATEAU_CHANGE * level
        if not near.any():
            continue
        first = int(np.argmax(near))
        # Until it has fallen out of the band for good: a short bump upwards does not end it, a
        # rise that does not come back does.
        fallen = np.flatnonzero(loss[first:] < (1.0 - PLATEAU_CHANGE) * level)
        until = first + int(fallen[0]) if len(fallen) else len(loss)
        last = first + int(np.flatnonzero(near[first:until])[-1])
        inside = float(np.diff(steps[first : last + 1]) @ near[first:last])
        if inside < max(shortest, BUMPS * (steps[last] - steps[first])):
            continue
        if until == len(loss) or _flat(steps, loss, first, last):
            return first, last
    return None


def _flat(steps: Array, loss: Array, first: int, last: int) -> bool:
    """Whether the loss falls much faster somewhere behind the stretch, over as many steps."""
    fall = max(float(loss[first] - loss[last]), 0.0)
    width = float(steps[last] - steps[first])
    ends = np.searchsorted(steps, steps[last:] + width).clip(0, len(steps) - 1)
    spans = np.maximum(steps[ends] - steps[last:], 1.0)
    # A loss that jumps up and comes back has not fallen: the least so far is what counts.
    least = np.minimum.accumulate(loss[last:])
    # Short stretches at the end of the run count as if they were whole.
    steepest = float(np.max((least - least[ends - last]) / np.maximum(spans, 0.25 * width)))
    return fall / width <= FLATNESS * steepest


def _escape(loss: Array, first: int, last: int) -> int | None:
    """The place at which the loss has fallen by a share of what it falls from the plateau on."""
    level, least = float(loss[first]), float(loss[last:].min())
    if level - least < LEAST_FALL * level:
        return None
    return first + int(np.argmax(loss[first:] <= level - ESCAPE_SHARE * (level - least)))


def _growth_rate(curve: Curve, first: int, escape: int) -> float | None:
    """The slope of log |theta| by time over the later half of the plateau, by least squares."""
    middle = (first + escape) // 2
    time, norm = curve.time[middle : escape + 1], curve.norm[middle : escape + 1]
    if len(time) < 3 or not (norm > 0.0).all() or not time[-1] > time[0]:
        return None
    centred = time - time.mean()
    return float(centred @ np.log(norm) / (centred @ centred))


def _next_saddle(steps: Array, loss: Array, escape: int, shortest: float) -> Stretch | None:
    """The first flat stretch behind the escape that falls again, or ends the run while high."""
    best: tuple[int, int] | None = None
    for place in range(escape, len(loss) - 1):
        # The longest of the stretches that overlap the first one found.
        if loss[place] <= SADDLE_FLOOR * loss[0] or (best is not None and place > best[1]):
            break
        last = _saddle_end(steps, loss, place, shortest)
        if last is not None and (best is None or last - place > best[1] - best[0]):
            best = place, last
    return None if best is None else _stretch(steps, *best)


def _saddle_end(steps: Array, loss: Array, place: int, shortest: float) -> int | None:
    """The last place of the flat stretch that begins here, None where it is no saddle's."""
    level = float(loss[place])
    gone = np.flatnonzero(np.abs(loss[place:] - level) > PLATEAU_CHANGE * level)
    last = place + int(gone[0]) - 1 if len(gone) else len(loss) - 1
    if steps[last] - steps[place] < shortest:
        return None
    if last == len(loss) - 1:
        return last if level > SADDLE_LEVEL * loss[0] else None
    again = float(loss[last] - loss[last:].min()) > FALLS_AGAIN * level
    return last if again and _flat(steps, loss, place, last) else None


def _stretch(steps: Array, first: int, last: int) -> Stretch:
    return {"from": int(steps[first]), "to": int(steps[last])}


def _step(curve: Curve, place: int | None) -> int | None:
    return None if place is None else int(curve.steps[place])
