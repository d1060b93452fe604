"""The noise of a plain chain of dense layers, all layers at once.

What `noise_forward` and `noise_backward` follow node by node needs, in a chain, no sources: every
layer's fresh weights are independent of all before, so three covariances carry the deviations of
log v and log D forward, and backward the gradient's share in log v and the variance of its rest.
The recursions are linear but for caps; what they add at each layer is made for all layers together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.theory.noise_backward import MOST_ALONG
from fpcheck.theory.noise_chain import (
    MODES,
    Chain,
    Expansions,
    Pairs,
    pair_numbers,
    unit_expansions,
)
from fpcheck.theory.noise_forward import LEAST_LEFT, MOST_PAIR_SPREAD, MOST_SPREAD
from fpcheck.theory.noise_state import Inputs
from fpcheck.theory.quadrature import Array


@dataclass(frozen=True, slots=True)
class ChainForward:
    """At every layer's pre-activation, (layers,): what `Noise` has of the same names.

    size, shared, difference: the variances of log v and log D and their covariance. modes: the
    variances of y_1.. (MODES, layers); averaged: the means over pairs behind them. scatter, alone,
    rest: of w; crossed: the covariance of y_2 and w.
    """

    single: Array
    shift: Array
    skew: Array
    size: Array
    shared: Array
    difference: Array
    difference_skew: Array
    pair_single: Array
    pair_shift: Array
    closer: Array
    alignment: Array
    modes: Array
    averaged: Array
    scatter: Array
    alone: Array
    rest: Array
    crossed: Array


@dataclass(frozen=True, slots=True)
class ChainBackward:
    """At every layer's pre-activation, (layers,): what `Gradient` has of the same names."""

    log_square: Array
    variance: Array
    drift: Array
    skew: Array


@dataclass(frozen=True, slots=True)
class ChainNoise:
    """The noise of a chain; active: the expansions of its layers' activity."""

    chain: Chain
    ahead: ChainForward
    back: ChainBackward
    active: Expansions


def chain_noise(chain: Chain, inputs: Inputs, outputs: int) -> ChainNoise | None:
    """The noise of every layer; None where an activation has no expansion at its q."""
    found = unit_expansions(chain)
    if found is None:
        return None
    square, slope, active = found
    ahead, widened = _forward(chain, inputs, square)
    return ChainNoise(
        chain, ahead, _backward(chain, inputs, outputs, (square, slope), ahead, widened), active
    )


