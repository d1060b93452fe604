"""Larger balls than the proved ones, for claims that are numerical anyway.

A proof must bound the Jacobian over the whole ball at once, which costs it orders of magnitude of
the radius. Here the largest expansion on the ball's surface is looked for by ascent instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.basins.traps import Trap
from fpcheck.attractors.certify import AttractingBall
from fpcheck.attractors.polish import size_of
from fpcheck.attractors.selfmap import Array, differentiable
from fpcheck.network.program import Program, trace, vjp

# Widths beyond which a norm of its own for each attractor costs more than it saves.
WIDEST = 256
MOST_TRAPS = 256
# Radii that are tried, each a third of the one before, the first this share of the point's size.
FIRST_RADIUS = 0.3
SHRINKING = 1.0 / 3.0
RADII = 8
# Directions from which the ascent begins, and its steps: the sup is reached to 1 % in 5.
DIRECTIONS = 6
ASCENTS = 6
# The ball's surface may lose this share of what the Jacobian alone contracts by.
LOSS = 0.5
DOUBLINGS = 40
SETTLED = 1e-12
POWERS = 11


@dataclass(frozen=True, slots=True)
class _Norms:
    """Per attractor a norm |S (x - c)| in which the Jacobian contracts.

    scale, inverse: (t, n, n); rate: (t,), the norm of S J S^-1; start: (t, d, n), unit vectors.
    """

    scale: Array
    inverse: Array
    rate: Array
    start: Array


def widened(program: Program, traps: Sequence[Trap]) -> tuple[Trap, ...]:
    """The traps with a numerical ball beside the proved one, for stable fixed points.

    The norm is Lyapunov's: S^T S = sum of (J^T)^k J^k / g^2k with g half-way from the spectral
    radius to 1. The ball is the first of falling radii on whose surface |S (f(x) - c)| <= rate
    |S (x - c)|, its largest ratio found by gradient ascent from the leading singular vectors and
    from fixed directions. Cycles, unstable points and wide networks stay as they are.
    """
    able = [index for index, trap in enumerate(traps) if _is_able(trap)][:MOST_TRAPS]
    if not able or not differentiable(program):
        return tuple(traps)
    kept: list[int] = []
    found: list[tuple[Array, Array, float, Array]] = []
    for index in able:
        norm = _lyapunov(traps[index])
        if norm is not None:
            kept.append(index)
            found.append(norm)
    if not kept:
        return tuple(traps)
    norms = _Norms(
        scale=np.array([each[0] for each in found]),
        inverse=np.array([each[1] for each in found]),
        rate=np.array([each[2] for each in found]),
        start=np.array([each[3] for each in found]),
    )
    centres = np.array([traps[index].found.point for index in kept])
    radii, rates = _radii(program, centres, norms)
    out = list(traps)
    for row, index in enumerate(kept):
        if radii[row] > 0.0:
            size = float(np.linalg.norm(norms.scale[row], 2))
            inner = float(radii[row]) / size
            ball = AttractingBall(norms.scale[row], float(radii[row]), float(rates[row]), inner)
            if inner > out[index].inner_radius:
                # S^T S is at least the identity, so |x - c| <= |S (x - c)| <= radius inside.
                out[index] = replace(out[index], near=ball, reach=ball.radius)
    return tuple(out)


def _is_able(trap: Trap) -> bool:
    found = trap.found
    return found.period == 1 and found.jacobian is not None and len(found.point) <= WIDEST


def _lyapunov(trap: Trap) -> tuple[Array, Array, float, Array] | None:
    """(S, its inverse, |S J S^-1|, first directions), or None where J does not contract."""
    jac = trap.found.jacobian
    assert jac is not None
    n = len(jac)
    radius = _radius_bound(jac)
    if not radius < 1.0:
        return None
    power = jac / (0.5 * (1.0 + radius))
    gram = np.eye(n)
    for _ in range(DOUBLINGS):  # after k doublings the sum has 2^k terms
        added = power.T @ gram @ power
        gram = gram + added
        power = power @ power
        if float(np.max(np.abs(added))) <= SETTLED * float(np.max(np.abs(gram))):
            break
    try:
        scale = np.asarray(np.linalg.cholesky(0.5 * (gram + gram.T)).T, dtype=np.float64)
        inverse = np.asarray(np.linalg.inv(scale), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    _, sizes, right_t = np.linalg.svd(scale @ jac @ inverse)
    if not sizes[0] < 1.0:
        return None
    first = [right_t[i % n] * (-1.0) ** (i // n) for i in range(DIRECTIONS // 2)]
    starts = np.array([*first, *(-each for each in first)], dtype=np.float64)
    return scale, inverse, float(sizes[0]), starts


def _radius_bound(jac: Array) -> float:
    """|J^k|^(1/k) for k = 2^POWERS: an upper bound of the spectral radius, close to it."""
    power, logarithm = jac, 0.0
    for _ in range(POWERS):
        size = float(np.linalg.norm(power))
        if not 0.0 < size < np.inf:
            return 0.0 if size == 0.0 else np.inf
        # J^k = e^logarithm times a matrix of norm 1
        logarithm = 2.0 * (logarithm + np.log(size))
        power = power / size
        power = power @ power
    size = float(np.linalg.norm(power))
    return float(np.exp((logarithm + np.log(size)) / 2.0**POWERS)) if size > 0.0 else 0.0


def _radii(program: Program, centres: Array, norms: _Norms) -> tuple[Array, Array]:
    """The radius of each ball, 0 where none of the radii held, and the rate on its surface."""
    t = len(centres)
    sizes = np.array([size_of(centre) for centre in centres])
    stretch = np.linalg.norm(norms.scale, 2, axis=(1, 2))
    radii = FIRST_RADIUS * sizes * stretch
    limit = norms.rate + LOSS * (1.0 - norms.rate)
    rates = np.ones(t)
    open_: NDArray[np.intp] = np.arange(t)
    for _ in range(RADII):
        worst = _worst(program, centres, norms, radii, open_)
        held = worst <= limit[open_]  # a NaN is not held
        rates[open_[held]] = worst[held]
        open_ = open_[~held]
        if not len(open_):
            break
        radii[open_] *= SHRINKING
    radii[open_] = 0.0
    return radii, rates


def _worst(
    program: Program, centres: Array, norms: _Norms, radii: Array, picked: NDArray[np.intp]
) -> Array:
    """The largest |S (f(x) - c)| / |S (x - c)| found on the surfaces of the picked balls. (p,)"""
    shape = program.skeleton.input_shape
    last = program.skeleton.nodes[-1].name
    scale, inverse = norms.scale[picked], norms.inverse[picked]
    centre, reach = centres[picked][:, None], radii[picked][:, None, None]
    units = norms.start[picked]
    worst = np.zeros(len(picked))
    for _ in range(ASCENTS):
        x = centre + reach * (units @ inverse.swapaxes(1, 2))
        values = trace(program, x.reshape(-1, *shape))
        moved = (values[last].reshape(x.shape) - centre) @ scale.swapaxes(1, 2)
        ratio = np.linalg.norm(moved, axis=2) / radii[picked][:, None]
        worst = np.maximum(worst, ratio.max(axis=1))
        pulled = vjp(program, values, (moved @ scale).reshape(-1, *shape)).reshape(x.shape)
        ascent = pulled @ inverse
        size = np.linalg.norm(ascent, axis=2, keepdims=True)
        units = np.divide(ascent, size, out=units.copy(), where=size > 0.0)
    return worst
