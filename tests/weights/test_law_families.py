"""Families beyond the named ones: heavy tails, few levels, orthogonal, constants, trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_laws import FLOAT32, binomial_most, draw, known, not_excluded
from numpy.testing import assert_allclose
from scipy import stats

from fpcheck.network.initializers import draw_law, parse_law
from fpcheck.network.load import load
from fpcheck.weights.entry_counts import count_entries, levels, precision_of
from fpcheck.weights.entry_laws import KEPT_VARIANCE, EntryLaw
from fpcheck.weights.heavy_tails import stable_below
from fpcheck.weights.law import identify
from fpcheck.weights.law_result import Matrix
from fpcheck.weights.matrix_laws import laws

SAMPLES = Path(__file__).parents[2] / "samples"


def drawn(spec, shape=(128, 256), seed=1):
    rng = np.random.default_rng(seed)
    weights = draw_law(parse_law(spec), shape, shape[1], shape[0], rng)
    return weights.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize(
    ("spec", "family", "index"),
    [
        ({"law": "cauchy", "gamma": 0.01}, "cauchy", 1.0),
        ({"law": "student_t", "df": 3}, "student_t", 3.0),
        ({"law": "student_t", "df": 1.5}, "student_t", 1.5),
        ({"law": "alpha_stable", "alpha": 1.5}, "alpha_stable", 1.5),
        ({"law": "alpha_stable", "alpha": 0.8}, "alpha_stable", 0.8),
    ],
    ids=str,
)
def test_heavy_tails_are_named_with_their_index(spec, family, index):
    law = known(drawn(spec))
    assert (law.family, law.initialiser_status) == (family, "none named")
    assert_allclose(law.index, index, rtol=0.05)  # four standard errors of 32768 entries
    if index <= 2.0:
        assert law.sigma_w2 is None


def test_the_width_of_a_cauchy_law_is_its_gamma():
    assert_allclose(known(drawn({"law": "cauchy", "gamma": 0.01})).width, 0.01, rtol=0.05)


def test_laplace_is_told_from_the_others():
    law = known(drawn({"law": "laplace", "sigma2": 0.01}))
    assert (law.family, law.families) == ("laplace", ("laplace",))
    assert law.sigma_w2_low < 2.56 < law.sigma_w2_high


@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_the_stable_distribution_has_its_closed_forms(alpha):
    x = np.array([0.01, 0.3, 1.0, 4.0, 12.0, 29.0])
    exact = 2 / np.pi * np.arctan(x) if alpha == 1.0 else 2 * stats.norm.cdf(x, scale=2**0.5) - 1
    assert_allclose(stable_below(x, alpha), exact, atol=1e-5)


@pytest.mark.parametrize("alpha", [0.7, 1.3, 1.8])
def test_the_stable_distribution_agrees_with_scipy_and_has_no_jump(alpha):
    x = np.array([0.05, 0.5, 2.0, 10.0, 29.9, 30.1])
    exact = 2 * stats.levy_stable.cdf(x, alpha, 0.0) - 1
    assert_allclose(stable_below(x, alpha), exact, atol=2e-5)


def test_the_truncated_law_agrees_with_scipy():
    law = EntryLaw("truncated_normal", 0.7)
    x = np.array([0.0, 0.3, 0.9, 1.39, 1.4, 3.0])
    exact = 2 * stats.truncnorm.sf(x / 0.7, -2, 2)
    assert_allclose(law.beyond(x), exact, atol=1e-14)
    assert_allclose(KEPT_VARIANCE, stats.truncnorm.var(-2, 2), rtol=1e-12)


@pytest.mark.parametrize("family", ["normal", "uniform", "laplace", "truncated_normal"])
def test_likelihoods_agree_with_scipy(family):
    law = EntryLaw(family, 0.4)
    weights = draw(law, (20, 30), np.random.default_rng(2))
    frozen = {
        "normal": stats.norm(0, 0.4),
        "uniform": stats.uniform(-0.4, 0.8),
        "laplace": stats.laplace(0, 0.4),
        "truncated_normal": stats.truncnorm(-2, 2, 0, 0.4),
    }[family]
    entries = count_entries(weights, FLOAT32)
    assert_allclose(law.log_likelihood(entries), frozen.logpdf(weights).sum(), rtol=1e-12)


@pytest.mark.parametrize("shape", [(64, 64), (512, 100), (100, 512), (10, 10)])
@pytest.mark.parametrize(
    ("gain", "name"),
    [(1.0, "orthogonal"), (2**0.5, "orthogonal_gain_sqrt2"), (1.2, None)],
)
def test_orthogonal_matrices_are_recognised_at_any_size(shape, gain, name):
    law = known(drawn({"law": "orthogonal", "gain": gain}, shape))
    assert (law.family, law.initialiser) == ("orthogonal", name)
    expected = gain**2 * min(shape) / shape[0]
    assert_allclose(law.sigma_w2, expected, rtol=1e-5)


def test_an_orthogonal_matrix_that_was_moved_is_no_fresh_one():
    rng = np.random.default_rng(3)
    weights = drawn({"law": "orthogonal"}, (128, 128)) + 0.01 * rng.standard_normal((128, 128))
    assert known(weights).family == "trained or other"


def test_constants_zeros_and_few_levels():
    assert known(np.zeros((5, 6))).family == "zeros"
    assert known(np.ones((5, 6))).initialiser == "ones"
    assert known(np.full((5, 6), 0.3)).family == "constant"
    law = known(drawn({"law": "lattice", "levels": 16}))
    assert (law.family, law.index) == ("lattice", 16.0)
    assert known(np.sign(drawn({"law": "cauchy"}))).index == 2.0


def test_half_precision_is_not_mistaken_for_a_lattice():
    weights = drawn({"law": "normal", "sigma2": 1.0}, (200, 200)).astype(np.float32)
    cut = (weights.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)  # as bfloat16
    assert levels(cut.astype(np.float64)) is None
    assert precision_of(cut) == 2.0**-7
    assert precision_of(weights.astype(np.float16).astype(np.float32)) == 2.0**-10
    assert precision_of(weights) == 2.0**-23


@pytest.mark.parametrize("name", ["autoencoder.npz", "classifier.safetensors"])
def test_the_trained_samples_look_trained(name):
    subject = load(SAMPLES / name)
    found = laws(subject.tensors, subject.network)
    assert {law.family for law in found.values()} == {"trained or other"}
    assert all(law.reason for law in found.values())


def test_the_untrained_samples_are_recognised():
    subject = load(SAMPLES / "untrained_normal.npz")
    found = laws(subject.tensors, subject.network)
    assert {law.initialiser for law in found.values()} == {"lecun_normal"}  # N(0, 1/n)
    subject = load(SAMPLES / "untrained_cauchy.npz")
    found = laws(subject.tensors, subject.network)
    assert {law.family for law in found.values()} == {"cauchy"}


def test_one_direction_beyond_the_bulk_is_not_fresh_though_entries_look_normal():
    rng = np.random.default_rng(4)
    weights = rng.standard_normal((256, 256)) / 16
    left, right = rng.standard_normal((2, 256)) / 16
    law = known(weights + 2.5 * np.outer(left, right))
    assert (law.family, law.reason) == ("trained or other", "the largest singular value")


def test_units_of_unequal_size_are_not_fresh():
    rng = np.random.default_rng(5)
    sizes = np.exp(0.2 * rng.standard_normal((100, 1)))
    law = known(sizes * rng.standard_normal((100, 100)))
    assert (law.family, law.reason) == ("trained or other", "units differ in size")


@pytest.mark.parametrize(
    "law",
    [EntryLaw("laplace", 0.1), EntryLaw("student_t", 0.1, 2.0), EntryLaw("student_t", 0.1, 7.0)],
    ids=lambda law: f"{law.family} {law.index:g}",
)
def test_fresh_layers_of_unnamed_laws_are_seldom_called_trained(law):
    rng = np.random.default_rng(6)
    rejected = sum(known(draw(law, (40, 60), rng)).family_status == "rejected" for _ in range(60))
    assert rejected <= binomial_most(60, 0.01)


def test_the_bias_of_pytorch_s_default_is_seen():
    rng = np.random.default_rng(7)
    weights = rng.uniform(-0.1, 0.1, (50, 100))

    def seen(bias):
        return identify(Matrix(weights, 50, FLOAT32, bias=bias)).bias

    assert seen(rng.uniform(-0.1, 0.1, 50)) == "as PyTorch's default"
    assert seen(np.zeros(50)) == "zeros"
    assert seen(0.1 * rng.standard_normal(50)) == "other"
    assert seen(rng.uniform(-0.01, 0.01, 50)) == "other"
    assert seen(None) == ""


def test_the_order_in_memory_changes_nothing():
    weights = drawn({"law": "student_t", "df": 3}, (50, 80))
    assert known(np.asfortranarray(weights)) == known(weights)


def test_swapping_signs_and_order_of_units_changes_no_verdict():
    weights = drawn({"law": "normal", "sigma2": 0.02}, (60, 100))
    rng = np.random.default_rng(8)
    turned = -weights[rng.permutation(60)][:, rng.permutation(100)]
    one, other = known(weights), known(turned)
    assert one.initialiser == other.initialiser == "he_normal"
    assert not_excluded(one) == not_excluded(other)
    assert_allclose(one.sigma_w2, other.sigma_w2, rtol=1e-12)
