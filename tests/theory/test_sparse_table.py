import math

import pytest

from fpcheck.network.activations import activation
from fpcheck.theory.edge_of_chaos import sparse_edge
from fpcheck.theory.nearby_fixed_points import nearby_fixed_points
from fpcheck.theory.sparse import (
    AS_GOOD,
    SLOPES,
    SPARSITIES,
    recommended,
    sparse_row,
    sparse_table,
)
from fpcheck.theory.variance_map import VarianceMap, fixed_points

WIDTH, DEPTH = 300, 100

# kind, sparsity, tau, then for each V' at q* = 1: m, sigma_w^2, sigma_b^2, V''. [Price et al. 2024
# give m = 0.81 and 1.74 for CReLU at 0.85; the rest is derived]
TABLE = (
    ("crelu", 0.70, "0.5244", 0.5, "1.0511", "4.12493", "0.46528", "-0.36922"),
    ("crelu", 0.70, "0.5244", 0.7, "1.4469", "3.62770", "0.39283", "-0.30657"),
    ("crelu", 0.70, "0.5244", 0.9, "2.0540", "3.38940", "0.34650", "-0.03618"),
    ("crelu", 0.85, "1.0364", 0.5, "0.8095", "8.50694", "0.66049", "-0.14410"),
    ("crelu", 0.85, "1.0364", 0.7, "1.1704", "7.33482", "0.59534", "0.02291"),
    ("crelu", 0.85, "1.0364", 0.9, "1.7395", "6.79128", "0.55080", "0.40549"),
    ("cst", 0.80, "1.2816", 0.5, "0.7217", "6.45787", "0.72277", "0.00525"),
    ("cst", 0.80, "1.2816", 0.7, "1.0632", "5.52606", "0.66282", "0.23738"),
    ("cst", 0.80, "1.2816", 0.9, "1.6106", "5.09753", "0.62043", "0.68849"),
)


def printed(value, digits):
    """Whether `value` rounds to the printed `digits`."""
    return f"{value:.{len(digits.partition('.')[2])}f}" == digits


@pytest.mark.parametrize(("name", "s", "tau", "slope", "m", "w2", "b2", "curvature"), TABLE)
def test_the_table_of_the_edge_of_chaos(name, s, tau, slope, m, w2, b2, curvature):
    (row,) = sparse_table(name, [s], slopes=[slope], width=WIDTH, depth=2)
    assert row.slope == pytest.approx(slope, abs=1e-12)
    for value, digits in (
        (row.tau, tau),
        (row.m, m),
        (row.sigma_w2, w2),
        (row.sigma_b2, b2),
        (row.curvature, curvature),
    ):
        assert printed(value, digits), (value, digits)


def test_other_fixed_points_are_reported_where_there_are_any():
    (row,) = sparse_table("cst", [0.8], slopes=[0.9], width=WIDTH, depth=DEPTH)
    assert [f"{q:.4f}" for q in row.other_fixed_points] == ["1.3990", "3.4745"]
    assert row.survival.beside > 0.3  # half of the networks end at the upper one
    (row,) = sparse_table("crelu", [0.85], slopes=[0.9], width=WIDTH, depth=DEPTH)
    assert row.other_fixed_points == ()
    assert row.survival.beside == 0.0
    assert row.survival.verdict == "unsafe"


@pytest.mark.parametrize(
    ("q_star", "slope"), [(0.5, "0.880"), (1.0, "0.700"), (2.0, "0.511"), (4.0, "0.357")]
)
def test_a_larger_q_star_with_the_clip_fixed_holds_q_more_firmly(q_star, slope):
    row = sparse_row("crelu", 0.85, 1.1704, WIDTH, 2, q_star=q_star)
    assert printed(row.slope, slope)


def test_scaling_everything_with_q_star_changes_only_the_unit():
    at_one = sparse_row("crelu", 0.85, 1.17, WIDTH, DEPTH)
    at_four = sparse_row("crelu", 0.85, 2.34, WIDTH, DEPTH, q_star=4.0)
    assert at_four.tau == pytest.approx(2.0 * at_one.tau)
    assert at_four.slope == pytest.approx(at_one.slope)
    assert at_four.curvature == pytest.approx(at_one.curvature / 4.0)
    assert at_four.scale_free_curvature == pytest.approx(at_one.scale_free_curvature)
    assert at_four.survival.lost == pytest.approx(at_one.survival.lost, rel=1e-6)
    assert at_four.survival.q_sd == pytest.approx(4.0 * at_one.survival.q_sd, rel=1e-6)


@pytest.mark.parametrize(("name", "sides"), [("crelu", 1), ("cst", 2)])
def test_rows_have_the_sparsity_and_the_slope_they_name(name, sides):
    rows = sparse_table(name, (0.6, 0.9), slopes=(0.4, 0.8), width=WIDTH, depth=5)
    assert [row.sparsity for row in rows] == [0.6, 0.6, 0.9, 0.9]
    for row in rows:
        inactive = 1.0 - 0.5 * sides * math.erfc(row.tau / math.sqrt(2.0))
        assert inactive == pytest.approx(row.sparsity, abs=1e-12)


