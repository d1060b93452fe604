"""Obvious twins of the kernels: plain Python and NumPy, slow, one start at a time."""

from __future__ import annotations

import numpy as np

from fpcheck.attractors.iterate import BOUND, NOISE_ROUNDINGS, Fate
from fpcheck.kernels.settle import APART, DRIFT_SHARE


def chain_map(layers):
    """The map of a chain of (weight (out, in), bias, activation function)."""

    def image(x):
        for weight, bias, function in layers:
            x = function.phi(weight @ x + bias)
        return x

    return image


def iterate_one(image, start, settings):
    """(fate, state, period, steps) of one start, by the rules that kernels.settle states."""

    def distance(new, old):
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.abs(new - old) / (settings.atol + settings.rtol * np.abs(old))
        return np.max(np.where(new == old, 0.0, scaled))

    noise = NOISE_ROUNDINGS * np.finfo(float).eps / settings.rtol

    def is_settled(first, second, apart):
        if max(first, second) <= noise:
            return apart >= APART
        return second < first and first**2 / (first - second) <= DRIFT_SHARE * apart

    x = reference = np.array(start, dtype=float)
    mark, window = 0, 1
    period, first, apart = None, None, np.inf
    for step in range(1, settings.max_steps + 1):
        old, x = x, image(x)
        if not np.all(np.abs(x) <= BOUND):
            return Fate.DIVERGED, old, 0, step
        if distance(x, old) <= 1:
            return Fate.FIXED_POINT, x, 1, step
        since = step - mark
        returned = distance(x, reference) <= 1
        if period is None:
            if returned and since > 1:
                period, first, apart = since, None, np.inf
                reference, mark = x, step
            elif since >= window:
                window = min(2 * window, settings.max_period)
                reference, mark = x, step
        elif since < period and returned:
            period, first, apart = since, distance(x, reference), np.inf
            reference, mark = x, step
        elif since < period:
            apart = min(apart, distance(x, reference))
        elif returned and first is None:
            first = distance(x, reference)
            reference, mark = x, step
        elif returned and is_settled(first, distance(x, reference), apart):
            return Fate.CYCLE, x, period, step
        else:
            period, reference, mark = None, x, step
    return Fate.UNRESOLVED, x, 0, settings.max_steps


def label(states, representatives, atol, rtol):
    """(labels, all representatives) by the first representative that each state lies near."""
    known, labels = [*representatives], []
    for state in states:
        near = [np.all(np.abs(state - one) <= atol + rtol * np.abs(one)) for one in known]
        if not any(near):
            known.append(state)
            near.append(True)
        labels.append(near.index(True))
    return np.array(labels), np.array(known)
