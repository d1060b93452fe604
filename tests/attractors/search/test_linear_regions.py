"""Piecewise linear networks: the search against the solution of every region."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from searching import chain, places, same_points, searched

from fpcheck.attractors.search.pieces import Walk, pieces_of


def every_region(weight, bias):
    """All fixed points of relu(W x + b): one linear system a pattern, kept where it holds."""
    n, found = len(bias), []
    for pattern in itertools.product((0.0, 1.0), repeat=n):
        on = np.array(pattern)
        x = np.linalg.solve(np.eye(n) - on[:, None] * weight, on * bias)
        if ((weight @ x + bias > 0) == (on > 0)).all():
            found.append(x)
    return np.array(found)


@pytest.mark.parametrize("seed", range(8))
def test_the_list_is_that_of_all_regions(seed):
    rng = np.random.default_rng(seed)
    n = 6
    weight = 1.6 * rng.standard_normal((n, n)) / np.sqrt(n)
    bias = 0.5 * rng.standard_normal(n)
    expected = every_region(weight, bias)
    result = searched(chain([(weight, bias)], "relu"), starts=64)
    assert len(result.found) == len(expected)
    if len(expected):
        assert same_points(places(result), expected, 1e-9)


def test_regions_lead_from_one_point_to_all():
    # x -> hardtanh(2 x) in each of 3 units: -1, 0 and 1 are its fixed points.
    program = chain([(2.0 * np.eye(3), np.zeros(3))], "hardtanh")
    expected = np.array(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)))
    assert same_points(places(searched(program)), expected, 1e-9)


def test_a_walk_stays_on_its_curve():
    rng = np.random.default_rng(1)
    layers = [(1.2 * rng.standard_normal((5, 5)), rng.standard_normal(5)) for _ in range(2)]
    program = chain(layers, "leaky_relu(0.2)")
    pieces = pieces_of(program.chain)
    x = rng.standard_normal(5)

    def gap(state):
        for weight, bias in layers:
            z = weight @ state + bias
            z = np.where(z > 0, z, 0.2 * z)
            state = z
        return state

    defect = x - gap(x)
    s = float(np.linalg.norm(defect))
    walk = Walk(pieces, x, s, defect / s, 1.0)
    for _ in range(5):
        crossing = walk.next()
        assert np.abs(walk.x - gap(walk.x) - walk.s * walk.direction).max() < 1e-8
        if crossing.place is None:
            break
        assert np.abs(crossing.place - gap(crossing.place)).max() < 1e-8


def test_smooth_chains_have_no_pieces():
    assert pieces_of(chain([(np.eye(2), np.zeros(2))]).chain) is None
