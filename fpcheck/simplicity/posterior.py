"""How the accepted networks do on rows that they were not chosen by."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Interval, mean_t, wilson
from fpcheck.core.progress import Monitor
from fpcheck.simplicity.estimate import Estimate
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.networks import Prior
from fpcheck.simplicity.outputs import outputs
from fpcheck.simplicity.result import AcceptedErrors
from fpcheck.simplicity.trained import error_interval
from fpcheck.simplicity.violations import violations

Array = NDArray[np.float64]


def accepted_errors(
    prior: Prior, found: Estimate, train: Labelling, test: Labelling | None, monitor: Monitor
) -> tuple[AcceptedErrors, Array | None]:
    """The errors on the test rows, and (groups, rows) the share of each group that is wrong.

    One network's error is the mean over all of them, the interval's over rows and independent
    groups of networks. The vote is of these networks, by classes the commonest answer, by numbers
    the median; its interval is over rows.
    """
    count = len(found.parameters)
    baseline = majority_error(train, test)
    if test is None or count == 0:
        return AcceptedErrors(*(None,) * 6, count, baseline), None
    out = outputs(prior, found.parameters, test.rows, monitor)
    wrong = violations(out, test) > 0.0
    names = np.unique(found.groups)
    by_group = np.array([wrong[found.groups == name].mean(axis=0) for name in names])
    one = error_interval(by_group)
    missed = int((violations(vote(out, test)[None], test)[0] > 0.0).sum())
    voted = wilson(missed, test.count)
    errors = AcceptedErrors(
        guess_and_check_error=float(by_group.mean()),
        guess_and_check_error_low=one.low,
        guess_and_check_error_high=one.high,
        vote_error=missed / test.count,
        vote_error_low=voted.low,
        vote_error_high=voted.high,
        accepted_networks=count,
        majority_error=baseline,
    )
    return errors, by_group


def vote(out: Array, labelling: Labelling) -> Array:
    """(n, c) outputs that answer as most of the networks do. out: (m, n, c).

    If more than half of the networks have a row right the vote has, so that its error is at most
    twice the mean of theirs; of numbers by the median of each output, where that holds too.
    """
    if labelling.rule == "sign":
        share: Array = (out[:, :, 0] > 0.0).mean(axis=0)[:, None]
        return share - 0.5
    if labelling.rule == "argmax":
        answers = out.argmax(axis=2)
        votes: Array = np.array(
            [(answers == cls).mean(axis=0) for cls in range(out.shape[2])], dtype=np.float64
        ).T
        return votes
    middle: Array = np.median(out, axis=0)
    return middle


def majority_error(train: Labelling, test: Labelling | None) -> float | None:
    """The share of the test rows that the training rows' commonest class has wrong.

    Of numbers: that their mean has.
    """
    if test is None:
        return None
    if test.labels is None:
        guess = np.zeros((1, test.count, test.outputs_wanted))
        return float((violations(guess, test) > 0.0).mean())
    counts = train.class_counts
    assert counts is not None  # there are labels
    return float((test.labels != int(counts.argmax())).mean())


def gain(sampled: Array, trained: NDArray[np.bool_]) -> tuple[float, Interval]:
    """Error of sampled networks minus that of trained ones on the same rows, with its interval.

    sampled: (groups, rows), trained: (runs, rows). Over rows by their paired differences, with half
    a row more in each cell of the table, so that no difference seen is not no difference [Agresti,
    Min 2005]; over groups and runs by Student's t; put together around the mean.
    """
    rows = sampled.shape[1]
    paired = sampled.mean(axis=0) - trained.mean(axis=0)
    mean = float(paired.mean())
    shrunk = float(paired.sum()) / (rows + 2)
    variance = (float(paired @ paired) + 1.0) / (rows + 2) - shrunk**2
    by_rows = mean_t(shrunk, math.sqrt(variance / (rows + 2)), 1e9)
    groups, runs = (_mean_over(each.mean(axis=1)) for each in (sampled, trained))
    low = math.hypot(mean - by_rows.low, groups, runs)
    high = math.hypot(by_rows.high - mean, groups, runs)
    return mean, Interval(max(-1.0, mean - low), min(1.0, mean + high))


def _mean_over(errors: Array) -> float:
    """Half the interval of the mean of independent errors."""
    count = len(errors)
    spread = float(errors.std(ddof=1)) if count > 1 else 0.0
    return mean_t(0.0, spread / math.sqrt(count), count - 1).high
