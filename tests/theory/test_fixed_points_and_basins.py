"""All fixed points of a variance map, double ones too, and basins that iteration confirms."""

from __future__ import annotations

import math

import pytest

from fpcheck.network.activations import ACTIVATIONS, parse_activation
from fpcheck.theory.basins import basin_by_following, basins_of_increasing, cycles, followed
from fpcheck.theory.edge_of_chaos import clip_height, edge_of_chaos, sparse_threshold
from fpcheck.theory.roots import bracketed_root, interior_minimum, roots_on_grid
from fpcheck.theory.variance_map import (
    VarianceMap,
    fixed_points,
    never_falls,
    settled,
    stable_cycles,
)


def variance_map(name: str, w2: float, b2: float) -> VarianceMap:
    return VarianceMap(parse_activation(name), w2, b2)


def sparse(slope: float) -> VarianceMap:
    """CST of sparsity 0.8 on the edge of chaos at q* = 1 with V' = slope."""
    tau = sparse_threshold("cst", 0.8)
    f = parse_activation(f"cst({tau!r},{clip_height('cst', 0.8, slope)!r})")
    (edge,) = edge_of_chaos(f, q_star=1.0)
    return VarianceMap(f, edge.sigma_w2, edge.sigma_b2)


def iterate(v, q, steps=20_000):
    for _ in range(steps):
        after = v(q)
        if not after < 1e12 or abs(after - q) <= 1e-13 * q:
            return after
        q = after
    return q


MAPS = [
    ("gelu", 3.0, 0.0), ("silu", 3.0, 0.0), ("gelu", 2.0, 0.0), ("tanh", 1.5, 0.05),
    ("tanh", 3.0, 0.0), ("silu", 1.718**2, 0.04), ("softplus", 0.5, 0.0), ("relu", 1.5, 0.2),
    ("hardtanh(-0.1,5)", 1.5, 0.01), ("crelu(-1,1)", 3.0, 0.1), ("sin", 4.0, 0.2),
]  # fmt: skip


@pytest.mark.parametrize(("name", "w2", "b2"), MAPS)
@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_starts_inside_a_basin_end_on_its_point(name, w2, b2, factor):
    v = variance_map(name, w2, b2)
    for point in fixed_points(v):
        if not point.stable:
            assert point.basin_low == point.q == point.basin_high or point.slope >= 1.0
            continue
        for edge in (point.basin_low, point.basin_high):
            start = 30.0 * max(point.q, 1.0) if edge == math.inf else edge * factor or 1e-3
            inside = point.basin_low < start < point.basin_high
            ends_here = abs(iterate(v, start) - point.q) <= 1e-6 * max(point.q, 1e-2)
            assert ends_here == inside


@pytest.mark.parametrize("name", ["gelu", "silu"])
def test_gelu_and_swish_are_bistable_between_2_and_4_without_biases(name: str):
    for w2 in (2.02, 3.0, 3.95):
        zero, middle = fixed_points(variance_map(name, w2, 0.0))
        assert zero.stable
        assert (zero.q, zero.basin_low, zero.basin_high) == (0.0, 0.0, middle.q)
        assert not middle.stable
        assert middle.slope > 1.0
    for w2 in (1.5, 2.0):
        (zero,) = fixed_points(variance_map(name, w2, 0.0))
        assert (zero.stable, zero.basin_high) == (True, math.inf)
    (zero,) = fixed_points(variance_map(name, 4.1, 0.0))
    assert not zero.stable
    assert zero.basin_high == 0.0


def test_cst_with_slope_0_9_holds_two_variances_and_the_basins_part_them():
    first, middle, last = fixed_points(sparse(0.9))
    assert [round(p.q, 4) for p in (first, middle, last)] == [1.0, 1.399, 3.4745]
    assert (first.basin_low, first.basin_high) == (0.0, middle.q)
    assert (last.basin_low, last.basin_high) == (middle.q, math.inf)
    assert middle.basin_low == middle.basin_high == middle.q


