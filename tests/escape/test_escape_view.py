"""The panel of the escape question: what it says first, and that only what is known is shown."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from made_up_escape import DIVERGES, SCAN, SECTION, STANDS_STILL, section
from panels import notes_of, tables_of
from rich.cells import cell_len

from fpcheck.core.catalogue import default_limits
from fpcheck.escape.figures_view import depth_picture, pictures
from fpcheck.escape.rules import judge
from fpcheck.escape.scan_view import scan_picture
from fpcheck.escape.view import view
from fpcheck.escape.wording import law_through
from fpcheck.report.pictures import write_page, write_png, write_svg
from fpcheck.report.style import Style
from fpcheck.report.terminal import write_panels

CASES = {
    "escapes": {},
    "scanned": {"scan": SCAN},
    "stands still": STANDS_STILL,
    "diverges": DIVERGES,
}


def panel(one):
    return view(one, judge(one, default_limits()))


def tables(one):
    return tables_of(panel(one))


def notes(one):
    return notes_of(panel(one))


def column(table, title):
    place = [column.title for column in table.columns].index(title)
    return [row[place] for row in table.rows]


def test_the_verdict_comes_first_and_then_the_next_step():
    first, second = (item.text for item in panel(section()).items[:2])
    assert first == "Verdict: leaves a plateau. The loss stays put up to step 149."
    assert second.startswith("Next: Larger initial weights")


def test_the_heading_says_how_it_was_trained_and_the_rate_once():
    caption = panel(section()).caption
    assert caption.startswith("300 steps of norm-adaptive SGD on all of 1 797 rows")
    assert caption.endswith("learning rate c / |theta|^3 with c 700, as given")
    assert "on batches of 64 of 1 797 rows" in panel(section(batch=64)).caption


def test_every_event_has_its_step_and_rule():
    table = tables(section())["What happened"]
    assert column(table, "event") == ["start", "plateau", "escape", "next saddle", "end"]
    assert column(table, "step") == ["0", "0–149", "150", "200–300", "300"]
    assert column(table, "rule") == ["ok", "ok", "FP504", "-", "ok"]
    still = tables(section(**STANDS_STILL))["What happened"]
    assert column(still, "rule") == ["ok", "FP503", "FP501"]
    lost = tables(section(**DIVERGES))["What happened"]
    assert column(lost, "event") == ["start", "divergence", "end"]
    assert column(lost, "rule")[1:] == ["FP502", "FP502"]


def test_the_timeline_holds_the_dated_steps_with_their_own_numbers():
    table = tables(section())["Timeline"]
    dated = dict(zip(column(table, "event"), column(table, "step"), strict=True))
    assert {name: dated[name] for name in ("start", "escape", "peak", "saddle", "end")} == {
        "start": "0", "escape": "150", "peak": "170", "saddle": "200", "end": "300",
    }  # fmt: skip
    assert 6 <= len(table.rows) <= 9
    losses = dict(zip(column(table, "step"), column(table, "loss"), strict=True))
    assert (losses["0"], losses["150"], losses["300"]) == ("2.302", "2.1", "1.9")


def test_of_many_layers_first_and_last_and_some_between_are_shown():
    one = section()
    for record in one["steps"]:
        layer = record["layers"][0]
        record["layers"] = [{**layer, "name": f"L{i}"} for i in range(12)]
    table = tables(one)["Timeline"]
    shown = [column.title for column in table.columns if column.title.startswith("L")]
    assert (shown[0], shown[-1], len(shown)) == ("L0", "L11", 6)
    assert "6 of 12 layers" in table.caption


def test_the_law_of_the_depth_stands_beside_the_layers():
    table = tables(section())["Rank at the escape (FP504)"]
    for told, measured in zip(column(table, "l^(1/4)"), column(table, "sigma_1/sigma_2"),
                              strict=True):  # fmt: skip
        assert told == measured  # made to follow the law
    assert column(table, "low-rank") == ["by change"] * 4 + ["yes, leads"]
    assert "depth^0.25 (95% over layers: 0.10 to 0.40)" in notes(section())
    assert "1/4 lies inside" in notes(section())
    outside = {**SECTION["law"], "exponent_low": 0.3}
    assert "1/4 lies outside" in notes(section(law=outside))
    few = {"skipped": "3 layers with two singular values; a power needs 4"}
    assert "Power of the depth: 3 layers" in notes(section(law=few))


def test_the_law_goes_through_the_geometric_mean():
    layers = [{"depth": d, "ratio": r} for d, r in ((1, 2.0), (16, None), (16, 8.0))]
    assert law_through(layers, 0.25) == pytest.approx([8**0.5, 2 * 8**0.5, 2 * 8**0.5])


def test_the_direction_is_a_lower_bound_with_its_rank_by_layer():
    table = tables(section())["Escape direction"]
    assert column(table, "rest") == ["20.0%", "10.0%", "6.7%", "5.0%", "4.0%"]
    assert (
        "speed 0.2213 at least (numerical: best of 25 ascents, 3 others within 2% of it)"
        in table.caption
    )
    assert "rank one reaches 90.4% of it" in table.caption
    assert "Predicted escape: step 156 from these weights; measured at step 150." in notes(
        section()
    )


def test_a_direction_of_rank_one_is_told_in_a_line():
    direction = SECTION["direction"]
    flat = [{**layer, "rest": 0.0} for layer in direction["layers"]]
    one = section(direction={**direction, "layers": flat, "rank_one_speed": 0.2213})
    assert "Escape direction" not in tables(one)
    assert "Escape direction: of rank one in every layer; speed 0.2213 at least" in notes(one)


def test_where_nothing_is_predicted_the_reason_stands():
    direction = SECTION["direction"]
    none = {**direction, "predicted_escape": None, "measured_escape": None}
    words = "Predicted escape: not within 300 steps; no escape within the probe."
    assert words in notes(section(direction=none))
    adam = {**none, "predicted_norms": None, "reason": "Adam's steps are no gradient flow"}
    assert "Predicted escape: none, Adam's steps are no" in notes(section(direction=adam))
    far = {**direction, "near_zero": False}
    assert "the start is not near zero" in notes(section(direction=far))
    assert "not computed; layer 'dense1' has biases" in notes(section(**STANDS_STILL))


def test_a_second_run_is_told_where_there_was_one():
    assert "second run" not in notes(section())
    run = {"optimiser": "adam", "learning_rate": 1e-3, "answer": "trains", "fall": 0.6,
           "reason": "the loss falls by 60%", "escaped_at": 40, "steps": 300}  # fmt: skip
    assert (
        "A second run, by Adam at the rate 0.001: trains, leaving the plateau at step 40. "
        "The loss falls by 60%."
    ) in notes(section(**STANDS_STILL, second_run=run))


def test_the_scan_names_every_cell_and_every_word():
    table = tables(section(scan=SCAN))["Initialisation scale and depth"]
    assert table.rows[0] == ("1", "saddles", "learns", "lazy", "never", "blows")
    legend = "never (never starts): the loss does not fall in these steps"
    assert legend in notes(section(scan=SCAN))
    assert "Initialisation scale and depth" not in tables(section())
    assert "Scan" not in notes(section())
    assert "Scan: the network has no hidden layer." in notes(
        section(scan={"skipped": "the network has no hidden layer"})
    )


def test_a_skipped_section_says_why():
    one = panel({"skipped": "not asked; pass --question escape"})
    assert (one.caption, one.items[0].text) == ("skipped", "not asked; pass --question escape")


@pytest.mark.parametrize("width", [60, 80, 92, 120])
@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_the_report_keeps_to_the_terminal_and_to_ascii(width, changes):
    for ascii_only in (False, True):
        style = Style(width=width, colour=False, ascii_only=ascii_only)
        text = write_panels([panel(section(**changes))], style)
        assert max(map(cell_len, text.splitlines())) <= width
        assert not ascii_only or text.isascii()


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_every_picture_is_drawn_in_every_format(changes):
    drawn = list(pictures(section(**changes)))
    assert drawn[0].title == "Loss of the training probe"
    for picture in drawn:
        ElementTree.fromstring(write_svg(picture).partition("\n")[2])
        assert write_png(picture).startswith(b"\x89PNG")
    assert write_page(drawn, heading="net").count("<svg") == len(drawn)


def test_there_are_as_many_pictures_as_numbers():
    assert len(list(pictures(section(scan=SCAN)))) == 5
    assert len(list(pictures(section(**STANDS_STILL)))) == 2
    assert list(pictures({"skipped": "there are no data"})) == []
    assert list(pictures({})) == []


def test_in_the_picture_of_depths_the_law_is_straight_with_slope_one_quarter():
    law = next(curve for curve in depth_picture(section()).curves if curve.region == 3)
    slope = (law.y[-1] - law.y[0]) / (law.x[-1] - law.x[0])
    assert slope == pytest.approx(0.25)


def test_the_map_gives_every_place_the_kind_of_the_nearest_cell():
    picture = scan_picture(SCAN)
    names = [region.name for region in picture.regions]
    row = [names[cell] for cell in picture.cells[-1]]
    assert row[0] == "saddle-to-saddle"
    assert row[-1] == "diverges"
    assert list(dict.fromkeys(row)) == [cell["kind"] for cell in SCAN["cells"][0]]
    assert max(max(shades) for shades in picture.shades) <= 9


def test_a_spike_stands_among_the_events_in_their_order():
    rows = tables(section(spike_at=150))["What happened"].rows
    names = [row[0] for row in rows]
    assert names.index("escape") < names.index("spike") < names.index("next saddle")
    assert "too large a step" in rows[names.index("spike")][2]
    assert "spike" not in [row[0] for row in tables(section())["What happened"].rows]
