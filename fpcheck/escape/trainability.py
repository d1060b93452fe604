"""Whether the loss falls at all within the probe: what a short run says of a long one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpcheck.escape.events import LAST, Curve, Events
from fpcheck.escape.probe import Run
from fpcheck.escape.problem import Problem
from fpcheck.escape.result import Answer, StepRecord
from fpcheck.network.layers import LINEAR, layers

STARTS = 0.05  # of the loss to beat: a fall that is a start,
NOTHING = 0.01  # and one that is none
LEARNT = 0.5  # of a constant's loss: a network below it has learnt already


@dataclass(frozen=True, slots=True)
class Trainability:
    """fall: 1 - best loss / the loss to beat, the lesser of the start's and a constant's."""

    answer: Answer
    reason: str
    fall: float
    end_loss: float
    best_loss: float


def dead_start(run: Run, records: tuple[StepRecord, ...]) -> tuple[bool, str]:
    """(whether nothing can be learnt from the rows, the first layer that gives 0 for all).

    Dead is a gradient of exactly 0, or outputs that are the same for every row behind a layer
    whose values are all 0: then at most the later biases learn, and they know no row.
    """
    silent = ""
    if records:
        ranks = {layer.name: layer.activation_rank for layer in records[0].layers}
        hidden = layers(run.network.skeleton)[:-1]
        dead = [one.name for one in hidden if one.activation != LINEAR and not ranks[one.name]]
        silent = dead[0] if dead else ""
    no_gradient = bool(run.gradient_norm[0] == 0.0)
    return no_gradient or (bool(silent) and not run.outputs_differ), silent


def judge_trainability(
    curve: Curve, events: Events, problem: Problem, *, dead: bool, silent: str
) -> Trainability:
    """The answer by stated limits, with the figure that decides."""
    start = float(curve.loss[0])
    finite = curve.loss[np.isfinite(curve.loss)]
    best = float(finite.min()) if len(finite) else start
    tail = curve.loss[curve.steps >= (1.0 - LAST) * curve.steps[-1]]
    end = float(np.median(tail))
    beat = min(start, problem.constant_loss)
    fall = 1.0 - best / beat if beat > 0.0 else 0.0
    steps = int(curve.steps[-1])
    answer: Answer = "cannot tell"
    if events.diverged_at is not None:
        answer, reason = "diverges", _blown_words(curve, events.diverged_at)
    elif dead:
        behind = f"'{silent}' gives 0 for every row" if silent else "the gradient is exactly 0"
        answer, reason = "does not start", f"{behind}, so nothing about the rows can be learnt"
    elif end > beat and fall >= STARTS:
        reason = f"the loss falls by {fall:.1%} to {best:.4g} and comes back to {end:.4g}"
    elif fall >= STARTS:
        answer, reason = "trains", f"the loss falls by {fall:.1%} in {steps} steps, to {best:.4g}"
    elif start <= LEARNT * problem.constant_loss:
        share = start / problem.constant_loss
        reason = f"it has learnt already: it starts at {share:.1%} of a constant's loss"
    elif best > (1.0 + NOTHING) * problem.constant_loss and best <= (1.0 - STARTS) * start:
        reason = (
            f"the loss falls from {start:.4g} to {best:.4g} in {steps} steps, not yet to that of "
            f"the same answer for every row ({problem.constant_loss:.4g})"
        )
    elif fall < NOTHING:
        answer, reason = "does not start", _flat_words(curve, problem, fall)
    else:
        reason = f"the loss falls by {fall:.1%} in {steps} steps: neither nothing nor a start"
    return Trainability(answer, reason, fall, end, best)


def _blown_words(curve: Curve, step: int) -> str:
    start, peak = float(curve.loss[0]), float(np.max(curve.loss[curve.steps >= step]))
    if not np.isfinite(peak):
        return f"the loss goes from {start:.4g} to a number that is not finite, from step {step} on"
    return f"from step {step} on the loss rises from {start:.4g} to {peak:.3g} and does not recover"


def _flat_words(curve: Curve, problem: Problem, fall: float) -> str:
    steps, best = int(curve.steps[-1]), float(np.nanmin(curve.loss))
    if curve.loss[0] > problem.constant_loss * (1.0 + NOTHING) and fall > -NOTHING:
        return (
            f"in {steps} steps the loss comes to {best:.4g}, no lower than the same answer for "
            f"every row ({problem.constant_loss:.4g})"
        )
    share = max(1.0 - best / float(curve.loss[0]), 0.0)
    return f"the loss falls by {share:.2%} only in {steps} steps, to {best:.4g}"
