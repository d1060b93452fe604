"""Lyapunov exponents: values in closed form, and intervals that cover them often enough."""

import math

import numpy as np
import pytest
from moving_maps import (
    function,
    henon,
    linear,
    logistic,
    motion_of,
    normal_starts,
    one_layer,
    random_tanh,
    unresolved_motion,
)
from numpy.testing import assert_allclose

from fpcheck.attractors.motion import kaplan_yorke, lyapunov_spectrum
from fpcheck.attractors.motion.exponents import exponent
from fpcheck.attractors.motion.walk import orthonormal, stretch
from fpcheck.core.progress import Monitor

# Of 200 intervals of 95 % at most 20 may miss: a rightly covering rule does so once in 1500 runs.
RUNS = 200
MISSES = 20


def growth_of(network, starts, steps, seed=0, every=4):
    """What tangents gain along each start's orbit, after a burn-in: (steps / every, m)."""
    rng = np.random.default_rng(seed)
    tangents, _ = orthonormal(rng.standard_normal((len(starts), 1, starts.shape[1])))
    for length in (512, steps):
        part = stretch(
            network.program, starts, tangents, steps=length, every=every, shadow=lambda x: x[:, :0]
        )
        starts, tangents = part.states, part.tangents
    return part.growth[:, :, 0]


CHAOS = {
    "logistic at 4": (logistic(4.0 - 1e-12), (0.1, 0.9), math.log(2.0)),
    "tent of slope 1.9": (
        function(lambda x: 1.9 * np.minimum(x, 1.0 - x), 1),
        (0.1, 0.9),
        math.log(1.9),
    ),
    "Henon": (henon(), (-0.1, 0.1), 0.419217),  # Sprott 2003, to five digits
}


@pytest.mark.parametrize("name", CHAOS)
@pytest.mark.parametrize("steps", [512, pytest.param(8192, marks=pytest.mark.slow)])
def test_the_interval_covers_the_known_exponent(name, steps):
    network, (low, high), truth = CHAOS[name]
    n = network.program.input_size
    starts = np.random.default_rng(1).uniform(low, high, (RUNS, n))
    growth = growth_of(network, starts, steps)
    found = [exponent(growth[:, [i]], 4) for i in range(RUNS)]
    missed = sum(not one.low <= truth <= one.high for one in found)
    assert missed <= MISSES
    assert np.mean([one.value for one in found]) == pytest.approx(truth, abs=0.01)


@pytest.mark.parametrize("orbits", [1, 8])
def test_the_interval_covers_the_exponent_of_a_chaotic_network(orbits):
    growth = growth_of(random_tanh(64, 3.0, 0), normal_starts(64, 160), 512)
    truth = float(growth.mean()) / 4  # 160 times the data of one interval
    found = [exponent(growth[:, i : i + orbits], 4) for i in range(0, 160, orbits)]
    assert sum(not one.low <= truth <= one.high for one in found) <= len(found) // 10
    assert truth > 0.2


@pytest.mark.parametrize("memory", [0.0, 0.9, 0.98])
def test_the_interval_is_honest_for_growth_with_a_memory(memory):
    # Autoregressive growth of unit variance, mean 0.3: neighbours in time resemble each other.
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((1024, RUNS)) * math.sqrt(1.0 - memory**2)
    growth = np.empty_like(noise)
    growth[0] = rng.standard_normal(RUNS)
    for t in range(1, len(noise)):
        growth[t] = memory * growth[t - 1] + noise[t]
    found = [exponent(0.3 + growth[:, [i]], 1) for i in range(RUNS)]
    missed = sum(not one.low <= 0.3 <= one.high for one in found)
    # With a memory of 50 steps, 1024 are 20 independent numbers: some more may miss.
    assert missed <= (MISSES if memory < 0.95 else 2 * MISSES)


def test_the_spectrum_of_a_linear_map_is_the_logarithm_of_its_moduli():
    rng = np.random.default_rng(3)
    weight = rng.standard_normal((6, 6))
    truth = np.sort(np.log(np.abs(np.linalg.eigvals(weight))))[::-1]
    found = lyapunov_spectrum(
        linear(weight / 10.0).program,
        normal_starts(6, 1),
        rng=rng,
        monitor=Monitor(),
    )
    for one, value in zip(found.exponents, truth - math.log(10.0), strict=True):
        assert one.low <= value <= one.high


