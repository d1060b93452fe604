"""Spectral radii that can be trusted, transient growth by its definition, the decay time."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_maps import linear, one_layer, random_tanh
from numpy.testing import assert_allclose

from fpcheck.attractors.polish import polish
from fpcheck.attractors.stability import arnoldi_stability, dense_stability
from fpcheck.attractors.transients import transient
from fpcheck.core.progress import Monitor


def scaled(n, radius, seed):
    """A Gaussian matrix of the given spectral radius; its leading eigenvalues are complex."""
    matrix = np.random.default_rng(seed).standard_normal((n, n))
    return matrix * (radius / np.abs(np.linalg.eigvals(matrix)).max())


def plain_norms(jac, steps):
    """||J^k|| for k = 0, 1, ..., steps, by multiplication."""
    norms, power = [1.0], np.eye(len(jac))
    for _ in range(steps):
        power = power @ jac
        norms.append(float(np.linalg.norm(power, 2)))
    return np.array(norms)


def assert_decays_at(norms, k):
    """||J^k|| crosses 1/e at k, up to the rounding of the norms."""
    assert norms[k] <= math.exp(-1.0) * (1.0 + 1e-9)
    assert norms[k - 1] > math.exp(-1.0) * (1.0 - 1e-9)


@pytest.mark.parametrize("n", [1, 2, 10, 64, 256])
@pytest.mark.parametrize("radius", [0.5, 1.0, 2.0])
def test_the_spectral_radius_agrees_with_pytorch(n, radius):
    jac = scaled(n, radius, n)
    expected = float(torch.linalg.eigvals(torch.from_numpy(jac)).abs().max())
    found = dense_stability(jac, degenerate=False)
    assert_allclose(found.spectral_radius, expected, rtol=1e-10)
    assert abs(found.spectral_radius - expected) <= 10 * found.spectral_radius_error
    assert found.sigma_max == pytest.approx(float(torch.linalg.matrix_norm(
        torch.from_numpy(jac), 2)), rel=1e-12)  # fmt: skip


@pytest.mark.parametrize("radius", [0.7, 0.95, 0.995])
def test_transient_growth_and_decay_by_their_definitions(radius):
    jac = scaled(20, radius, 3)
    norms = plain_norms(jac, 4000)
    found = dense_stability(jac, degenerate=False)
    assert found.transient_growth == pytest.approx(norms.max(), rel=1e-9)
    assert found.transient_growth_high >= norms.max() * (1.0 - 1e-9)
    assert found.transient_step == norms.argmax()
    assert_decays_at(norms, found.decay_time)


def test_a_jordan_block_grows_far_before_it_decays():
    # 0.5 on the diagonal of 20 units, each fed by the next: radius 0.5, and growth in the 10^4.
    jac = np.diag(np.full(20, 0.5)) + np.diag(np.ones(19), 1)
    norms = plain_norms(jac, 400)
    found = dense_stability(jac, degenerate=False)
    assert found.kind == "stable"
    assert found.transient_growth == pytest.approx(norms.max(), rel=1e-9)
    assert norms.max() > 1e4
    assert found.transient_step == norms.argmax()
    assert_decays_at(norms, found.decay_time)
    assert found.spectral_radius_error > 1e-6  # a defective eigenvalue is badly determined


def test_a_symmetric_contraction_never_grows():
    found = dense_stability(np.diag([0.9, -0.5, 0.1]), degenerate=False)
    assert (found.transient_growth, found.transient_step) == (1.0, 0)
    assert found.sigma_max == pytest.approx(0.9)
    assert found.decay_time == math.ceil(1.0 / -math.log(0.9))
    assert found.spectral_radius_error < 1e-14


def test_what_does_not_decay_has_no_transient():
    for jac in (np.eye(2), np.diag([1.5, 0.2]), np.array([[0.0, -1.0], [1.0, 0.0]])):
        found = dense_stability(jac, degenerate=False)
        assert found.transient_growth is None
        assert found.decay_time is None


def test_a_superstable_point_decays_in_one_step():
    found = dense_stability(np.zeros((3, 3)), degenerate=False)
    assert (found.kind, found.decay_time, found.transient_growth) == ("stable", 1, 1.0)


def test_a_search_that_is_cut_short_still_has_an_upper_bound(monkeypatch):
    jac = scaled(30, 0.99, 4)
    growth = plain_norms(jac, 4000).max()
    monkeypatch.setattr("fpcheck.attractors.transients.MOST_STEPS", 3)
    found = transient(jac, 0.99, float(np.linalg.norm(jac, 2)))
    assert found.growth <= growth * (1 + 1e-9) <= found.growth_high * (1 + 1e-9)


@given(seed=st.integers(0, 10_000), radius=st.floats(0.1, 0.98))
@settings(max_examples=30, deadline=None)
def test_transients_do_not_change_under_rotations(seed, radius):
    rng = np.random.default_rng(seed)
    jac = scaled(6, radius, seed)
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    one = dense_stability(jac, degenerate=False)
    other = dense_stability(turn @ jac @ turn.T, degenerate=False)
    assert one.spectral_radius == pytest.approx(other.spectral_radius, rel=1e-8)
    assert one.transient_growth == pytest.approx(other.transient_growth, rel=1e-6)
    assert one.unstable_directions == other.unstable_directions
    norms = plain_norms(jac, 1000)
    assert one.transient_growth == pytest.approx(norms.max(), rel=1e-6)
    assert_decays_at(norms, one.decay_time)


@pytest.mark.parametrize("radius", [0.9, 1.0, 1.4])
def test_arnoldi_agrees_with_pytorch_and_its_residual_says_how_well(radius):
    # A disc of complex eigenvalues: the case on which power iteration fails.
    jac = scaled(300, radius, 7)
    network = linear(jac)
    found = polish(network.program, np.zeros(300), 1, Monitor())
    stability = arnoldi_stability(network.program, found, np.random.default_rng(0))
    expected = float(torch.linalg.eigvals(torch.from_numpy(jac)).abs().max())
    assert_allclose(stability.spectral_radius, expected, rtol=1e-5)
    assert stability.spectral_radius_error < 1e-4
    assert stability.sigma_max == pytest.approx(float(np.linalg.norm(jac, 2)), rel=1e-4)


def test_arnoldi_of_a_cycle_is_of_the_return_map():
    network = one_layer(-2.0 * np.eye(40))
    start = np.sign(np.random.default_rng(1).standard_normal(40))
    found = polish(network.program, start, 2, Monitor())
    dense = dense_stability(found.jacobian, degenerate=False)
    stability = arnoldi_stability(network.program, found, np.random.default_rng(0))
    assert_allclose(stability.spectral_radius, dense.spectral_radius, rtol=1e-6)
    assert stability.kind == "stable"


def test_stability_of_a_network_is_that_of_its_jacobian_by_pytorch():
    network = random_tanh(16, 0.9, 2)
    found = polish(network.program, np.zeros(16), 1, Monitor())
    weight = torch.from_numpy(np.asarray(network.parameters["weight"]))
    bias = torch.from_numpy(np.asarray(network.parameters["bias"]))
    jac = torch.func.jacrev(lambda x: torch.tanh(weight @ x + bias))(torch.from_numpy(found.point))
    ours = dense_stability(found.jacobian, degenerate=False)
    assert_allclose(ours.spectral_radius, float(torch.linalg.eigvals(jac).abs().max()), rtol=1e-9)
    assert ours.kind == "stable"
