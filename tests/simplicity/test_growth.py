"""Growth over the rows: the subsets, the line through the points, teachers against noise."""

import numpy as np
import pytest
from planted import chain, classes, planted, prior_of

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.simplicity.estimate import Asked, Effort, estimate
from fpcheck.simplicity.growth import Mean, Whole, exponent_of, growth, parameters_of, subsets
from fpcheck.simplicity.weighted_line import Line, weighted_line

EFFORT = Effort(2, 32, 4.0, 2.0**36, 40, 2.0**30)


def test_small_subsets_are_disjoint_and_keep_the_classes_shares():
    rng = np.random.default_rng(0)
    data = classes(rng.normal(size=(60, 3)), np.arange(60) % 3 == 0)
    for size in (8, 15, 20):
        chosen = subsets(data, size, rng)
        assert len(np.unique(np.concatenate(chosen))) == 3 * size
        for index in chosen:
            assert abs(int(data.labels[index].sum()) - size / 3) <= 1.0
    for index in subsets(data, 45, rng):
        assert len(np.unique(index)) == 45
        assert abs(int(data.labels[index].sum()) - 15) <= 1


def test_a_weighted_line_is_least_squares():
    rng = np.random.default_rng(1)
    x, y = np.arange(5.0), rng.normal(size=5)
    errors = np.array([0.5, 1.0, 2.0, 1.0, 0.7])
    slope, _ = np.polyfit(x, y, 1, w=1.0 / errors)
    assert weighted_line(x, y, errors, 10.0).slope == pytest.approx(slope, rel=1e-9)


def test_the_lines_interval_holds_the_slope():
    rng = np.random.default_rng(2)
    x, errors = np.log(np.array([16.0, 32.0, 48.0, 64.0])), np.array([0.1, 0.08, 0.08, 0.02])
    held = 0
    for _ in range(1000):
        line = weighted_line(x, 0.6 * x + errors * rng.standard_normal(4), errors, 1e6)
        held += line.low <= 0.6 <= line.high
    assert held >= 940  # 950 expected of the stated errors, more for the allowance for scatter


def curve(bits, error=0.02):
    rows = (8, 16, 32, 48, 64)
    pairs = zip(rows, bits, strict=True)
    return [Mean(n, b, error * b, known=True, impossible=False) for n, b in pairs]


def test_logarithmic_growth_gives_its_parameters_and_linear_growth_none():
    rows = np.array([8, 16, 32, 48, 64])
    flat = curve(9.0 * np.log2(rows) - 15.0)
    exponent = exponent_of(flat)
    assert isinstance(exponent, Line)
    assert exponent.high < 0.9
    parameters, reason = parameters_of(flat, exponent)
    assert parameters.low < 9.0 < parameters.high
    assert reason == ""
    straight = curve(1.2 * rows)
    exponent = exponent_of(straight)
    assert exponent.low < 1.0 < exponent.high
    parameters, reason = parameters_of(straight, exponent)
    assert parameters is None
    assert "not shown" in reason


def test_points_that_are_bounds_or_hardly_cost_anything_have_noexponent_of():
    bounded = curve([5.0, 10.0, 20.0, 30.0, 40.0])
    bounded[3] = Mean(48, 30.0, 0.0, known=False, impossible=False)
    assert "bounded from below" in exponent_of(bounded)
    assert "almost all networks" in exponent_of(curve([0.1, 0.2, 0.2, 0.3, 0.3]))
    never = curve([5.0, 10.0, 20.0, 30.0, 40.0])
    never[4] = Mean(64, 1000.0, 0.0, known=False, impossible=True)
    assert "no network" in exponent_of(never)


def test_a_narrow_teacher_flattens_and_noise_does_not():
    data = planted(rows=32, inputs=4, width=1, seed=1)
    prior = prior_of(chain(4, 8, 1), data)
    asked = Asked(prior, Settings(threads=1), Monitor())
    rng = np.random.default_rng(3)
    noise = data.shuffled(rng)
    wholes = []
    for labelling in (data, noise):
        found = estimate(asked, labelling, rng, EFFORT)
        wholes.append(Whole(labelling, found.bits, 0.5, found.known, found.impossible))
    found = growth(asked, *wholes, rng, EFFORT, 0)
    assert [point.rows for point in found.points] == [4, 8, 16, 24, 32]
    assert found.exponent_high < 0.9
    assert found.parameters_high > 1.0
    assert found.parameters < 10.0
    last = found.points[-1]
    assert last.bits < 0.6 * last.random_bits
    ratio = last.random_bits / found.points[1].random_bits
    assert ratio > 2.5  # of 32 and 8 rows
