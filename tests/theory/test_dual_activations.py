"""Dual activations of whole blocks, against papers, quadrature in the plane, and theory.pairs."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest

from fpcheck.network.activations import ACTIVATIONS, parse_activation
from fpcheck.theory import moments, piecewise_linear
from fpcheck.theory.callables import expectation_of
from fpcheck.theory.closed_forms import closed_forms
from fpcheck.theory.dual_kernel.elementwise import dual_moments, self_moments, unit_means
from fpcheck.theory.pairs import pair_moment, pair_slope_moment
from fpcheck.theory.shared_part import shared_expectation

REGISTRY = [
    "identity", "relu", "leaky_relu(0.2)", "gelu", "erf", "sin", "step",
    "tanh", "sigmoid", "elu", "elu(0.5)", "selu", "gelu_tanh", "silu", "softplus", "softsign",
    "hardtanh", "hardtanh(-0.3,2)", "shifted_relu(0.5)", "soft_threshold(0.5)",
    "soft_threshold(0)", "crelu(1,1.25)", "crelu(0,1)", "crelu(-0.5,1)", "cst(0.5,1)",
]  # fmt: skip
SMOOTH = ["tanh", "sigmoid", "elu", "selu", "gelu_tanh", "silu", "softplus", "softsign"]
AGREES = 1e-12  # of the largest that the moment can be; the scalar twins are good to 1e-13


def test_every_activation_is_tested():
    assert {parse_activation(name).name for name in REGISTRY} == set(ACTIVATIONS)


def block(f, q1, q2, c, *, slope=True):
    """The moments at variances q1 (m,), q2 (k,) and correlations c (m, k)."""
    cov = c * np.sqrt(q1)[:, None] * np.sqrt(q2)
    return dual_moments(f, np.array(q1, dtype=float), np.array(q2, dtype=float), cov, slope=slope)


def single(f, q1, q2, c):
    moment, slope = block(f, np.array([q1]), np.array([q2]), np.array([[c]]))
    return float(moment[0, 0]), math.nan if slope is None else float(slope[0, 0])


def largest(f, q1, q2, *, slope):
    moment = moments.slope_moment if slope else moments.second_moment
    return math.sqrt(moment(f, q1) * moment(f, q2))


# --- the papers' figures ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("identity", 0.3),
        ("relu", 0.48274428 / 2.0),
        ("step", 0.59698668 / 2.0),
        ("erf", 0.12818843),
        ("sin", 0.11202676),
    ],
)
def test_the_dual_activations_of_the_paper(name: str, expected: float):
    """[Daniely, Frostig, Singer 2016], at rho = 0.3, to the digits that are quoted."""
    assert single(parse_activation(name), 1.0, 1.0, 0.3)[0] == pytest.approx(expected, abs=5e-9)


@pytest.mark.parametrize(
    ("phi", "expected"),
    [
        (lambda x: (x * x - 1.0) / math.sqrt(2.0), 0.09),
        (lambda x: np.exp(x - 1.0), 0.49658530),
    ],
    ids=["square", "exponential"],
)
def test_the_paper_s_functions_that_no_network_here_has(phi, expected: float):
    """By their Hermite coefficients, from the quadrature that serves functions of a user's own."""

    def coefficient(n):
        hermite = np.polynomial.hermite_e.HermiteE.basis(n)
        scale = math.sqrt(math.factorial(n))
        return expectation_of(lambda x: phi(x) * hermite(x) / scale, 1.0).value

    dual = sum(coefficient(n) ** 2 * 0.3**n for n in range(16))
    assert dual == pytest.approx(expected, abs=5e-9)


def test_the_relu_chain_climbs_from_0_as_published():
    f, c, found = parse_activation("relu"), 0.0, {}
    for depth in range(1, 11):
        c = 2.0 * single(f, 1.0, 1.0, c)[0]
        found[depth] = c
    published = {1: 0.31830989, 2: 0.49373109, 5: 0.73594635, 10: 0.87153552}
    for depth, value in published.items():
        assert found[depth] == pytest.approx(value, abs=5e-9)


# --- quadrature in the plane, which knows nothing of ours ---------------------------------------


