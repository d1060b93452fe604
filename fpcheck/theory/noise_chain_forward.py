"""Forward through a plain chain of dense layers: `noise_forward`, all layers at once.

What is followed node by node there needs, in a chain, no sources: every layer's fresh weights are
independent of all before, so three covariances carry the deviations of log v and log D. The
recursions are linear but for caps; what a layer adds is made for all layers together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpcheck.theory.noise_activation import MOST_PAIR_SPREAD, MOST_SPREAD
from fpcheck.theory.noise_chain import MODES, Chain, Expansions, Pairs, pair_numbers
from fpcheck.theory.noise_forward import LEAST_LEFT
from fpcheck.theory.noise_state import Inputs
from fpcheck.theory.quadrature import Array


@dataclass(frozen=True, slots=True)
class Contrasts:
    """At every layer's pre-activation, (layers,): what `Noise` has of pairs' contrasts.

    single, shift: its pair_single and pair_shift.
    """

    single: Array
    shift: Array
    closer: Array
    alignment: Array


@dataclass(frozen=True, slots=True)
class Drawn:
    """What fresh Gaussian units bring, at every layer's pre-activation.

    modes: the variances of y_1.., (MODES, layers); averaged: the means over pairs behind them.
    scatter, alone, rest: the variances of w; crossed: the covariance of y_2 and w; (layers,).
    """

    modes: Array
    averaged: Array
    scatter: Array
    alone: Array
    rest: Array
    crossed: Array


@dataclass(frozen=True, slots=True)
class ChainForward:
    """At every layer's pre-activation, (layers,): what `Noise` has of the same names.

    size, shared, difference: the variances of log v and log D and their covariance.
    """

    single: Array
    shift: Array
    skew: Array
    size: Array
    shared: Array
    difference: Array
    difference_skew: Array
    contrasts: Contrasts
    drawn: Drawn


@dataclass(frozen=True, slots=True)
class Widened:
    """What an activation's own noise is made of, by activated layer: (MODES, layers) or (layers,).

    square: by what the modes deviate log v; own, pair_own: the variances that the units add to
    log v and log D, without what widens them.
    """

    square: Array
    own: Array
    pair_own: Array
    added: tuple[Array, Array, Array]


def chain_forward(chain: Chain, inputs: Inputs, square: Expansions) -> tuple[ChainForward, Array]:
    """The noise at every pre-activation; by what the modes deviate log v at every activation."""
    count = len(square.mean)
    n, part = chain.units[:count], chain.part
    pairs = pair_numbers(chain, chain.apart)
    contrasts = _contrasts(chain, inputs, pairs)
    drawn = _drawn(chain, inputs, contrasts)
    widened = _widened(n, square, pairs, contrasts, drawn)
    size, shared, difference, apart = _covariances(chain, square.elasticity, pairs, widened.added)
    gain = part[1 : count + 1] if len(part) > count else np.append(part[1:], 0.0)
    carried = gain * square.elasticity
    single = _recursion(part[0] ** 2 * inputs.spread, carried**2, gain**2 * square.total / n, chain)
    bend = 0.5 * square.curvature * np.minimum(single[:count], MOST_SPREAD)
    bent = np.minimum(0.0, pairs.bend) * (pairs.by_contrast * apart[:count]) ** 2
    ahead = ChainForward(
        single=single,
        shift=_recursion(0.0, carried, gain * bend, chain),
        skew=_recursion(0.0, carried**3, -(gain**3) * widened.own**2, chain),
        size=size,
        shared=shared,
        difference=difference,
        difference_skew=_recursion(
            0.0, pairs.by_contrast**3, 3.0 * bent - widened.pair_own**2, chain
        ),
        contrasts=contrasts,
        drawn=drawn,
    )
    return ahead, widened.square


def _contrasts(chain: Chain, inputs: Inputs, pairs: Pairs) -> Contrasts:
    n = chain.units[: len(pairs.own)]
    single = _recursion(
        inputs.alignment,
        pairs.by_contrast**2,
        np.maximum(0.0, pairs.total + pairs.size - 2.0 * pairs.both) / n,
        chain,
    )
    bent = 0.5 * pairs.bend * np.minimum(single[: len(n)], MOST_PAIR_SPREAD)
    more = bent + 0.5 * (pairs.size - pairs.total) / n
    shift = _recursion(-0.5 * inputs.alignment, pairs.by_contrast, more, chain)
    alignment = _alignments(inputs.alignment, pairs, n, chain)
    return Contrasts(single, shift, np.exp(np.minimum(0.0, shift)), alignment)


def _drawn(chain: Chain, inputs: Inputs, contrasts: Contrasts) -> Drawn:
    apart = chain.apart * contrasts.closer
    c = np.abs(1.0 - apart)
    scatter = contrasts.alignment * apart**2
    averaged = np.empty((MODES, len(c)))
    for order in range(1, MODES + 1):
        cross = c**order
        if order == 2:
            cross = cross + scatter
        elif order > 2:
            cross = cross + 0.5 * order * (order - 1) * c ** (order - 2) * scatter
        averaged[order - 1] = _mean_over(inputs.count, np.minimum(1.0, cross))
    left2 = np.maximum(1.0 - chain.given / averaged[1], LEAST_LEFT)
    modes = averaged / chain.units
    modes[1] = left2 * (scatter + np.maximum(0.0, averaged[1] - scatter)) / chain.units
    pairs = max(1, inputs.count // 2)
    return Drawn(
        modes=modes,
        averaged=averaged,
        scatter=contrasts.alignment / chain.units,
        alone=1.0 / (pairs * chain.units),
        rest=_mean_over(pairs, contrasts.alignment) / chain.units,
        crossed=np.sqrt(left2) * apart * contrasts.alignment / chain.units,
    )


def _widened(
    n: Array, square: Expansions, pairs: Pairs, contrasts: Contrasts, drawn: Drawn
) -> Widened:
    count = len(n)
    averaged, v, crossed = drawn.averaged[:, :count], drawn.modes[:, :count], drawn.crossed[:count]
    own = np.sum(square.modes**2 * averaged, axis=0) / n
    pair_own = np.sum(pairs.common**2 * averaged, axis=0) / n
    pair_own += (pairs.own**2 + pairs.rest**2) * drawn.rest[:count]
    by_mode, wider = square.modes * _widening(own), _widening(pair_own)
    common, mixed, left = pairs.common * wider, pairs.own * wider, pairs.rest * wider
    added = (
        np.sum(by_mode**2 * v, axis=0),
        np.sum(by_mode * common * v, axis=0) + by_mode[1] * mixed * crossed,
        np.sum(common**2 * v, axis=0)
        + mixed**2 * (drawn.scatter + drawn.alone)[:count]
        + left**2 * drawn.rest[:count]
        + 2.0 * common[1] * mixed * crossed,
    )
    return Widened(by_mode, own, pair_own, added)


def _mean_over(count: int, cross: Array) -> Array:
    """The mean over all pairs of `count`, each of which is 1 with itself."""
    return 1.0 / count + (1.0 - 1.0 / count) * cross


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
