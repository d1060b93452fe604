"""The passes below dual activations, against plain sums and the standard library."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fpcheck.kernels.compile import kernel
from fpcheck.kernels.dual_series import (
    CHUNK,
    LANES,
    STEP,
    aligned_pairs,
    count_beyond,
    series_pairs,
)
from fpcheck.kernels.duals import angle, correlations

ROUNDING = 2.0**-53


@kernel
def angles(y, x, out):
    for i in range(len(x)):
        out[i] = angle(y[i], x[i])
    return 0


def test_the_angle_of_a_point_is_within_four_roundings():
    rng = np.random.default_rng(0)
    size = np.exp(rng.uniform(-40.0, 40.0, (2, 4000)))
    y, x = np.concatenate([size, rng.uniform(0.0, 1.0, (2, 4000)), np.eye(2)], axis=1)
    out = np.empty(len(x))
    angles(y, x, out)
    expected = np.arctan2(y, x)
    assert np.max(np.abs(out - expected) / expected.clip(1e-300)) <= 4.0 * ROUNDING
    still, nowhere = np.zeros(1), np.empty(1)
    angles(still, still, nowhere)
    assert nowhere[0] == 0.0


def test_correlations_are_held_to_one_and_those_of_equal_rows_are_one():
    left, right = np.array([2.0, 0.5, 0.0]), np.array([3.0, 0.0, math.nan])
    cov = np.array([[6.0 - 5e-15, 1.0, 1.0], [-1.6, 0.0, 1.0], [1.0, math.nan, 0.0]])
    c = np.empty((3, 3))
    correlations(left, right, cov, 1e-15, c)
    assert c[0, 0] == 1.0
    assert c[1, 0] == -1.0
    np.testing.assert_array_equal(c[:2, 1], [0.0, 0.0])
    assert c[2, 0] == 0.0
    assert math.isnan(c[2, 1])


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("columns", [1, CHUNK, CHUNK + 7])
def test_a_series_is_summed_as_far_as_it_must(squared: bool, columns: int):
    """Coefficients fall by a third; a part of them is enough, and no more than 1e-13 is left."""
    rng, rows, terms = np.random.default_rng(1), 5, 16 * STEP
    decay = 3.0 ** -np.arange(terms)
    a, b = (rng.uniform(0.5, 1.0, (n, terms)) * decay for n in (rows, columns))
    c = rng.uniform(-1.0, 1.0, (rows, columns))
    z = c * c if squared else c
    expected = np.einsum("in,jn,ijn->ij", a, b, z[..., None] ** np.arange(terms))
    tail = np.log(np.append(decay[::STEP], 1e-40))
    chunks = -(-columns // CHUNK)
    padded = np.zeros((chunks * CHUNK, terms))
    padded[:columns] = b[:, ::-1]
    out = np.empty_like(c)
    far = np.ones(max(rows, columns))
    assert count_beyond(c, far[:rows], far[:columns]) == 0
    series_pairs(
        a[:, ::-1].copy(), np.ascontiguousarray(padded.reshape(chunks, CHUNK, -1).swapaxes(1, 2)),
        c, squared, squared, np.tile(tail, (rows, 1)), np.tile(tail, (chunks, 1)),
        far[:rows], far[:columns], math.log(1e-13), np.zeros(CHUNK), np.zeros(CHUNK), out,
    )  # fmt: skip
    np.testing.assert_allclose(out, expected * c if squared else expected, atol=2e-13)


def test_pairs_beyond_the_reach_of_their_series_are_counted_and_so_is_a_nan():
    c = np.array([[0.5, -0.9, 0.9], [math.nan, 0.0, 1.0]])
    assert count_beyond(c, np.array([1.0, 0.8]), np.array([1.0, 0.85, 1.0])) == 3


@pytest.mark.parametrize("against", [False, True])
def test_a_table_is_read_in_the_angle_and_in_the_other_variance(against: bool):
    rng, low, high = np.random.default_rng(2), 0.1, 0.3
    tables, basis = rng.normal(size=(2, 6, LANES)), rng.normal(size=(4, LANES))
    theta = np.array([[0.11, 0.15, 0.2, 0.29], [0.05, 0.31, 0.12, 0.18], [0.2, 0.2, 0.2, 0.2]])
    c = np.cos(theta) * (-1.0 if against else 1.0)
    c[2] *= -1.0
    rows, columns = np.array([0, 1]), np.array([0, 2, 3])
    todo = np.ones(c.shape, bool)
    todo[0, 0] = False
    out = np.zeros(c.shape)
    aligned_pairs(tables, basis, rows, columns, todo, c, against, (low, high), np.empty(LANES), out)
    done = np.zeros(c.shape, bool)
    done[[0, 0, 1, 1], [2, 3, 2, 3]] = True
    for i, j in np.argwhere(done):
        place = 2.0 * (theta[i, j] - low) / (high - low) - 1.0
        at_place = np.polynomial.chebyshev.chebval(place, tables[i])
        assert out[i, j] == pytest.approx(at_place @ basis[j], rel=1e-11)
    assert not out[~done].any()
    expected = ~done
    expected[0, 0] = False
    np.testing.assert_array_equal(todo, expected)
