"""The reference list of fixed points: undamped Newton steps from very many starts, in plain NumPy.

Slow and obvious; for tanh(W x + b) and other maps of few units.
"""

from __future__ import annotations

import numpy as np

# A step that is longer is cut: far away Newton's method on a saturated map jumps anywhere.
LONGEST_STEP = 2.0
STEPS = 80
RESIDUAL = 1e-13
APART = 1e-6


def fixed_points(value, slope, starts):
    """The distinct fixed points that Newton's method reaches from the starts, (m, n).

    value: (k, n) -> (k, n); slope: (k, n) -> (k, n, n).
    """
    x = np.array(starts)
    unit = np.eye(x.shape[1])
    for _ in range(STEPS):
        step = np.linalg.solve(unit - slope(x), (x - value(x))[..., None])[..., 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        x = x - np.minimum(1.0, LONGEST_STEP / np.maximum(length, 1e-300)) * step
    arrived = x[np.abs(x - value(x)).max(axis=1) < RESIDUAL]
    # Points far apart in their first coordinates cannot be one; the rest is compared one by one.
    kept = np.empty((0, x.shape[1]))
    for state in arrived:
        if not len(kept) or np.linalg.norm(kept - state, axis=1).min() > APART:
            kept = np.vstack([kept, state])
    return kept


def of_tanh(weight, bias, starts):
    """The fixed points of tanh(W x + b) from the starts."""

    def value(x):
        return np.tanh(x @ weight.T + bias)

    def slope(x):
        return (1.0 - value(x) ** 2)[:, :, None] * weight

    return fixed_points(value, slope, starts)


def missing(expected, found, apart=APART):
    """How many of the expected points, (m, n), lie near none of those found, (k, n)."""
    distances = np.linalg.norm(expected[:, None] - np.asarray(found)[None], axis=2)
    return int(np.count_nonzero(distances.min(axis=1) > apart))
