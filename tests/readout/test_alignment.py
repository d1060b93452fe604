"""Kernel-target alignment: closed cases, the direct formula, and what random targets give."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from readout_cases import RING, RING_LABELS

from fpcheck.readout.alignment import ROWS, TOPS, alignment, chance_moments, feature_alignment
from fpcheck.readout.result import Skipped
from fpcheck.readout.scores import one_hot

ROUNDING = 1e-9  # of quotients of sums over some hundred eigenvalues


def centred(matrix):
    n = len(matrix)
    h = np.eye(n) - 1.0 / n
    return h @ matrix @ h


def by_definition(kernel, targets):
    """<K_c, Y_c> / (|K_c| |Y_c|), with both matrices written out."""
    k, y = centred(kernel), centred(targets @ targets.T)
    return np.sum(k * y) / (np.linalg.norm(k) * np.linalg.norm(y))


def random_kernel(n, seed=0, rank=None):
    features = np.random.default_rng(seed).standard_normal((n, rank or 2 * n))
    return features @ features.T


def shares(found):
    return {each.top: each.share for each in found.shares}


def eigenvectors(kernel):
    """Of the centred kernel, the largest eigenvalue first."""
    values, vectors = np.linalg.eigh(centred(kernel))
    return values[::-1], vectors[:, ::-1]


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_alignment_is_the_cosine_between_centred_kernel_and_centred_targets(outputs):
    kernel = random_kernel(40)
    targets = np.random.default_rng(1).standard_normal((40, outputs)) + 5.0
    found = alignment(kernel, targets, name="nngp")
    assert_allclose(found.alignment, by_definition(kernel, targets), rtol=ROUNDING)
    assert (found.kernel, found.rows) == ("nngp", 40)


def test_the_targets_own_kernel_is_perfectly_aligned():
    targets = one_hot(np.arange(60) % 4, 4)
    assert_allclose(alignment(targets @ targets.T, targets, name="k").alignment, 1.0, rtol=ROUNDING)


def test_neither_scale_nor_mean_of_kernel_and_targets_matters():
    kernel, targets = random_kernel(30), np.random.default_rng(2).standard_normal((30, 2))
    shift = np.random.default_rng(3).standard_normal(30)
    moved = 1e7 * kernel + 1e8 * (1.0 + 0.1 * (shift[:, None] + shift))
    one = alignment(kernel, targets, name="k")
    other = alignment(moved, 1e-9 * targets + 3e-8, name="k")
    assert_allclose(other.alignment, one.alignment, rtol=1e-7)
    assert_allclose(list(shares(other).values()), list(shares(one).values()), rtol=1e-6)


def test_the_leading_eigenvector_as_target_lies_in_the_first_eigenspace():
    kernel = random_kernel(50)
    values, vectors = eigenvectors(kernel)
    found = alignment(kernel, vectors[:, :1], name="k")
    assert_allclose(list(shares(found).values()), 1.0, rtol=ROUNDING)
    assert_allclose(found.alignment, values[0] / np.linalg.norm(values), rtol=ROUNDING)


def test_a_mixture_of_eigenvectors_has_its_weights_as_shares():
    kernel = random_kernel(50)
    vectors = eigenvectors(kernel)[1]
    target = 0.6 * vectors[:, [1]] + 0.8 * vectors[:, [14]]
    found = shares(alignment(kernel, target, name="k"))
    expected = {1: 0.0, 2: 0.36, 5: 0.36, 10: 0.36, 20: 1.0, 49: 1.0}
    assert found == pytest.approx(expected, abs=ROUNDING)


def test_the_shares_grow_and_add_up_to_1():
    targets = np.random.default_rng(4).standard_normal((300, 3))
    found = alignment(random_kernel(300), targets, name="k")
    assert list(shares(found)) == [*(top for top in TOPS if top < 299), 299]
    assert (np.diff(list(shares(found).values())) >= 0.0).all()
    assert_allclose(found.shares[-1].share, 1.0, rtol=ROUNDING)
    assert sum(found.spectrum) < 1.0
    assert (np.diff(found.spectrum) <= 0.0).all()


def test_the_last_share_is_that_of_all_that_the_features_span():
    rng = np.random.default_rng(5)
    features, inside, outside = rng.standard_normal((3, 80, 7))
    found = feature_alignment(features, features @ rng.standard_normal((7, 1)), name="features")
    assert found.shares[-1].top == 7
    assert_allclose(found.shares[-1].share, 1.0, rtol=ROUNDING)
    assert_allclose(sum(found.spectrum), 1.0, rtol=ROUNDING)
    design = np.column_stack([np.ones(80), inside])
    fitted = design @ np.linalg.lstsq(design, outside[:, 0], rcond=None)[0]
    r2 = np.var(fitted) / np.var(outside[:, 0])
    found = feature_alignment(inside, outside[:, :1], name="features")
    assert_allclose(found.shares[-1].share, r2, rtol=1e-8)


def test_of_equal_eigenvalues_none_comes_first():
    targets = np.random.default_rng(6).standard_normal((41, 2))
    found = shares(alignment(np.eye(41), targets, name="k"))
    assert found == pytest.approx({top: top / 40 for top in (1, 2, 5, 10, 20, 40)}, abs=1e-9)


@pytest.mark.parametrize("width", [5, 39, 40, 90])
def test_features_give_what_the_kernel_of_their_products_gives(width):
    rng = np.random.default_rng(width)
    features, targets = rng.standard_normal((40, width)) + 2.0, rng.standard_normal((40, 2))
    one = feature_alignment(features, targets, name="k")
    other = alignment(features @ features.T, targets, name="k")
    for field in ("alignment", "chance", "chance_sd", "spectrum"):
        assert_allclose(getattr(one, field), getattr(other, field), rtol=1e-8)
    assert shares(one) == pytest.approx(shares(other), abs=1e-8)


def test_features_of_extreme_size_are_as_good_as_any():
    rng = np.random.default_rng(7)
    features, targets = rng.standard_normal((30, 4)), rng.standard_normal((30, 1))
    expected = feature_alignment(features, targets, name="k")
    for size in (2.0**-500, 2.0**500):
        assert feature_alignment(size * features, targets, name="k") == expected
    kernel = features @ features.T
    for size in (2.0**-1000, 2.0**1000):
        found = alignment(size * kernel, targets, name="k")
        assert_allclose(found.alignment, expected.alignment, rtol=1e-9)


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_chance_level_is_the_mean_over_all_orders_of_the_rows(outputs):
    rng = np.random.default_rng(8)
    kernel = random_kernel(6, seed=9, rank=3)
    targets = rng.standard_normal((6, outputs)) ** 3
    found = alignment(kernel, targets, name="k")
    every = [by_definition(kernel, targets[list(order)]) for order in permutations(range(6))]
    assert_allclose(found.chance, np.mean(every), rtol=1e-10)
    assert_allclose(found.chance_sd, np.std(every), rtol=1e-10)


def test_the_chance_moments_of_a_constant_are_without_spread():
    # tr(H P Y P') is tr Y whatever the order, H the centring matrix.
    summary = np.array([7.0, 7.0, 8 * (7 / 8) ** 2])
    mean, sd = chance_moments(8, summary, np.array([3.0, 5.0, 2.0]))
    assert_allclose(mean, 3.0)
    assert sd <= 1e-7


def test_shuffled_labels_stay_at_the_chance_level_and_real_ones_are_far_above():
    kernel = np.exp(-np.square(RING[:, None] - RING[None]).sum(axis=2) / 0.5)
    targets = one_hot(RING_LABELS, 2)
    real = alignment(kernel, targets, name="k")
    rng = np.random.default_rng(10)
    z = np.array(
        [
            (alignment(kernel, rng.permutation(targets), name="k").alignment - real.chance)
            / real.chance_sd
            for _ in range(200)
        ]
    )
    assert (real.alignment - real.chance) / real.chance_sd > 20.0
    assert abs(z.mean()) < 5.0 / np.sqrt(200)
    # The null is a sum of squares, of no more than some effective rank: wider above than below.
    assert np.mean(z > 3.0) <= 0.03
    assert 0.8 < z.std() < 1.2


def test_many_rows_are_judged_by_some_of_them():
    rng = np.random.default_rng(11)
    features = rng.standard_normal((2 * ROWS, 3))
    found = feature_alignment(features, features[:, :1], name="features")
    assert found.rows == ROWS
    assert_allclose(found.shares[-1].share, 1.0, rtol=ROUNDING)


def test_what_has_no_alignment_says_why():
    kernel, targets = random_kernel(30), np.arange(30.0)[:, None]
    broken = kernel.copy()
    broken[3, 3] = np.nan
    for case, why in [
        (alignment(kernel, np.ones((30, 1)), name="nngp"), "targets of the 30 rows do not vary"),
        (alignment(np.full((30, 30), 0.3), targets, name="nngp"), "look alike to the kernel 'nngp"),
        (feature_alignment(np.full((30, 2), 0.3), targets, name="input"), "look alike"),
        (feature_alignment(np.full((30, 50), 0.3), targets, name="input"), "look alike"),
        (alignment(broken, targets, name="ntk"), "'ntk' is not finite"),
        (alignment(kernel[:3, :3], targets[:3], name="nngp"), "3 rows"),
    ]:
        assert isinstance(case, Skipped)
        assert why in case.skipped
