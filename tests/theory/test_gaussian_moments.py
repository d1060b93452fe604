"""Gaussian moments of every activation function, against 25-digit integrals by mpmath."""

from __future__ import annotations

from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations import ACTIVATIONS, parse_activation
from fpcheck.theory import moments
from fpcheck.theory.closed_forms import closed_forms
from fpcheck.theory.quadrature import expectation

# The target of the theory, relative to the expectation of the absolute value.
RELATIVE = 1e-12

GELU_TANH = mp.sqrt(2 / mp.pi)
ALPHA, SCALE = (
    mp.mpf("1.6732632423543772848170429916717"),
    mp.mpf("1.0507009873554804934193349852946"),
)


def logistic(x):
    return 1 / (1 + mp.exp(-x))


def clip(x, low, high):
    return min(max(x, low), high)


# phi written a second time, in another arithmetic.
PHI = {
    "identity": lambda x: x,
    "tanh": mp.tanh,
    "sigmoid": logistic,
    "relu": lambda x: max(x, 0),
    "leaky_relu(0.2)": lambda x: x if x > 0 else mp.mpf("0.2") * x,
    "elu(0.5)": lambda x: x if x > 0 else mp.expm1(x) / 2,
    "selu": lambda x: SCALE * (x if x > 0 else ALPHA * mp.expm1(x)),
    "gelu": lambda x: x * mp.ncdf(x),
    "gelu_tanh": lambda x: x * logistic(2 * GELU_TANH * (x + mp.mpf("0.044715") * x**3)),
    "silu": lambda x: x * logistic(x),
    "softplus": lambda x: max(x, 0) + mp.log1p(mp.exp(-abs(x))),
    "softsign": lambda x: x / (1 + abs(x)),
    "erf": mp.erf,
    "hardtanh(-0.5,2)": lambda x: clip(x, mp.mpf("-0.5"), 2),
    "sin": mp.sin,
    "shifted_relu(0.75)": lambda x: max(x - mp.mpf("0.75"), 0),
    "soft_threshold(0.75)": lambda x: mp.sign(x) * max(abs(x) - mp.mpf("0.75"), 0),
    "crelu(1,1.25)": lambda x: clip(x - 1, 0, mp.mpf("1.25")),
    "cst(1.25,0.75)": lambda x: mp.sign(x) * clip(abs(x) - mp.mpf("1.25"), 0, mp.mpf("0.75")),
}
NAMES = sorted(PHI)
# The oscillation of sin at large q is beyond a reference by panels; its forms are elementary.
SMALL_ONLY = ("sin",)
# In a layer that is almost surely off, everything is a tail probability: still relative.
QS = (1e-12, 1e-2, 0.7, 1e12)
SLOW_QS = (1e-8, 1e-4, 0.05, 5.0, 30.0, 1e3, 1e6, 1e9)


def reference(g, q, kinks):
    """E g(sqrt(q) z) and E |g|, by Gauss-Legendre in 25 digits on panels around every feature."""
    with mp.workdps(25):
        spread = mp.sqrt(mp.mpf(q))
        marks = {mp.mpf(k) for k in range(-12, 13, 2)}
        marks |= {mp.mpf(t) / spread for t in kinks}
        scales = [mp.mpf(2) ** k for k in range(-1, 7)] + [mp.mpf(2) ** k for k in range(7, 26, 3)]
        marks |= {s * t / spread for t in scales for s in (1, -1)}
        for t in kinks:  # a kink far out is followed by a tail of its own width
            width = spread / max(1, abs(t) / spread) / spread
            marks |= {mp.mpf(t) / spread + s * k * width for k in range(2, 58, 5) for s in (1, -1)}
        edges = sorted(m for m in marks if abs(m) <= 60)
        values = [_panel(lambda z: g(spread * z), a, b) for a, b in pairwise(edges)]
        return mp.fsum(values), mp.fsum(abs(v) for v in values)


def _panel(g, a, b):
    """The integral over one panel; scaled, for mp.quad stops at an absolute tolerance."""
    size = mp.npdf(min(abs(a), abs(b)))
    total = mp.quad(
        lambda z: g(z) * mp.npdf(z) / size, [a, b], maxdegree=4, method="gauss-legendre"
    )
    return total * size


def slope(phi):
    return lambda x: mp.diff(phi, x, h=mp.mpf("1e-9"))


def check(name, q):
    f, phi = parse_activation(name), PHI[name]
    expected, size = reference(lambda x: phi(x) ** 2, q, f.kinks)
    assert abs(moments.second_moment(f, q) - expected) <= RELATIVE * size
    expected, size = reference(phi, q, f.kinks)
    assert abs(moments.mean(f, q) - expected) <= RELATIVE * size + 1e-300