def panels(splits):
    """Gauss-Legendre nodes and weights with the normal density, (..., n), split at (..., k)."""
    x, w = np.polynomial.legendre.leggauss(12)
    own = np.broadcast_to(np.linspace(-10.0, 10.0, 26), (*splits.shape[:-1], 26))
    edges = np.sort(np.concatenate([own, np.clip(splits, -10.0, 10.0)], axis=-1), axis=-1)
    left, width = edges[..., :-1, None], np.diff(edges)[..., None]
    z = (left + 0.5 * width * (x + 1.0)).reshape(*splits.shape[:-1], -1)
    weights = np.broadcast_to(0.5 * width * w, (*width.shape[:-1], 12)).reshape(z.shape)
    return z, weights * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def in_the_plane(g, kinks, q1, q2, c):
    """E g(x) g(y): for every node of x the integral over what y has of its own."""
    kinks = np.array(kinks)
    z, outer = panels(kinks / math.sqrt(q1))
    sine = math.sqrt((1.0 - c) * (1.0 + c))
    w, inner = panels((kinks / math.sqrt(q2) - c * z[:, None]) / sine)
    y = math.sqrt(q2) * (c * z[:, None] + sine * w)
    return float(outer @ (g(math.sqrt(q1) * z) * np.einsum("ij,ij->i", inner, g(y))))


@pytest.mark.parametrize("name", REGISTRY)
def test_quadrature_in_the_plane_agrees(name: str):
    f = parse_activation(name)
    for q1, q2, c in [(1.0, 1.0, 0.3), (0.4, 2.5, -0.7), (2.0, 1.2, 0.95), (0.05, 1.0, 0.5)]:
        found, found_slope = single(f, q1, q2, c)
        expected = in_the_plane(f.phi, f.kinks, q1, q2, c)
        assert abs(found - expected) <= 1e-10 * largest(f, q1, q2, slope=False)
        if name != "step":
            expected = in_the_plane(f.derivative, f.kinks, q1, q2, c)
            assert abs(found_slope - expected) <= 1e-10 * largest(f, q1, q2, slope=True)


# --- theory.pairs, one pair at a time -----------------------------------------------------------


def variances(f, rng, n, low=1e-6, high=100.0):
    """Log-uniform; for functions that are flat about 0 only where a knot is within 5 deviations.

    Further out the integral over the shared part cuts the tails (see the test against mpmath).
    """
    p = piecewise_linear.pieces(f)
    if p is not None and p.knots and float(f.phi(np.zeros(1))[0]) == 0.0:
        reached = min(abs(t) for t in p.knots)
        flat = float(f.phi(np.array([0.5 * reached]))[0]) == 0.0
        low = max(low, (reached / 5.0) ** 2) if flat else low
    return np.exp(rng.uniform(math.log(low), math.log(high), n))


def alone(f, q1, q2, c, *, slope):
    """A pair by itself, where there are bends beside 0 by an integral that is not the block's."""
    p = piecewise_linear.pieces(f)
    if p is None or closed_forms(f) is not None or c == 0.0 or (c == 1.0 and q1 == q2):
        return (pair_slope_moment if slope else pair_moment)(f, q1, q2, c)
    return shared_expectation(p, q1, q2, c, slope=slope)


def deviations(f, q1, q2, c):
    """The largest distance of the block from the pairs, of the largest that they can be."""
    worst = [0.0, 0.0]
    found = block(f, q1, q2, c)
    for which, values in enumerate(found):
        if values is None:
            continue
        for i, one in enumerate(q1.tolist()):
            for j, other in enumerate(q2.tolist()):
                size = largest(f, one, other, slope=which == 1)
                apart = abs(values[i, j] - alone(f, one, other, float(c[i, j]), slope=which == 1))
                worst[which] = max(worst[which], apart / size)
    return worst


@pytest.mark.parametrize("name", REGISTRY)
def test_a_block_agrees_with_its_pairs_one_by_one(name: str):
    f, rng = parse_activation(name), np.random.default_rng(3)
    q1, q2 = variances(f, rng, 6), variances(f, rng, 5)
    q2[:2] = q1[:2]
    c = rng.uniform(-1.0, 1.0, (6, 5))
    c[0] = [1.0, -1.0, 1.0, 0.0, 1.0 - 1e-9]
    c[1, :3] = [-1.0, 1.0, 1e-9 - 1.0]
    c[2, :3] = [0.97, -0.97, 0.999]
    assert max(deviations(f, q1, q2, c)) <= AGREES


@pytest.mark.parametrize("name", SMOOTH)
def test_pairs_that_are_all_but_parallel_come_from_tables(name: str):
    """Enough of them that tables are made; they agree with the integrals pair by pair."""
    f, rng = parse_activation(name), np.random.default_rng(4)
    q1, q2 = rng.uniform(4.2, 7.8, 24), rng.uniform(8.2, 15.0, 24)
    c = 1.0 - 10.0 ** rng.uniform(-7.0, -1.5, (24, 24))
    c[:, :12] *= -1.0
    found, found_slope = block(f, q1, q2, c)
    for i, j in rng.integers(0, 24, (25, 2)).tolist():
        at = float(q1[i]), float(q2[j]), float(c[i, j])
        apart = abs(found[i, j] - pair_moment(f, *at))
        assert apart <= AGREES * largest(f, at[0], at[1], slope=False)
        apart = abs(found_slope[i, j] - pair_slope_moment(f, *at))
        assert apart <= AGREES * largest(f, at[0], at[1], slope=True)


