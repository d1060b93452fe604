"""The bands of finite width against drawn networks.

The short forms draw a few dozen networks, of which more than `allowed` leave a band that healthy
ones leave with 1 % probability only once in several thousand runs; the slow ones 300 each.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from finite_networks import SCALES, chain, convolutional, residual, trial

from fpcheck.network.activations import parse_activation
from fpcheck.theory import moments
from fpcheck.theory.noise_moments import LOG_Q_STEP, pair_noise, unit_noise
from fpcheck.theory.pairs import pair_moment
from fpcheck.theory.quantiles import beta_range, log_gamma_range

FUNCTIONS = ("relu", "tanh", "gelu")


def leaving(skeleton, scales, draws, **kwargs):
    return sum(bool(trial(skeleton, scales, seed, **kwargs)) for seed in range(draws))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("width", [16, 64])
def test_shallow_networks_stay_inside(function, width):
    assert leaving(chain(function, width, 2), SCALES[function], 30) <= 3


@pytest.mark.parametrize("function", [*FUNCTIONS, "crelu(1.0364,1.1704)"])
def test_networks_of_20_layers_stay_inside(function):
    assert leaving(chain(function, 128, 20), SCALES[function], 5, inputs=32) <= 1


def test_residual_networks_stay_inside():
    """The stream keeps its units' noise from block to block."""
    assert leaving(residual("relu", 64, 10), (0.1, 0.0), 20) <= 2
    assert leaving(residual("tanh", 64, 10), (1.0, 0.1), 20) <= 2


@pytest.mark.parametrize("pooled", [False, True])
def test_convolutional_networks_stay_inside(pooled):
    skeleton = convolutional("relu", 32, 3, pooled=pooled)
    assert leaving(skeleton, (2.0, 0.05), 15, inputs=32) <= 2


def test_networks_judged_by_their_own_weights_stay_inside():
    assert leaving(chain("tanh", 64, 10), SCALES["tanh"], 20, by_law=False) <= 2


def test_weights_off_by_a_tenth_are_outside():
    """sigma_w^2 10 % off at width 1024 and depth 10 is seen by the band of the law."""
    for function in ("relu", "tanh"):
        assert trial(chain(function, 1024, 10), SCALES[function], 1, inputs=128, factor=1.1)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 20, 100])
@pytest.mark.parametrize("width", [16, 64, 256, 1024])
@pytest.mark.parametrize("function", ["relu", "tanh"])
def test_one_in_a_hundred_leaves(function, width, depth):
    """At most 1 %: of 300 draws more than 8 leave with probability below 0.4 %."""
    draws = 300 if width * depth <= 6400 else 30
    allowed = 8 if draws == 300 else 2
    assert leaving(chain(function, width, depth), SCALES[function], draws) <= allowed


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
def test_wide_networks_stay_inside(function):
    assert leaving(chain(function, 4096, 4), SCALES[function], 4) <= 1


def test_the_modes_of_relu_add_up_to_its_noise():
    """Var phi^2 / (E phi^2)^2 = 3 * 2 - 1 = 5, Var phi'^2 / (E phi'^2)^2 = 1, and no curvature."""
    unit = unit_noise(parse_activation("relu"), 1.0)
    assert unit is not None
    assert unit.slope is not None
    assert unit.square.total == pytest.approx(5.0, rel=1e-12)
    assert unit.slope.total == pytest.approx(1.0, rel=1e-12)
    assert unit.active.mean == pytest.approx(0.5, rel=1e-12)
    assert unit.square.elasticity == pytest.approx(1.0, rel=1e-12)
    assert unit.square.curvature == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("function", ["tanh", "gelu", "crelu(1,1)", "silu"])
def test_modes_are_the_derivatives_of_the_moments(function):
    f, q = parse_activation(function), math.exp(10 * LOG_Q_STEP)
    unit = unit_noise(f, q)
    assert unit is not None
    mean = moments.second_moment(f, q)
    slope = moments.second_moment_slope(f, q)
    assert unit.square.mean == pytest.approx(mean, rel=1e-10)
    assert unit.square.elasticity == pytest.approx(q * slope / mean, rel=1e-9)
    bend = moments.second_moment_curvature(f, q)
    assert unit.square.curvature == pytest.approx(q * q * bend / mean, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("function", ["tanh", "relu", "gelu"])
def test_a_pairs_contrast_moves_as_the_correlation_map_does(function):
    f, q, contrast = parse_activation(function), 1.0, math.exp(-0.5)

    def difference(q, d):  # of q and of half the squared difference
        return moments.second_moment(f, q) - pair_moment(f, q, q, 1.0 - d / q)

    d, step = q * contrast, 1e-4
    middle = difference(q, d)
    by_contrast = (difference(q, d * (1 + step)) - difference(q, d * (1 - step))) / (2 * step)
    by_q = (difference(q * (1 + step), d) - difference(q * (1 - step), d)) / (2 * step)
    pair = pair_noise(f, q, contrast)
    assert pair is not None
    # The plane's rule meets kinks to about 1e-3.
    assert pair.common.mean == pytest.approx(middle, rel=3e-3)
    assert pair.by_contrast == pytest.approx(by_contrast / middle, abs=5e-3)
    assert pair.by_q == pytest.approx(by_q / middle, abs=5e-3)


def test_small_contrasts_of_relu_have_the_noise_of_a_gated_chi_square():
    """u = phi'(s)^2 t^2 with phi' 0 or 1: E u^2 / (E u)^2 = 3 / (1/2), so the variance is 5."""
    pair = pair_noise(parse_activation("relu"), 1.0, 1e-6)
    assert pair is not None
    assert pair.total == pytest.approx(5.0, rel=0.02)
    assert pair.by_contrast == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("freedom", [3, 16, 300])
def test_the_mean_of_squares_has_its_exact_range(freedom):
    """log of chi^2 / k has cumulants log 2/k + psi, psi', psi'': the range must be chi^2's."""
    from scipy.special import gammaincinv, polygamma

    shape, tail = freedom / 2.0, 1e-4
    mean = float(polygamma(0, shape)) - math.log(shape)
    cumulants = [np.array([value]) for value in (mean, *polygamma([1, 2], shape))]
    (low,), (high,) = log_gamma_range(*cumulants, tail)
    assert low == pytest.approx(gammaincinv(shape, tail) / shape, rel=0.04)
    assert high == pytest.approx(gammaincinv(shape, 1.0 - tail) / shape, rel=0.01)


def test_a_share_of_whole_units_stays_in_its_range():
    rng = np.random.default_rng(0)
    for units, share in ((16, 0.1), (200, 0.5)):
        mean, variance = np.array([share]), np.array([share * (1 - share) / units])
        (low,), (high,) = beta_range(mean, variance, 1e-3)
        found = rng.binomial(units, share, 20_000) / units
        assert np.mean((found < low) | (found > high)) <= 2.5e-3


def test_what_has_no_spread_has_no_width():
    zero, one = np.zeros(1), np.ones(1)
    assert log_gamma_range(zero, zero, zero, 1e-4) == (one, one)
    assert beta_range(one, zero, 1e-4) == (one, one)
