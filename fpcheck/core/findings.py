"""A finding: what a rule saw, the limit it holds it against, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]
Outcome = Literal["pass", "fail", "inconclusive", "skipped"]
Status = Literal["proved", "numerical", "sampled"]
Verdict = Literal["pass", "warn", "fail", "not judged"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's answer about one place.

    `found` with `low` and `high` (its 95 % interval, where it is sampled) and `limit` are in the
    unit that the rule's text names; they are None where the rule has no number.
    """

    code: str
    name: str
    severity: Severity
    outcome: Outcome
    where: str
    message: str
    found: float | None
    low: float | None
    high: float | None
    limit: float | None
    status: Status
    remedy: str
    reference: str


def outcome_above(low: float, high: float, limit: float) -> Outcome:
    """`fail` if the interval [low, high] lies above the limit, `pass` below, else `inconclusive`.

    Written so that NaN can never pass.
    """
    if high <= limit:
        return "pass"
    if low > limit:
        return "fail"
    return "inconclusive"


def outcome_below(low: float, high: float, limit: float) -> Outcome:
    """`fail` if the interval [low, high] lies below the limit, `pass` above, else `inconclusive`.

    Written so that NaN can never pass.
    """
    if low >= limit:
        return "pass"
    if high < limit:
        return "fail"
    return "inconclusive"


def verdict_of(findings: tuple[Finding, ...]) -> Verdict:
    """`fail` if any error failed, else `warn` if any warning did, else `pass`.

    A subject about which no rule could say anything is `not judged`.
    """
    failed = {f.severity for f in findings if f.outcome == "fail"}
    if "error" in failed:
        return "fail"
    if "warning" in failed:
        return "warn"
    if any(f.outcome != "skipped" for f in findings):
        return "pass"
    return "not judged"
