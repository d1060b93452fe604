"""The answer in one line: what the first steps do, what decides it, what to do next."""

from __future__ import annotations

from dataclasses import replace

from fpcheck.escape.events import Events
from fpcheck.escape.result import LowRankLayer, Verdict
from fpcheck.escape.trainability import Trainability
from fpcheck.escape.wording import tenth

RESCALE = "draw the weights at another scale; `fpcheck suggest` gives one"
ALL_WELL = "nothing: no plateau stands in the way"


def decide(
    found: Trainability,
    events: Events,
    low_rank: tuple[LowRankLayer, ...],
    *,
    dead: bool,
    rate: float,
    steps: int,
    adaptive: bool,
    given: bool,
    waits: bool,
) -> Verdict:
    """The verdict by stated rules, the gravest first.

    adaptive: whether the rate already grows as the weights shrink. given: whether the rate was
    not chosen here. waits: whether Adam starts where this run stood still.
    """
    if found.answer == "diverges":
        return Verdict("diverges", found.reason, _slower(rate, given=given))
    if dead:
        return Verdict("dead start", found.reason, RESCALE)
    told = _told(found, events, low_rank, steps=steps, adaptive=adaptive, given=given, waits=waits)
    if events.spike_at is None:
        return told
    step = f"a smaller --lr: the loss jumps up at step {events.spike_at}"
    if told.next_step != ALL_WELL:
        step = f"{step}; {told.next_step}"
    return replace(told, next_step=step)


def _told(
    found: Trainability,
    events: Events,
    low_rank: tuple[LowRankLayer, ...],
    *,
    steps: int,
    adaptive: bool,
    given: bool,
    waits: bool,
) -> Verdict:
    """The verdict of a run that is neither lost nor dead from the start."""
    if found.answer == "does not start":
        if events.plateau is None:
            return Verdict("does not start", found.reason, RESCALE)
        other = "a larger --lr" if adaptive or given else "--optimiser norm-adaptive"
        more = f"--probe-steps {10 * steps} or {other} tells whether it is left"
        reason = f"{found.reason}: it does not leave the plateau"
        return Verdict("does not start", reason, f"{more}; or {RESCALE}")
    if waits:
        other = "a larger --lr (without it the curvature chooses)" if given else "--optimiser adam"
        more = f"{other}, or larger initial weights; --probe-steps {10 * steps} tells how"
        return Verdict("waits on a plateau", found.reason, f"{more} long it waits")
    if events.escaped_at is not None:
        return Verdict(
            "leaves a plateau", _escape_words(events, low_rank), _after(events, adaptive)
        )
    if found.answer == "trains":
        return Verdict("trains at once", found.reason, ALL_WELL)
    return Verdict(
        "cannot tell", found.reason, f"--probe-steps {10 * steps}, or another --lr, decides"
    )


def _slower(rate: float, *, given: bool) -> str:
    smaller = f"--lr {tenth(rate)}"
    if given:
        smaller += ", or none, so that the curvature chooses it"
    return f"a smaller learning rate: {smaller}"


def _escape_words(events: Events, low_rank: tuple[LowRankLayer, ...]) -> str:
    assert events.plateau is not None
    words = f"the loss stays put up to step {events.plateau['to']} and leaves at"
    words = f"{words} {events.escaped_at}"
    if events.norm_growth is not None and events.from_zero:
        words += f", the weights' norm {events.norm_growth:.3g} times its least"
    thin = [one for one in low_rank if one.low_rank]
    if not thin:
        return f"{words}; in no layer does one direction hold most of the change"
    names = ", ".join(f"'{one.name}'" for one in thin)
    if len(thin) == len(low_rank) > 2:
        names = f"all {len(thin)} layers"
    words = f"{words}; one direction holds most of the change in {names}"
    best = max(thin, key=lambda one: one.ratio or 0.0)
    if best.ratio is None:
        return words
    return f"{words} (sigma_1/sigma_2 up to {best.ratio:.3g}, in '{best.name}')"


def _after(events: Events, adaptive: bool) -> str:
    if events.next_saddle is not None:
        return (
            f"expect further plateaus (the next one from step {events.next_saddle['from']}); "
            "larger initial weights shorten them"
        )
    other = "a larger --lr" if adaptive else "--optimiser norm-adaptive"
    return f"larger initial weights or {other} shorten the plateau"
