"""The tail index of entries and the spectral exponent among noise, on laws with known tails."""

import numpy as np
import pytest
from scipy import stats

from fpcheck.theory.tail_index import largest_counted, tail_index
from fpcheck.weights.null_spectra import percentile, table
from fpcheck.weights.null_spectra.make import wishart_eigenvalues
from fpcheck.weights.spectral_exponent import power_law, spectral_exponent

SHAPE = (512, 512)


def stable(alpha, size, rng):
    """Symmetric alpha-stable numbers. [Chambers, Mallows, Stuck 1976]"""
    angle = rng.uniform(-np.pi / 2, np.pi / 2, size)
    waiting = rng.exponential(size=size)
    first = np.sin(alpha * angle) / np.cos(angle) ** (1 / alpha)
    return first * (np.cos(angle - alpha * angle) / waiting) ** ((1 - alpha) / alpha)


HEAVY = {
    "cauchy": (1.0, lambda rng, n: rng.standard_cauchy(n)),
    "student_t(2)": (2.0, lambda rng, n: rng.standard_t(2, n)),
    "student_t(3)": (3.0, lambda rng, n: rng.standard_t(3, n)),
    "stable(1.5)": (1.5, lambda rng, n: stable(1.5, n, rng)),
}
LIGHT = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "uniform": lambda rng, n: rng.uniform(-1, 1, n),
    "laplace": lambda rng, n: rng.laplace(size=n),
    "truncated": lambda rng, n: stats.truncnorm.rvs(-2, 2, size=n, random_state=rng),
}


@pytest.mark.parametrize("name", HEAVY)
@pytest.mark.parametrize("seed", range(5))
def test_heavy_tails_are_recognised_within_a_tenth(name, seed):
    alpha, draw = HEAVY[name]
    found = tail_index(0.02 * draw(np.random.default_rng(seed), 512 * 512))
    assert found.tail_index == pytest.approx(alpha, rel=0.10)
    assert found.interval.high < 4.0


@pytest.mark.parametrize("name", LIGHT)
@pytest.mark.parametrize("side", [64, 128, 512])
def test_light_tails_are_not_called_heavy(name, side):
    for seed in range(20):
        found = tail_index(LIGHT[name](np.random.default_rng(seed), side * side))
        assert found.interval.high > 4.0


def test_the_interval_covers_a_pareto_tail_19_times_in_20():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        found = tail_index(rng.choice([-1.0, 1.0], 20_000) * (rng.pareto(2.5, 20_000) + 1.0))
        covered += found.interval.low <= 2.5 <= found.interval.high
    assert 380 - 4 * 4.4 <= covered <= 380 + 4 * 4.4  # 95 % of 400, and four standard deviations


def test_hills_estimate_is_the_textbook_one():
    rng = np.random.default_rng(2)
    w = rng.standard_t(3, 50_000)
    k = largest_counted(w.size)
    sizes = np.sort(np.abs(w - np.median(w)))[::-1]
    assert k == 375
    expected = 1.0 / np.mean(np.log(sizes[:k]) - np.log(sizes[k]))
    found = tail_index(w)
    assert found.tail_index == pytest.approx(expected, rel=1e-12)
    # 2 k alpha / alpha_hat is chi^2 with 2 k degrees of freedom.
    low, high = stats.chi2.ppf([0.025, 0.975], 2 * k) * expected / (2 * k)
    assert found.interval.low == pytest.approx(low, rel=1e-9)
    assert found.interval.high == pytest.approx(high, rel=1e-9)


def test_no_tail_is_made_up():
    assert tail_index(np.zeros(10_000)) is None
    assert tail_index(np.ones(10_000)) is None
    assert tail_index(np.random.default_rng(0).choice([-1.0, 1.0], 10_000)) is None
    assert tail_index(np.random.default_rng(0).normal(size=2000)) is None


def test_scale_and_shift_do_not_change_a_tail():
    w = np.random.default_rng(3).standard_cauchy(30_000)
    assert tail_index(1e-8 * w).tail_index == pytest.approx(tail_index(w).tail_index, rel=1e-9)
    assert tail_index(w + 0.5).tail_index == pytest.approx(tail_index(w).tail_index, rel=1e-9)


def test_a_power_law_of_eigenvalues_gives_its_exponent():
    values = np.random.default_rng(4).pareto(1.5, 20_000) + 1.0  # p(x) ~ x^-2.5
    exponent, smallest, in_tail = power_law(values)
    assert exponent == pytest.approx(2.5, abs=0.06)
    assert in_tail > 1000
    assert smallest >= 1.0


def naive_power_law(values):
    """The definition, in a loop."""
    values = np.sort(values)
    best = (np.inf, 0.0, 0.0)
    for x_min in values[:-1]:
        tail = values[values >= x_min]
        exponent = 1.0 + len(tail) / np.sum(np.log(tail / x_min))
        below = 1.0 - (tail / x_min) ** (1.0 - exponent)
        n = len(tail)
        distance = max(np.max(below - np.arange(n) / n), np.max(np.arange(1, n + 1) / n - below))
        if distance < best[0]:
            best = (distance, exponent, x_min)
    return best[1:]


@pytest.mark.parametrize("seed", range(5))
def test_the_fit_is_the_definition(seed):
    values = np.random.default_rng(seed).standard_t(3, (70, 90))
    eigenvalues = np.linalg.svd(values, compute_uv=False) ** 2
    exponent, smallest, _ = power_law(eigenvalues)
    expected, x_min = naive_power_law(eigenvalues)
    assert exponent == pytest.approx(expected, rel=1e-10)
    assert smallest == pytest.approx(x_min, rel=1e-10)


