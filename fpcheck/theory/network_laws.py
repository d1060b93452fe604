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
# By what part q's scatter over the inputs moves a mean share, and the variance of log q over them
# from which that part has to be negligible: beyond, the second order does not hold (measured: soft
# thresholds with V' > 1), and no range is given.
MOST_BENT, BENT_NOTHING, MOST_SCATTER = 0.08, 0.004, 0.7
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

    distant: a contrast's, as far as it is the few units' mean square that is small where it is
    large: skewed upwards. gradient_norms: at infinite width.
    """

    q: Laws
    contrast: Laws
    distant: Laws
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
    contrast, distant = _contrast_laws(chain, ahead, inputs, names)
    return NetworkLaws(
        q=_q_laws(chain.q, ahead, names),
        contrast=contrast,
        distant=distant,
        gradient=gradient,
        active=_active_laws(noise, names),
        gradient_norms=norms,
    )


def _q_laws(q: Array, ahead: ChainForward, names: tuple[str, ...]) -> Laws:
    own = 2.0 * ahead.drawn.modes[1]
    spread = ahead.size + own * (1.0 + own / 2.0 + own * own / 6.0)
    third = ahead.skew - own * own * (1.0 + own + 0.5 * own * own)  # `noise_state.skewing`
    level = np.log(q) + np.log1p(np.maximum(-0.9, ahead.shift))
    return Laws(names, level - spread / 2.0 - third / 6.0, spread, third)


def _contrast_laws(
    chain: Chain, ahead: ChainForward, inputs: Inputs, names: tuple[str, ...]
) -> tuple[Laws, Laws]:
    apart = chain.apart
    there = np.flatnonzero((apart > 0.0) & (chain.units > 1.0) & (inputs.count > 1))
    common = ahead.size - 2.0 * ahead.shared + ahead.difference
    single = np.maximum(0.0, (2.0 - apart) ** 2 - 1.0)
    of_pairs = 2.0 * ahead.drawn.scatter + single * ahead.drawn.alone
    of_size = 2.0 * ahead.drawn.modes[1]
    own = of_pairs + of_size - 4.0 * ahead.drawn.crossed
    spread = common + own
    within = np.clip(ahead.contrasts.single - common, 0.0, MOST_WITHIN)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.log(apart) + ahead.contrasts.shift + 0.5 * (within - own)
    third = ahead.difference_skew - own**2 - PAIR_SKEWNESS * spread**1.5
    upwards = np.maximum(0.0, of_size**2 - of_pairs**2)
    found = tuple(names[i] for i in there)
    return (
        Laws(found, mean[there], spread[there], third[there]),
        Laws(found, mean[there], spread[there], upwards[there]),
    )


def _active_laws(noise: ChainNoise, names: tuple[str, ...]) -> Laws:
    active, ahead = noise.active, noise.ahead
    count = len(active.mean)
    spread = active.elasticity**2 * ahead.size[:count]
    spread = spread + np.sum(active.modes**2 * ahead.drawn.modes[:, :count], axis=0)
    bent = 0.5 * active.curvature * ahead.single[:count]
    share = 1.0 + active.elasticity * ahead.shift[:count] + bent
    mean = np.clip(active.mean * share, 0.0, 1.0)
    most = np.where(ahead.single[:count] < MOST_SCATTER, MOST_BENT, BENT_NOTHING)
    there = np.flatnonzero(np.abs(bent) < most)
    return Laws(
        tuple(names[i] for i in there),
        mean[there],
        (mean * mean * spread)[there],
        np.zeros(len(there)),
    )
