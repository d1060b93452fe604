"""What the attractors panel shows."""

import numpy as np
import pytest
from small_maps import attractors_of, linear, one_layer

from fpcheck.attractors.motion_view import motion_items
from fpcheck.attractors.result import AttractorsResult
from fpcheck.attractors.rules import judge
from fpcheck.attractors.surroundings_view import surroundings_items
from fpcheck.attractors.view import view
from fpcheck.core.catalogue import default_limits
from fpcheck.core.plain import as_section
from fpcheck.core.tables import Bars, Note, Table

NARROW = 80
GAP = 2  # blanks between two columns


def panel_of(network, **arguments):
    section = as_section(AttractorsResult((attractors_of(network, **arguments),)))
    return view(section, judge(section, default_limits()))


def items(panel, kind):
    return [item for item in panel.items if isinstance(item, kind)]


def table_of(panel, title):
    (table,) = [table for table in items(panel, Table) if table.title == title]
    return table


def width_without_dropped(table, priority):
    kept = [i for i, column in enumerate(table.columns) if column.priority <= priority]
    widths = [max(len(table.columns[i].title), *(len(row[i]) for row in table.rows)) for i in kept]
    return sum(widths) + GAP * (len(widths) - 1)


def test_a_stable_and_a_repelling_point_are_rows_of_one_table():
    table = table_of(panel_of(one_layer([[1.5]])), "Fixed points")
    titles = [column.title for column in table.columns]
    rows = [dict(zip(titles, row, strict=True)) for row in table.rows]
    assert [row["kind"] for row in rows] == ["stable", "stable", "repelling"]
    assert rows[2]["basin"] == "0.0%"
    assert rows[2]["ρ(J)"] == "1.500"
    assert rows[0]["rule"] == "ok"


def test_a_failed_rule_stands_in_the_row_of_its_point():
    table = table_of(panel_of(one_layer([[0.999]])), "Fixed points")
    assert table.rows[0][-1] == "FP204"


def test_a_complex_pair_is_one_cell():
    angle = 0.7
    turn = 0.9 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert "0.69±0.58i" in table_of(panel_of(linear(turn)), "Fixed points").rows[0]


def test_the_undecided_are_always_shown_also_at_zero():
    (bars,) = items(panel_of(one_layer([[0.5]])), Bars)
    texts = {bar.label: bar.text for bar in bars.bars}
    assert texts["?"].startswith("0.0%  unresolved after 2000 steps")
    assert texts["∞"].startswith("0.0%")
    assert "at most" in bars.caption
    (all_unresolved,) = items(panel_of(one_layer([[1.0]])), Bars)
    assert {bar.label: bar.share for bar in all_unresolved.bars} == {"?": 1.0, "∞": 0.0}


def test_cycles_have_a_table_of_their_own():
    table = table_of(panel_of(one_layer([[-2.0]])), "Cycles")
    assert table.rows[0][:2] == ("c1", "2")
    assert "1 of 1 proved" in table.caption


def test_many_attractors_are_cut_and_their_rest_is_one_bar():
    panel = panel_of(one_layer(2.0 * np.eye(8)), effort=0.0)
    table, (bars,) = table_of(panel, "Fixed points"), items(panel, Bars)
    assert len(table.rows) == 12
    assert " more in the report" in table.caption
    assert abs(sum(bar.share for bar in bars.bars) - 1.0) < 1e-9
    assert any("others" in bar.text for bar in bars.bars)


def test_a_continuum_is_said_in_words():
    texts = [note.text for note in items(panel_of(linear(np.eye(2))), Note)]
    assert any("infinitely many" in text for text in texts)


def test_a_step_network_shows_dashes_for_what_it_has_not():
    panel = panel_of(one_layer([[1.0, -2.0], [-2.0, 1.0]], [-0.5, -0.5], name="step"))
    assert table_of(panel, "Fixed points").rows[0][2:8] == ("-",) * 6
    assert any("no derivative" in note.text for note in items(panel, Note))


def test_rows_of_the_data_are_a_line():
    panel = panel_of(one_layer([[2.0]]), rows=np.array([[0.95], [0.1]]))
    assert any(note.text.startswith("Data: of 2 rows 2 end on") for note in items(panel, Note))


def test_tables_fit_into_eighty_columns_once_the_least_important_are_dropped():
    for network in (one_layer(2.0 * np.eye(3)), one_layer(-2.0 * np.eye(3)), linear(np.eye(2))):
        for table in items(panel_of(network), Table):
            if table.title == "How complete is the list":
                continue  # sentences, which fold
            assert width_without_dropped(table, 1) <= NARROW


def test_a_skipped_section_is_its_reason():
    panel = view({"skipped": "not a self-map"}, ())
    assert panel.items == (Note("not a self-map"),)


def test_what_is_known_of_the_whole_list_says_how_sure_it_is():
    rows = table_of(panel_of(one_layer([[1.5]])), "How complete is the list").rows
    known = {row[0]: (row[1], row[3]) for row in rows}
    assert known["exactly one fixed point"] == ("no", "proved")
    assert known["all fixed points"] == ("3", "proved")
    assert known["index sum"] == ("+1 of +1", "proved")


def test_motion_without_end_is_a_table_and_a_bar_of_its_own():
    turn = 1.5 * np.array([[np.cos(1.0), -np.sin(1.0)], [np.sin(1.0), np.cos(1.0)]])
    panel = panel_of(one_layer(turn), count=64)
    assert table_of(panel, "Not settled").rows[0][0] == "quasi-periodic"
    (bars,) = items(panel, Bars)
    assert {bar.label: bar.share for bar in bars.bars}["~"] == 1.0


def test_borders_and_damage_have_tables_where_they_were_looked_at():
    panel = panel_of(one_layer([[2.0]]), rows=np.linspace(-1.0, 1.0, 20)[:, None])
    border = table_of(panel, "Distance to the border of the basin")
    # The origin parts the two basins.
    assert float(border.rows[0][2]) == pytest.approx(0.957504, abs=5e-3)
    assert len(table_of(panel, "Damaged rows").rows) == 8


def test_a_basin_without_a_border_says_that_none_was_found_and_no_end_is_called_inf():
    border = {
        "id": "A", "inner_radius": 0.1, "distance": None, "relative": None, "towards": "",
        "leads_to": "", "edge": "",
    }  # fmt: skip
    far = border | {"id": "B", "distance": 2.0, "leads_to": "inf"}
    (table,) = surroundings_items({"boundaries": [border, far], "data": None}, "")
    titles = [column.title for column in table.columns]
    first, second = (dict(zip(titles, row, strict=True)) for row in table.rows)
    assert (first["smallest push found"], first["ends on"]) == ("none found", "-")
    assert second["ends on"] == "∞"


@pytest.mark.parametrize(
    ("count", "words"), [(1, "1 slow point, which is no"), (3, "3 slow points")]
)
def test_slow_points_are_told_apart_from_fixed_points(count, words):
    (note,) = motion_items({"slow_points": [{"speed": 0.1}] * count}, "")
    assert note.text.startswith(words)
    assert note.text.endswith("(numerical).")


def test_a_slice_of_one_colour_is_a_line():
    (slice_,) = [
        item
        for item in panel_of(one_layer(0.5 * np.eye(2)), slice=("auto",)).items
        if getattr(item, "text", getattr(item, "title", "")).startswith("Basins in")
    ]
    assert isinstance(slice_, Note)
    assert "ends on A" in slice_.text


def test_slow_points_of_no_finite_speed_are_not_told():
    assert not list(motion_items({"slow_points": [{"speed": None}]}, ""))