@pytest.mark.parametrize("name", ["tanh", "elu", "silu", "softsign", "hardtanh", "crelu(1,1.25)"])
def test_large_variances(name: str):
    f = parse_activation(name)
    q = np.array([3e2, 1e4, 2e6])
    c = np.array([[1.0, 0.5, -0.9], [0.2, 0.995, -0.1], [0.9, -0.999, 1.0]])
    # Rounding is magnified by q where a bounded function is a sum over bends, up to 1e5.
    assert max(deviations(f, q, q, c)) <= 1e-10 if "(" in name else AGREES


@pytest.mark.parametrize("name", ["elu", "silu", "tanh"])
def test_variances_beyond_every_octave(name: str):
    f = parse_activation(name)
    q, c = np.array([1e28, 1e29]), np.array([[1.0, 0.4], [0.97, -0.3]])
    assert max(deviations(f, q, q, c)) <= AGREES


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "elu", "selu", "silu", "softsign"])
def test_tiny_variances(name: str):
    f = parse_activation(name)
    q, c = np.array([1e-30, 1e-12, 3e-9]), np.array([[0.9, 0.5, -1.0]] * 3)
    assert max(deviations(f, q, q, c)) <= AGREES


@pytest.mark.parametrize("name", ["hardtanh", "hardtanh(-0.3,2)"])
def test_between_knots_that_are_never_reached_a_function_is_linear(name: str):
    """Where the integral over the shared part, which counts from a knot, has lost its digits."""
    q, c = np.array([1e-30, 1e-12, 1e-4]), np.array([[0.9, 0.5, -1.0]] * 3)
    found, slope = block(parse_activation(name), q, q, c)
    np.testing.assert_allclose(found, c * np.sqrt(q)[:, None] * np.sqrt(q), rtol=1e-14)
    np.testing.assert_allclose(slope, 1.0, rtol=1e-14)


def test_a_knot_far_out_in_the_tail_keeps_its_digits():
    """crelu(1, 1.25) at ten standard deviations: E phi^2 is 1e-25 there."""
    tau, m, q1, q2 = 1.0, 1.25, 0.01, 0.012
    s1, s2 = mp.sqrt(q1), mp.sqrt(q2)

    def exact(c):
        own = s2 * mp.sqrt(1 - mp.mpf(c) ** 2)

        def ramp(mean, t):
            d = (mean - t) / own
            return own * (d * mp.ncdf(d) + mp.npdf(d))

        def integrand(z):
            mean = c * s2 * z
            return (s1 * z - tau) * (ramp(mean, tau) - ramp(mean, tau + m)) * mp.npdf(z)

        return mp.quad(integrand, [tau / s1 + mp.mpf(k) / 8 for k in range(33)])

    f = parse_activation("crelu(1,1.25)")
    size = largest(f, q1, q2, slope=False)
    with mp.workdps(25):
        for c in (0.3, 0.9, 0.999):
            assert abs(single(f, q1, q2, c)[0] - float(exact(c))) <= 1e-11 * size


# --- the edges ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REGISTRY)
def test_rows_without_variance_are_constants(name: str):
    f = parse_activation(name)
    q1, q2 = np.array([0.0, 0.7]), np.array([0.0, 1.3])
    found, slope = block(f, q1, q2, np.zeros((2, 2)))
    origin = float(f.phi(np.zeros(1))[0])
    np.testing.assert_allclose(found[0], [origin**2, origin * moments.mean(f, 1.3)], atol=1e-15)
    if name == "step":
        assert slope is None
        return
    still = moments.mean_slope(f, 0.0)
    expected = [still**2, still * moments.mean_slope(f, 1.3)]
    np.testing.assert_allclose(slope[0], expected, atol=1e-14)


@pytest.mark.parametrize("name", REGISTRY)
def test_equal_rows_have_their_own_moments_whatever_rounding_did(name: str):
    f = parse_activation(name)
    q = np.array([0.3, 1.0, 4.0])
    rounded = np.diag(q) * (1.0 + 4e-16) + 0.1 * (1.0 - np.eye(3))
    found, slope = dual_moments(f, q, q, rounded, slope=True)
    second, own_slope = self_moments(f, q)
    np.testing.assert_allclose(np.diag(found), second, rtol=1e-13)
    if slope is not None:
        np.testing.assert_allclose(np.diag(slope), own_slope, rtol=1e-12)
    beyond, _ = dual_moments(f, q, q, 5.0 * rounded, slope=False)
    np.testing.assert_allclose(np.diag(beyond), second, rtol=1e-13)


