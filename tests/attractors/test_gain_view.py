"""What the report says and draws of the gain margin."""

from __future__ import annotations

from fpcheck.attractors.gain_view import SHOWN, continuation_items, diagram, has_diagram
from fpcheck.core.tables import Note, Picture, Table


def branch(gains, positions, unstable=None):
    return {
        "gains": gains,
        "positions": positions,
        "unstable": unstable or [0] * len(gains),
    }


def event(gain, position=0.0):
    return {
        "gain": gain,
        "kind": "fold",
        "points": ["A"],
        "position": position,
        "unstable_before": 0,
        "unstable_after": 1,
    }


def margin(**changes):
    section = {
        "scaled": "the weights of one layer; biases, norms and constants stay",
        "low": 0.5,
        "high": 2.0,
        "reached_low": 0.5,
        "reached_high": 2.0,
        "margin_low": None,
        "margin_high": None,
        "attractor_low": None,
        "attractor_high": None,
        "followed": 2,
        "axis": "position",
        "note": "pairs born elsewhere are not seen",
        "events": [],
        "branches": [branch([0.5, 1.0, 2.0], [0.0, 1.0, 2.0])],
    }
    return section | changes


def words(section):
    return next(item.text for item in continuation_items(section, "") if isinstance(item, Note))


def signs(picture):
    return {picture.regions[index].kind for row in picture.cells for index in row}


def test_the_margin_is_two_gains_or_how_far_none_was_met():
    text = words(margin(margin_low=0.854, attractor_low=0.854))
    assert "the weights of one layer are multiplied by g; biases, norms and constants stay." in text
    assert text.endswith("g = 0.854 below 1; none above 1, up to 2.")


def test_the_stable_points_have_a_margin_of_their_own_where_it_is_another():
    text = words(margin(margin_low=0.9, margin_high=1.1, attractor_low=0.8, attractor_high=1.1))
    assert text.endswith("Of the stable ones alone: g = 0.8 below 1; g = 1.1 above 1.")


def test_the_bifurcations_nearest_to_the_network_are_listed_in_order():
    gains = [0.5 + 0.01 * number for number in range(120)]
    items = list(continuation_items(margin(events=[event(gain) for gain in gains]), ""))
    (table,) = [item for item in items if isinstance(item, Table)]
    shown = [float(row[0].split(": ")[1]) for row in table.rows]
    assert shown == sorted(shown)
    assert len(shown) == SHOWN
    assert 0.94 < min(shown) < 1.0 < max(shown) < 1.06
    assert "110 more in the report" in table.caption


def test_the_ground_of_the_diagram_is_blank():
    assert signs(diagram(margin())) == {"blank", "basin"}


def test_a_branch_that_runs_off_does_not_flatten_the_others():
    runaway = branch([1.0, 1.5, 1.5001], [0.0, 1.0, 1e9])
    drawn = diagram(margin(branches=[branch([0.5, 2.0], [0.0, 1.0]), runaway]))
    assert drawn.y.high < 10.0
    assert not has_diagram({"skipped": "no layer has weights"})


def test_marks_beyond_the_axis_are_left_out():
    runaway = branch([1.0, 1.5, 1.5001], [0.0, 1.0, 1e9])
    branches = [branch([0.5, 2.0], [0.0, 1.0]), runaway]
    drawn = diagram(margin(branches=branches, events=[event(1.2, 0.5), event(1.5, 1e9)]))
    assert [mark.name for mark in drawn.marks] == ["1"]


def test_the_diagram_of_one_of_several_maps_names_it():
    (drawn,) = [
        item for item in continuation_items(margin(), " of l1") if isinstance(item, Picture)
    ]
    assert drawn.title.endswith(" of l1")