def _forward(chain: Chain, inputs: Inputs, square: Expansions) -> tuple[ChainForward, Array]:
    """And by what the modes of phi^2 deviate log v, (MODES, activated layers)."""
    count = len(square.mean)
    n, part = chain.units[:count], chain.part
    pairs = pair_numbers(chain, chain.apart)
    pair_single = _recursion(
        inputs.alignment,
        pairs.by_contrast**2,
        pairs.live * np.maximum(0.0, pairs.total + pairs.size - 2.0 * pairs.both) / n,
        chain,
    )
    bent = 0.5 * pairs.bend * np.minimum(pair_single[:count], MOST_PAIR_SPREAD)
    pair_shift = _recursion(
        -0.5 * inputs.alignment,
        pairs.by_contrast,
        bent + 0.5 * (pairs.size - pairs.total) / n,
        chain,
    )
    alignment = _alignments(inputs.alignment, pairs, n, chain)
    closer = np.exp(np.minimum(0.0, pair_shift))
    modes, averaged, crossed = _modes(chain, inputs, alignment, closer)
    m = max(1, inputs.count // 2)
    aligned = 1.0 / m + (1.0 - 1.0 / m) * alignment
    scatter, alone, rest = alignment / chain.units, 1.0 / m / chain.units, aligned / chain.units

    own = np.sum(square.modes**2 * averaged[:, :count], axis=0) / n
    widened = square.modes * _widening(own)
    pair_own = np.sum(pairs.common**2 * averaged[:, :count], axis=0) / n
    pair_own += (pairs.own**2 + pairs.rest**2) * aligned[:count] / n
    wider = _widening(pair_own)
    common, mixed, left = pairs.common * wider, pairs.own * wider, pairs.rest * wider
    v, crossing = modes[:, :count], crossed[:count]
    added = (
        np.sum(widened**2 * v, axis=0),
        np.sum(widened * common * v, axis=0) + widened[1] * mixed * crossing,
        np.sum(common**2 * v, axis=0)
        + mixed**2 * (scatter + alone)[:count]
        + left**2 * rest[:count]
        + 2.0 * common[1] * mixed * crossing,
    )
    size, shared, difference, apart = _covariances(chain, square.elasticity, pairs, added)
    gain = part[1 : count + 1] if len(part) > count else np.append(part[1:], 0.0)
    carried = gain * square.elasticity
    single = _recursion(part[0] ** 2 * inputs.spread, carried**2, gain**2 * square.total / n, chain)
    bend = 0.5 * square.curvature * np.minimum(single[:count], MOST_SPREAD)
    ahead = ChainForward(
        single=single,
        shift=_recursion(0.0, carried, gain * bend, chain),
        skew=_recursion(0.0, carried**3, -(gain**3) * own * own, chain),
        size=size,
        shared=shared,
        difference=difference,
        difference_skew=_recursion(
            0.0,
            pairs.by_contrast**3,
            3.0 * pairs.by_contrast**2 * np.minimum(0.0, pairs.bend) * apart[:count] ** 2
            - pairs.live * pair_own**2,
            chain,
        ),
        pair_single=pair_single,
        pair_shift=pair_shift,
        closer=closer,
        alignment=alignment,
        modes=modes,
        averaged=averaged,
        scatter=scatter,
        alone=alone,
        rest=rest,
        crossed=crossed,
    )
    return ahead, widened


def _modes(
    chain: Chain, inputs: Inputs, alignment: Array, closer: Array
) -> tuple[Array, Array, Array]:
    """Variances of the modes, the means over pairs behind them, and the covariance of y_2 and w."""
    apart = chain.apart * closer
    c = np.abs(1.0 - apart)
    scatter = alignment * apart**2
    averaged = np.empty((MODES, len(c)))
    for order in range(1, MODES + 1):
        cross = c**order
        if order == 2:
            cross = cross + scatter
        elif order > 2:
            cross = cross + 0.5 * order * (order - 1) * c ** (order - 2) * scatter
        averaged[order - 1] = 1.0 / inputs.count + (1.0 - 1.0 / inputs.count) * np.minimum(
            1.0, cross
        )
    left2 = np.maximum(1.0 - chain.given / averaged[1], LEAST_LEFT)
    modes = averaged / chain.units
    modes[1] = left2 * (scatter + np.maximum(0.0, averaged[1] - scatter)) / chain.units
    return modes, averaged, np.sqrt(left2) * apart * alignment / chain.units


def _covariances(
    chain: Chain, elasticity: Array, pairs: Pairs, added: tuple[Array, Array, Array]
) -> tuple[Array, Array, Array, Array]:
    """Var log v, cov(log v, log D), Var log D, Var log D / v at every layer."""
    size = shared = difference = apart = 0.0
    rows = [(size, shared, difference, apart)]
    steps = zip(
        elasticity.tolist(),
        pairs.by_contrast.tolist(),
        pairs.by_q.tolist(),
        pairs.live.tolist(),
        chain.part[1:].tolist(),
        *(each.tolist() for each in added),
        strict=False,
    )
    for e, by, by_q, live, part, more_size, more_shared, more_difference in steps:
        if live:
            difference, both = (
                by * by * difference + 2.0 * by * by_q * shared + by_q * by_q * size,
                by * shared + by_q * size,
            )
            difference += more_difference
            shared = e * both + more_shared
        else:
            shared *= e
        size = e * e * size + more_size
        if live:
            apart = difference - 2.0 * shared + size
        size, shared = part * part * size, part * shared
        rows.append((size, shared, difference, apart))
    table = np.array(rows).T
    return table[0], table[1], table[2], table[3]


def _alignments(first: float, pairs: Pairs, n: Array, chain: Chain) -> Array:
    spread = (1.0 + pairs.common_total) / n * pairs.live
    found = [first]
    for kept, new in zip((pairs.kept**2).tolist(), spread.tolist(), strict=True):
        last = found[-1]
        found.append(min(1.0, kept * last + (1.0 - last) * new))
    return np.array(found[: len(chain.links)])


def _recursion(first: float, factors: Array, added: Array, chain: Chain) -> Array:
    """x_0 = first, x_(l+1) = factor_l x_l + added_l, (layers,)."""
    found = [first]
    for factor, more in zip(factors.tolist(), added.tolist(), strict=True):
        found.append(factor * found[-1] + more)
    return np.array(found[: len(chain.links)])


def _widening(s: Array) -> Array:
    """`noise_state.widening` of many."""
    return np.sqrt(1.0 + s / 2.0 + s * s / 6.0)


def _backward(
    chain: Chain,
    inputs: Inputs,
    outputs: int,
    unit: tuple[Expansions, Expansions],
    ahead: ChainForward,
    widened: Array,
) -> ChainBackward:
    """From the output to every pre-activation. widened: how the modes of phi^2 deviate log v."""
    square, slope = unit
    count = len(slope.mean)
    n = chain.units[:count]
    contrasts = chain.apart * ahead.closer
    kept = pair_numbers(chain, contrasts).kept
    heavy = slope.total
    behind, before = _gradient_alignments(chain, outputs, kept**2, heavy / n)

    growth = slope.mean * chain.q[:count] / chain.after[:count]
    along = _along(math.sqrt(2.0) * slope.modes[1], square.elasticity**2 / growth, n)
    averaged = _averaged(behind[:count], inputs.count)
    noise = 2.0 * heavy * averaged / n
    together = noise + (2.0 + heavy) * averaged / n
    own = np.sum(slope.modes**2 * ahead.averaged[:, :count], axis=0) / n
    drift = _mean_log(slope, ahead, count) - 0.5 * own + along / n
    drift -= noise / 2.0 + together**2 / 12.0
    fresh = noise + together * (together / 2.0 + together * together / 6.0)

    through = 2.0 * _averaged(before, inputs.count) / chain.inputs  # the noise of W^T g
    shares, behind_shares = _shares(square.elasticity, slope.elasticity, chain.part)
    deviated = behind_shares[:count] * widened + slope.modes
    fresh += np.sum(deviated**2 * ahead.modes[:, :count], axis=0)
    weights = np.log(chain.sigma_w2)
    return ChainBackward(
        log_square=_from_behind(np.log(slope.mean), weights),
        variance=shares**2 * ahead.size + _from_behind(fresh, through),
        drift=_from_behind(drift, -0.5 * through),
        skew=_from_behind(-(together**2), np.zeros(len(chain.links))),
    )


def _from_behind(activations: Array, weights: Array) -> Array:
    """At every pre-activation what the activations from there on, and the weights behind, add."""
    own = np.zeros(len(weights))
    own[: len(activations)] = activations
    own[:-1] += weights[1:]
    return np.asarray(np.cumsum(own[::-1])[::-1])


def _shares(square: Array, slope: Array, part: Array) -> tuple[Array, Array]:
    """What a deviation of log v adds to that of log T, before and behind every activation."""
    share, before, behind = 0.0, [], []
    by_square, by_slope, weights = square.tolist(), slope.tolist(), part.tolist()
    for i in range(len(weights) - 1, -1, -1):
        behind.append(share)
        if i < len(by_square):
            share = share * by_square[i] + by_slope[i]
        before.append(share)
        share *= weights[i]
    return np.array(before[::-1]), np.array(behind[::-1])


def _averaged(alignment: Array, count: int) -> Array:
    return 1.0 / count + (1.0 - 1.0 / count) * alignment


def _gradient_alignments(
    chain: Chain, outputs: int, kept: Array, spread: Array
) -> tuple[Array, Array]:
    """The gradients' alignment behind every layer's activation, and before it."""
    alignment = 1.0 / outputs
    behind, before = [], []
    units, kept_by, new = chain.inputs.tolist(), kept.tolist(), spread.tolist()
    for i in range(len(units) - 1, -1, -1):
        behind.append(alignment)
        if i < len(kept_by):
            alignment = min(1.0, kept_by[i] * alignment + (1.0 - alignment) * new[i])
        before.append(alignment)
        alignment = min(1.0, alignment + (1.0 - alignment) / units[i])
    return np.array(behind[::-1]), np.array(before[::-1])


def _along(own: Array, kept: Array, n: Array) -> Array:
    """By what share T grows for a perturbation along the units, before every activation."""
    found, along = [], 0.0
    rows = zip(own[::-1].tolist(), kept[::-1].tolist(), n[::-1].tolist(), strict=True)
    for new, left, units in rows:
        along = min(MOST_ALONG * units, max(-MOST_ALONG * units, new + left * along))
        found.append(along)
    return np.array(found[::-1])


def _mean_log(g: Expansions, ahead: ChainForward, count: int) -> Array:
    """`noise_forward`'s mean of log E g over the law of log v, of all layers."""
    single = np.minimum(ahead.single[:count], MOST_SPREAD)
    bend = g.curvature + g.elasticity - g.elasticity**2
    log_v = np.log1p(np.maximum(-0.9, ahead.shift[:count])) - 0.5 * single
    return np.asarray(g.elasticity * log_v + 0.5 * bend * single)