def test_given_clips_are_kept():
    rows = sparse_table("crelu", [0.85], ms=(0.81, 1.17, 1.74), width=WIDTH, depth=DEPTH)
    assert [row.m for row in rows] == [0.81, 1.17, 1.74]
    assert [row.survival.verdict for row in rows] == ["safe", "safe", "unsafe"]


@pytest.mark.parametrize("name", ["shifted_relu", "soft_threshold"])
def test_without_a_clip_there_is_one_row_a_sparsity_and_more_is_lost_the_sparser_it_is(name):
    rows = sparse_table(name, (0.5, 0.7, 0.9), width=WIDTH, depth=DEPTH)
    assert [row.m for row in rows] == [None] * 3
    lost = [row.survival.lost for row in rows]
    assert lost == sorted(lost)
    assert rows[-1].survival.verdict == "unsafe"
    for row in rows:
        assert row.slope == pytest.approx(1.0, abs=1e-12)
        assert row.sigma_w2 == pytest.approx(1.0 / (1.0 - row.sparsity))


def test_the_safe_region_shrinks_with_sparsity():
    rows = sparse_table("crelu", width=WIDTH, depth=DEPTH)
    assert len(rows) == len(SPARSITIES) * len(SLOPES)
    safe = {
        s: [round(r.slope, 6) for r in rows if r.sparsity == s and r.survival.verdict == "safe"]
        for s in SPARSITIES
    }
    assert safe[0.5] == safe[0.8] == list(SLOPES)
    assert safe[0.85] == [0.4, 0.5, 0.6, 0.7, 0.8]
    assert safe[0.95] == []


def test_the_recommended_clip_loses_next_to_least_and_is_safe():
    r = recommended("crelu", 0.85, WIDTH, DEPTH)
    assert r.safe
    assert r.safe_from < 0.81
    assert 1.17 < r.safe_to < 1.74
    for m in (0.81, 0.98, 1.17, 1.404):
        other = sparse_row("crelu", 0.85, m, WIDTH, DEPTH).survival.lost
        assert r.row.survival.lost <= other + AS_GOOD
    wider = sparse_row("crelu", 0.85, 1.2 * r.row.m, WIDTH, DEPTH)
    assert wider.survival.lost > r.row.survival.lost


def test_a_deeper_network_has_fewer_safe_clips_and_a_wider_one_more():
    base = recommended("crelu", 0.85, WIDTH, DEPTH)
    deep = recommended("crelu", 0.85, WIDTH, 110)
    wide = recommended("crelu", 0.85, 1000, DEPTH)
    assert base.safe_from <= deep.safe_from < deep.safe_to <= base.safe_to
    assert wide.safe_from < base.safe_from < base.safe_to < wide.safe_to
    assert deep.row.survival.lost > base.row.survival.lost > wide.row.survival.lost


def test_where_no_clip_is_safe_it_says_so_and_gives_the_best():
    r = recommended("crelu", 0.95, WIDTH, DEPTH)
    assert not r.safe
    assert r.safe_from is r.safe_to is None
    worse = sparse_row("crelu", 0.95, 1.2 * r.row.m, WIDTH, DEPTH)
    assert worse.survival.lost > r.row.survival.lost
    assert "no clip is safe" in r.why


def test_an_unclipped_activation_is_recommended_only_while_q_does_not_run_away():
    assert recommended("shifted_relu", 0.5, WIDTH, DEPTH).safe
    r = recommended("shifted_relu", 0.85, WIDTH, DEPTH)
    assert not r.safe
    assert "held from below only" in r.why


def test_a_relu_is_the_shifted_relu_of_sparsity_one_half():
    row = sparse_row("shifted_relu", 0.5, None, WIDTH, DEPTH)
    assert row.tau == pytest.approx(0.0, abs=1e-15)
    assert row.sigma_w2 == pytest.approx(2.0)
    assert activation("relu").phi(row.tau) == 0.0


@pytest.mark.parametrize(
    ("name", "sparsity", "m"),
    [("cst", 0.8, 1.6106), ("crelu", 0.9, 1.61), ("crelu", 0.95, 1.44), ("crelu", 0.7, 1.0)],
)
def test_nearby_fixed_points_are_those_of_the_whole_search(name, sparsity, m):
    edge = sparse_edge(name, sparsity, m)
    v = VarianceMap(edge.function, edge.point.sigma_w2, edge.point.sigma_b2)
    all_others = [p.q for p in fixed_points(v) if abs(p.q - 1.0) > 1e-3]
    assert nearby_fixed_points(v, 1.0, 100.0) == pytest.approx(all_others, rel=1e-9)


@pytest.mark.parametrize("sigma_w2", [2.0, 2.5, 3.5])
def test_nearby_fixed_points_of_a_bistable_map(sigma_w2):
    v = VarianceMap(activation("gelu"), sigma_w2, 0.0)
    points = [p.q for p in fixed_points(v) if 0.01 < p.q < 100.0]
    found = nearby_fixed_points(v, 1.0, 100.0)
    assert [q for q in points if abs(q - 1.0) > 1e-3] == pytest.approx(list(found), rel=1e-9)


def test_where_every_q_is_fixed_there_is_no_other_one():
    assert nearby_fixed_points(VarianceMap(activation("relu"), 2.0, 0.0), 1.0, 100.0) == ()
