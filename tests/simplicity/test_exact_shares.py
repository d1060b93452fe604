"""p in closed form, and p = 0: against other formulas, counting and plain sampling."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from plain_priors import chain, prior_of, signs
from scipy.special import betaln

from fpcheck.network.skeleton import Dense, Input, Skeleton
from fpcheck.simplicity.exact import exact
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.orthants import positive_share
from fpcheck.simplicity.separability import inseparable


def linear(labelling, law="normal", **settings):
    return prior_of(
        chain((labelling.rows.shape[1], 1), None, bias=False), labelling, law, **settings
    )


def correlated(n, r):
    """n rows of length 1 whose cosines are all r."""
    return np.linalg.cholesky(np.full((n, n), r) + (1.0 - r) * np.eye(n))


def sampled_share(vectors, draws=400000, seed=0):
    directions = np.random.default_rng(seed).normal(size=(draws, vectors.shape[1]))
    share = float(((directions @ vectors.T) > 0).all(axis=1).mean())
    return share, 4.5 * math.sqrt(share * (1 - share) / draws)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 40, 200, 500])
def test_orthonormal_rows_cost_a_bit_each(n):
    labels = np.random.default_rng(n).integers(0, 2, n)
    turned = np.linalg.qr(np.random.default_rng(n).normal(size=(n, n)))[0]
    for rows in (np.eye(n), 3.0 * turned):
        labelling = signs(rows, labels)
        assert exact(linear(labelling), labelling).bits == pytest.approx(n, abs=1e-9)


@pytest.mark.parametrize("n", [3, 8, 100, 500])
def test_rows_of_correlation_one_half_cost_the_bits_of_a_beta_function(n):
    for positive in {n, n - 1, n // 2}:
        labelling = signs(correlated(n, 0.5), np.arange(n) < positive)
        found = exact(linear(labelling), labelling)
        # With a = 1 the integral is that of u^n+ (1 - u)^n-; all alike: 1 / (n + 1).
        bits = -betaln(positive + 1, n - positive + 1) / math.log(2.0)
        assert found.bits == pytest.approx(bits, rel=1e-11)
    alike = signs(correlated(n, 0.5), np.zeros(n))
    assert exact(linear(alike), alike).bits == pytest.approx(math.log2(n + 1), rel=1e-11)


@pytest.mark.parametrize("r", [0.02, 0.3, 0.9, 0.9999])
def test_other_common_correlations_agree_with_sampling(r):
    vectors = correlated(6, r) * np.array([1.0, 1.0, -1.0, 1.0, 1.0, 1.0])[:, None]
    share, spread = sampled_share(vectors)
    assert 2.0 ** -positive_share(vectors).bits == pytest.approx(share, abs=spread)


def test_rows_in_a_plane_cost_the_angle_that_is_left():
    angles = np.radians([10.0, 60.0, 100.0])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    labelling = signs(rows * np.array([[1.0], [5.0], [0.1]]), [1, 1, 1])
    assert exact(linear(labelling), labelling).bits == pytest.approx(-math.log2(0.25))
    # The same plane within five dimensions, and one label turned round.
    frame = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0][:2]
    turned = signs(rows @ frame, [1, 0, 1])
    assert exact(linear(turned), turned).bits == math.inf
    outer = signs(rows[[0, 2]] @ frame, [0, 1])
    assert exact(linear(outer), outer).bits == pytest.approx(-math.log2(90.0 / 360.0))


def test_three_rows_cost_the_area_of_their_triangle():
    vectors = np.random.default_rng(3).normal(size=(3, 5))
    share, spread = sampled_share(vectors)
    assert 2.0 ** -positive_share(vectors).bits == pytest.approx(share, abs=spread)


def test_rows_on_a_line_cost_one_bit_or_are_impossible():
    assert positive_share(np.array([[1.0, 2.0], [3.0, 6.0]])).bits == pytest.approx(1.0)
    assert positive_share(np.array([[1.0, 2.0], [-3.0, -6.0]])).bits == math.inf
    assert positive_share(np.empty((0, 3))).bits == 0.0


def test_hidden_linear_layers_change_nothing_under_a_normal_first_layer():
    rows = np.random.default_rng(4).normal(size=(5, 2))
    labelling = signs(rows, rows[:, 0] > 0)
    plain = exact(linear(labelling), labelling).bits
    deep = chain((2, 4, 3, 1), None, bias=False)
    for law in ("normal", "he_normal", "orthogonal"):
        assert exact(prior_of(deep, labelling, law), labelling).bits == plain
    scaled = prior_of(deep, labelling, "normal", scaled_neurons=True)
    assert exact(scaled, labelling).bits == plain


def test_no_closed_form_is_claimed_where_there_is_none():
    rows = np.random.default_rng(5).normal(size=(5, 2))
    labelling = signs(rows, rows[:, 0] > 0)
    assert exact(linear(labelling, ""), labelling) is None  # uniform: direction is not
    assert exact(linear(labelling, "lattice"), labelling) is None
    assert exact(linear(labelling), labelling, errors=1) is None
    assert exact(prior_of(chain((2, 3, 1)), labelling, "normal"), labelling) is None
    assert exact(prior_of(chain((2, 1), None), labelling, "normal"), labelling) is None
    twice = Skeleton((
        Input("x", (2,)),
        Dense("a", ("x",), 2, "w", None),
        Dense("b", ("a",), 2, "w", None),
        Dense("c", ("b",), 1, "v", None),
    ))  # fmt: skip
    assert exact(prior_of(twice, labelling, "normal"), labelling) is None


def test_zeros_are_class_zero_without_a_bias():
    rows = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    right, wrong = signs(rows, [0, 1, 0]), signs(rows, [1, 1, 0])
    assert exact(linear(right), right).bits == pytest.approx(2.0)
    found = exact(linear(wrong), wrong)
    assert (found.bits, found.status) == (math.inf, "proved")


def test_equal_rows_with_other_labels_make_it_impossible():
    rows = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [0.0, 1.0]])
    labelling = signs(rows, [0, 1, 1, 0])
    prior = prior_of(chain((2, 5, 1)), labelling)
    found = exact(prior, labelling)
    assert (found.bits, found.status) == (math.inf, "proved")
    assert exact(prior, labelling, errors=1) is None


def test_one_row_is_half_where_the_last_layer_is_symmetric():
    labelling = signs(np.array([[0.3, -1.0]]), [1])
    found = exact(prior_of(chain((2, 4, 1)), labelling), labelling)
    assert (found.bits, found.status) == (1.0, "proved")
    for law in ("lattice", "he_normal"):  # an output of 0, where all units are dead, is class 0
        assert exact(prior_of(chain((2, 4, 1)), labelling, law), labelling) is None


XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def test_what_no_linear_function_can_answer_is_impossible_for_every_linear_chain():
    labelling = signs(XOR, [0, 1, 1, 0])
    for widths in ((2, 1), (2, 6, 1)):
        prior = prior_of(chain(widths, None), labelling)
        found = exact(prior, labelling)
        assert (found.bits, found.status) == (math.inf, "numerical")
    assert exact(prior_of(chain((2, 6, 1)), labelling), labelling) is None


def test_a_bias_separates_what_a_line_through_the_origin_cannot():
    labelling = signs(np.array([[1.0], [2.0]]), [0, 1])
    assert inseparable(labelling.rows, labelling, biased=False, ties=False)
    assert not inseparable(labelling.rows, labelling, biased=True, ties=False)


def test_separable_rows_are_never_called_inseparable():
    rng = np.random.default_rng(6)
    for margin in (1.0, 1e-3, 1e-6, 1e-9):
        for _ in range(10):
            d = int(rng.integers(1, 12))
            w = rng.normal(size=d)
            rows = rng.normal(size=(40, d))
            labels = rng.integers(0, 2, 40)
            along = (rows @ w) / (w @ w)
            wanted = np.where(labels == 1, 1.0, -1.0) * margin * (1.0 + np.abs(along))
            labelling = signs(rows + (wanted - along)[:, None] * w, labels)
            assert not inseparable(labelling.rows, labelling, biased=False, ties=False)


def test_random_labels_beyond_twice_the_parameters_are_inseparable():
    rng = np.random.default_rng(7)
    for _ in range(10):
        labelling = signs(rng.normal(size=(60, 5)), rng.integers(0, 2, 60))
        assert inseparable(labelling.rows, labelling, biased=True, ties=False)


def test_lattice_ties_count_as_counting_every_network_says():
    grid = np.array(list(product((-1.0, 0.0, 1.0), repeat=2)))
    every = np.array(list(product(np.linspace(-1.0, 1.0, 5), repeat=2)))
    checked = set()
    for labels in product((0, 1), repeat=4):
        rows = grid[[0, 1, 5, 8]]
        labelling = signs(rows, labels)
        possible = (((rows @ every.T) > 0) == np.array(labels, bool)[:, None]).all(axis=0).any()
        found = exact(linear(labelling, "lattice:5"), labelling)
        impossible = found is not None and found.bits == math.inf
        assert not (impossible and possible)
        checked.add(impossible)
    assert checked == {True, False}


def test_several_classes_are_separable_or_not_as_a_line_of_them_says():
    rows = np.array([[-1.0], [0.0], [1.0]])
    for labels, possible in (((0, 1, 2), True), ((0, 1, 0), False), ((1, 1, 0), True)):
        labelling = Labelling(rows, "argmax", np.array(labels), classes=("a", "b", "c"))
        assert bool(inseparable(rows, labelling, biased=True, ties=False)) != possible
        found = exact(prior_of(chain((1, 3), None), labelling), labelling)
        assert (found is None) == possible


@pytest.mark.parametrize("classes", [2, 3])
def test_rows_of_one_class_alone_are_separable(classes):
    rows = np.random.default_rng(8).standard_normal((6, 3))
    for label in range(classes):
        names = tuple("abc"[:classes])
        same = Labelling(rows, "argmax", np.full(6, label), classes=names)
        assert not inseparable(rows, same, biased=True, ties=False)
    lattice = Labelling(rows, "argmax", np.zeros(6, np.int64), classes=("a", "b"))
    assert not inseparable(rows, lattice, biased=True, ties=True)
