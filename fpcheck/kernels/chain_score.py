"""How far a network's outputs are from the labels, in one number, inside a kernel.

The definition is simplicity.score, whose twin this is.
"""

from __future__ import annotations

import math

from fpcheck.kernels.answers import ARGMAX, BAND, SIGN
from fpcheck.kernels.compile import kernel, scalar


@kernel
def chain_score(out, rule, labels, targets, tolerance, errors, wrong):
    """The score of outputs (c, n): see simplicity.score. wrong: (n,) scratch."""
    outputs, n = out.shape
    total = size = 0.0
    ties = 0
    for i in range(n):
        if rule == SIGN:
            f = out[0, i]
            size += abs(f)
            miss = -f if labels[i] == 1 else f
            tied = f == 0.0 and labels[i] == 1
        elif rule == ARGMAX:
            top, best, mean = -math.inf, 0, 0.0
            for j in range(outputs):
                mean += out[j, i]
                if out[j, i] > top:
                    top, best = out[j, i], j
            size += top - mean / outputs
            miss = top - out[labels[i], i]
            tied = miss == 0.0 and best != labels[i]
        else:
            miss, tied = 0.0, False
            for j in range(outputs):
                gap = abs(out[j, i] - targets[i, j]) - tolerance
                miss = gap if not gap <= miss else miss  # NaN too, which nothing takes away
                if math.isnan(miss):
                    break
            size += 1.0
        if tied:
            ties += 1
            miss = -math.inf
        elif not miss <= 0.0:
            total += miss
        wrong[i] = miss
    if not total + size < math.inf:
        return math.inf
    if rule != BAND and not size > 0.0:
        # Every output is 0: right where a tie is right, and as far from the rest as can be.
        return 0.0 if ties <= errors else 1.0
    if ties:
        for i in range(n):
            if wrong[i] == -math.inf:
                wrong[i] = size / n
                total += wrong[i]
    return (_without_worst(wrong, errors) if errors else total) / size


@scalar
def _without_worst(wrong, errors):
    """The sum of what is positive but for the `errors` largest."""
    n = wrong.shape[0]
    for _ in range(errors):
        worst = 0
        for i in range(1, n):
            if wrong[i] > wrong[worst]:
                worst = i
        wrong[worst] = 0.0
    total = 0.0
    for i in range(n):
        if wrong[i] > 0.0:
            total += wrong[i]
    return total