def test_henons_exponents_add_up_to_the_logarithm_of_its_area_factor():
    motion = unresolved_motion(
        henon(), np.random.default_rng(0).uniform(-0.1, 0.1, (24, 2)), spectrum=True
    )
    (one,) = motion.sets
    first, second = one.spectrum
    # The Jacobian's determinant is -b everywhere, so the sum is log b in every step.
    assert_allclose(first.value + second.value, math.log(0.3), atol=1e-6)
    assert first.low < 0.41922 < first.high
    assert second.low < math.log(0.3) - 0.41922 < second.high
    # 1 + 0.41922 / 1.62319, Kaplan and Yorke's formula at the known exponents.
    assert one.kaplan_yorke_low < 1.25827 < one.kaplan_yorke_high
    assert one.kaplan_yorke_high - one.kaplan_yorke_low < 0.1


def test_the_spectrum_of_a_product_of_maps_is_the_union_of_theirs():
    def both(x):
        return np.stack([(4.0 - 1e-12) * x[:, 0] * (1.0 - x[:, 0]), 0.25 * x[:, 1]], axis=1)

    starts = np.random.default_rng(0).uniform(0.1, 0.9, (4, 2))
    found = lyapunov_spectrum(
        function(both, 2).program, starts, rng=np.random.default_rng(1), monitor=Monitor()
    )
    first, second = found.exponents
    assert first.low <= math.log(2.0) <= first.high
    assert second.low <= math.log(0.25) <= second.high
    assert_allclose(found.dimension, 1.0 + first.value / -second.value, atol=1e-9)


def test_the_leading_exponents_of_a_network_agree_with_a_plain_computation():
    network = random_tanh(12, 3.0, 2)
    weight = np.asarray(network.parameters["weight"])
    bias = np.asarray(network.parameters["bias"])
    rng = np.random.default_rng(4)
    x, frame, logs = rng.standard_normal(12), np.linalg.qr(rng.standard_normal((12, 4)))[0], []
    for step in range(6000):
        slope = 1.0 - np.tanh(weight @ x + bias) ** 2
        x = np.tanh(weight @ x + bias)
        frame, upper = np.linalg.qr(slope[:, None] * (weight @ frame))
        if step >= 1000:
            logs.append(np.log(np.abs(np.diag(upper))))
    plain = np.sort(np.mean(logs, axis=0))[::-1]
    found = lyapunov_spectrum(
        network.program, x[None], rng=rng, monitor=Monitor(), count=4, steps=4096
    )
    for one, value in zip(found.exponents, plain, strict=True):
        # Both are sampled: two intervals' worth of room.
        assert abs(one.value - value) <= one.high - one.low


def test_exponents_do_not_change_with_the_order_and_the_signs_of_the_units():
    network = random_tanh(10, 3.5, 8)
    weight = np.asarray(network.parameters["weight"])
    bias = np.asarray(network.parameters["bias"])
    rng = np.random.default_rng(5)
    order, signs = rng.permutation(10), rng.choice([-1.0, 1.0], 10)
    moved = one_layer(
        (signs[:, None] * weight * signs)[np.ix_(order, order)], (signs * bias)[order]
    )
    starts = normal_starts(10, 16)
    one = growth_of(network, starts, 256).mean()
    other = growth_of(moved, (starts * signs)[:, order], 256, seed=9).mean()
    # Chaotic orbits part after some hundred steps: the averages agree, not the numbers.
    assert one == pytest.approx(other, abs=0.05)


def test_the_kaplan_yorke_dimension_of_given_exponents():
    assert kaplan_yorke(np.array([0.5, -1.0])) == pytest.approx(1.5)
    assert kaplan_yorke(np.array([-0.1, -1.0])) == 0.0
    assert kaplan_yorke(np.array([0.3, 0.0, -0.2, -0.4])) == pytest.approx(3.25)
    assert kaplan_yorke(np.array([0.3, 0.1])) is None
    assert kaplan_yorke(np.array([0.3, -math.inf])) == 1.0
    assert kaplan_yorke(np.array([0.3, math.nan])) is None


def test_a_vanishing_tangent_and_a_lost_one_are_not_numbers_of_chaos():
    gone = exponent(np.full((64, 1), -math.inf), 4)
    assert (gone.value, gone.low, gone.high) == (-math.inf, -math.inf, -math.inf)
    lost = exponent(np.full((64, 1), math.nan), 4)
    assert (lost.low, lost.high) == (-math.inf, math.inf)
    assert math.isnan(lost.value)


def test_a_set_in_motion_has_no_spectrum_unless_it_is_asked_for():
    motion = motion_of(logistic(3.9), np.full((2, 1), 0.3))
    assert motion.sets[0].spectrum == ()
    assert motion.sets[0].kaplan_yorke is None
