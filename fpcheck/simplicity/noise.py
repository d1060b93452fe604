"""What each allowed error saves, and which rows are the expensive ones: mislabelled, or hard."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.simplicity.estimate import Asked, Effort, Estimate
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.outputs import outputs
from fpcheck.simplicity.result import ErrorsPoint, ExpensiveRow, Noise
from fpcheck.simplicity.several import Job, estimate_all, in_report, intervals
from fpcheck.simplicity.violations import violations

Array = NDArray[np.float64]

MOST_SHARE = 0.125  # of the rows: the most errors that are allowed
RANKED_SHARE = 1 / 16  # of the rows wrong at most: the networks that rank the rows
MOST_RANKED = 20


def noise(
    asked: Asked,
    labelling: Labelling,
    true: Estimate,
    rng: np.random.Generator,
    effort: Effort,
    numbers: NDArray[np.intp],
) -> Noise:
    """The bits over the allowed errors, and the rows that networks with a few errors get wrong.

    Where one label is wrong, the networks that may have one row wrong spend it on that row: it is
    wrong in most of them, while of rows that are alike each is wrong in few.

    Args:
        true: the estimate at settings.label_errors.
        numbers: of the labelling's rows in the data.

    Raises:
        KeyboardInterrupt: the monitor asked to stop.
    """
    base = asked.settings.label_errors
    allowed = [k for k in allowed_errors(labelling.count) if k != base]
    streams = rng.spawn(len(allowed))
    jobs = [Job(labelling, stream, k) for k, stream in zip(allowed, streams, strict=True)]
    estimates = estimate_all(asked, jobs, effort, "simplicity: allowed errors")
    found = {base: true, **dict(zip(allowed, estimates, strict=True))}
    points = [ErrorsPoint(base, *in_report(true), true.status)]
    for k, each, ends in zip(allowed, estimates, intervals(estimates), strict=True):
        points.append(ErrorsPoint(k, *ends, each.status))
    curve = _falling(points)
    ranked, words = _expensive(asked, labelling, found, numbers)
    return Noise(curve, ranked, words)


def _falling(points: list[ErrorsPoint]) -> tuple[ErrorsPoint, ...]:
    """The points by their errors; fewer errors cost no less, which raises the lower bounds."""
    least, falling = 0.0, []
    for point in sorted(points, key=lambda point: -point.errors):
        low = max(least, point.bits_low or 0.0)
        if point.status == "lower bound":
            falling.append(replace(point, bits=max(low, point.bits or 0.0), bits_low=low))
        else:
            falling.append(point)
        least = low
    return tuple(reversed(falling))


def no_noise(true: Estimate, errors: int, why: str) -> Noise:
    """The one point that is known anyway, and why there are no more."""
    return Noise((ErrorsPoint(errors, *in_report(true), true.status),), (), why)


def allowed_errors(rows: int) -> list[int]:
    """0, 1, 2, 4, ... up to MOST_SHARE of the rows."""
    powers = [2**j for j in range(rows.bit_length()) if 2**j <= MOST_SHARE * rows]
    return [0, *powers]


def _expensive(
    asked: Asked, labelling: Labelling, found: dict[int, Estimate], numbers: NDArray[np.intp]
) -> tuple[tuple[ExpensiveRow, ...], str]:
    """The rows by the share of networks with at most k errors that have them wrong; from which."""
    usable = [k for k, each in found.items() if k > 0 and len(each.parameters)]
    if not usable:
        return (), "no network with a few errors was found"
    wanted = RANKED_SHARE * labelling.count
    chosen = min(usable, key=lambda k: abs(math.log(k / max(wanted, 1.0))))
    networks = found[chosen].parameters
    out = outputs(asked.prior, networks, labelling.rows, asked.monitor)
    wrong = violations(out, labelling) > 0.0
    shares = wrong.mean(axis=0)
    order = np.lexsort((numbers, -shares))
    rows = [
        ExpensiveRow(int(numbers[row]), label_of(labelling, int(row)), float(shares[row]))
        for row in order[:MOST_RANKED].tolist()
        if shares[row] > 0.0
    ]
    total = f"{len(networks)} networks with at most {chosen} of {labelling.count} rows wrong"
    return tuple(rows), total


def label_of(labelling: Labelling, row: int) -> str:
    """The row's class, or its standardised target."""
    if labelling.targets is not None:
        return ", ".join(f"{value:.3g}" for value in labelling.targets[row].tolist())
    assert labelling.labels is not None
    return labelling.classes[int(labelling.labels[row])]
