"""Weight laws: their distributions, exact moments, scale rules and named variants."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from fpcheck.core.errors import MemoryLimitError, SpecError
from fpcheck.network.activations import activation
from fpcheck.network.initializers import (
    SCALES,
    Law,
    LawError,
    amplitude,
    draw_law,
    draw_network,
    parse_law,
    second_moment,
    stability_index,
)
from fpcheck.network.skeleton import Activation, BatchNorm, Conv, Dense, Input, LayerNorm, Skeleton

N = 100_000
# The Kolmogorov-Smirnov statistic of N draws of the right law exceeds 1.95 / sqrt(N) = 0.0062 with
# probability 1e-3; the seeds are fixed. A normal law off by 5 % in scale has 0.012.
KS_BOUND = 1.95 / math.sqrt(N)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def draws(value, n: int = N, seed: int = 1) -> np.ndarray:
    return draw_law(parse_law(value), (n,), 1, 1, rng(seed))


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        ({"law": "normal", "sigma2": 1.5}, stats.norm(scale=math.sqrt(1.5))),
        ({"law": "uniform", "low": -0.5, "high": 2.0}, stats.uniform(-0.5, 2.5)),
        ({"law": "laplace", "sigma2": 2.0}, stats.laplace(scale=1.0)),
        ({"law": "student_t", "df": 3, "sigma": 0.7}, stats.t(3, scale=0.7)),
        ({"law": "cauchy", "gamma": 2.0}, stats.cauchy(scale=2.0)),
        ({"law": "alpha_stable", "alpha": 2.0, "sigma": 1.3}, stats.norm(scale=1.3)),
        # E exp(itz) = exp(-|t| / 2) is a Cauchy law of scale 1/2.
        ({"law": "alpha_stable", "alpha": 1.0}, stats.cauchy(scale=0.5)),
    ],
    ids=lambda value: value["law"] if isinstance(value, dict) else "",
)
def test_draws_follow_the_law_that_scipy_has(value, reference):
    assert stats.kstest(draws(value), reference.cdf).statistic < KS_BOUND


@pytest.mark.parametrize("alpha", [0.6, 1.0, 1.5, 1.9, 2.0])
def test_stable_draws_have_the_characteristic_function_of_their_definition(alpha):
    sigma = 0.8
    z = draws({"law": "alpha_stable", "alpha": alpha, "sigma": sigma}, n=200_000)
    for t in (0.25, 0.5, 1.0, 2.0):
        expected = math.exp(-((sigma * t) ** alpha) / 2.0)
        # The mean of cos has standard error at most sqrt(1/2 / n) = 1.6e-3; four of them.
        assert abs(np.cos(t * z).mean() - expected) < 6.4e-3
        assert abs(np.sin(t * z).mean()) < 6.4e-3


def test_the_sum_of_scaled_stable_entries_keeps_the_law_at_any_fan_in():
    law = parse_law({"law": "alpha_stable", "alpha": 1.4, "scale": "fan_in^(-1/alpha)"})
    rows = draw_law(law, (50_000, 7), 7, 1, rng()).sum(axis=1)
    single = draws({"law": "alpha_stable", "alpha": 1.4}, n=50_000, seed=2)
    # Two-sample statistic at level 1e-3: 1.95 sqrt(2 / n).
    assert stats.ks_2samp(rows, single).statistic < 1.95 * math.sqrt(2 / 50_000)


@pytest.mark.parametrize("cut", [0.5, 2.0, 4.0])
def test_truncated_normal_keeps_within_its_cut_and_realises_its_variance(cut):
    z = draws({"law": "truncated_normal", "sigma2": 1.5, "cut": cut}, n=200_000)
    spread = math.sqrt(1.5) / stats.truncnorm(-cut, cut).std()
    assert np.abs(z).max() <= cut * spread * (1 + 1e-12)
    assert stats.kstest(z, stats.truncnorm(-cut, cut, scale=spread).cdf).statistic < 4.4e-3
    # The variance of n draws has relative error about sqrt(2 / n) = 0.3 %; four of them.
    assert_allclose(z.var(), 1.5, rtol=0.013)


def test_lattice_draws_take_exactly_the_levels_and_all_of_them_alike():
    z = draws({"law": "lattice", "levels": 5, "low": -1.0, "high": 3.0})
    levels, counts = np.unique(z, return_counts=True)
    assert levels.tolist() == [-1.0, 0.0, 1.0, 2.0, 3.0]
    assert stats.chisquare(counts).pvalue > 1e-3


FINITE = [
    {"law": "normal", "sigma2": 1.5},
    {"law": "truncated_normal", "sigma2": 0.7},
    {"law": "uniform", "low": -0.5, "high": 2.0},
    {"law": "laplace", "sigma2": 2.0},
    {"law": "student_t", "df": 9.0, "sigma": 0.5},
    {"law": "lattice", "levels": 8},
    {"law": "lattice", "levels": 2, "low": 0.0, "high": 1.0},
    {"law": "constant", "value": -0.25},
    "zeros",
]


@pytest.mark.parametrize("value", FINITE, ids=str)
@pytest.mark.parametrize("scale", ["1", "1/sqrt(fan_in)", "1/fan_in", "1/sqrt(fan_avg)"])
def test_second_moment_is_what_draws_have(value, scale):
    law = parse_law(value)
    law = Law(law.name, law.parameters, scale)
    z = draw_law(law, (400_000,), 9, 16, rng())
    # Fourth moments up to 9 (Laplace 6, t with 9 degrees 4.2): sd of the mean square below 0.4 %.
    assert_allclose(np.mean(z**2), second_moment(law, 9, 16), rtol=0.015)


@pytest.mark.parametrize(
    "value",
    [
        "cauchy",
        {"law": "alpha_stable", "alpha": 1.99},
        {"law": "student_t", "df": 2.0},
        {"law": "student_t", "df": 1.5},
    ],
    ids=str,
)
def test_heavy_tails_have_no_second_moment(value):
    assert second_moment(parse_law(value), 10, 10) == math.inf


def test_second_moment_of_the_gaussian_stable_law_is_finite():
    assert second_moment(parse_law({"law": "alpha_stable", "alpha": 2, "sigma": 3}), 5, 5) == 9.0


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9), (8, 3, 5), (20, 3, 3, 3)])
def test_orthogonal_draws_have_orthonormal_rows_or_columns(shape):
    law = parse_law({"law": "orthogonal", "gain": 1.5})
    matrix = draw_law(law, shape, math.prod(shape[1:]), shape[0], rng()).reshape(shape[0], -1)
    rows, columns = matrix.shape
    gram = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
    assert_allclose(gram, 2.25 * np.eye(min(rows, columns)), atol=1e-12)
    moment = second_moment(law, columns, 1, units=rows)
    assert_allclose(np.mean(matrix**2), moment, rtol=1e-12)


def test_orthogonal_matrices_are_haar_distributed():
    """trace Q of a Haar matrix has mean 0 and variance 1; QR without the sign fix has neither."""
    law = parse_law("orthogonal")
    generator = rng()
    traces = [np.trace(draw_law(law, (5, 5), 5, 5, generator)) for _ in range(4000)]
    # Standard errors 1 / sqrt(4000) = 0.016 and about 0.022; four of them.
    assert abs(np.mean(traces)) < 0.064
    assert abs(np.var(traces) - 1.0) < 0.09


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("1", 1.0),
        ("1/sqrt(fan_in)", 1 / 4),
        ("1/fan_in", 1 / 16),
        ("fan_in^(-1/alpha)", 16 ** (-1 / 1.6)),
        ("1/sqrt(fan_out)", 1 / 3),
        ("1/sqrt(fan_avg)", math.sqrt(2 / 25)),
    ],
)
def test_scales_multiply_the_amplitude(scale, expected):
    law = Law("alpha_stable", {"alpha": 1.6, "sigma": 1.0}, scale)
    assert_allclose(amplitude(law, 16, 9), expected, rtol=1e-15)
    plain = draw_law(Law(law.name, law.parameters), (50,), 16, 9, rng())
    assert_allclose(draw_law(law, (50,), 16, 9, rng()), expected * plain, rtol=1e-15)


def test_every_scale_is_known_to_the_amplitude():
    assert all(amplitude(Law("normal", {"sigma2": 1.0}, scale), 4, 4) > 0 for scale in SCALES)


def test_the_alpha_of_a_scale_is_the_law_s_own():
    assert stability_index(parse_law("cauchy")) == 1.0
    assert stability_index(parse_law({"law": "student_t", "df": 1.5})) == 1.5
    assert stability_index(parse_law({"law": "student_t", "df": 5})) == 2.0
    assert stability_index(parse_law("he_normal")) == 2.0


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        # Keras VarianceScaling: scale / fan with scale 2, 1, 1 and fan_in, fan_avg, fan_in.
        ("he_normal", 2 / 30),
        ("he_uniform", 2 / 30),
        ("glorot_normal", 2 / 80),
        ("glorot_uniform", 2 / 80),
        ("lecun_normal", 1 / 30),
        ("lecun_uniform", 1 / 30),
    ],
)
def test_named_variants_have_the_variances_that_keras_states(name, variance):
    assert_allclose(second_moment(parse_law(name), 30, 50), variance, rtol=1e-14)


def test_a_law_is_labelled_with_its_name_parameters_and_scale():
    assert parse_law("he_normal").label == "he_normal: normal(sigma2 = 2) * 1/sqrt(fan_in)"
    assert (
        parse_law({"law": "cauchy", "scale": "1 / fan_in"}).label == "cauchy(gamma = 1) * 1/fan_in"
    )
    assert parse_law("zeros").label == "zeros"


@pytest.mark.parametrize(
    ("value", "fact", "hint", "key"),
    [
        ("he_norma", "unknown law 'he_norma'", "did you mean 'he_normal'?", "law"),
        ({"lwa": "normal"}, "needs the key 'law'", "'lwa'", "lwa"),
        ({"law": "normal", "sigma": 1.0}, "no key 'sigma'", "did you mean 'sigma2'?", "sigma"),
        ({"law": "normal"}, "needs 'sigma2'", "sigma2 = 1.0", ""),
        ({"law": "normal", "sigma2": -1}, "must not be negative", "", "sigma2"),
        ({"law": "normal", "sigma2": "1"}, "finite number", "", "sigma2"),
        ({"law": "normal", "sigma2": True}, "finite number", "", "sigma2"),
        ({"law": "normal", "sigma2": math.nan}, "finite number", "", "sigma2"),
        (
            {"law": "cauchy", "scale": "1/fanin"},
            "unknown scale",
            "did you mean '1/fan_in'?",
            "scale",
        ),
        ({"law": "alpha_stable", "alpha": 2.5}, "must lie between 0.1 and 2", "", "alpha"),
        ({"law": "lattice", "levels": 1}, "2 or more", "", "levels"),
        ({"law": "lattice", "levels": 2.5}, "whole number", "", "levels"),
        ({"law": "uniform", "low": 2.0, "high": 1.0}, "must lie below high", "", "low"),
        (
            {"law": "he_normal", "sigma2": 2.0},
            "takes no parameters",
            "normal(sigma2 = 2)",
            "sigma2",
        ),
        ({"law": "empirical", "file": "a.npz"}, "not supported in this version", "normal", "law"),
        (3, "a law is a name or a table", "he_normal", ""),
    ],
)
def test_a_law_that_cannot_be_read_names_the_key_and_the_nearest_valid_one(value, fact, hint, key):
    with pytest.raises(LawError) as caught:
        parse_law(value)
    assert fact in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.key == key


def test_biases_cannot_be_orthogonal():
    with pytest.raises(SpecError, match="matrices, not biases"):
        draw_law(parse_law("orthogonal"), (5,), 5, 5, rng())


def net() -> Skeleton:
    return Skeleton(
        (
            Input("input", (2, 9)),
            Conv("conv", ("input",), 4, (3,), "conv.weight", "conv.bias", groups=2),
            BatchNorm("batch", ("conv",), "batch.mean", "batch.variance", "batch.weight"),
            Activation("phi", ("batch",), activation("tanh")),
            LayerNorm("layer", ("phi",), "layer.weight", "layer.bias", axes=1),
            Dense("dense", ("layer",), 3, "dense.kernel", "dense.bias", "in_out"),
        )
    )


def test_a_network_is_drawn_in_its_stored_layouts_with_norms_at_the_identity():
    laws = {
        "conv": (parse_law("he_normal"), parse_law({"law": "constant", "value": 0.5})),
        "dense": (parse_law("orthogonal"), None),
    }
    drawn = draw_network(net(), laws, rng()).parameters
    shapes = {name: tensor.shape for name, tensor in drawn.items()}
    assert shapes == {
        "conv.weight": (4, 1, 3),
        "conv.bias": (4,),
        "batch.mean": (4,),
        "batch.variance": (4,),
        "batch.weight": (4,),
        "layer.weight": (7,),
        "layer.bias": (7,),
        "dense.kernel": (7, 3),
        "dense.bias": (3,),
    }
    assert_allclose(drawn["dense.kernel"].T @ drawn["dense.kernel"], np.eye(3), atol=1e-12)
    assert (drawn["conv.bias"] == 0.5).all()
    assert (drawn["dense.bias"] == 0.0).all()
    assert (drawn["batch.mean"] == 0).all()
    assert (drawn["batch.variance"] == 1).all()
    assert (drawn["layer.weight"] == 1).all()
    assert (drawn["layer.bias"] == 0).all()


def test_the_same_seed_draws_the_same_network():
    laws = {name: (parse_law("cauchy"), None) for name in ("conv", "dense")}
    first, again = (draw_network(net(), laws, rng(5)).parameters for _ in range(2))
    other = draw_network(net(), laws, rng(6)).parameters
    assert all((first[name] == again[name]).all() for name in first)
    assert not (first["conv.weight"] == other["conv.weight"]).any()


def test_a_layer_without_a_law_is_named():
    with pytest.raises(SpecError, match="'dense' has no law"):
        draw_network(net(), {"conv": (parse_law("he_normal"), None)}, rng())


def test_weights_that_cannot_fit_into_memory_are_refused_before_drawing():
    huge = Skeleton((Input("input", (2**31 - 1,)), Dense("d", ("input",), 2**31 - 1, "w")))
    with pytest.raises(MemoryLimitError, match="GiB are available"):
        draw_network(huge, {"d": (parse_law("he_normal"), None)}, rng())
