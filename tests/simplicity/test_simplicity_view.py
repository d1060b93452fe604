"""The panel of the simplicity question: what it says, and that only what is known is shown."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from panels import notes_of, tables_of
from rich.cells import cell_len
from simplicity_section import IMPOSSIBLE, LOWER_BOUND, part, section

from fpcheck.core.catalogue import default_limits
from fpcheck.report.pictures import write_page, write_png, write_svg
from fpcheck.report.style import Style
from fpcheck.report.terminal import write_panels
from fpcheck.simplicity.figures_view import pictures
from fpcheck.simplicity.rules import judge
from fpcheck.simplicity.view import view
from fpcheck.simplicity.wording import interval_text

SKIPPED = {"skipped": "not asked; pass --label-scan width"}


def panel(one):
    return view(one, judge(one, default_limits()))


def tables(one):
    return tables_of(panel(one))


def notes(one):
    return notes_of(panel(one))


def test_the_verdict_comes_first_with_its_figure_and_the_next_step():
    first, second, third = (item.text for item in panel(section()).items[:3])
    assert first.startswith("Verdict: narrow teacher: yes. The labels cost less than half")
    assert second.startswith("Decided by: 40.9 bits")
    assert third.startswith("Next: A narrower network")


def test_the_costs_stand_side_by_side():
    rows = tables(section())["What the labels cost"].rows
    assert rows[0] == ("as given", "40.2", "39.6–40.9", "0.628", "sampled", "ok")
    assert rows[1][:4] == ("shuffled, mean of 5", "92.0", "87.0–97.0", "1.438")
    assert rows[2][:2] == ("their floor, by counting", "61.1")
    assert rows[3][:2] == ("all the commonest class", "5.1")


def test_a_lower_bound_is_never_shown_as_a_number_of_bits():
    rows = tables(section(**LOWER_BOUND))["What the labels cost"].rows
    assert rows[0][1:3] == ("≥ 118.0", "-")
    assert rows[0][4:] == ("lower bound", "FP402")


def test_an_interval_without_ends_is_not_shown():
    point = {"bits": 1.8, "bits_low": 0.0, "bits_high": None, "status": "sampled"}
    assert interval_text(point) == "-"
    assert interval_text({**point, "bits_high": 2.5}) == "≤ 2.5"
    assert interval_text({**point, "bits_low": 1.2, "bits_high": 2.5}) == "1.2–2.5"


def test_impossible_labels_are_shown_as_such():
    one = section(**IMPOSSIBLE)
    rows = tables(one)["What the labels cost"].rows
    assert rows[0][1:5] == ("∞", "-", "∞", "no network can")
    assert "closed form: equal rows" in notes(one)


def test_what_was_not_asked_leaves_no_trace_and_what_could_not_be_done_its_reason():
    shown = tables(section(scan=SKIPPED, training={"skipped": "not asked"}))
    assert not {"Bits by width", "Bits by depth", "Training beside sampling"} & set(shown)
    one = section(growth={"skipped": "8 rows are too few"}, training={"skipped": "it diverged"})
    assert "No curve over the rows: 8 rows are too few." in notes(one)
    assert "Not trained: It diverged." in notes(one)


def test_the_growth_names_its_exponent_and_the_effective_parameters_or_why_there_are_none():
    caption = tables(section())["Bits by rows"].caption
    assert "rows^0.62 (95% CI 0.50 to 0.74)" in caption
    assert "effective number of parameters 13.2 (95% CI 11.0 to 15.4)" in caption
    straight = part("growth", parameters=None, reason="the bits do not flatten")
    caption = tables(straight)["Bits by rows"].caption
    assert "no effective number of parameters: the bits do not flatten" in caption


def test_the_bound_stands_beside_the_measured_error_and_says_when_it_holds():
    table = tables(section())["Error on new rows"]
    assert table.rows[0] == ("random, fits the rows", "12.0%", "9.0–15.0", "38.1%", "ok")
    assert table.rows[1][:4] == ("vote of 64 of them", "8.0%", "6.0–11.0", "76.2%")
    assert "holds with 95% probability" in table.caption
    assert "over 3 choices" in tables(section(error_bound_scans=3))["Error on new rows"].caption


def test_only_rows_beyond_the_limit_carry_the_finding():
    rows = [{"row": 9, "label": "0", "wrong_share": 0.97}, {"row": 5, "label": 1.25,
            "wrong_share": 0.4}]  # fmt: skip
    table = tables(section(expensive=rows))["Expensive rows"]
    assert table.rows == (("9", "0", "97%", "FP406"), ("5", "1.25", "40%", "-"))


@pytest.mark.parametrize("width", [60, 80, 92, 120])
@pytest.mark.parametrize("changes", [{}, LOWER_BOUND, IMPOSSIBLE], ids=["bits", "bound", "never"])
def test_the_report_keeps_to_the_terminal_and_to_ascii(width, changes):
    for ascii_only in (False, True):
        style = Style(width=width, colour=False, ascii_only=ascii_only)
        text = write_panels([panel(section(**changes))], style)
        assert max(map(cell_len, text.splitlines())) <= width
        assert not ascii_only or text.isascii()


@pytest.mark.parametrize("changes", [{}, LOWER_BOUND, IMPOSSIBLE], ids=["bits", "bound", "never"])
def test_every_picture_is_drawn_in_every_format(changes):
    drawn = list(pictures(section(**changes)))
    assert drawn[0].title == "Bits against training rows"
    for picture in drawn:
        ElementTree.fromstring(write_svg(picture).partition("\n")[2])
        assert write_png(picture).startswith(b"\x89PNG")
    assert write_page(drawn, heading="net").count("<svg") == len(drawn)


def test_without_numbers_there_is_no_picture():
    assert list(pictures({"skipped": "there are no data"})) == []
    assert list(pictures({})) == []
