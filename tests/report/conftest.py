"""A made-up report: small, with every kind of finding, and names that try to break the writer."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import pytest

from fpcheck.core.catalogue import default_limits, finding
from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.settings import Settings
from fpcheck.core.tables import Bar, Bars, Column, Note, Panel, Table
from fpcheck.report import report, terminal
from fpcheck.report.report import Report, judge_document
from fpcheck.report.schema import schema


def filled(definition: str, **values: object) -> dict:
    """The least that the schema's definition asks for, with `values` in place of its own."""
    rule = schema()["$defs"][definition]
    unknown = set(values) - set(rule["properties"])
    assert not unknown, unknown
    least = {name: _least(rule["properties"][name]) for name in rule["required"]}
    return least | values


def _least(rule: Section) -> object:
    if "$ref" in rule:
        name = rule["$ref"].rpartition("/")[2]
        rule = schema()["$defs"][name]
        if "required" in rule:
            return filled(name)
    if "enum" in rule:
        return "numerical" if "numerical" in rule["enum"] else rule["enum"][0]
    if "anyOf" in rule:
        return _least(rule["anyOf"][-1])
    names = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    if "null" in names:
        return None
    return {"array": [], "object": {}, "string": "", "boolean": False}.get(
        names[0], rule.get("minimum", 0)
    )


POINT = filled(
    "fixed_point",
    id="A",
    status="numerical",
    residual=3.1e-14,
    spectral_radius=0.913,
    share=0.965,
    share_low=0.934,
    share_high=0.981,
    point=[0.25, -0.5],
)
MAP = filled(
    "map",
    name="network",
    starts=256,
    fixed_points=[POINT],
    unresolved=filled("share", share=0.035, starts=9, share_status="sampled"),
)
DOCUMENT = {
    "schema": "fpcheck/report/1",
    "fpcheck": "0.1.0",
    "verdict": "pass",
    "subject": filled(
        "summary",
        name="net.npz",
        format="npz",
        sha256="0" * 64,
        parameters=6602,
        input_shape=[2],
        output_shape=[2],
        self_map=True,
        layers=[filled("summary_layer", name="rec", kind="dense", shape=[2], activation="tanh")],
    ),
    "settings": {"seed": 0, "questions": [], "limits": dict(default_limits()), "versions": {}},
    "findings": [],
    "weights": filled(
        "weights",
        status="numerical",
        layers=[filled("tensor_weights", name="rec", shape=[2, 2], std=1.0)],
    ),
    "signal": {"skipped": "not asked; pass --question signal"},
    "attractors": filled("attractors", maps=[MAP]),
    "readout": {"skipped": "there are no data; pass --data FILE"},
}

COLUMNS = (
    Column("id", "left"),
    Column("kind", "left"),
    Column("residual", priority=3),
    Column("ρ(J)"),
    Column("leading λ", priority=2),
    Column("basin"),
    Column("95% CI", priority=1),
    Column("rule", "left"),
)


def judge_weights(section: Section, limits: Mapping[str, float]) -> tuple[Finding, ...]:
    message = "every entry is finite"
    return (finding("FP206", "pass", where="all layers", message=message, status="numerical"),)


def judge_attractors(section: Section, limits: Mapping[str, float]) -> tuple[Finding, ...]:
    """One finding of every outcome, decided by the section's own numbers."""
    limit = limits["max_unresolved"]
    found = section["maps"][0]["unresolved"]["share"]
    words = "9 of 256 starts unresolved after 2000 steps"
    return (
        finding("FP204", "skipped", where="network", message="no Jacobian", status="numerical"),
        finding(
            "FP201", "fail" if found > limit else "pass", where="network", message=words,
            status="sampled", found=found, low=0.019, high=0.065, limit=limit,
        ),
        finding(
            "FP205", "inconclusive", where="network", message="too few to tell", status="numerical",
        ),
        finding(
            "FP202", "fail", where="map [red]x[/red]\x1b[31m\nsecond line", message="it \x07 rings",
            status="sampled", found=0.5, low=0.4, high=0.6, limit=limits["max_diverged"],
        ),
    )  # fmt: skip


def view_attractors(section: Section, findings: tuple[Finding, ...]) -> Panel:
    point = section["maps"][0]["fixed_points"][0]
    rows = (
        ("A", "stable", "3.1e-14", "0.913", "0.913", "96.5%", "93.4–98.1", "ok"),
        ("B [bold]", "saddle, 1 up", "2.0e-13", "1.083", "0.61±0.63i", "0.0%", "0.0–1.5", "FP204"),
    )
    bars = (Bar("A", point["share"], "96.5%"), Bar("?", 0.035, "3.5%  unresolved"))
    return Panel(
        "Attractors",
        "256 starts from N(0, 1), x ← f(x)",
        (
            Table("Fixed points", COLUMNS, rows, "found numerically; shares sampled"),
            Bars("Basins", bars, "share of the 256 starts"),
            Note("Data: none."),
        ),
    )


def view_weights(section: Section, findings: tuple[Finding, ...]) -> Panel:
    name = section["layers"][0]["name"]
    table = Table("Weights", (Column("layer", "left"), Column("std")), ((name, "1.000"),))
    return Panel("Weights", "numerical", (table,))


@pytest.fixture(autouse=True)
def made_up_questions(monkeypatch):
    """The writer and the judge are tested without the questions' own rules and views."""

    def nothing(section: Section, limits: Mapping[str, float]) -> tuple[Finding, ...]:
        raise AssertionError("a skipped section is not judged")

    judges = {"weights": judge_weights, "signal": nothing}
    judges |= {"attractors": judge_attractors, "readout": nothing}
    monkeypatch.setattr(report, "judges", lambda: judges)
    views = {"weights": view_weights, "attractors": view_attractors}
    monkeypatch.setattr(terminal, "views", lambda: views)


@pytest.fixture
def document() -> dict:
    return copy.deepcopy(DOCUMENT)


@pytest.fixture
def judged(document) -> Report:
    return judge_document(document, Settings())
