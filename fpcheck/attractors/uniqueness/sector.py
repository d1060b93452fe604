"""Diagonal multipliers: the strongest proof of uniqueness that scales with the cube of the width.

Let z = phi(W z + c) with difference quotients of phi in [l, h], and let d be the difference of two
solutions. Then (d - l W d)_i (h W d - d)_i >= 0 for every unit i, so for every diagonal D > 0

    d^T M(D) d <= 0,   M(D) = P^T D Q + Q^T D P,   P = I - l W,   Q = I - h W,

and d = 0 if M(D) is positive definite. Moreover z -> z - phi(W z + c) then expands all distances by
a factor above 0 in the norm of D, so it is injective, open (invariance of domain) and has a closed
image: there is *exactly* one solution. For [l, h] = [0, 1] this is the scaled monotone condition
D (I - W) + (I - W)^T D > 0; for [-s, s] it is W^T D W < D / s^2, that is ||D^1/2 W D^-1/2|| < 1/s:
a contraction in a weighted norm.

D is sought with W scaled by a gain that rises from 0, along analytic centres [Boyd, El Ghaoui
1993]; only the last step, that M(D) is positive definite at gain 1, is a proof, and it is verified.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.selfmap import Array
from fpcheck.core.progress import Monitor
from fpcheck.network.enclosure.ball import Ball, matmul, plus, times
from fpcheck.network.enclosure.matrices import less_identity, max_norm, point, positive_definite

CENTRINGS = 30
NEWTON_STEPS = 12  # a centring
CENTRED = 0.1  # Newton decrement, squared, of a point that is near enough to the centre
FORWARD = 0.9  # share of the way to the largest gain that the present D allows
STALLED = 1e-4  # relative rise of the gain below which the search ends
COARSE, FINE = 1e-3, 1e-7  # relative tolerance of a gain, on the way and in the end,
SMALL = 256  # and up to how many units the latter is worth its cost
DOUBLINGS = 60
BACKTRACKS = 30


@dataclass(frozen=True, slots=True)
class Multipliers:
    """Diagonal multipliers and the largest gain at which they still work, as computed.

    proved: whether they are verified at gain 1.
    """

    diagonal: Array
    gain: float
    proved: bool


def multipliers(
    weight: Ball,
    low: Array,
    high: Array,
    monitor: Monitor,
    *,
    search: bool = True,
    target: float = 1.0,
) -> Multipliers:
    """The multipliers found for z = phi(W z + c). weight: (N, N); low, high: (N,).

    Without `search` all are 1. The search ends at the gain `target` or where none rises.
    """
    w = weight.mid
    ones = np.ones(len(w))
    if not np.isfinite(weight.rad).all():
        return Multipliers(ones, 0.0, proved=False)
    diagonal = _search(w, low, high, target, monitor) if search else ones
    gain = _largest_gain(w, low, high, diagonal, 0.0, FINE if len(w) <= SMALL else COARSE)
    proved = gain > 1.0 - COARSE and verified(weight, low, high, diagonal)
    return Multipliers(diagonal, gain, proved=proved)


def verified(weight: Ball, low: Array, high: Array, diagonal: Array) -> bool:
    """Whether it is proved that M(D) is positive definite for every W of the ball."""
    if not (diagonal > 0).all() or not np.isfinite(diagonal).all():
        return False
    p = less_identity(times(point(low[:, None]), weight))
    q = less_identity(times(point(high[:, None]), weight))
    half = matmul(p.map(np.transpose), times(point(diagonal[:, None]), q))
    form = plus(half, half.map(np.transpose))
    # Of a symmetric matrix of non-negative numbers the 2-norm is at most the largest row sum.
    return positive_definite(form.mid, max_norm(point(form.rad)))


def _search(w: Array, low: Array, high: Array, target: float, monitor: Monitor) -> Array:
    """The multipliers with the largest gain that the search meets, or the first beyond target."""
    best = diagonal = np.full(len(w), 2.0)  # the centre at gain 0
    gain, inner = _largest_gain(w, low, high, best, 0.0, COARSE), 0.0
    if _impossible(w, low, high, target):
        return best
    for left in range(CENTRINGS, 0, -1):
        if gain > target * (1.0 + 2.0 * COARSE):
            break
        monitor.check()
        inner += FORWARD * (gain - inner)
        diagonal = _centred(*_factors(w, low, high, inner), diagonal)
        reached = _largest_gain(w, low, high, diagonal, inner, COARSE)
        if reached > gain:
            best = diagonal
        rise = math.log(max(reached, gain) / gain)
        gain = max(reached, gain)
        # Rises become smaller: what does not get there at the present rate does not at all.
        hopeless = target < math.inf and math.log(gain / target) + rise * left < 0.0
        if hopeless or inner > (1.0 - STALLED) * gain:
            break
    return best


def _factors(w: Array, low: Array, high: Array, gain: float) -> tuple[Array, Array]:
    """P = I - gain l W and Q = I - gain h W."""
    one = np.eye(len(w))
    return one - gain * low[:, None] * w, one - gain * high[:, None] * w


def _impossible(w: Array, low: Array, high: Array, gain: float) -> bool:
    """Whether slopes in the range make I - S W singular at a gain up to this one, to rounding.

    det(I - l W) and det(I - h W) then have different signs.
    """
    if not np.isfinite(gain):
        return False
    p, q = _factors(w, low, high, gain)
    return bool(np.linalg.slogdet(p)[0] * np.linalg.slogdet(q)[0] < 0)


def _centred(p: Array, q: Array, diagonal: Array) -> Array:
    """A point near the maximum of logdet M(D) + sum log D - sum D, by Newton's method."""
    value = _barrier(p, q, diagonal)
    for _ in range(NEWTON_STEPS):
        newton = _newton_step(p, q, diagonal)
        if newton is None or value is None:
            break
        step, decrement = newton
        fraction = 1.0
        for _ in range(BACKTRACKS):
            reached = _barrier(p, q, diagonal + fraction * step)
            if reached is not None and reached >= value:
                break
            fraction *= 0.5
        else:
            break
        diagonal, value = diagonal + fraction * step, reached
        if decrement < CENTRED:
            break
    return diagonal


