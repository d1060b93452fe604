"""E phi(x) phi(y) and E phi'(x) phi'(y) from tiny to large variances, c from -1 to 1."""

from __future__ import annotations

import math

import pytest
from exact_pairs import in_balls, in_the_plane

from fpcheck.network.activations import ACTIVATIONS, parse_activation
from fpcheck.theory import moments, piecewise_linear
from fpcheck.theory.bent import MAGNIFIED_ALONE, bent_pair
from fpcheck.theory.pair_curve import pair_curve
from fpcheck.theory.pairs import pair_moment, pair_slope_moment
from fpcheck.theory.shared_part import shared_expectation

BENT = [
    "hardtanh", "hardtanh(-0.3,2)", "shifted_relu(0.5)", "soft_threshold(0.5)", "crelu(1,1.25)",
    "crelu(0,1)", "crelu(-0.5,1)", "cst(0.5,1)",
]  # fmt: skip
OTHERS = [
    "identity", "relu", "leaky_relu(0.2)", "gelu", "erf", "sin", "step", "tanh", "sigmoid", "elu",
    "elu(0.5)", "selu", "gelu_tanh", "silu", "softplus", "softsign",
]  # fmt: skip
AGREES = 1e-12  # of the largest that the moment can be; the references are good to 1e-13
# The tails of crelu(1,1.25) are at ten standard deviations at 0.01, the knots of hardtanh at a
# thousand at 1e-6 and at a tenth at 100.
VARIANCES = [(1e-6, 1e-6), (1e-4, 3e-4), (0.004, 0.004), (0.01, 0.012), (0.05, 1.0), (100.0, 7.0)]
CORRELATIONS = [-1.0, -0.9, 0.3, 0.9999, 1.0]


def largest(f, q1, q2, *, slope):
    moment = moments.slope_moment if slope else moments.second_moment
    return math.sqrt(moment(f, q1)) * math.sqrt(moment(f, q2))


def test_every_activation_is_tested():
    assert {parse_activation(name).name for name in BENT + OTHERS} == set(ACTIVATIONS)


@pytest.mark.parametrize("slope", [False, True])
@pytest.mark.parametrize("name", BENT)
def test_piecewise_linear_functions_keep_their_digits(name: str, slope: bool):
    f = parse_activation(name)
    found_by = pair_slope_moment if slope else pair_moment
    for q1, q2 in VARIANCES:
        size = largest(f, q1, q2, slope=slope)
        for c in CORRELATIONS:
            found = found_by(f, q1, q2, c)
            if size < 1e-60:  # the function is all but surely 0; so far out it is not followed
                assert abs(found) <= 1e-60
                continue
            exact = in_balls(piecewise_linear.pieces(f), q1, q2, c, slope=slope, size=size)
            assert abs(found - exact) <= AGREES * size


@pytest.mark.parametrize("name", OTHERS)
def test_functions_that_bend_at_0_alone_agree_with_quadrature_in_the_plane(name: str):
    f = parse_activation(name)
    for q1, q2, c in [(1e-6, 1e-6, 0.3), (1e-3, 0.2, -0.9), (1.0, 1.0, 0.999), (100.0, 30.0, -0.6)]:
        exact = in_the_plane(f.phi, f.kinks, q1, q2, c)
        assert abs(pair_moment(f, q1, q2, c) - exact) <= AGREES * largest(f, q1, q2, slope=False)
        if name != "step":
            exact = in_the_plane(f.derivative, f.kinks, q1, q2, c)
            found = pair_slope_moment(f, q1, q2, c)
            assert abs(found - exact) <= AGREES * largest(f, q1, q2, slope=True)


def test_the_correlation_of_what_hardly_ever_passes_a_knot_is_not_a_cut_tail():
    """crelu(1, 1.25) at ten standard deviations, where a cut at ten lost up to 7 %."""
    f, q = parse_activation("crelu(1,1.25)"), 0.01
    size = moments.second_moment(f, q)
    curve = pair_curve(f, q)
    for c in (0.5, 0.9, 0.99, 0.9999):
        exact = in_balls(piecewise_linear.pieces(f), q, q, c, slope=False, size=size)
        assert abs(curve(c) - exact) <= AGREES * size
    # Towards c = 1 it rises to the second moment itself.
    assert curve(1.0 - 1e-13) == pytest.approx(size, rel=1e-5)


@pytest.mark.parametrize("name", ["hardtanh", "crelu(1,1.25)", "cst(0.5,1)"])
def test_the_two_ways_meet_where_one_hands_over_to_the_other(name: str):
    """Sums over the bends lose digits at large variances, the integral gains them."""
    f, c = parse_activation(name), 0.7
    p = piecewise_linear.pieces(f)
    for q in (0.3, 3.0, 30.0, 300.0, 3e3, 3e4):
        for slope in (False, True):
            one = bent_pair(f, q, q, c, slope=slope)
            other = shared_expectation(p, q, q, c, slope=slope)
            # Rounding, a few times, as far as it is magnified; from there on it is one way.
            allowed = 10.0 * MAGNIFIED_ALONE * 2.3e-16 * largest(f, q, q, slope=slope)
            assert abs(one - other) <= allowed
