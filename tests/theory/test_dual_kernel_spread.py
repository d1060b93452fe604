"""How far a kernel still tells rows apart, and how that is lost with depth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from finite_networks import act, chain, conv, dense
from wide_random_networks import scales_of

from fpcheck.network.skeleton import Flatten, Input, Pool, Skeleton
from fpcheck.theory.dual_kernel import depth_profile, kernel_spread, spread
from fpcheck.theory.recursion_state import NotKnown


def test_rows_that_all_look_the_same_have_rank_one_and_orthogonal_ones_have_their_number():
    scale = np.array([1.0, 2.0, 0.5, 3.0])
    same = kernel_spread(np.outer(scale, scale))
    assert same.effective_rank == pytest.approx(1.0, abs=1e-9)
    assert same.participation == pytest.approx(1.0)
    assert same.centred_rank == 0.0
    assert (same.off_diagonal_mean, same.off_diagonal_sd) == pytest.approx((1.0, 0.0), abs=1e-12)
    apart = kernel_spread(np.diag(scale))
    assert apart.effective_rank == pytest.approx(4.0)
    assert apart.centred_rank == pytest.approx(3.0)
    assert apart.participation == pytest.approx(4.0)
    assert (apart.off_diagonal_mean, apart.off_diagonal_sd) == (0.0, 0.0)


def test_equal_correlations_have_the_ranks_of_their_two_eigenvalues():
    n, c = 6, 0.4
    found = kernel_spread(np.full((n, n), c) + (1 - c) * np.eye(n))
    first, rest = (1 + (n - 1) * c) / n, (1 - c) / n
    entropy = -first * math.log(first) - (n - 1) * rest * math.log(rest)
    assert found.effective_rank == pytest.approx(math.exp(entropy))
    assert found.participation == pytest.approx(n**2 / (n + n * (n - 1) * c**2))
    assert found.off_diagonal_mean == pytest.approx(c)
    assert found.off_diagonal_low == pytest.approx(found.off_diagonal_high)


def test_moments_are_those_of_different_rows_and_rows_without_variance_are_left_out():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((9, 4))
    x[3] = 0.0
    kernel = x @ x.T
    found = kernel_spread(kernel)
    alive = np.delete(np.arange(9), 3)
    c = np.corrcoef(x[alive] @ np.hstack([np.eye(4), -np.eye(4)]))  # cosines, as means are zero
    off = c[~np.eye(8, dtype=bool)]
    assert (found.rows, found.ranked) == (8, 8)
    assert found.off_diagonal_mean == pytest.approx(off.mean())
    assert found.off_diagonal_sd == pytest.approx(off.std())
    assert (found.off_diagonal_low, found.off_diagonal_high) == pytest.approx(
        (off.min(), off.max())
    )
    assert found.effective_rank <= 4.0
    assert kernel[3, 3] == 0.0  # the kernel itself is left as it was


def test_one_row_has_no_spread():
    assert isinstance(kernel_spread(np.ones((1, 1))), NotKnown)
    assert isinstance(kernel_spread(np.zeros((3, 3))), NotKnown)
    assert isinstance(kernel_spread(np.full((3, 3), np.nan)), NotKnown)


def test_many_rows_are_ranked_by_a_part_of_them(monkeypatch):
    monkeypatch.setattr(spread, "SPECTRUM_ROWS", 5)
    found = kernel_spread(np.eye(20))
    assert (found.rows, found.ranked) == (20, 5)
    assert found.effective_rank == pytest.approx(5.0)


def test_a_deep_dense_kernel_degenerates_and_a_residual_free_edge_does_so_slowly():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 64))
    networks = ((chain("tanh", 8, 30), (0.8, 0.5)), (chain("relu", 8, 30), (2.0, 0.0)))
    ordered, edge = (
        depth_profile(skeleton, scales_of(skeleton, sigma), x, node="out")
        for skeleton, sigma in networks
    )
    assert [point.depth for point in edge.points] == list(range(30))
    assert edge.points[0].node == "x"
    means = [point.spread.off_diagonal_mean for point in edge.points]
    assert all(a < b for a, b in itertools.pairwise(means))
    assert edge.points[0].spread.effective_rank > 20.0
    assert 1.0 < edge.points[-1].spread.effective_rank < 2.0
    assert ordered.points[-1].spread.effective_rank == pytest.approx(1.0, abs=1e-4)
    assert ordered.points[-1].spread.off_diagonal_sd < 1e-6


def test_a_profile_goes_as_far_as_the_limit_does():
    skeleton = Skeleton(
        (Input("x", (2, 8)), conv("a", "x", 8, (3,)), act("pa", "a", "relu"),
         Pool("p", ("pa",), "max", (2,)), Flatten("f", ("p",)), dense("b", "f", 8),
         act("pb", "b", "relu"), dense("out", "pb", 3))
    )  # fmt: skip
    x = np.random.default_rng(0).standard_normal((5, 2, 8))
    profile = depth_profile(skeleton, scales_of(skeleton), x, node="out")
    assert [point.node for point in profile.points] == ["x", "pa"]
    assert "maximum" in profile.stopped


def test_a_profile_of_a_very_deep_network_has_its_ends(monkeypatch):
    monkeypatch.setattr(spread, "MOST_POINTS", 5)
    skeleton = chain("relu", 4, 21)
    x = np.random.default_rng(0).standard_normal((4, 64))
    profile = depth_profile(skeleton, scales_of(skeleton), x, node="out")
    assert [point.depth for point in profile.points] == [0, 5, 10, 15, 20]
    assert profile.stopped == ""
