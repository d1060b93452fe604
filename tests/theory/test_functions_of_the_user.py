"""Adaptive quadrature for a user's own function: its error bound holds, or it says it may not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr

from fpcheck.network.activations import parse_activation
from fpcheck.theory import variance_map_of
from fpcheck.theory.callables import PROBE, expectation_of
from fpcheck.theory.variance_map import VarianceMap, fixed_points

QS = (1e-8, 0.3, 1.0, 50.0, 1e8)


def holds(estimate, exact):
    """The true error is within the bound; 4e-16: that of the reference's own rounding."""
    return abs(estimate.value - exact) <= estimate.error + 4e-16 * abs(exact)


@pytest.mark.parametrize("q", QS)
@pytest.mark.parametrize("at", [-2.3, 0.0, 0.37, 1.0 / 3.0, 4.1])
def test_the_bound_holds_for_kinks_and_steps_anywhere(q: float, at: float):
    s = math.sqrt(q)
    step = expectation_of(lambda x: (x > at * s).astype(float), q)
    assert step.trusted
    assert holds(step, float(ndtr(-at)))
    assert step.error < 1e-13
    bent = expectation_of(lambda x: np.abs(x / s - at), q)
    pdf = math.exp(-0.5 * at * at) / math.sqrt(2.0 * math.pi)
    assert bent.trusted
    assert holds(bent, 2.0 * pdf + at * (2.0 * float(ndtr(at)) - 1.0))


@pytest.mark.parametrize("q", QS)
@pytest.mark.parametrize("width", [1.0, 0.1, 0.2 * PROBE, 0.02 * PROBE])
def test_the_bound_holds_for_bumps_and_boxes_down_to_a_fiftieth_of_the_probe(q, width):
    s, at = math.sqrt(q), 1.234
    bump = expectation_of(lambda x: np.exp(-0.5 * ((x / s - at) / width) ** 2), q)
    spread = 1.0 + width * width
    assert bump.trusted
    assert holds(bump, width / math.sqrt(spread) * math.exp(-0.5 * at * at / spread))
    box = expectation_of(lambda x: (np.abs(x / s - at) < width).astype(float), q)
    assert box.trusted
    assert holds(box, float(ndtr(at + width) - ndtr(at - width)))


@pytest.mark.parametrize("q", QS)
@pytest.mark.parametrize("rate", [1.0, 30.0, 1000.0])
def test_the_bound_holds_for_oscillation(q: float, rate: float):
    s = math.sqrt(q)
    found = expectation_of(lambda x: np.cos(rate * x / s) ** 2, q)
    assert found.trusted
    assert holds(found, 0.5 + 0.5 * math.exp(-2.0 * rate * rate))


def test_a_function_that_oscillates_too_fast_is_not_trusted_and_its_bound_still_holds():
    found = expectation_of(lambda x: np.cos(1e6 * x) ** 2, 1.0)
    assert not found.trusted
    assert "oscillates" in found.note
    assert holds(found, 0.5)


@pytest.mark.parametrize("width", 10.0 ** np.linspace(-7.0, -4.0, 25))
def test_a_bump_that_hides_from_one_set_of_panels_alone_is_noticed(width: float):
    """Far below the probe's reach an estimate is right, or not trusted, or both sets missed it."""
    at = 0.777
    found = expectation_of(lambda x: 1e3 * np.exp(-0.5 * ((x - at) / width) ** 2), 1.0)
    spread = 1.0 + width * width
    exact = 1e3 * width / math.sqrt(spread) * math.exp(-0.5 * at * at / spread)
    assert holds(found, exact) or not found.trusted or found.value < 1e-12 * exact


def test_features_about_zero_are_found_down_to_1e_12_standard_deviations():
    found = expectation_of(lambda x: np.exp(-x * x), 1e20)
    assert found.trusted
    assert holds(found, 1.0 / math.sqrt(1.0 + 2e20))


@pytest.mark.parametrize(
    ("g", "why"),
    [(np.log, "not finite"), (lambda x: np.exp(0.49 * x * x), "tails")],
)
def test_what_cannot_be_integrated_is_not_trusted_and_says_why(g, why):
    with np.errstate(all="ignore"):
        found = expectation_of(g, 1.0)
    assert not found.trusted
    assert why in found.note


@pytest.mark.parametrize("name", ["tanh", "gelu", "crelu(1,1.25)", "softplus"])
def test_the_variance_map_of_a_known_function_is_the_registry_s(name: str):
    f = parse_activation(name)
    mine, ours = variance_map_of(f.phi, 1.5, 0.05), VarianceMap(f, 1.5, 0.05)
    for q in (1e-4, 1.0, 300.0):
        found = mine(q)
        assert found.trusted
        assert holds(found, ours(q))
        assert abs(mine.slope(q).value - ours.slope(q)) <= mine.slope(q).error + 1e-14


def test_fixed_points_of_a_user_s_function_carry_their_error():
    tanh = parse_activation("tanh")
    (mine,) = variance_map_of(np.tanh, 1.5, 0.05).fixed_points()
    (ours,) = fixed_points(VarianceMap(tanh, 1.5, 0.05))
    assert mine.trusted
    assert abs(mine.value - ours.q) <= mine.error + 1e-15
    # cos: E cos^2 = (1 + exp(-2q))/2, so q* = 0.1 + 0.75 (1 + exp(-2 q*)).
    (cosine,) = variance_map_of(np.cos, 1.5, 0.1).fixed_points()
    assert cosine.value == pytest.approx(0.1 + 0.75 * (1.0 + math.exp(-2.0 * cosine.value)))


def test_a_constant_may_be_one_number_and_a_wrong_shape_is_refused():
    constant = variance_map_of(lambda x: 2.0, 1.0, 0.5)(3.0)
    assert constant.trusted
    assert holds(constant, 4.5)
    with pytest.raises(ValueError, match="broadcast"):
        variance_map_of(lambda x: x[:3], 1.0, 0.0)(1.0)


def test_the_error_of_functions_with_jumps_anywhere_is_not_understated():
    """Step functions in closed form; a jump beside a panel's middle or edge is the hard case."""
    rng = np.random.default_rng(11)
    for _ in range(200):
        jumps = np.cumsum(rng.uniform(0.3, 2.0, 3)) - 3.0
        values = rng.normal(size=4)
        q = float(10.0 ** rng.uniform(-1, 1))
        shares = np.diff(ndtr(np.concatenate(([-np.inf], jumps, [np.inf])) / math.sqrt(q)))
        exact = float(shares @ values**2)
        v = variance_map_of(lambda x, j=jumps, y=values: y[np.searchsorted(j, x)], 1.0, 0.0)
        found = v(q)
        assert abs(found.value - exact) <= found.error + 1e-14 * exact
        assert found.error < 1e-4 if found.note else found.error < 1e-6