@pytest.mark.parametrize("q", QS)
@pytest.mark.parametrize("name", NAMES)
def test_mean_and_second_moment_agree_with_25_digit_integrals(name: str, q: float):
    if name in SMALL_ONLY and q > 100.0:
        pytest.skip("reference by panels does not follow the oscillation")
    check(name, q)


@pytest.mark.slow
@pytest.mark.parametrize("q", SLOW_QS)
@pytest.mark.parametrize("name", NAMES)
def test_mean_and_second_moment_agree_with_25_digit_integrals_everywhere(name: str, q: float):
    if name in SMALL_ONLY and q > 100.0:
        pytest.skip("reference by panels does not follow the oscillation")
    check(name, q)


# d/dq E phi^2 = E phi'^2 + E phi phi'' ties the three together; E phi'^2 is checked on its own by
# a reference whose derivative is mpmath's, accurate to about 1e-13 with the step chosen.
@pytest.mark.parametrize("q", [1e-4, 0.7, 1e6])
@pytest.mark.parametrize("name", ["tanh", "silu", "gelu_tanh", "softsign", "elu(0.5)", "sigmoid"])
def test_slope_moment_agrees_with_numerical_derivatives_in_high_precision(name: str, q: float):
    f, phi = parse_activation(name), PHI[name]
    with mp.workdps(40):
        expected, size = reference(lambda x: slope(phi)(x) ** 2, q, f.kinks)
    assert abs(moments.slope_moment(f, q) - expected) <= 1e-9 * size


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_of_the_registry_is_tested(name: str):
    assert {n.partition("(")[0] for n in NAMES} | {"step"} >= set(ACTIVATIONS) - {"elu"}
    assert parse_activation(name).name in ACTIVATIONS


@pytest.mark.parametrize("name", ["relu", "leaky_relu(0.2)", "erf", "gelu"])
def test_closed_forms_agree_with_quadrature_from_tiny_to_huge_variance(name: str):
    f = parse_activation(name)
    for q in 10.0 ** np.arange(-12.0, 13.0, 2.0):
        by_nodes = expectation(lambda x: f.phi(x) ** 2, q, f.kinks, 1.0)
        assert moments.second_moment(f, q) == pytest.approx(by_nodes, rel=1e-13)
        by_nodes = expectation(lambda x: f.derivative(x) ** 2, q, f.kinks, 1.0)
        assert moments.slope_moment(f, q) == pytest.approx(by_nodes, rel=1e-13)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("q", [1e-6, 0.04, 0.999, 1.001, 12.0, 1e5])
def test_the_derivative_of_the_second_moment_is_its_difference_quotient(name: str, q: float):
    f = parse_activation(name)
    if moments.second_moment(f, q) < 1e-12 * q:  # a tail: relative steps are too coarse
        pytest.skip("the second moment is a tail probability")
    h = 1e-4 * q
    quotient = (moments.second_moment(f, q + h) - moments.second_moment(f, q - h)) / (2 * h)
    # The quotient is off by h^2 and by rounding of a value that may dwarf its change.
    slack = 1e-6 * abs(quotient) + 1e-11 * moments.second_moment(f, q) / q
    assert abs(moments.second_moment_slope(f, q) - quotient) <= slack


@pytest.mark.parametrize("name", [n for n in NAMES if n != "identity"])
@pytest.mark.parametrize("q", [0.1, 1.0, 10.0])
def test_the_second_derivative_is_the_difference_quotient_of_the_first(name: str, q: float):
    f = parse_activation(name)
    h = 1e-4 * q
    quotient = (moments.second_moment_slope(f, q + h) - moments.second_moment_slope(f, q - h)) / (
        2 * h
    )
    assert moments.second_moment_curvature(f, q) == pytest.approx(quotient, rel=1e-5, abs=1e-9)


def test_moments_at_zero_variance_are_the_values_at_zero():
    assert moments.second_moment(parse_activation("sigmoid"), 0.0) == 0.25
    assert moments.slope_moment(parse_activation("tanh"), 0.0) == 1.0
    assert moments.slope_moment(parse_activation("elu(0.5)"), 0.0) == pytest.approx(0.625)
    assert moments.second_moment_slope(parse_activation("silu"), 0.0) == pytest.approx(0.25)
    # softplus: phi(0) phi''(0) + phi'(0)^2 = log 2 / 4 + 1/4
    assert moments.second_moment_slope(parse_activation("softplus"), 0.0) == pytest.approx(
        (np.log(2.0) + 1.0) / 4.0
    )


def test_step_has_no_slope_moment_and_says_so():
    step = parse_activation("step")
    assert moments.second_moment(step, 3.0) == 0.5
    assert closed_forms(step) is not None
    with pytest.raises(UnsupportedOperationError, match="chi_1 is not defined"):
        moments.slope_moment(step, 1.0)


def test_a_variance_that_is_not_finite_is_refused():
    for q in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="finite"):
            moments.second_moment(parse_activation("tanh"), q)
