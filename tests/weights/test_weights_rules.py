"""FP001 to FP006: what fires them, what does not, and what the table shows."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from fpcheck.core.catalogue import rules
from fpcheck.core.plain import plain
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.tables import Table
from fpcheck.network.initializers import draw_network
from fpcheck.network.network import Network
from fpcheck.network.spec import parse_spec
from fpcheck.weights.measure import measure
from fpcheck.weights.rules import MOST_FAILS, judge
from fpcheck.weights.view import MOST_ROWS, view

CODES = ("FP001", "FP002", "FP003", "FP004")


def network(layers: int = 3) -> Network:
    spec = parse_spec(f"[network]\ninput = 8\nlayers = [ {{ dense = 8, repeat = {layers} }} ]\n")
    return draw_network(spec.skeleton, spec.layer_laws, np.random.default_rng(0))


def section(change=None, layers: int = 3, known: bool = True):
    net = network(layers)
    tensors = {name: tensor.copy() for name, tensor in net.parameters.items()}
    if change:
        change(tensors)
    used = Network(net.skeleton, tensors) if known else None
    return plain(measure(tensors, used, Settings(), Monitor()))


def outcomes(findings):
    return {code: {f.outcome for f in findings if f.code == code} for code in CODES}


def nan_weight(tensors):
    tensors["dense2.weight"][0, 0] = np.nan


def dead_unit(tensors):
    tensors["dense2.weight"][3] = 0.0


def duplicate_unit(tensors):
    tensors["dense2.weight"][3] = tensors["dense2.weight"][5]
    tensors["dense2.bias"][3] = tensors["dense2.bias"][5]


def unused_tensor(tensors):
    tensors["extra"] = np.ones(3)


FIRES = {
    "FP001": (nan_weight, "dense2.weight", "1 entry of 8 x 8 NaN or infinite", 1.0),
    "FP002": (dead_unit, "dense2.weight", "1 unit of 8 dead (1 without incoming weights)", 1 / 8),
    "FP003": (duplicate_unit, "dense2.weight", "1 unit of 8 duplicate", 1 / 8),
    "FP004": (unused_tensor, "extra", "no layer uses extra", 1.0),
}


def test_a_drawn_network_passes_every_rule():
    findings = judge(section(), {})
    assert outcomes(findings) == {code: {"pass"} for code in CODES}
    assert all(f.where == "all layers" and f.status == "numerical" for f in findings)


@pytest.mark.parametrize("code", CODES)
def test_a_rule_fires_on_its_fault_and_names_the_place(code):
    change, where, message, found = FIRES[code]
    findings = judge(section(change), {})
    (fail,) = [f for f in findings if f.code == code]
    assert (fail.outcome, fail.where, fail.message) == ("fail", where, message)
    assert fail.found == found
    assert fail.severity == rules()[code].severity
    others = {c: o for c, o in outcomes(findings).items() if c != code}
    assert all("fail" not in outcome for outcome in others.values())


@pytest.mark.parametrize(
    ("code", "key"), [("FP002", "max_dead_share"), ("FP003", "max_duplicate_share")]
)
def test_a_larger_limit_lets_a_few_units_pass(code, key):
    found = section(FIRES[code][0])
    assert outcomes(judge(found, {key: 0.125}))[code] == {"pass"}
    assert outcomes(judge(found, {key: 0.12}))[code] == {"fail"}


def test_many_fails_are_listed_worst_first_with_the_number_of_the_rest():
    def break_all(tensors):
        for number in range(1, 9):
            tensors[f"dense{number}.weight"][0, :number] = np.inf

    fails = [f for f in judge(section(break_all, layers=8), {}) if f.code == "FP001"]
    assert [f.where for f in fails] == [f"dense{n}.weight" for n in (8, 7, 6, 5, 4)]
    assert fails[-1].message.endswith("; and 3 layers more")
    assert len(fails) == MOST_FAILS


def test_without_a_network_unused_tensors_are_not_judged():
    assert outcomes(judge(section(known=False), {}))["FP004"] == {"skipped"}


def test_where_all_weights_are_nan_units_are_not_judged():
    def break_all(tensors):
        for tensor in tensors.values():
            tensor[...] = np.nan

    found = outcomes(judge(section(break_all), {}))
    assert (found["FP001"], found["FP002"], found["FP003"]) == ({"fail"}, {"skipped"}, {"skipped"})


def test_a_file_without_weights_is_not_a_pass():
    empty = plain(measure({"ids": np.arange(3)}, None, Settings(), Monitor()))
    assert outcomes(judge(empty, {})) == {code: {"skipped"} for code in CODES}


def test_a_skipped_section_skips_every_rule_with_its_reason():
    findings = judge({"skipped": "not asked"}, {})
    assert [(f.outcome, f.message) for f in findings] == [("skipped", "not asked")] * 6


def table(found, findings) -> Table:
    shown = next(item for item in view(found, findings).items if isinstance(item, Table))
    assert all(len(row) == len(shown.columns) for row in shown.rows)
    return shown


def test_the_table_has_a_row_a_tensor_and_joins_it_to_its_findings():
    found = section(dead_unit)
    rows = {row[0]: row for row in table(found, judge(found, {})).rows}
    assert len(rows) == 6
    assert rows["dense2.weight"][-1] == "FP002"
    assert rows["dense1.weight"][-1] == "ok"
    assert rows["dense1.bias"][4] == "-"


def test_non_finite_numbers_are_shown_by_their_word():
    found = section(nan_weight)
    row = next(r for r in table(found, judge(found, {})).rows if r[0] == "dense2.weight")
    assert row[2:7] == ("nan",) * 5
    assert row[-1] == "FP001"


def test_many_tensors_are_condensed_and_the_rest_is_counted():
    found = section(layers=20)
    shown = table(found, judge(found, {}))
    assert [row[0] for row in shown.rows] == [f"dense{n}.weight" for n in range(1, 21)]
    assert "20 vectors" in shown.caption
    found = section(dead_unit, layers=60)
    found["layers"][80]["name"] = "odd"
    findings = judge(found, {})
    shown = table(found, findings)
    assert len(shown.rows) == MOST_ROWS
    assert "36 more matrices" in shown.caption


def test_a_failing_tensor_in_the_middle_is_still_shown():
    def kill(tensors):
        tensors["dense30.weight"][0] = 0.0
        tensors["dense31.bias"][0] = np.nan

    found = section(kill, layers=60)
    rows = {row[0]: row[-1] for row in table(found, judge(found, {})).rows}
    assert rows["dense30.weight"] == "FP002"
    assert rows["dense31.bias"] == "FP001"


def test_a_skipped_section_is_shown_as_skipped():
    assert view({"skipped": "not asked"}, ()).caption == "skipped: not asked"


def test_judging_and_viewing_need_no_numpy():
    code = (
        "import sys, fpcheck.weights.rules, fpcheck.weights.view;"
        "assert not {'numpy', 'numba', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