def _newton_step(p: Array, q: Array, diagonal: Array) -> tuple[Array, float] | None:
    """The step -H^-1 gradient and its squared decrement.

    Both are made of R = M^-1: the derivative of M by D_i is p_i q_i^T + q_i p_i^T with the rows p_i
    of P and q_i of Q.
    """
    try:
        inverse = np.linalg.inv(_form(p, q, diagonal))
        left = p @ inverse
        pp, pq, qq = left @ p.T, left @ q.T, q @ inverse @ q.T
        gradient = 2.0 * np.diag(pq) + 1.0 / diagonal - 1.0
        curvature = 2.0 * (pp * qq + pq * pq.T)
        curvature[np.diag_indices(len(diagonal))] += 1.0 / (diagonal * diagonal)
        step = np.asarray(np.linalg.solve(curvature, gradient), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(step).all():
        return None
    return step, float(gradient @ step)


def _barrier(p: Array, q: Array, diagonal: Array) -> float | None:
    if not (diagonal > 0).all():
        return None
    try:
        factor = np.linalg.cholesky(_form(p, q, diagonal))
    except np.linalg.LinAlgError:
        return None
    value = float(2.0 * np.log(np.diag(factor)).sum() + np.log(diagonal).sum() - diagonal.sum())
    return value if np.isfinite(value) else None


def _form(p: Array, q: Array, diagonal: Array) -> Array:
    half = p.T @ (diagonal[:, None] * q)
    return np.asarray(half + half.T)


def _largest_gain(
    w: Array, low: Array, high: Array, diagonal: Array, inside: float, tolerance: float
) -> float:
    """The largest gain, to a tolerance, up to which M(D) stays positive definite.

    inside: a gain at which it is. M(D) = 2 D - gain A + gain^2 B, A and B taken once.
    """
    scaled = diagonal[:, None]
    linear = scaled * (low + high)[:, None] * w
    linear = linear + linear.T
    square = w.T @ (scaled * (low * high)[:, None] * w)
    square = square + square.T

    def positive(gain: float) -> bool:
        try:
            np.linalg.cholesky(np.diag(2.0 * diagonal) - gain * linear + gain * gain * square)
        except np.linalg.LinAlgError:
            return False
        return True

    reached, step = inside, max(inside, 1.0 / max(1e-300, float(np.abs(w).sum(axis=1).max())))
    failed = None
    for _ in range(DOUBLINGS):
        if failed is None and positive(reached + step):
            reached += step
            step *= 2.0
            continue
        failed = reached + step if failed is None else failed
        middle = 0.5 * (reached + failed)
        if failed - reached <= tolerance * failed:
            break
        if positive(middle):
            reached = middle
        else:
            failed = middle
    return reached