@pytest.mark.parametrize("name", REGISTRY)
def test_moments_of_single_rows(name: str):
    f, rng = parse_activation(name), np.random.default_rng(5)
    q = np.concatenate([[0.0], variances(f, rng, 12, low=1e-9, high=1e5)])
    second, slope = self_moments(f, q)
    mean = unit_means(f, q)
    for i, v in enumerate(q.tolist()):
        assert second[i] == pytest.approx(moments.second_moment(f, v), rel=2e-12)
        largest_mean = math.sqrt(moments.second_moment(f, v))
        assert mean[i] == pytest.approx(moments.mean(f, v), abs=1e-13 * largest_mean)
        if name == "step":
            assert math.isnan(slope[i])
        else:
            assert slope[i] == pytest.approx(moments.slope_moment(f, v), rel=1e-12)


@pytest.mark.parametrize("name", ["relu", "step", "tanh", "elu", "crelu(1,1.25)"])
def test_what_is_not_a_number_stays_so(name: str):
    f, q = parse_activation(name), np.array([0.5, 2.0])
    found, slope = block(f, q, q, np.array([[0.1, math.nan], [0.2, 0.3]]))
    for values in [found] if slope is None else [found, slope]:
        np.testing.assert_array_equal(np.isnan(values), [[False, True], [False, False]])
    for bad in (math.nan, math.inf, -1.0):
        with pytest.raises(ValueError, match="finite and not negative"):
            dual_moments(f, np.array([bad]), q, np.zeros((1, 2)), slope=False)
        with pytest.raises(ValueError, match="finite and not negative"):
            self_moments(f, np.array([bad]))


@pytest.mark.parametrize("name", ["relu", "tanh", "elu", "hardtanh"])
def test_a_block_without_rows(name: str):
    f = parse_activation(name)
    found, slope = dual_moments(f, np.empty(0), np.ones(3), np.empty((0, 3)), slope=True)
    assert found.shape == slope.shape == (0, 3)
    assert self_moments(f, np.empty(0))[0].shape == unit_means(f, np.empty(0)).shape == (0,)


# --- what must hold for any kernel --------------------------------------------------------------


@pytest.mark.parametrize("name", REGISTRY)
def test_the_kernel_of_random_rows_is_symmetric_and_has_no_negative_eigenvalue(name: str):
    f, rng = parse_activation(name), np.random.default_rng(6)
    rows = rng.normal(size=(40, 8)) * rng.uniform(0.3, 2.0, (40, 1))
    rows[5] = rows[6]
    cov = rows @ rows.T / 8.0
    q = np.diag(cov).copy()
    for values in dual_moments(f, q, q, cov, slope=True):
        if values is not None:
            np.testing.assert_allclose(values, values.T, rtol=1e-12, atol=1e-14)
            spectrum = np.linalg.eigvalsh(values)
            assert spectrum[0] >= -1e-12 * spectrum[-1]


@pytest.mark.parametrize("name", [name for name in REGISTRY if name != "step"])
def test_the_slope_is_the_derivative_with_respect_to_the_covariance(name: str):
    """Price's theorem, by central differences."""
    f, h = parse_activation(name), 1e-4
    q1, q2 = np.array([0.4, 1.0, 3.0]), np.array([0.6, 2.0])
    cov = np.array([[0.2, -0.5], [0.5, 0.9], [-0.8, 1.5]])
    up, _ = dual_moments(f, q1, q2, cov + h, slope=False)
    down, _ = dual_moments(f, q1, q2, cov - h, slope=False)
    _, slope = dual_moments(f, q1, q2, cov, slope=True)
    np.testing.assert_allclose((up - down) / (2.0 * h), slope, rtol=2e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["relu", "tanh", "elu", "cst(0.5,1)"])
def test_a_pair_is_the_same_in_any_block(name: str):
    f, rng = parse_activation(name), np.random.default_rng(7)
    q1, q2 = rng.uniform(0.2, 9.0, 70), rng.uniform(0.2, 9.0, 90)
    c = np.tanh(rng.normal(size=(70, 90)) * 2.0)
    whole = block(f, q1, q2, c)
    part = block(f, q1[11:29], q2[33:77], c[11:29, 33:77])
    for values, among in zip(part, whole, strict=True):
        np.testing.assert_allclose(values, among[11:29, 33:77], rtol=1e-11, atol=1e-13)
