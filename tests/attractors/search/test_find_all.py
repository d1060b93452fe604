"""The whole search against closed forms, brute force and an independent solver."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq, root
from searching import chain, index_sum, places, random_map, same_points, searched

from fpcheck.attractors.search.explore import Budget, Frontier, _spent, _Work
from fpcheck.attractors.search.newton import descend
from fpcheck.attractors.search.registry import Registry
from fpcheck.attractors.search.space import whole_space
from fpcheck.core.progress import Monitor
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Add, Dense, Input, Skeleton


def diagonal_points(d, n):
    """All 3^n fixed points of tanh(d x)."""
    top = brentq(lambda x: np.tanh(d * x) - x, 0.1, 1.0, xtol=1e-15)
    return np.array(list(itertools.product((-top, 0.0, top), repeat=n)))


def test_all_points_of_a_diagonal_map_are_found():
    result = searched(chain([(1.5 * np.eye(4), np.zeros(4))]))
    assert same_points(places(result), diagonal_points(1.5, 4))
    assert index_sum(result) == 1
    assert result.odd
    assert result.odd_status == "proved"


@pytest.mark.slow
def test_all_points_of_a_diagonal_map_of_eight_units_are_found():
    result = searched(chain([(1.5 * np.eye(8), np.zeros(8))]), effort=60.0)
    assert same_points(places(result), diagonal_points(1.5, 8))


@pytest.mark.parametrize("n", [2, 5])
def test_columns_and_their_negatives_are_fixed_points_of_the_map_made_for_them(n):
    rng = np.random.default_rng(n)
    columns = rng.uniform(-0.9, 0.9, (n, n))
    weight = np.arctanh(columns) @ np.linalg.inv(columns)
    result = searched(chain([(weight, np.zeros(n))]))
    for wanted in (*columns.T, *-columns.T, np.zeros(n)):
        assert np.abs(places(result) - wanted).max(axis=1).min() < 1e-8


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_missing_that_an_independent_solver_finds(seed):
    weight, bias = random_map(8, 3.0, seed)
    rng = np.random.default_rng(seed)
    result = searched(chain([(weight, bias)]))
    for _ in range(150):
        solved = root(
            lambda x: x - np.tanh(weight @ x + bias),
            rng.uniform(-1, 1, 8),
            jac=lambda x: np.eye(8) - (1 - np.tanh(weight @ x + bias) ** 2)[:, None] * weight,
        )
        if solved.success and np.abs(solved.fun).max() < 1e-9:
            assert np.abs(places(result) - solved.x).max(axis=1).min() < 1e-6
    assert index_sum(result) == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_missing_that_newton_finds_from_100_000_starts(seed):
    program = chain([random_map(16, 3.0, seed)])
    x = places(searched(program))
    rng = np.random.default_rng(seed)
    for _ in range(100):
        reached = descend(whole_space(program), np.tanh(rng.standard_normal((1000, 16))), 40)
        for state in reached.states[reached.converged]:
            assert np.abs(x - state).max(axis=1).min() < 1e-6


def test_a_rich_map_gives_the_list_that_other_seeds_of_the_search_give():
    program = chain([random_map(32, 3.0, 2)])
    first, second = searched(program, seed=0), searched(program, seed=5)
    assert len(first.found) > 5
    assert same_points(places(first), places(second))
    assert index_sum(first) == 1


def test_a_contraction_has_one_point_and_costs_little():
    result = searched(chain([random_map(64, 0.9, 1)]))
    assert len(result.found) == 1
    assert result.work < 3000
    assert "in a row" in result.stopped


def test_known_points_are_not_found_again_but_their_hits_are_counted():
    program = chain([random_map(10, 3.0, 1)])
    everything = searched(program)
    again = searched(program, everything.found)
    assert again.found == ()
    assert len(again.hits) == len(everything.found)
    assert min(again.hits) > 0


def test_hits_and_discovery_describe_all_points():
    result = searched(chain([random_map(10, 3.0, 1)]))
    assert len(result.hits) == len(result.found)
    assert min(result.hits) >= 1
    assert [step.distinct for step in result.discovery] == list(range(1, len(result.found) + 1))
    assert result.discovery[-1].work <= result.work
    assert sum(result.methods.values()) == len(result.found)


def test_the_narrow_layer_has_the_fixed_points_of_the_whole():
    rng = np.random.default_rng(3)
    shapes = ((4, 12), (12, 4))
    layers = [(2.5 / np.sqrt(a) * rng.standard_normal((a, b)), 0.1 * rng.standard_normal(a))
              for a, b in shapes]  # fmt: skip
    result = searched(chain(layers))
    assert result.dimension == 4
    x = places(result)
    hidden = np.tanh(x @ layers[0][0].T + layers[0][1])
    assert_allclose(np.tanh(hidden @ layers[1][0].T + layers[1][1]), x, atol=1e-10)
    whole = [(layers[1][0] @ np.eye(4), layers[1][1]), layers[0]]
    turned = searched(chain(whole))
    assert same_points(places(turned), hidden)


def test_units_in_another_order_give_the_points_in_that_order():
    weight, bias = random_map(10, 3.0, 1)
    order = np.random.default_rng(0).permutation(10)
    straight = searched(chain([(weight, bias)]))
    permuted = searched(chain([(weight[np.ix_(order, order)], bias[order])]), seed=3)
    assert same_points(places(straight)[:, order], places(permuted))


def test_partners_of_an_odd_map_are_closed():
    weight, _ = random_map(24, 2.5, 4)
    result = searched(chain([(weight, np.zeros(24))]))
    assert result.odd
    x = places(result)
    assert len(x) > 2
    assert same_points(x, -x)


def test_the_result_does_not_depend_on_the_number_of_threads(monkeypatch):
    program = chain([random_map(24, 3.0, 2)])
    first = searched(program)
    monkeypatch.setattr("fpcheck.attractors.search.explore.available_cores", lambda: 1)
    second = searched(program)
    assert first.hits == second.hits
    assert first.discovery == second.discovery
    assert np.array_equal(places(first), places(second))


def test_a_map_that_is_no_chain_is_searched_too():
    weight = np.array([[0.0, 0.5], [-0.5, 0.0]])
    nodes = (Input("x", (2,)), Dense("d", ("x",), 2, "w", "b"), Add("sum", ("x", "d")))
    program = Network(Skeleton(nodes), {"w": weight, "b": np.array([1.0, 2.0])}).program
    result = searched(program)
    assert_allclose(places(result), [np.linalg.solve(-weight, [1.0, 2.0])], atol=1e-12)


def test_no_effort_finds_nothing_and_says_why():
    result = searched(chain([random_map(4, 3.0, 0)]), effort=0.0)
    assert result.found == ()
    assert result.work == 0
    assert result.stopped == "no effort was asked for"


def test_more_points_than_effort_asks_for_end_the_search():
    # 64 points are enough, an eighth less or twice as many to end at a right index sum.
    result = searched(chain([(1.5 * np.eye(6), np.zeros(6))]), effort=0.2)
    assert "known" in result.stopped
    assert not result.flat
    assert 56 <= len(result.found) <= 130
    assert index_sum(result) == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_list_that_is_cut_short_is_cut_where_its_index_sum_is_right(seed):
    result = searched(chain([random_map(64, 3.0, seed)]), effort=0.05, seed=seed)
    assert "more effort may find more" in result.stopped
    assert not result.flat
    assert 9 <= len(result.found) <= 24
    assert index_sum(result) == 1


def test_a_list_of_given_points_of_one_index_is_evened_out():
    # What iteration ends on is stable: points of index +1, without the saddles between them.
    program = chain([random_map(64, 3.0, 3)])
    everything = searched(program, effort=0.1)
    signs = np.array([np.linalg.slogdet(np.eye(64) - p.jacobian)[0] for p in everything.found])
    given = [p for p, sign in zip(everything.found, signs, strict=True) if sign > 0]
    assert len(given) >= 8
    result = searched(program, given, effort=0.03)
    found = [np.linalg.slogdet(np.eye(64) - p.jacobian)[0] for p in result.found]
    assert round(len(given) + sum(found)) == 1


def test_what_it_took_to_find_the_first_point_is_not_its_share_of_the_work():
    program = chain([(0.5 * np.eye(2), np.zeros(2))])
    space = whole_space(program)
    registry = Registry(program, space, 1e-12, False, 1e6, Monitor())
    frontier = Frontier(np.random.default_rng(0), [], np.zeros((1, 2)))
    work = _Work(space, registry, frontier, (), 1.0, Budget(100, 10_000, 64), (0, 0))
    registry.work = 700
    assert not _spent(work)
    registry.meet(np.zeros(2), "curves")
    registry.work = 899
    assert not _spent(work)
    registry.work = 900
    assert _spent(work)