def test_where_the_map_touches_the_diagonal_there_is_one_point_and_half_a_basin():
    """Lowered by its greatest height above the diagonal, the map of two variances touches it."""
    v = sparse(0.9)
    top = interior_minimum(lambda q: q - v(q), 1.4, 3.4, 1e-10)
    lowered = VarianceMap(v.function, v.sigma_w2, v.sigma_b2 - (v(top) - top))
    single, double = fixed_points(lowered)
    assert single.stable
    assert (single.basin_low, single.basin_high) == (0.0, double.q)
    assert double.q == pytest.approx(top, rel=1e-6)
    assert double.slope == pytest.approx(1.0, abs=1e-6)
    assert (double.basin_low, double.basin_high) == (double.q, math.inf)


def test_a_double_root_on_a_grid_is_found_once():
    grid = [0.25 * k for k in range(-20, 21)]
    assert roots_on_grid(lambda x: (x - 0.1) ** 2, grid, 1e-13) == pytest.approx([0.1], abs=1e-6)
    assert roots_on_grid(lambda x: (x - 0.1) ** 2 + 1e-9, grid, 1e-13) == []


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_only_functions_that_bend_back_make_the_variance_fall(name: str):
    """Every family with parameters on its usual side has an increasing V, so no cycles."""
    usual = {"shifted_relu": "(1)", "soft_threshold": "(1)", "crelu": "(1,1)", "cst": "(1,1)"}
    f = parse_activation(name + usual.get(name, ""))
    assert never_falls(f)
    assert stable_cycles(VarianceMap(f, 1.3, 0.1)) == ()
    assert not never_falls(parse_activation("crelu(-1,1)"))


def test_a_map_that_falls_has_cycles_and_they_are_not_basins():
    """The logistic map, whose cycles are known: period 2 at r = 3.2, period 4 at 3.5."""
    for r, period in ((2.8, 1), (3.2, 2), (3.5, 4)):
        end = followed(lambda q, r=r: r * q * (1.0 - q), 0.3)
        assert end is not None
        assert len(end) == period
    found = cycles(lambda q: 3.2 * q * (1 - q), lambda q: 3.2 * (1 - 2 * q), [0.1, 0.3, 0.7])
    (cycle,) = found
    root = math.sqrt((3.2 - 3.0) * (3.2 + 1.0))
    assert cycle.states == pytest.approx([(4.2 - root) / 6.4, (4.2 + root) / 6.4], rel=1e-9)
    assert cycle.slope == pytest.approx(4.0 + 2.0 * 3.2 - 3.2**2, rel=1e-6)


def test_growth_and_chaos_end_on_nothing():
    assert followed(lambda q: 2.0 * q, 1.0) is None
    assert followed(lambda q: 3.9 * q * (1.0 - q), 0.3) is None


def test_the_immediate_basin_of_a_point_of_a_falling_map_ends_where_iteration_leaves_it():
    """q -> q^2 exp(1.2 - q / 2): 0 and a point above; starts below the middle one fall to 0."""

    def v(q):
        return q * q * math.exp(1.2 - 0.5 * q)

    low = bracketed_root(lambda q: v(q) - q, 0.1, 1.0)
    high = bracketed_root(lambda q: v(q) - q, 2.0, 12.0)
    starts = [10.0 ** (0.25 * k) for k in range(-20, 9)]
    end = followed(v, 3.0)
    assert end is not None
    if len(end) == 1:
        found = basin_by_following(v, high, starts)
        assert found[0] == pytest.approx(low, rel=1e-6)


def test_basins_of_an_increasing_map_follow_the_signs_between_its_points():
    points = [0.0, 1.0, 2.0]

    def surplus(q):
        return q * (q - 1.0) * (2.0 - q)

    assert basins_of_increasing(surplus, points, 1e6) == [(0.0, 1.0), (1.0, 1.0), (1.0, math.inf)]


def test_a_start_on_the_boundary_stays_there():
    v = variance_map("gelu", 3.0, 0.0)
    _, middle = fixed_points(v)
    assert settled(v, middle.q) == middle
