"""Shares, bounds, the data's rows, and networks that allow less."""

import json
from threading import Event

import numpy as np
import pytest
from numpy.testing import assert_allclose
from small_maps import attractors_of, linear, normal_starts, one_layer, total_share

from fpcheck.attractors import discover, listing
from fpcheck.attractors.discover import DIVERGED, UNRESOLVED
from fpcheck.attractors.measure import measure
from fpcheck.attractors.shares import held_out, undiscovered_mass_upper
from fpcheck.core.errors import NothingToJudgeError, UsageError
from fpcheck.core.intervals import binomial_upper, wilson
from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Dense, Input, Skeleton


def measured(network, starts, rows=None, monitor=None, seed=0, numbers=None):
    rng, monitor = np.random.default_rng(seed), monitor or Monitor()
    return measure(network, starts, "N(0, 1)", rows, Settings(), rng, monitor, numbers=numbers)


def test_shares_carry_wilsons_interval_and_add_up_to_one():
    # A mix: x = 0 repels in the first unit, and the second unit cycles.
    result = attractors_of(one_layer(np.diag([2.0, 0.5])), count=300)
    for each in (*result.fixed_points, result.unresolved, result.diverged, result.cycling):
        interval = wilson(each.starts, 300)
        assert (each.share_low, each.share_high) == (interval.low, interval.high)
    assert total_share(result) == pytest.approx(1.0, abs=1e-12)


def test_ids_go_by_share_and_then_by_coordinates():
    result = attractors_of(one_layer(2.0 * np.eye(3)), count=400)
    keys = [(-point.starts, *point.point.round(9)) for point in result.fixed_points]
    assert keys == sorted(keys)
    assert [point.id for point in result.fixed_points[:3]] == ["A", "B", "C"]
    assert [listing.letters(i) for i in (25, 26, 27, 51, 52, 701, 702)] == [
        "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA",
    ]  # fmt: skip


def test_the_same_call_gives_the_same_bytes_and_no_nan():
    network, starts = one_layer(np.diag([2.0, -2.0, 0.3])), normal_starts(3)
    texts = [
        json.dumps(as_section(measured(network, starts, starts[:5])), allow_nan=False)
        for _ in range(2)
    ]
    assert texts[0] == texts[1]


def test_the_undiscovered_mass_is_bounded_by_starts_that_did_not_make_the_list():
    result = attractors_of(one_layer([[0.5]]), count=1024)
    assert (result.held_out.starts, result.held_out.elsewhere) == (768, 0)
    assert result.undiscovered_mass_upper == binomial_upper(0, 768)
    assert result.undiscovered_mass_upper < 0.004


def test_unresolved_starts_are_undiscovered_and_diverged_ones_are_not():
    labels = np.array([0, DIVERGED, UNRESOLVED, 0, UNRESOLVED, DIVERGED, 0, 1])
    test = held_out(labels)  # the first two list 0 and divergence
    assert (test.starts, test.elsewhere) == (6, 3)


def test_the_bound_of_the_undiscovered_mass_holds_as_often_as_it_says():
    # A law over 40 attractors of very unequal mass, known exactly: the true undiscovered mass
    # of the first quarter's list exceeds the bound in at most 5 % of trials. With 2 000 trials
    # a wrong bound of 7 % would be seen (4 standard deviations are 2 %).
    rng = np.random.default_rng(11)
    masses = 0.75 ** np.arange(40)
    masses /= masses.sum()
    trials, broken = 2000, 0
    for _ in range(trials):
        labels = rng.choice(40, 128, p=masses)
        upper = undiscovered_mass_upper(held_out(labels))
        listed = np.unique(labels[:32])
        broken += 1.0 - masses[listed].sum() > upper
    assert broken / trials <= 0.07


def test_rows_of_the_data_are_reported_apart_and_change_no_share():
    weight = 2.0 * np.eye(2)
    root = 0.9575040240772687  # x = tanh(2 x)
    rows = np.array([[root, root], [root, -root], [0.3, 0.3], [0.0, 0.0]])
    starts = np.abs(normal_starts(2))  # all of them in one basin
    alone = measured(one_layer(weight), starts).maps[0]
    result = measured(one_layer(weight), starts, rows).maps[0]
    assert [p.share for p in result.fixed_points if p.share] == [1.0]
    assert result.unresolved == alone.unresolved
    assert result.undiscovered_mass_upper == alone.undiscovered_mass_upper
    data = result.data
    assert (data.rows, data.fixed_points, data.cycles) == (4, 4, 0)
    # The corners and zero map to themselves; (0.3, 0.3) is carried to a corner.
    assert (data.reproduced, data.stored) == (3, 3)
    names = {point.id: point for point in result.fixed_points}
    ends = {tuple(names[end.id].point.round(6)): end.rows for end in data.ends if end.rows}
    corner = round(root, 6)
    assert ends == {(corner, corner): 2, (corner, -corner): 1, (0.0, 0.0): 1}
    other = next(p for p in result.fixed_points if p.point[1] < -0.5 and p.point[0] > 0.5)
    assert (other.found_by, other.share) == ("data", 0.0)


