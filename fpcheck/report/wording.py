"""The report's sentences as plain text: header, badge, findings, skipped questions, legend."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fpcheck.core.catalogue import rules
from fpcheck.core.findings import Finding, Verdict
from fpcheck.core.plain import Section
from fpcheck.core.settings import QUESTIONS
from fpcheck.core.wording import counted

BADGES: Mapping[Verdict, str] = {
    "pass": "PASS",
    "warn": "WARN",
    "fail": "FAIL",
    "not judged": "NOT JUDGED",
}

LEGEND = {
    "proved": "holds exactly for the stored weights",
    "numerical": "computed in double precision, not proved",
    "sampled": "estimated from draws, with its 95% interval",
}


@dataclass(frozen=True, slots=True)
class FindingText:
    """One finding in words: its heading, the message, the measured number, the limit, the hint."""

    code: str
    label: str
    where: str
    name: str
    message: str
    found: str
    limit: str
    hint: str


def header(document: Section) -> tuple[str, ...]:
    """The parts of the first line: program, model, what it is, seed."""
    subject = document["subject"]
    kind = str(subject["format"])
    cells, layers = subject.get("cells", ()), len(subject["layers"])
    size = counted(layers, "layer") if layers else "layers not known"
    if cells:
        size = counted(len(cells), "recurrent cell")
    size += f", {counted(subject['parameters'], 'parameter')}"
    shapes = _shapes(subject)
    parts = (
        f"fpcheck {document['fpcheck']}",
        str(subject["name"]),
        f"{kind}, {size}",
        shapes,
        f"seed {document['settings']['seed']}",
    )
    return tuple(part for part in parts if part)


def counts(findings: Sequence[Finding]) -> tuple[str, ...]:
    """How many errors, warnings and so on, in words; zero inconclusive and info are left out."""
    failed = Counter(f.severity for f in findings if f.outcome == "fail")
    outcomes = Counter(f.outcome for f in findings)
    words = [counted(failed["error"], "error"), counted(failed["warning"], "warning")]
    if failed["info"]:
        words.append(f"{failed['info']} info")
    if outcomes["inconclusive"]:
        words.append(f"{outcomes['inconclusive']} inconclusive")
    words += [f"{outcomes['pass']} passed", f"{outcomes['skipped']} skipped"]
    return tuple(words)


def finding_text(finding: Finding, limits: Mapping[str, float]) -> FindingText:
    """The finding in words. limits: the limits by name that it was judged under."""
    inconclusive = finding.outcome == "inconclusive"
    return FindingText(
        code=finding.code,
        label="undecided" if inconclusive else finding.severity,
        where=finding.where,
        name=finding.name.replace("-", " "),
        message=_message(finding),
        found=found_text(finding),
        limit=limit_text(finding, limits),
        hint=finding.remedy,
    )


def _message(finding: Finding) -> str:
    """The message, with the word for how it is known where no number carries it."""
    return finding.message if finding.found is not None else f"{finding.message} ({finding.status})"


def found_text(finding: Finding) -> str:
    """The measured number with its interval and the word for how it is known; "" for none."""
    if finding.found is None:
        return ""
    interval = ""
    if finding.low is not None and finding.high is not None and finding.low != finding.high:
        interval = f" (95% CI {number(finding.low)} to {number(finding.high)})"
    return f"{number(finding.found)}{interval}, {finding.status}"


def limit_text(finding: Finding, limits: Mapping[str, float]) -> str:
    """The limit, with the name under which it can be set where that is known."""
    if finding.limit is None:
        return ""
    rule = rules().get(finding.code)
    names = tuple(rule.limits) if rule else ()
    own = names if len(names) == 1 else [n for n in names if limits.get(n) == finding.limit]
    return f"{own[0]} = {number(finding.limit)}" if len(own) == 1 else number(finding.limit)


def skipped_questions(
    document: Section, *, asked_only: bool = False
) -> tuple[tuple[str, str], ...]:
    """(questions, reason) of the questions without an answer, those with one reason together."""
    by_reason: dict[str, list[str]] = {}
    for question in QUESTIONS:
        section = document.get(question, {})
        if "skipped" in section and (section.get("asked", True) or not asked_only):
            by_reason.setdefault(str(section["skipped"]), []).append(question)
    return tuple((", ".join(names).capitalize(), reason) for reason, names in by_reason.items())


def skipped_rules(findings: Iterable[Finding]) -> tuple[tuple[str, str], ...]:
    """(codes, reason) of the rules that could not judge, those with one reason together."""
    by_reason: dict[str, list[str]] = {}
    for finding in findings:
        if finding.outcome == "skipped":
            codes = by_reason.setdefault(finding.message, [])
            if finding.code not in codes:
                codes.append(finding.code)
    return tuple((", ".join(codes), reason) for reason, codes in by_reason.items())


def legend(document: Section) -> tuple[str, ...]:
    """What proved, numerical and sampled mean, for those of the words that the report uses."""
    used = set(_statuses(document))
    return tuple(f"{word}: {meaning}" for word, meaning in LEGEND.items() if word in used)


def timing(document: Section) -> str:
    """The seconds spent, in all and by part; empty where they were not asked for."""
    seconds = document.get("timings")
    if not seconds:
        return ""
    parts = {name: float(spent) for name, spent in seconds.items() if spent is not None}
    detail = ", ".join(f"{name} {spent:.2f}" for name, spent in parts.items())
    return f"{sum(parts.values()):.2f} s: {detail}"


def next_step(findings: Iterable[Finding]) -> str:
    """The command that tells more about the first failure; empty where nothing failed."""
    for finding in findings:
        if finding.outcome == "fail":
            return f"Next: fpcheck explain {finding.code}"
    return ""


def number(value: float) -> str:
    """Four significant digits: 0.9353, 12.5, 3.1e-14; `infinite` where it is."""
    return "infinite" if math.isinf(value) and value > 0 else f"{value:.4g}"


def _shapes(subject: Section) -> str:
    if not subject.get("input_shape") or not subject.get("output_shape"):
        return ""
    ends = (shape_text(subject["input_shape"]), shape_text(subject["output_shape"]))
    return f"{ends[0]} → {ends[1]}" + (" self-map" if subject.get("self_map") else "")


def shape_text(shape: Sequence[int]) -> str:
    """A shape without its batch axis: 64, 3×8×8; `scalar` for none."""
    return "×".join(str(size) for size in shape) or "scalar"


def _statuses(value: object) -> Iterable[str]:
    """Every status word in the document, wherever it stands."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            if isinstance(entry, str) and (key == "status" or str(key).endswith("_status")):
                yield entry
            else:
                yield from _statuses(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _statuses(entry)
