"""The one rule table: every code with its name, severity, limits and text.

The texts are TOML files beside this one, a file a question; codes are stable for ever.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from fpcheck.core.findings import Finding, Outcome, Severity, Status

FILES = ("weights", "signal", "attractors", "readout", "simplicity", "escape")


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of the table. `limits` maps the names of its settings to their defaults."""

    code: str
    name: str
    severity: Severity
    limits: Mapping[str, float]
    checks: str
    why: str
    decides: str
    harmless: str
    remedy: str
    source: str
    question: str


@cache
def rules() -> Mapping[str, Rule]:
    """The whole table by code, in order."""
    table: dict[str, Rule] = {}
    for question in FILES:
        text = resources.files(__package__).joinpath(f"{question}.toml").read_text("utf-8")
        for code, entry in tomllib.loads(text).items():
            limits = {key: float(value) for key, value in entry.pop("limits", {}).items()}
            severity: Severity = entry.pop("severity")
            texts = {key: " ".join(value.split()) for key, value in entry.items()}
            table[code] = Rule(
                code=code, severity=severity, limits=limits, question=question, **texts
            )
    return dict(sorted(table.items()))


@cache
def default_limits() -> Mapping[str, float]:
    """Every limit's default by name."""
    return {name: value for rule in rules().values() for name, value in rule.limits.items()}


def finding(
    code: str,
    outcome: Outcome,
    *,
    where: str,
    message: str,
    status: Status,
    found: float | None = None,
    low: float | None = None,
    high: float | None = None,
    limit: float | None = None,
    remedy: str = "",
) -> Finding:
    """The finding of rule `code`; name, severity, remedy and reference come from the table.

    Raises:
        KeyError: no such code.
    """
    rule = rules()[code]
    return Finding(
        code=code,
        name=rule.name,
        severity=rule.severity,
        outcome=outcome,
        where=where,
        message=message,
        found=found,
        low=low,
        high=high,
        limit=limit,
        status=status,
        remedy=remedy or rule.remedy,
        reference=rule.source,
    )