def test_without_data_there_is_no_data_block():
    assert attractors_of(one_layer([[0.5]])).data is None


def test_a_network_without_derivatives_is_judged_by_trial_and_says_so():
    weight = np.array([[1.0, -2.0], [-2.0, 1.0]])
    result = attractors_of(one_layer(weight, [-0.5, -0.5], name="step"))
    for point in result.fixed_points:
        assert (point.status, point.kind) == ("sampled", "stable")
        assert point.spectral_radius is None
        assert point.index_sign is None
        assert "no derivative" in point.note
    assert {tuple(point.point) for point in result.fixed_points} == {(0, 0), (1, 0), (0, 1)}
    assert result.index_sum is None
    assert total_share(result) == pytest.approx(1.0, abs=1e-12)


def test_a_point_on_the_edge_of_a_step_is_not_called_stable():
    # Without bias zero maps to itself, but half of its neighbours are carried to one.
    result = attractors_of(one_layer([[1.0]], name="step"), np.zeros((4, 1)))
    assert [point.kind for point in result.fixed_points] == ["saddle"]


def test_the_leading_eigenvalue_of_a_wide_network_is_the_dense_one(monkeypatch):
    n = 40
    rng = np.random.default_rng(0)
    network = one_layer(0.5 * rng.standard_normal((n, n)) / np.sqrt(n), rng.standard_normal(n))
    (dense,) = attractors_of(network, count=32).fixed_points
    monkeypatch.setattr(discover, "DENSE_LIMIT", 10)
    monkeypatch.setattr(listing, "DENSE_LIMIT", 10)
    (wide,) = attractors_of(network, count=32).fixed_points
    assert_allclose(wide.point, dense.point, rtol=1e-7, atol=1e-9)
    assert_allclose(wide.spectral_radius, dense.spectral_radius, rtol=1e-6)
    assert (wide.kind, wide.unstable_directions, wide.share) == ("stable", 0, 1.0)
    assert wide.index_sign is None
    assert "not polished" in wide.note


def test_an_interruption_ends_the_measurement():
    stop = Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        measured(one_layer([[0.5]]), normal_starts(1), monitor=Monitor(stop=stop))


def test_no_starts_are_refused():
    with pytest.raises(UsageError, match="no starts"):
        measured(one_layer([[0.5]]), np.empty((0, 1)))


def test_a_network_that_is_not_a_self_map_is_refused():
    skeleton = Skeleton((Input("x", (3,)), Dense("layer", ("x",), 2, "weight")))
    network = Network(skeleton, {"weight": np.ones((2, 3))})
    with pytest.raises(NothingToJudgeError, match="3 numbers to 2"):
        measured(network, np.zeros((4, 3)))


def test_a_diverging_linear_map_raises_no_warning_and_lists_nothing_false():
    result = attractors_of(linear([[1.0, 0.0], [0.0, 3.0]], [1.0, 0.0]))  # no fixed point at all
    assert result.diverged.share == 1.0
    assert result.fixed_points == ()


def test_the_index_sum_is_of_all_listed_points_whatever_found_them():
    """tanh of a projection: the one start creeps towards 0, which only the long look finds."""
    projection = np.eye(8) - 1.0 / 8.0
    result = attractors_of(one_layer(projection), count=1, effort=0.0)
    assert len(result.fixed_points) == 1
    assert result.completeness.index_points == 1
    assert result.completeness.index_verdict == "not known"


def test_rows_are_named_by_their_numbers_in_the_data():
    rows = np.array([[0.9575040240772687], [3.0]])
    numbers = np.array([17, 40])
    data = measured(one_layer([[2.0]]), normal_starts(1), rows, numbers=numbers).maps[0].data
    assert data.row_numbers == (17, 40)
    assert [each.row for each in data.most_changed] == [40]
    assert {each.nearest_row for each in data.ends} == {17}


def test_a_slice_that_cannot_be_drawn_does_not_cost_the_report():
    result = attractors_of(linear([[2.0]], [1.0]), slice=("auto",))
    assert "no attractor" in result.slice.skipped
    result = attractors_of(one_layer([[2.0]]), slice=("A", "B", "Q"))
    assert "'Q'" in result.slice.skipped
