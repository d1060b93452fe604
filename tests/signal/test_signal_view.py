from __future__ import annotations

import subprocess
import sys

import pytest

from fpcheck.core.limits import effective_limits
from fpcheck.core.tables import Note, Table
from fpcheck.signal.rules import judge
from fpcheck.signal.view import COLUMNS, view


def table_of(panel):
    (table,) = [item for item in panel.items if isinstance(item, Table)]
    return table


def notes_of(panel):
    return " ".join(item.text for item in panel.items if isinstance(item, Note))


def test_every_layer_has_a_row_and_every_row_a_cell_a_column(chain, section):
    report = section(chain([10, 20, 20, 5], "tanh", 1.5, 0.05))
    panel = view(report, judge(report, effective_limits({})))
    table = table_of(panel)
    assert [row[0] for row in table.rows] == ["l0", "l1", "l2"]
    assert all(len(row) == len(COLUMNS) for row in table.rows)
    assert [row[-1] for row in table.rows] == ["ok"] * 3
    assert table.rows[2][1] == "linear"
    assert panel.caption == "on draws"
    assert "Infinite width" in notes_of(panel)
    assert "Jacobian at 8 inputs" in notes_of(panel)


def test_a_deep_network_shows_its_ends_and_what_stands_out(chain, section):
    report = section(chain([32, *[32] * 99, 5], "relu", 2.0, 0.0), inputs=64)
    rows = table_of(view(report, ())).rows
    names = [row[0] for row in rows]
    assert names[:4] == ["l0", "l1", "l2", "l3"]
    assert names[-1] == "l99"
    assert len(rows) <= 20
    hidden = sum(int(name.split()[1]) for name in names if name.startswith("…"))
    assert hidden + sum(not name.startswith("…") for name in names) == 100


def test_failing_layers_carry_the_rule_s_code_even_in_the_middle(chain, section):
    report = section(chain([32, *[32] * 30, 5], "relu", 0.25, 0.0), inputs=64)
    rows = table_of(view(report, judge(report, effective_limits({})))).rows
    assert "FP101" in {row[-1] for row in rows}


def test_the_phase_and_the_unlimited_depth_are_said(chain, section):
    report = section(chain([50, *[50] * 6, 5], "relu", 2.0, 0.0))
    text = notes_of(view(report, ()))
    assert "critical phase" in text
    assert "no limit on depth from correlations" in text


def test_several_fixed_points_are_noted(chain, section):
    report = section(chain([10, 20, 20, 5], "tanh", 1.5, 0.05))
    (point, *_) = report["theory"]["fixed_points"]
    report["theory"]["fixed_points"] = [point, {**point, "q": 2.5, "stable": False}]
    text = notes_of(view(report, ()))
    assert "several fixed points" in text
    assert "2.5 (unstable)" in text


def test_measured_and_predicted_q_stand_side_by_side_with_interval_and_band(chain, section):
    report = section(chain([10, 20, 20, 5], "tanh", 1.5, 0.05))
    table = table_of(view(report, ()))
    titles = [column.title for column in table.columns]
    row = dict(zip(titles, table.rows[1], strict=True))
    measured, predicted = report["measured"]["layers"][1], report["theory"]["layers"][1]
    assert row["q"] == f"{measured['q']:.3g}"
    assert row["95% CI"] == f"{measured['q_low']:.3g}–{measured['q_high']:.3g}"
    assert row["q theory"] == f"{predicted['q']:.3g}"
    assert row["q band"] == f"{predicted['q_low']:.3g}–{predicted['q_high']:.3g}"
    assert row["kurt"] == f"{measured['kurtosis']:.2g}"


def test_the_jacobian_note_says_how_many_directions_pass(chain, section):
    report = section(chain([10, 20, 20, 5], "tanh", 1.5, 0.05))
    text = notes_of(view(report, ()))
    assert "Mean square" in text
    assert "infinite width" in text
    assert "directions" in text


def test_a_report_of_an_earlier_version_is_judged_and_drawn(chain, section):
    """Reports that were saved before a key was added lack it."""
    report = section(chain([10, 20, 20, 5], "tanh", 1.5, 0.05))
    for row in report["measured"]["layers"]:
        for key in [key for key in row if key.startswith(("kurtosis", "c_", "natural", "q_ch"))]:
            del row[key]
        for key in [key for key in row if key.startswith(("dead_share_", "saturated_", "mean_"))]:
            if not key.startswith("saturated_fraction"):
                del row[key]
    for row in report["theory"]["layers"]:
        for key in [key for key in row if key.endswith(("_low", "_high"))]:
            del row[key]
    for key in ("gains", "survival"):
        del report["theory"][key]
    for key in ("isometry", "mean_square_theory", "layers", "condition_low"):
        del report["jacobian"][key]
    found = {each.code: each.outcome for each in judge(report, effective_limits({}))}
    assert "fail" not in found.values()
    assert {found[code] for code in ("FP110", "FP111", "FP112", "FP113")} == {"skipped"}
    assert table_of(view(report, ())).rows[1][-2] == "-"


@pytest.mark.parametrize("width", [80, 92, 120])
def test_the_table_fits_and_keeps_q_its_interval_and_its_band(chain, section, width):
    from rich.cells import cell_len

    from fpcheck.report.grid import draw_table
    from fpcheck.report.page import Page
    from fpcheck.report.style import Style

    report = section(chain([64, *[64] * 20, 10], "crelu(1.0364,0.8095)", 8.50694, 0.66049))
    page = Page(Style(width=width))
    draw_table(page, table_of(view(report, ())))
    lines = page.text().splitlines()
    assert max(map(cell_len, lines)) <= width
    always = ("layer", " q ", "95% CI", "q band", "χ₁", "gradient", "rule")
    assert all(title in lines[0] for title in always)
    assert ("q theory" in lines[0]) == (width == 120)


@pytest.mark.parametrize("part", ["theory", "jacobian"])
def test_skipped_parts_say_why(chain, section, part):
    report = section(chain([10, 20, 5], "tanh", 1.5, 0.05))
    report[part] = {"skipped": "because of this"}
    assert "because of this" in notes_of(view(report, ()))


def test_a_skipped_section_is_one_line():
    panel = view({"skipped": "no network"}, ())
    assert panel.caption == "skipped"
    assert notes_of(panel) == "no network"


def test_judging_and_drawing_import_no_numerics():
    code = (
        "import sys, fpcheck.signal.rules, fpcheck.signal.view; "
        "print([m for m in ('numpy', 'scipy', 'numba', 'rich') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
