"""The report: its JSON document, what the rules say about it, its verdict and exit code."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias, cast

from fpcheck.core.errors import UsageError
from fpcheck.core.findings import Finding, Outcome, Severity, Verdict, verdict_of
from fpcheck.core.limits import GATES, SEVERITIES, check_level, effective_limits, selected
from fpcheck.core.plain import Section, as_section, plain
from fpcheck.core.settings import QUESTIONS, Settings

SCHEMA = "fpcheck/report/1"

Judge: TypeAlias = Callable[[Section, Mapping[str, float]], tuple[Finding, ...]]

OUTCOMES: tuple[Outcome, ...] = ("fail", "inconclusive", "pass", "skipped")

# How the numbers are judged, not what they are: a saved report can be judged under others.
JUDGING = ("select", "ignore", "levels", "fail_on")
# A number may not depend on it, so the report does not name it.
UNRECORDED = ("threads",)


@dataclass(frozen=True, slots=True)
class Report:
    """One subject's report.

    `document` is the JSON data of the report, `findings` and `verdict` what it says.
    """

    document: Section
    verdict: Verdict
    findings: tuple[Finding, ...]


def report_of(document: Section) -> Report:
    """The report that `document` already holds, its findings and verdict as they stand."""
    return Report(document, document["verdict"], findings_of(document))


def judge_document(document: Section, settings: Settings) -> Report:
    """The document judged by every question's rules under `settings`.

    Of `settings` only limits, select, ignore, levels, fail_on and questions count. The findings
    come in one order: failures first, then by severity and code, and within a code as its rule
    ranked them.

    Raises:
        UsageError: an unknown limit, code or level.
    """
    limits = effective_limits(settings.limits)
    levels = dict(check_level(code, level) for code, level in settings.levels.items())
    found: list[Finding] = []
    for question, judge in judges().items():
        section = document.get(question)
        if section is not None and "skipped" not in section:
            found += judge(section, limits)
    kept = [
        _levelled(finding, levels)
        for finding in found
        if levels.get(finding.code) != "off"
        and selected(finding.code, settings.select, settings.ignore)
    ]
    findings = tuple(sorted(kept, key=_rank))
    verdict = _verdict(findings, settings.questions)
    judging = {name: getattr(settings, name) for name in JUDGING} | {"limits": limits}
    judged: dict[str, Any] = {
        **document,
        "settings": {**document.get("settings", {}), **as_section(judging)},
        "findings": [plain(finding) for finding in findings],
        "verdict": verdict,
    }
    return Report(judged, verdict, findings)


def saved_settings(document: Section) -> Settings:
    """The settings under which a saved document was judged, as far as this version knows them."""
    saved = document.get("settings", {})
    known = {f.name for f in fields(Settings)} - set(UNRECORDED)
    values: dict[str, Any] = {n: _frozen(v) for n, v in saved.items() if n in known}
    defaults = effective_limits({})
    limits = {n: float(v) for n, v in saved.get("limits", {}).items() if n in defaults}
    return replace(Settings(), **{**values, "limits": limits})


def findings_of(document: Section) -> tuple[Finding, ...]:
    """The findings that stand in `document`."""
    return tuple(_finding(entry) for entry in document.get("findings", []))


def exit_code(report: Report, fail_on: str) -> int:
    """1 if a failing finding reaches `fail_on`, else 3 if nothing asked could be judged, else 0.

    Raises:
        UsageError: `fail_on` is not error, warning, info or never.
    """
    if fail_on not in GATES:
        raise UsageError(f"fail-on must be one of {', '.join(GATES)}, got '{fail_on}'")
    reaching = GATES[: GATES.index(fail_on) + 1] if fail_on != "never" else ()
    if any(f.outcome == "fail" and f.severity in reaching for f in report.findings):
        return 1
    asked = tuple(report.document.get("settings", {}).get("questions", ()))
    return 3 if _unjudged(report.findings, asked) else 0


def question_of(code: str) -> str:
    """The question whose rule `code` is; "" for an unknown code."""
    from fpcheck.core.catalogue import rules

    return rules()[code].question if code in rules() else ""


def judges() -> dict[str, Judge]:
    """Every question's `judge`, in the order of the report."""
    from fpcheck.attractors.rules import judge as attractors
    from fpcheck.escape.rules import judge as escape
    from fpcheck.readout.rules import judge as readout
    from fpcheck.signal.rules import judge as signal
    from fpcheck.simplicity.rules import judge as simplicity
    from fpcheck.weights.rules import judge as weights

    table = {
        "weights": weights,
        "signal": signal,
        "attractors": attractors,
        "readout": readout,
        "simplicity": simplicity,
        "escape": escape,
    }
    return {question: table[question] for question in QUESTIONS}


def _verdict(findings: tuple[Finding, ...], asked: tuple[str, ...]) -> Verdict:
    verdict = verdict_of(findings)
    return "not judged" if verdict == "pass" and _unjudged(findings, asked) else verdict


def _unjudged(findings: tuple[Finding, ...], asked: tuple[str, ...]) -> bool:
    """Whether no rule of the questions that were asked by name (all, if none was) could judge."""
    return all(
        finding.outcome == "skipped" or (asked and question_of(finding.code) not in asked)
        for finding in findings
    )


def _levelled(finding: Finding, levels: Mapping[str, str]) -> Finding:
    level = levels.get(finding.code)
    return replace(finding, severity=cast("Severity", level)) if level else finding


def _rank(finding: Finding) -> tuple[int, int, str]:
    return (OUTCOMES.index(finding.outcome), SEVERITIES.index(finding.severity), finding.code)


def _finding(entry: Section) -> Finding:
    values = {f.name: entry.get(f.name, "") for f in fields(Finding)}
    for name in ("found", "low", "high", "limit"):
        values[name] = _number(entry, name)
    return Finding(**values)


def _number(entry: Section, name: str) -> float | None:
    value = entry.get(name)
    if value is not None:
        return float(value)
    words = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
    return words.get(str(entry.get(f"{name}_status", "")))


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
