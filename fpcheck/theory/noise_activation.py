"""What an activation makes of a layer's noise: its units' own becomes noise of the next moments."""

from __future__ import annotations

import math
from dataclasses import replace

from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.network.skeleton import Activation
from fpcheck.theory.noise import Deviation, variance
from fpcheck.theory.noise_moments import Expansion, UnitNoise, pair_noise, unit_noise
from fpcheck.theory.noise_state import (
    ActivationNoise,
    Forward,
    Noise,
    mode_variance,
    pairs_shared,
    shared,
    skewing,
    widening,
)
from fpcheck.theory.recursion_state import UnitMoments

LINEAR = activation("identity")
MOST_SPREAD = 0.5  # of a logarithm: means by the second order hold up to about here
MOST_PAIR_SPREAD = 2.0  # the same of the logarithm of a contrast


def activated(
    node: Activation, noise: Noise, before: UnitMoments, after: UnitMoments, out: Forward
) -> Noise | None:
    """The noise behind an activation; None where it is too sparse or too large to be followed."""
    f = node.function
    if f.name == "identity":
        return noise
    unit = unit_noise(f, before.q)
    if unit is None:
        return None
    if noise.modes is None:
        return noise
    square, elasticity = unit.square, unit.square.elasticity
    averaged = shared(noise, before, out.inputs)
    coefficients = (*square.modes, square.rest)
    own = mode_variance(coefficients, averaged, noise.units)
    new = replace(
        noise,
        size=_deviated(elasticity, noise.size, coefficients, noise.modes, widening(own), out),
        modes=None,
        single=elasticity**2 * noise.single + square.total / noise.units,
        shift=elasticity * noise.shift + 0.5 * square.curvature * min(noise.single, MOST_SPREAD),
        skew=elasticity**3 * noise.skew - own * own,
    )
    if unit.slope is not None:
        out.slopes[node.name] = _slope_noise(node, unit, unit.slope, noise, (before, after), out)
    return _pair_activated(f, new, noise, before, out)


def settled(noise: Noise, before: UnitMoments, out: Forward) -> Noise:
    """The noise where Gaussian units are used as they are, with no activation between.

    What they have of their own becomes noise of log v and log D: of what a linear layer behind a
    linear layer is given, the second Hermite mode is a deviation of the second moment.
    """
    unit = unit_noise(LINEAR, before.q)
    if noise.modes is None or unit is None:
        return noise
    square = noise.modes[1]
    own = 2.0 * variance(square)
    drawn = 2.0 * shared(noise, before, out.inputs)[1] / noise.units
    left = min(1.0, own / drawn) if drawn > 0.0 else 0.0  # a norm has divided it out
    new = replace(
        noise,
        size=out.sources.combined([(1.0, noise.size), (math.sqrt(2.0) * widening(own), square)]),
        modes=None,
        single=noise.single + left * unit.square.total / noise.units,
        skew=noise.skew - skewing(own),
    )
    return _pair_activated(LINEAR, new, noise, before, out)


def _deviated(
    elasticity: float,
    size: Deviation,
    coefficients: tuple[float, ...],
    modes: tuple[Deviation, ...],
    wider: float,
    out: Forward,
) -> Deviation:
    """The deviation of log E g by that of log v and by the units' own modes."""
    own = ((a * wider, y) for a, y in zip(coefficients, modes, strict=True))
    return out.sources.combined([(elasticity, size), *own])


def _slope_noise(
    node: Activation,
    unit: UnitNoise,
    slope: Expansion,
    noise: Noise,
    moments: tuple[UnitMoments, UnitMoments],
    out: Forward,
) -> ActivationNoise:
    before, after = moments
    assert noise.modes is not None
    coefficients = (*slope.modes, slope.rest)
    own = mode_variance(coefficients, shared(noise, before, out.inputs), noise.units)
    growth = slope.mean * before.q / after.q if after.q > 0.0 else 0.0
    pair = pair_noise(node.function, before.q, (1.0 - before.correlation) * noise.closer)
    return ActivationNoise(
        mean=slope.mean,
        slope=_deviated(slope.elasticity, noise.size, coefficients, noise.modes, 1.0, out),
        fourth=1.0 + slope.total,
        drift=_mean_log(slope, noise) - 0.5 * own,
        along=math.sqrt(2.0) * slope.modes[1],
        along_kept=unit.square.elasticity**2 / growth if growth > 0.0 else 0.0,
        kept=1.0 if pair is None else pair.slope_kept,
    )


def _mean_log(g: Expansion, noise: Noise) -> float:
    """The mean of log E g over the law of log v, beyond its value at q, to second order."""
    single = min(noise.single, MOST_SPREAD)
    bend = g.curvature + g.elasticity - g.elasticity**2
    log_v = math.log1p(max(-0.9, noise.shift)) - 0.5 * single
    return g.elasticity * log_v + 0.5 * bend * single


def _pair_activated(
    f: ActivationFunction, new: Noise, noise: Noise, before: UnitMoments, out: Forward
) -> Noise:
    """`new` with what the activation makes of the difference of two inputs."""
    pair = pair_noise(f, before.q, 1.0 - before.correlation)
    if pair is None or noise.modes is None:
        return new
    n, coefficients = noise.units, (*pair.common.modes, pair.common.rest)
    aligned = pairs_shared(noise, out.inputs)
    own = mode_variance(coefficients, shared(noise, before, out.inputs), n)
    own += (pair.own**2 + pair.rest**2) * aligned / n
    wider = widening(own)
    difference = out.sources.combined(
        [
            (pair.by_contrast, noise.difference),
            (pair.by_q, noise.size),
            *((b * wider, y) for b, y in zip(coefficients, noise.modes, strict=True)),
            (pair.own * wider, noise.pair[0]),
            (pair.own * wider, noise.pair[1]),
            (pair.rest * wider, noise.pair[2]),
        ]
    )
    by, bend = pair.by_contrast, pair.bend
    return replace(
        new,
        difference=difference,
        difference_skew=by**3 * noise.difference_skew
        - own * own
        + 3.0 * by**2 * min(0.0, bend) * noise.apart**2,
        apart=variance(out.sources.combined([(1.0, difference), (-1.0, new.size)])),
        pair_single=by**2 * noise.pair_single
        + max(0.0, pair.total + pair.size - 2.0 * pair.both) / n,
        pair_shift=by * noise.pair_shift
        + 0.5 * bend * min(noise.pair_single, MOST_PAIR_SPREAD)
        + 0.5 * (pair.size - pair.total) / n,
        alignment=min(
            1.0,
            pair.slope_kept**2 * noise.alignment
            + (1.0 - noise.alignment) * (1.0 + pair.common.total) / n,
        ),
    )
