"""All moments against scipy's adaptive quadrature, over a grid of functions, sigmas and q."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from fpcheck.network.activations import parse_activation
from fpcheck.theory import moments
from fpcheck.theory.pairs import pair_moment
from fpcheck.theory.variance_map import VarianceMap

RELATIVE = 1e-11  # of the expectation of the absolute value: quad's own accuracy in double
NAMES = [
    "identity", "tanh", "sigmoid", "relu", "leaky_relu(0.2)", "elu(0.5)", "selu", "gelu",
    "gelu_tanh", "silu", "softplus", "softsign", "erf", "hardtanh(-0.5,2)", "sin",
    "shifted_relu(0.75)", "soft_threshold(0.75)", "crelu(1,1.25)", "crelu(-0.5,1)",
    "cst(1.25,0.75)",
]  # fmt: skip
SIGMAS = [(1.0, 0.0), (2.0, 0.05), (0.3, 1.0), (4.0, 0.25)]
QS = (1e-8, 1e-4, 0.02, 0.6, 3.0, 40.0, 1e4, 1e8)
GRID = [(name, q) for name in NAMES for q in QS if not (name == "sin" and q > 1e3)]


def marks(f, q):
    """Where the integrand over z changes its ways: kinks, the function's own scale, the Gaussian's.

    quad follows each piece by itself, so a narrow feature cannot hide between its nodes.
    """
    spread = math.sqrt(q)
    own = [s * t / spread for s in (1, -1) for t in (0.25, 1, 2, 4, 8, 16, 40)]
    mine = [t / spread for t in f.kinks]
    tails = [t + k / max(1.0, abs(t)) for t in mine for k in (-20, -5, 5, 20)]
    plain = [-10, -6, -3, -1, 0, 1, 3, 6, 10]
    far = 3.0 + max([10.0, *(abs(t) for t in mine if abs(t) < 38)])
    inside = {float(t) for t in [*own, *mine, *tails, *plain, -far, far] if abs(t) <= far}
    return sorted(inside)


def by_quad(f, g, q):
    """E g(x) and E |g(x)|, x ~ N(0, q), by scipy's quad on every piece."""
    spread = math.sqrt(q)

    def integrand(z):
        density = math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
        return float(g(np.array([spread * z]))[0]) * density

    pieces = [
        quad(integrand, a, b, epsabs=0.0, epsrel=1e-12, limit=100)[0]
        for a, b in pairwise(marks(f, q))
    ]
    return math.fsum(pieces), math.fsum(abs(p) for p in pieces)


def test_the_grid_has_at_least_500_points():
    assert len(GRID) * len(SIGMAS) >= 500
    assert {1e-8, 1e8} <= set(QS)


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@pytest.mark.parametrize(("name", "q"), GRID)
def test_variance_map_and_chi_1_agree_with_adaptive_quadrature(name: str, q: float):
    """V and chi_1 at every pair of sigmas, from one integral each."""
    f = parse_activation(name)
    second, _ = by_quad(f, lambda x: f.phi(x) ** 2, q)
    slope, _ = by_quad(f, lambda x: f.derivative(x) ** 2, q)
    for sigma_w, sigma_b in SIGMAS:
        v = VarianceMap(f, sigma_w**2, sigma_b**2)
        assert v(q) == pytest.approx(sigma_b**2 + sigma_w**2 * second, rel=RELATIVE, abs=1e-300)
        assert v.chi1(q) == pytest.approx(sigma_w**2 * slope, rel=RELATIVE, abs=1e-300)


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@pytest.mark.parametrize(("name", "q"), GRID)
def test_mean_and_derivative_agree_with_adaptive_quadrature(name: str, q: float):
    """V' by E[x phi phi'] / q, whose terms may cancel: within RELATIVE of what is summed."""
    f = parse_activation(name)
    expected, size = by_quad(f, f.phi, q)
    assert abs(moments.mean(f, q) - expected) <= RELATIVE * size + 1e-300
    expected, size = by_quad(f, lambda x: x * f.phi(x) * f.derivative(x), q)
    assert abs(moments.second_moment_slope(f, q) - expected / q) <= RELATIVE * size / q + 1e-300


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@pytest.mark.parametrize(("name", "q"), [(name, q) for name, q in GRID if q >= 0.02])
def test_second_derivative_agrees_with_adaptive_quadrature(name: str, q: float):
    """By E[x phi phi' (x^2/q - 3)] / (2 q^2); at tiny q that form has no digits to compare."""
    f = parse_activation(name)

    def integrand(x):
        return x * f.phi(x) * f.derivative(x) * (x * x / q - 3.0)

    expected, size = by_quad(f, integrand, q)
    scale = 1.0 / (2.0 * q * q)
    found = moments.second_moment_curvature(f, q)
    assert abs(found - scale * expected) <= RELATIVE * scale * size + 1e-300


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@pytest.mark.parametrize("c", [-0.7, 0.2, 0.9])
@pytest.mark.parametrize("q", [1e-8, 0.6, 40.0])
@pytest.mark.parametrize(
    "name", ["tanh", "elu(0.5)", "crelu(1,1.25)", "gelu", "soft_threshold(0.75)"]
)
def test_pairs_agree_with_adaptive_quadrature_given_one_of_the_two(name: str, q: float, c: float):
    """E phi(x) E[phi(y) | x], the inner mean by our one-dimensional moments, shifted."""
    from fpcheck.theory.quadrature import expectation

    f, spread = parse_activation(name), math.sqrt(q)
    private = math.sqrt(q * (1.0 - c * c))
    scale = moments.feature_scale(f)

    def given(x):
        bends = tuple((t - c * x) / private for t in f.kinks)
        own = None if scale is None else 0.5 * min(1.0, scale / private)
        return expectation(lambda z: f.phi(c * x + private * z), 1.0, bends, own)

    def product(x):
        return f.phi(x) * np.array([given(float(each)) for each in x])

    # The conditional mean bends where c x crosses a kink, over the private part's width.
    extra = tuple(t / c for t in f.kinks) + tuple(
        (t + s * private) / c for t in f.kinks for s in (1, -1)
    )
    w = np.unique(np.concatenate((np.arange(-10.0, 11.0), np.array(extra) / spread)))
    w = w[np.abs(w) <= 10.0]
    total = 0.0
    for a, b in pairwise(
        sorted({*w.tolist(), *(t / spread for t in f.kinks if abs(t) < 10 * spread)})
    ):
        nodes, weights = np.polynomial.legendre.leggauss(24)
        z = 0.5 * (a + b) + 0.5 * (b - a) * nodes
        density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
        total += float(0.5 * (b - a) * (weights * density) @ product(spread * z))
    size = moments.second_moment(f, q)
    assert abs(pair_moment(f, q, q, c) - total) <= 1e-9 * size + 1e-300
