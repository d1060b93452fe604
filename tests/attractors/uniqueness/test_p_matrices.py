"""P-matrices: the recursion against all minors in exact fractions; the rung is exact."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from uniqueness_maps import QUIET, random_weights

from fpcheck.attractors.uniqueness.p_matrix import inverses, p_matrix, regular_slopes
from fpcheck.network.enclosure.ball import Ball
from fpcheck.network.enclosure.matrices import point


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_recursion_agrees_with_all_minors(n):
    agreed = {True: 0, False: 0}
    for seed in range(40):
        matrix = np.eye(n) - np.random.default_rng(seed).standard_normal((n, n)) * 0.6
        truth = all(minor > 0 for minor in exact_minors(matrix))
        test = p_matrix(point(matrix), QUIET)
        assert (test.holds, test.refuted) == (truth, not truth)
        agreed[truth] += 1
    assert min(agreed.values()) >= 1


def test_a_singular_matrix_is_neither_proved_nor_refuted_wrongly():
    """A minor of exactly 0, and one of rounding size above and below."""
    for shift, holds in ((0.0, False), (2.0**-52, None), (-(2.0**-52), False)):
        test = p_matrix(point(np.array([[1.0, 1.0], [1.0, 1.0 + shift]])), QUIET)
        assert not test.holds if holds is False else test.holds in (True, False)
        assert not test.refuted or shift < 0


def test_a_ball_is_a_p_matrix_only_if_all_its_matrices_are():
    middle = np.array([[1.0, 0.5], [0.5, 1.0]])  # the determinant is 0.75
    for radius, holds in ((0.1, True), (0.3, False)):
        assert p_matrix(Ball(middle, np.full((2, 2), radius)), QUIET).holds is holds


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, 0.25), (-0.13, 1.13), (0.2, 1.0)])
def test_the_rung_is_exact_for_the_range_of_slopes(low, high):
    """Regular for all slopes iff the determinants at all corners have one sign: it is affine in
    each slope."""
    seen = set()
    for seed in range(30):
        weight = random_weights(4, seed, 2.2 / high * np.random.default_rng(seed).uniform(0.2, 1.2))
        corners = [
            np.linalg.det(np.eye(4) - np.array(slopes)[:, None] * weight)
            for slopes in itertools.product((low, high), repeat=4)
        ]
        truth = bool(min(corners) > 0 or max(corners) < 0)
        test = regular_slopes(point(weight), np.full(4, low), np.full(4, high), QUIET)
        assert test.holds is truth
        seen.add(truth)
    assert seen == {True, False}


def test_the_largest_size_is_the_sum_of_its_parts():
    """A block-diagonal matrix of 20 rows is a P-matrix if and only if its blocks are."""
    good = np.eye(4) - 0.4 * random_weights(4, 0, 1.0)
    bad = np.array([[1.0, 2.0], [2.0, 1.0]])
    whole = np.zeros((20, 20))
    for k in range(5):
        whole[4 * k : 4 * k + 4, 4 * k : 4 * k + 4] = good
    assert p_matrix(point(whole), QUIET).holds
    whole[18:, 18:] = bad
    assert p_matrix(point(whole), QUIET).refuted


def test_inverses_hold_the_exact_one():
    matrix = random_weights(6, 2, 0.5) + np.eye(6)
    ball = inverses(point(matrix))
    exact = exact_inverse(matrix)
    for i, j in itertools.product(range(6), repeat=2):
        assert abs(exact[i][j] - Fraction(ball.mid[i, j])) <= Fraction(ball.rad[i, j])
    assert ball.rad.max() < 1e-12


def test_a_ball_with_a_singular_matrix_has_no_inverses():
    assert inverses(Ball(np.diag([1.0, 0.1]), np.full((2, 2), 0.1))) is None
    assert inverses(point(np.ones((2, 2)))) is None
    assert inverses(point(np.array([[np.nan, 0.0], [0.0, 1.0]]))) is None


def exact_minors(matrix):
    n = len(matrix)
    for size in range(1, n + 1):
        for chosen in itertools.combinations(range(n), size):
            yield determinant([[Fraction(matrix[i, j]) for j in chosen] for i in chosen])


def determinant(rows):
    if len(rows) == 1:
        return rows[0][0]
    return sum(
        (-1) ** j * rows[0][j] * determinant([row[:j] + row[j + 1 :] for row in rows[1:]])
        for j in range(len(rows))
    )


def exact_inverse(matrix):
    n = len(matrix)
    rows = [[Fraction(x) for x in row] + [Fraction(i == j) for j in range(n)]
            for i, row in enumerate(matrix)]  # fmt: skip
    for k in range(n):
        pivot = next(i for i in range(k, n) if rows[i][k] != 0)
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for i in range(n):
            if i != k:
                rows[i] = [a - rows[i][k] * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [row[n:] for row in rows]