def test_the_bidiagonal_model_has_the_spectrum_of_noise():
    rng = np.random.default_rng(5)
    model = np.concatenate([wishart_eigenvalues(40, 60, rng) for _ in range(200)])
    direct = np.concatenate(
        [np.linalg.svd(rng.standard_normal((40, 60)), compute_uv=False) ** 2 for _ in range(200)]
    )
    # Eigenvalues of one matrix repel each other, so the test is stricter than its level says.
    assert stats.ks_2samp(model, direct).pvalue > 0.01


def noise_called_noise(shape, draws, rng, draw):
    called = 0
    for _ in range(draws):
        values = np.linalg.svd(draw(rng, shape), compute_uv=False)
        called += spectral_exponent(values, shape).null_percentile > 0.5
    return called


SHAPES = [(64, 64), (64, 300), (90, 100), (128, 512), (200, 330), (256, 256)]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_noise_is_called_noise(shape):
    rng = np.random.default_rng([6, *shape])
    # 0.5 % by design: of 100 draws more than 4 are not with probability 2e-4.
    assert noise_called_noise(shape, 100, rng, lambda rng, s: rng.standard_normal(s)) >= 96
    assert noise_called_noise(shape, 100, rng, lambda rng, s: rng.uniform(-1, 1, s)) >= 96


@pytest.mark.slow
@pytest.mark.parametrize("shape", [*SHAPES, (512, 512), (512, 800)], ids=str)
def test_noise_is_called_noise_in_99_of_100_draws(shape):
    rng = np.random.default_rng([7, *shape])
    draws = 2000 if max(shape) < 400 else 400
    called = noise_called_noise(shape, draws, rng, lambda rng, s: rng.standard_normal(s))
    assert called >= 0.99 * draws


@pytest.mark.parametrize("name", ["cauchy", "stable(1.5)", "student_t(2)"])
def test_the_heaviest_tails_are_seen_in_the_spectrum_too(name):
    rng = np.random.default_rng(8)
    values = np.linalg.svd(HEAVY[name][1](rng, SHAPE), compute_uv=False)
    found = spectral_exponent(values, SHAPE)
    assert found.null_percentile <= 0.5
    # Of entries with tail index alpha the eigenvalues have exponent 1 + alpha / 2. [Soshnikov 2004]
    assert found.exponent < 1.0 + HEAVY[name][0] / 2.0 + 0.8


def test_a_shape_outside_the_table_has_no_percentile():
    assert percentile(3.0, (32, 64)) is None
    assert percentile(3.0, (64, 64 * 300)) is None
    assert percentile(3.0, (5000, 5000)) == 0.5


def test_an_orthogonal_matrix_has_no_exponent():
    assert spectral_exponent(np.ones(100), (100, 100)) is None


def test_quantiles_rise_with_the_level_and_the_size():
    levels, sides, aspects, quantiles = table()
    assert quantiles.shape == (sides.size, aspects.size, levels.size)
    assert np.all(np.diff(quantiles, axis=2) > 0.0)
    assert np.all(np.diff(quantiles[:, :, :6], axis=0) > 0.0)


def section(**arrays):
    from fpcheck.core.plain import as_section
    from fpcheck.core.progress import Monitor
    from fpcheck.core.settings import Settings
    from fpcheck.weights.measure import measure

    return as_section(measure(arrays, None, Settings(), Monitor()))


def judged(found, **limits):
    from fpcheck.weights.rules import judge

    return [each for each in judge(found, limits) if each.code == "FP006"]


def test_heavy_weights_are_a_finding_and_light_ones_pass():
    rng = np.random.default_rng(9)
    heavy, light = rng.standard_cauchy((90, 90)), rng.normal(size=(90, 90))
    (found,) = judged(section(one=light, two=heavy, three=2.0 * heavy))
    assert (found.outcome, found.status) == ("fail", "sampled")
    assert found.where in ("two", "three")  # the same up to a factor
    assert "the variance of such a law is infinite; 1 matrix more" in found.message
    assert found.high < 2.0
    (found,) = judged(section(a=light))
    assert (found.outcome, found.where) == ("pass", "all layers")
    (found,) = judged(section(a=light), min_tail_index=found.found)
    assert found.outcome == "inconclusive"
    (found,) = judged(section(a=light[:5]))
    assert found.outcome == "skipped"


def test_the_table_shows_an_exponent_only_beside_noise():
    from fpcheck.weights.tail_view import tail_table

    rng = np.random.default_rng(10)
    small = tail_table(section(a=rng.normal(size=(48, 90)))["layers"])
    assert [column.title for column in small.columns] == [
        "tensor",
        "tail index",
        "95% CI",
        "largest",
    ]
    both = tail_table(section(a=rng.normal(size=(80, 90)), b=np.eye(5))["layers"])
    assert both.columns[4].title == "spectral exponent"
    assert len(both.rows) == 1
    assert both.rows[0][5].endswith("%")


@pytest.mark.parametrize("shape", [(64, 64), (96, 200)])
def test_fresh_layers_are_heavy_in_fewer_than_one_of_a_thousand_draws(shape):
    rng = np.random.default_rng(11)
    draws = (LIGHT["laplace"], LIGHT["normal"], LIGHT["uniform"])
    for draw in draws:
        fails = sum(
            tail_index(draw(rng, shape[0] * shape[1])).interval.high < 4.0 for _ in range(300)
        )
        assert fails == 0
