"""Named initialisers are recognised, or it is said that they cannot be told apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
from drawn_laws import FLOAT32, binomial_most, draw, known, named, not_excluded

from fpcheck.weights.entry_laws import EntryLaw
from fpcheck.weights.initialisers import named_initialisers
from fpcheck.weights.law import LEVEL, identify
from fpcheck.weights.law_result import Matrix

# (units, fan_in), entries of a kernel, layers of each initialiser by default and in the slow run
SHAPES = {
    "512x784": ((512, 784), 1, 1, 20),
    "256x256": ((256, 256), 1, 4, 100),
    "64x64": ((64, 64), 1, 30, 1000),
    "10x10": ((10, 10), 1, 30, 2000),
    "conv 32x16x3x3": ((32, 144), 9, 30, 1000),
    "1000x2": ((1000, 2), 1, 20, 1000),
    "6x5000": ((6, 5000), 1, 4, 200),
}


def survey(shape, kernel, layers, seed):
    """(layers drawn, called trained, true name excluded, certain of another name)."""
    rng = np.random.default_rng(seed)
    drawn = trained = lost = wrong = 0
    for item in named_initialisers(shape[1], shape[0] * kernel):
        for _ in range(layers):
            law = known(draw(item.law, shape, rng), kernel)
            drawn += 1
            trained += law.family_status == "rejected"
            lost += item.name not in not_excluded(law)
            wrong += law.initialiser not in (None, item.name)
    return drawn, trained, lost, wrong


@pytest.mark.parametrize("name", SHAPES)
def test_the_true_initialiser_is_excluded_as_seldom_as_is_said(name):
    shape, kernel, layers, _ = SHAPES[name]
    drawn, trained, lost, wrong = survey(shape, kernel, layers, 11)
    most = binomial_most(drawn, LEVEL)
    assert max(trained, lost, wrong) <= most


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_the_false_alarm_rate_of_fresh_layers_over_many(name):
    shape, kernel, _, layers = SHAPES[name]
    drawn, trained, lost, wrong = survey(shape, kernel, layers, 12)
    assert max(trained, lost, wrong) <= binomial_most(drawn, LEVEL)


@pytest.mark.parametrize(
    "name", ["he_normal", "lecun_normal", "glorot_normal", "torch_default", "he_uniform"]
)
def test_a_layer_of_512_by_784_is_certain(name):
    law = known(draw(named(name, 784, 512), (512, 784), np.random.default_rng(5)))
    assert (law.initialiser, law.initialiser_status) == (name, "certain")
    assert law.family_status == "certain"
    assert law.sigma_w2_low <= 784 * named(name, 784, 512).second_moment <= law.sigma_w2_high


def test_he_and_lecun_exclude_each_other_on_784_inputs():
    rng = np.random.default_rng(6)
    for true, other in (("he_normal", "lecun_normal"), ("lecun_normal", "he_normal")):
        law = known(draw(named(true, 784, 512), (512, 784), rng))
        assert law.initialiser == true
        assert other not in not_excluded(law)


@pytest.mark.parametrize("name", ["he_normal", "glorot_normal", "he_uniform", "torch_default"])
def test_a_layer_of_ten_by_ten_cannot_be_told(name):
    rng = np.random.default_rng(7)
    for _ in range(20):
        law = known(draw(named(name, 10, 10), (10, 10), rng))
        assert law.initialiser is None
        assert law.initialiser_status == "cannot tell"


def test_glorot_and_lecun_are_one_law_on_a_square_layer_and_both_are_named():
    law = known(draw(named("glorot_normal", 256, 256), (256, 256), np.random.default_rng(8)))
    assert law.initialiser is None
    assert not_excluded(law) == {"glorot_normal", "lecun_normal"}
    assert law.reason == "one law here under several names"
    weights = [entry.weight for entry in law.candidates[:2]]
    np.testing.assert_allclose(weights, 0.5, rtol=1e-9)


def test_a_scale_that_nobody_named_is_reported_as_such_with_its_interval():
    rng = np.random.default_rng(9)
    law = known(math.sqrt(1.4 / 784) * rng.standard_normal((512, 784)))
    assert (law.family, law.initialiser, law.initialiser_status) == ("normal", None, "none named")
    assert law.sigma_w2_low < 1.4 < law.sigma_w2_high


@pytest.mark.parametrize("family", ["normal", "uniform", "truncated_normal", "laplace"])
def test_the_interval_of_sigma_w2_covers_as_often_as_is_said(family):
    rng, trials, covered = np.random.default_rng(10), 400, 0
    true = EntryLaw(family, 0.3)
    for _ in range(trials):
        law = known(draw(true, (30, 40), rng), spectral=False)
        if law.family == family:
            covered += law.sigma_w2_low <= 40 * true.second_moment <= law.sigma_w2_high
        else:
            trials -= 1
    assert trials > 380
    # 95 %; one in ten thousand runs has more misses, one in ten thousand fewer.
    assert trials - binomial_most(trials, 0.05) <= covered
    assert trials - covered > 2


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_rounding_to_the_stored_type_excludes_nothing(dtype):
    rng = np.random.default_rng(13)
    for name in ("torch_default", "he_normal_truncated", "lecun_normal"):
        drawn = draw(named(name, 300, 200), (200, 300), rng).astype(dtype)
        precision = float(np.finfo(dtype).eps)
        wide = drawn.astype(np.float64)
        law = identify(Matrix(wide, 200, precision, float(np.linalg.norm(wide, 2))))
        assert law.initialiser == name


def test_a_large_matrix_is_thinned_by_a_fixed_stride_and_said_so():
    rng = np.random.default_rng(14)
    weights = math.sqrt(2.0 / 2000) * rng.standard_normal((5500, 2000))
    law = identify(Matrix(weights, 5500, FLOAT32))
    assert (law.stride, law.entries, law.initialiser) == (2, 5_500_000, "he_normal")


def test_few_entries_and_extreme_ones_are_not_judged():
    rng = np.random.default_rng(15)
    assert known(rng.standard_normal((3, 4))).reason == "too few entries: 12"
    assert known(1e200 * rng.standard_normal((30, 4)), spectral=False).family == "unknown"
