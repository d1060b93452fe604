"""The laws of what is measured of a network's layers, and those of a plain chain's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fpcheck.theory.noise_chain import Chain, Expansions, unit_expansions
from fpcheck.theory.noise_chain_backward import ChainBackward, chain_backward
from fpcheck.theory.noise_chain_forward import ChainForward, chain_forward
from fpcheck.theory.noise_state import Inputs
from fpcheck.theory.quadrature import Array

# A contrast's logarithm is skewed by this beyond what is followed (measured, widths 16 to 256).
PAIR_SKEWNESS = 0.15
MOST_WITHIN = 1.5  # of the variance of a logarithm over pairs: beyond, few of them make the mean


@dataclass(frozen=True, slots=True)
class Laws:
    """Mean, variance and third cumulant of a quantity's logarithm at the layers `names`; of a share
    mean and variance. All of shape (names,).
    """

    names: tuple[str, ...]
    mean: Array
    variance: Array
    third: Array


@dataclass(frozen=True, slots=True)
class NetworkLaws:
    """The laws of q, contrast, squared gradient per unit and active share, where they are known.

    gradient_norms: at infinite width.
    """

    q: Laws
    contrast: Laws
    gradient: Laws
    active: Laws
    gradient_norms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ChainNoise:
    """The noise of a chain; active: the expansions of its layers' activity.

    back: None where the chain breaks off before its output.
    """

    chain: Chain
    ahead: ChainForward
    back: ChainBackward | None
    active: Expansions


@np.errstate(over="ignore", invalid="ignore")  # what is no number any more has no band
def chain_noise(chain: Chain, inputs: Inputs, outputs: int) -> ChainNoise | None:
    """The noise of every layer; None where an activation has no expansion at its q."""
    found = unit_expansions(chain)
    if found is None:
        return None
    square, slope, active = found
    ahead, widened = chain_forward(chain, inputs, square)
    back = None
    if chain.whole:
        back = chain_backward(chain, inputs, outputs, (square, slope), ahead, widened)
    return ChainNoise(chain, ahead, back, active)


@np.errstate(over="ignore", invalid="ignore")
def chain_laws(noise: ChainNoise, inputs: Inputs, names: tuple[str, ...]) -> NetworkLaws:
    """The laws of a plain chain's layers, as `finite_width` has them of any layer."""
    chain, ahead, back = noise.chain, noise.ahead, noise.back
    names = names[: len(chain.links)]
    gradient, norms = Laws((), *np.empty((3, 0))), dict[str, float]()
    if back is not None:
        per_unit = back.log_square - np.log(chain.units)
        gradient = Laws(names, per_unit + back.drift, back.variance, back.skew)
        norms = dict(zip(names, np.exp(0.5 * per_unit).tolist(), strict=True))
    return NetworkLaws(
        q=_q_laws(chain.q, ahead, names),
        contrast=_contrast_laws(chain.apart, ahead, inputs, names),
        gradient=gradient,
        active=_active_laws(noise, names),
        gradient_norms=norms,
    )


def _q_laws(q: Array, ahead: ChainForward, names: tuple[str, ...]) -> Laws:
    own = 2.0 * ahead.drawn.modes[1]
    spread = ahead.size + own * (1.0 + own / 2.0 + own * own / 6.0)
    third = ahead.skew - own * own
    level = np.log(q) + np.log1p(np.maximum(-0.9, ahead.shift))
    return Laws(names, level - spread / 2.0 - third / 6.0, spread, third)


def _contrast_laws(
    apart: Array, ahead: ChainForward, inputs: Inputs, names: tuple[str, ...]
) -> Laws:
    there = np.flatnonzero(apart > 0.0) if inputs.count > 1 else np.empty(0, dtype=np.intp)
    common = ahead.size - 2.0 * ahead.shared + ahead.difference
    single = np.maximum(0.0, (2.0 - apart) ** 2 - 1.0)
    own = (
        2.0 * ahead.drawn.scatter
        + single * ahead.drawn.alone
        + 2.0 * ahead.drawn.modes[1]
        - 4.0 * ahead.drawn.crossed
    )
    spread = common + own
    within = np.clip(ahead.contrasts.single - common, 0.0, MOST_WITHIN)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.log(apart) + ahead.contrasts.shift + 0.5 * (within - own)
    third = ahead.difference_skew - own**2 - PAIR_SKEWNESS * spread**1.5
    return Laws(tuple(names[i] for i in there), mean[there], spread[there], third[there])


def _active_laws(noise: ChainNoise, names: tuple[str, ...]) -> Laws:
    active, ahead = noise.active, noise.ahead
    count = len(active.mean)
    spread = active.elasticity**2 * ahead.size[:count]
    spread = spread + np.sum(active.modes**2 * ahead.drawn.modes[:, :count], axis=0)
    mean = np.minimum(1.0, active.mean)
    return Laws(names[:count], mean, mean * mean * spread, np.zeros(count))
