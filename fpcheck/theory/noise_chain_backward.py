"""Backward through a plain chain of dense layers: `noise_backward`, all layers at once.

The deviation of log T is one share of that of log v, and what all layers from there on add.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.theory.noise_activation import MOST_SPREAD
from fpcheck.theory.noise_backward import MOST_ALONG
from fpcheck.theory.noise_chain import Chain, Expansions, pair_numbers
from fpcheck.theory.noise_chain_forward import ChainForward
from fpcheck.theory.noise_state import Inputs
from fpcheck.theory.quadrature import Array


@dataclass(frozen=True, slots=True)
class ChainBackward:
    """At every layer's pre-activation, (layers,): what `Gradient` has of the same names."""

    log_square: Array
    variance: Array
    drift: Array
    skew: Array


def chain_backward(
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
    contrasts = chain.apart * ahead.contrasts.closer
    kept = pair_numbers(chain, contrasts).kept
    heavy = slope.total
    behind, before = _gradient_alignments(chain, outputs, kept**2, heavy / n)

    growth = slope.mean * chain.q[:count] / chain.after[:count]
    along = _along(math.sqrt(2.0) * slope.modes[1], square.elasticity**2 / growth, n)
    averaged = _averaged(behind[:count], inputs.count)
    noise = 2.0 * heavy * averaged / n
    together = noise + (2.0 + heavy) * averaged / n
    own = np.sum(slope.modes**2 * ahead.drawn.averaged[:, :count], axis=0) / n
    drift = _mean_log(slope, ahead, count) - 0.5 * own + along / n
    drift -= noise / 2.0 + together**2 / 12.0
    fresh = noise + together * (together / 2.0 + together * together / 6.0)

    through = 2.0 * _averaged(before, inputs.count) / chain.inputs  # the noise of W^T g
    shares, behind_shares = _shares(square.elasticity, slope.elasticity, chain.part)
    deviated = behind_shares[:count] * widened + slope.modes
    fresh += np.sum(deviated**2 * ahead.drawn.modes[:, :count], axis=0)
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
