"""Learning curves and width laws: known limits are found, and intervals hold what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fpcheck.readout.curves import inverse_width, power_law
from fpcheck.readout.profile import profile, whitened

SIZES = np.array([60.0, 120.0, 250.0, 500.0, 1000.0, 1500.0])
WIDTHS = np.array([16.0, 32.0, 64.0, 128.0, 256.0])
REPEATS = 200
# Of 200 intervals of 95 %, fewer than 180 hold the truth with a chance of 0.1 %.
COVERED = 0.9

# limit, a, exponent of s(n) = limit - a n^-exponent; the error at 500 rows.
CURVES = [
    (0.9, 2.0, 0.6, 0.01),
    (0.9, 2.0, 0.6, 0.003),
    (0.95, 1.0, 0.5, 0.02),
    (0.7, 5.0, 1.0, 0.01),
    (0.99, 0.8, 0.3, 0.01),
    (0.5, 0.0, 1.0, 0.01),  # nothing is learned
    (0.6, 2.0, 0.25, 0.01),  # almost a logarithm
]


def curve(limit, a, exponent, sizes=SIZES):
    return limit - a * sizes**-exponent


@pytest.mark.parametrize(("limit", "a", "exponent"), [c[:3] for c in CURVES if c[1] > 0.0])
def test_a_curve_without_noise_gives_its_own_law(limit, a, exponent):
    found = power_law(SIZES, curve(limit, a, exponent), np.full(6, 1e-7))
    assert_allclose(found.value, limit, atol=1e-5)
    assert_allclose(found.exponent, exponent, rtol=1e-4)
    assert_allclose(found.gap, a * 1500.0**-exponent, atol=1e-5)
    assert found.low <= limit <= found.high
    assert_allclose(found.at(500.0), curve(limit, a, exponent, 500.0), atol=1e-5)


@pytest.mark.parametrize(("limit", "a", "exponent", "error"), CURVES)
def test_intervals_hold_the_limit_and_the_gap(limit, a, exponent, error):
    rng = np.random.default_rng(0)
    errors = error * np.sqrt(500.0 / SIZES)
    gap, held, reached = a * 1500.0**-exponent, np.zeros(2), []
    for _ in range(REPEATS):
        scores = curve(limit, a, exponent) + errors * rng.standard_normal(6)
        found = power_law(SIZES, scores, errors)
        held += [found.low <= limit <= found.high, found.gap_low <= gap <= found.gap_high]
        assert 0.0 <= found.gap_low <= found.gap <= found.gap_high
        reached.append(found.reached)
    assert (held / REPEATS >= COVERED).all()
    wrong = "yes" if gap > 0.01 else "no"
    assert reached.count(wrong) <= (1.0 - COVERED) * REPEATS


@pytest.mark.parametrize(("limit", "a", "exponent", "error"), CURVES)
def test_unknown_errors_are_told_from_the_scatter(limit, a, exponent, error):
    rng = np.random.default_rng(1)
    held = np.zeros(2)
    for _ in range(REPEATS):
        scores = curve(limit, a, exponent) + 0.5 * error * rng.standard_normal(6)
        found = power_law(SIZES, scores, None)
        gap = a * 1500.0**-exponent
        held += [found.low <= limit <= found.high, found.gap_low <= gap <= found.gap_high]
    assert (held / REPEATS >= COVERED).all()


def test_scores_that_share_rows_are_taken_with_their_covariances():
    """What all scores have in common moves the limit and leaves the gap alone."""
    rng = np.random.default_rng(2)
    limit, a, exponent, own, common = 0.9, 2.0, 0.6, 0.003, 0.02
    covariances = own**2 * np.eye(6) + common**2
    gap, held, widths = a * 1500.0**-exponent, np.zeros(2), []
    for _ in range(REPEATS):
        scores = curve(limit, a, exponent) + own * rng.standard_normal(6)
        scores = scores + common * rng.standard_normal()
        found = power_law(SIZES, scores, covariances)
        held += [found.low <= limit <= found.high, found.gap_low <= gap <= found.gap_high]
        alone = power_law(SIZES, scores, np.sqrt(np.diagonal(covariances)))
        widths.append((alone.gap_high - alone.gap_low) / (found.gap_high - found.gap_low))
    assert (held / REPEATS >= COVERED).all()
    assert np.median(widths) > 1.5


def test_the_profile_is_the_least_misfit_found_by_plain_search():
    rng = np.random.default_rng(3)
    errors = np.full(6, 0.01)
    scores = curve(0.9, 2.0, 0.6) + errors * rng.standard_normal(6)
    points = whitened(SIZES, scores, errors)

    def misfit(limit, gap, exponent):
        law = limit - gap[..., None] * (SIZES / 1500.0) ** -exponent[..., None]
        return np.square((scores - law) / 0.01).sum(axis=-1)

    exponents = np.geomspace(0.1, 4.0, 150)
    gaps = np.linspace(0.0, 0.6, 1201)
    least = {
        limit: misfit(limit, *np.meshgrid(gaps, exponents)).min()
        for limit in np.linspace(0.8, 1.0, 81)
    }
    found = profile(points, (0.1, 4.0), "limit", 1.0)
    level = min(least.values()) + 1.96**2 * max(1.0, found.misfit)
    inside = [limit for limit, value in least.items() if value <= level]
    assert_allclose([found.low, found.high], [min(inside), max(inside)], atol=0.004)  # its grid's


def test_the_ceiling_bounds_limit_and_gap():
    rng = np.random.default_rng(4)
    errors = np.full(6, 0.02)
    for _ in range(50):
        scores = curve(0.99, 1.0, 0.3) + errors * rng.standard_normal(6)
        found = power_law(SIZES, scores, errors)
        assert found.value <= found.high <= 1.0
        free = power_law(SIZES, scores, errors, ceiling=math.inf)
        assert free.high >= found.high
        assert free.gap_high >= found.gap_high


def test_scores_that_fall_have_nothing_to_gain():
    found = power_law(SIZES, curve(0.5, -2.0, 0.6), np.full(6, 0.01))
    assert found.gap == 0.0
    assert math.isnan(found.exponent)
    assert found.at(100.0) == found.value


def test_more_scatter_than_the_errors_say_widens_the_interval():
    scores = curve(0.9, 2.0, 0.6) + 0.01 * np.array([1, -1, 1, -1, 1, -1])
    narrow = power_law(SIZES, scores, np.full(6, 0.01))
    wrong = power_law(SIZES, scores, np.full(6, 0.001))
    assert wrong.misfit > 10.0
    assert wrong.high - wrong.low > 0.5 * (narrow.high - narrow.low)


def test_a_score_of_no_error_is_not_certain():
    errors = np.array([0.02, 0.01, 0.01, 0.005, 0.0, 0.0])
    found = power_law(SIZES, np.array([0.9, 0.95, 0.97, 0.99, 1.0, 1.0]), errors)
    assert found.low < 1.0
    assert found.high == 1.0


@pytest.mark.parametrize(
    ("sizes", "scores", "errors", "why"),
    [
        ([10, 20, 30], [0.1, 0.2, 0.3], [0.1] * 3, "3 sizes"),
        ([10, 10, 20, 30], [0.1, 0.1, 0.2, 0.3], [0.1] * 4, "3 sizes"),
        ([10, 20, 30, 40], [0.1, 0.2, 0.3, 0.4], None, "needs 5"),
        ([10, 20, 30, 40], [0.1, 0.2, 0.3, 0.4], [0.0] * 4, "needs 5"),
        ([10, 20, 30, 40], [0.1, math.nan, 0.3, 0.4], [0.1] * 4, "finite"),
        ([0, 20, 30, 40], [0.1, 0.2, 0.3, 0.4], [0.1] * 4, "above 0"),
        ([], [], None, "no sizes"),
        ([10, 20, 30, 40], [0.1, 0.2, 0.3, 0.4], 0.04 - np.eye(4), "positive definite"),
    ],
)
def test_where_nothing_can_be_told_it_says_why(sizes, scores, errors, why):
    found = power_law(sizes, scores, errors)
    assert isinstance(found, str)
    assert why in found


class TestWidth:
    """s(w) = limit - slope / w."""

    def test_without_noise_it_is_exact(self):
        found = inverse_width(WIDTHS, 0.8 - 1.5 / WIDTHS, np.full(5, 1e-6))
        assert_allclose([found.limit, found.slope, found.width], [0.8, 1.5, 150.0], rtol=1e-9)
        again = inverse_width(WIDTHS, 0.8 + 1.5 / WIDTHS, np.full(5, 1e-6), distance=0.05)
        assert_allclose([again.slope, again.width], [-1.5, 30.0], rtol=1e-9)

    def test_known_errors_are_weighted_least_squares(self):
        rng = np.random.default_rng(5)
        errors = rng.uniform(0.9, 1.1, 5)
        scores = 0.8 - 1.5 / WIDTHS + 0.1 * errors  # less scatter than the errors: not widened
        found = inverse_width(WIDTHS, scores, errors)
        design = np.column_stack([np.ones(5), -1.0 / WIDTHS]) / errors[:, None]
        expected, *_ = np.linalg.lstsq(design, scores / errors)
        spread = np.sqrt(np.diagonal(np.linalg.inv(design.T @ design)))
        assert_allclose([found.limit, found.slope], expected, rtol=1e-9)
        assert_allclose(found.limit_high - found.limit, 1.959964 * spread[0], rtol=1e-6)
        assert_allclose(found.slope - found.slope_low, 1.959964 * spread[1], rtol=1e-6)

    @pytest.mark.parametrize("known", [True, False])
    @pytest.mark.parametrize("slope", [1.5, 0.05, 0.0, -1.0])
    def test_intervals_hold_the_limit_the_slope_and_the_width(self, slope, known):
        rng = np.random.default_rng(6)
        errors, held = np.full(5, 0.01), np.zeros(3)
        for _ in range(REPEATS):
            scores = 0.8 - slope / WIDTHS + errors * rng.standard_normal(5)
            found = inverse_width(WIDTHS, scores, errors if known else None)
            held += [
                found.limit_low <= 0.8 <= found.limit_high,
                found.slope_low <= slope <= found.slope_high,
                found.width_low <= abs(slope) / 0.01 <= found.width_high,
            ]
        assert (held / REPEATS >= COVERED).all()

    def test_a_score_that_may_not_depend_on_the_width_is_near_its_limit_from_0_on(self):
        found = inverse_width(WIDTHS, np.full(5, 0.7), np.full(5, 0.01))
        assert found.width_low == 0.0
        assert found.width_high > 0.0

    @pytest.mark.parametrize(
        ("widths", "errors", "why"),
        [
            ([64.0], [0.1], "1 widths"),
            ([64.0, 64.0], [0.1, 0.1], "1 widths"),
            ([32.0, 64.0], None, "needs 3"),
        ],
    )
    def test_too_few_widths_say_so(self, widths, errors, why):
        found = inverse_width(widths, np.full(len(widths), 0.5), errors)
        assert isinstance(found, str)
        assert why in found
