from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from fpcheck.core.findings import Finding
from fpcheck.core.settings import Settings
from fpcheck.core.tables import Bar, Bars, Column, Note, Panel, Table
from fpcheck.report.report import judge_document
from fpcheck.report.style import Style
from fpcheck.report.terminal import write_index, write_panels, write_terminal

ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_no_line_is_wider_than_the_terminal(judged, width, ascii_only):
    text = write_terminal(judged.document, Style(width=width, ascii_only=ascii_only, verbose=True))
    assert max(cell_len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize("width", [80, 120])
def test_the_report_says_what_was_found_against_which_limit_and_what_to_do(judged, width):
    text = write_terminal(judged.document, Style(width=width))
    assert "fpcheck 0.1.0   net.npz   npz, 1 layer, 6 602 parameters   2 → 2 self-map" in text
    assert "seed 0" in text
    assert re.search(r"FAIL\s+1 error\s+1 warning\s+1 inconclusive\s+1 passed\s+1 skipped", text)
    assert "gate: error" in text
    assert "FP201 warning" in text
    assert "found 0.035 (95% CI 0.019 to 0.065), sampled" in text
    assert "limit max_unresolved = 0.01" in text
    assert re.search(r"hint\s+Raise --max-steps", text)
    assert "FP205 undecided" in text
    assert "too few to tell (numerical)" in text
    assert "FP204 skipped: no Jacobian" in text
    assert "Signal skipped: not asked; pass --question signal" in text
    assert "Readout skipped: there are no data; pass --data FILE" in text
    assert "sampled: estimated from draws" in text
    assert "numerical: computed in double precision" in text
    assert "proved:" not in text  # the report has no such claim
    assert text.endswith("Next: fpcheck explain FP202\n")


def test_sections_come_in_the_order_of_the_report(judged):
    text = write_terminal(judged.document, Style())
    places = [text.index(word) for word in ("Weights", "Attractors", "Basins", "Findings")]
    assert places == sorted(places)


def test_all_columns_show_where_there_is_room_and_the_least_important_drop_first(judged):
    wide = write_terminal(judged.document, Style(width=120))
    for title in ("residual", "leading λ", "95% CI"):
        assert title in wide
    assert "not shown" not in wide
    narrow = write_terminal(judged.document, Style(width=60))
    assert "not shown at 60 columns: residual, leading λ" in narrow
    assert "95% CI" in narrow


def test_bars_show_a_small_share_and_are_full_for_the_whole_alone():
    bars = (Bar("all", 1.0, ""), Bar("most", 0.999, ""), Bar("few", 1e-6, ""), Bar("none", 0.0, ""))
    text = write_panels([Panel("P", "", (Bars("P", bars),))], Style(width=100))
    drawn = [line.split()[1] for line in text.splitlines() if "█" in line or "·" in line]
    assert [line.count("█") for line in drawn] == [40, 39, 1, 0]
    assert {len(line) for line in drawn} == {40}


def test_a_share_that_is_not_a_number_draws_an_empty_bar():
    bars = Bars("P", (Bar("x", float("nan"), "unknown"),))
    assert "█" not in write_panels([Panel("P", "", (bars,))], Style())


def test_names_from_files_are_shown_and_not_obeyed(judged):
    for style in (Style(width=80), Style(width=80, colour=True), Style(ascii_only=True)):
        text = write_terminal(judged.document, style)
        plain = ANSI.sub("", text)
        assert "[red]x[/red]" in plain
        assert "\\x1b[31m\\nsecond line" in plain
        assert "it \\x07 rings" in plain
        assert "B [bold]" in plain
        assert "\x07" not in text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", plain)


def test_a_hostile_model_name_stays_on_its_line(document):
    document["subject"]["name"] = "a\n PASS \x1b]0;title\x07[bold]b\u202e.npz"
    text = write_terminal(judge_document(document, Settings()).document, Style(width=200))
    assert text.splitlines()[0].startswith("fpcheck 0.1.0   a\\n PASS \\x1b]0;title\\x07[bold]b")
    assert "\u202e" not in text


def test_without_colour_there_is_no_escape_at_all(judged):
    assert "\x1b" not in write_terminal(judged.document, Style())


def test_colour_is_on_badge_codes_and_hints_and_changes_no_word(judged):
    plain = write_terminal(judged.document, Style())
    coloured = write_terminal(judged.document, Style(colour=True))
    stripped = "\n".join(line.rstrip() for line in ANSI.sub("", coloured).splitlines())
    assert stripped.rstrip() == plain.rstrip()
    painted = {
        part.strip() for part in re.findall(r"\x1b\[(?:[0-9;]*[34][0-9])m([^\x1b]*)", coloured)
    }
    assert painted == {"FAIL", "FP201", "FP202", "FP204", "FP205", "hint"}


def test_ascii_alone_where_asked(judged):
    text = write_terminal(judged.document, Style(ascii_only=True))
    assert text.isascii()
    assert "rho(J)" in text
    assert "####" in text


def test_quiet_leaves_the_badge_with_the_models_name_and_the_findings(judged):
    text = write_terminal(judged.document, Style(quiet=True))
    assert text.startswith(" FAIL    net.npz   ")
    assert "FP201" in text
    for word in ("Basins", "Weights", "Next:", "numerical:"):
        assert word not in text


def test_quiet_says_which_questions_were_asked_and_have_no_answer(document):
    why = "the activation is not in the file: --activation NAME"
    document["signal"] = {"skipped": why}
    document["attractors"] = {"skipped": why}
    document["readout"] = {"skipped": "not asked; pass --question readout", "asked": False}
    judged = judge_document(document, Settings()).document
    text = write_terminal(judged, Style(quiet=True))
    assert f"Signal, attractors skipped: {why}\n" in text
    assert "Readout" not in text
    assert "Readout skipped: not asked" in write_terminal(judged, Style())


def test_numbers_stay_whole_where_names_can_be_folded():
    columns = (Column("model", "left"), Column("accuracy held out"), Column("95% CI"))
    table = Table("", columns, (("last layer refit", "0.948", "0.936–0.961"),))
    text = write_panels([Panel("Readout", "", (table,))], Style(width=40))
    assert "0.936–0.961" in text
    assert max(map(cell_len, text.splitlines())) <= 40


def test_verbose_also_lists_what_passed(judged):
    assert "every entry is finite (numerical)" in write_terminal(
        judged.document, Style(verbose=True)
    )
    assert "every entry is finite" not in write_terminal(judged.document, Style())


def test_a_clean_report_says_so_and_suggests_nothing(document):
    document["attractors"] = {"skipped": "not a self-map"}
    text = write_terminal(judge_document(document, Settings()).document, Style())
    assert " PASS    0 errors   0 warnings   1 passed   0 skipped" in text
    assert "Findings\n  none\n" in text
    assert "Next:" not in text


def test_timings_show_only_where_they_were_taken(document):
    assert " s: " not in write_terminal(judge_document(document, Settings()).document, Style())
    document["timings"] = {"load": 0.25, "weights": 0.5}
    text = write_terminal(judge_document(document, Settings()).document, Style())
    assert "0.75 s: load 0.25, weights 0.50" in text


def test_wide_characters_count_as_two_columns():
    table = Table("t", (Column("name", "left"), Column("n")), (("層" * 30, "1"), ("b", "22")))
    text = write_panels([Panel("Panel", "", (table, Note("層" * 100)))], Style(width=50))
    assert max(cell_len(line) for line in text.splitlines()) <= 50
    assert text.count("層") == 130


def test_nothing_is_cut_off_where_a_cell_is_longer_than_the_terminal():
    name = "layer." * 40
    table = Table("t", (Column("name", "left"), Column("n")), ((name, "12345"),))
    text = write_panels([Panel("Panel", "", (table,))], Style(width=60))
    assert max(map(len, text.splitlines())) <= 60
    assert "".join(text.split()).replace("12345", "").count("layer.") == 40


def test_the_index_has_one_row_a_model():
    rows = [("a.npz", "fail", "1", "0", "0", "3"), ("[b].npz", "pass", "0", "0", "0", "4")]
    text = write_index(rows, Style(width=80))
    assert [line.split()[:2] for line in text.splitlines()[2:]] == [
        ["a.npz", "fail"],
        ["[b].npz", "pass"],
    ]


def test_an_unknown_code_is_shown_under_its_own_name(document):
    report = judge_document(document, Settings())
    entry = dict(report.document["findings"][0], code="FP999", name="from-later", limit=1.0)
    document = {**report.document, "findings": [entry]}
    text = write_terminal(document, Style())
    assert "FP999 error" in text
    assert isinstance(report.findings[0], Finding)
