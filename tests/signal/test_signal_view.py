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


def test_several_fixed_points_and_departures_from_theory_are_noted(chain, section):
    report = section(chain([10, 20, 20, 5], "tanh", 1.5, 0.05))
    report["measured"]["layers"][1]["q"] *= 50.0
    point = dict(report["theory"]["fixed_points"][0]) if report["theory"]["fixed_points"] else {
        "q": 1.0, "slope": 0.5, "curvature": 0.0, "stable": True, "chi1": 1.0,
    }  # fmt: skip
    report["theory"]["fixed_points"] = [point, {**point, "q": 2.5, "stable": False}]
    text = notes_of(view(report, ()))
    assert "several fixed points" in text
    assert "2.5 (unstable)" in text
    assert "(layer l1)" in text


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
