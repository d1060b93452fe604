"""The text of `fpcheck explain`: one rule under fixed headings, or the table of rules."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from fpcheck.core.catalogue import Rule, rules
from fpcheck.core.errors import UsageError
from fpcheck.core.nearest import did_you_mean

HEADINGS: Mapping[str, str] = {
    "checks": "What it checks",
    "why": "Why it matters",
    "decides": "How it decides",
    "harmless": "When harmless",
    "remedy": "What to do",
    "source": "Source",
}
COLUMN = 17  # where the text beside a heading begins


def find_rules(wanted: str) -> tuple[Rule, ...]:
    """The rule of that code or name, or all whose code begins so.

    Raises:
        UsageError: there is none.
    """
    table = rules()
    code = wanted.strip().upper()
    name = wanted.strip().lower()
    found = tuple(r for r in table.values() if r.code.startswith(code) or r.name == name)
    if code and found:
        return found
    names = [rule.name for rule in table.values()]
    near = did_you_mean(code, table) if code.startswith("FP") else did_you_mean(name, names)
    raise UsageError(
        f"unknown rule '{wanted}'", hint=near or "fpcheck explain without a code lists every rule"
    )


def explanation(rule: Rule, width: int) -> str:
    """The rule in full: what it checks, why, how it decides, when harmless, what to do, source."""
    limits = ", ".join(f"{name} = {value:g}" for name, value in rule.limits.items())
    parts = [f"{rule.code} {rule.name}", rule.severity, rule.question]
    if limits:
        parts.append(f"limit {limits}")
    lines = textwrap.wrap("    ".join(parts), width, subsequent_indent=" " * 6)
    for field, heading in HEADINGS.items():
        lines += _beside(heading, getattr(rule, field), width)
    for name, value in rule.limits.items():
        lines += _beside("Config", f"[tool.fpcheck.limits] {name} = {value:g}", width)
    lines += _beside("Turn off", f'--ignore {rule.code}, or levels.{rule.code} = "off"', width)
    return "\n".join(lines) + "\n"


def rule_table(listed: Sequence[Rule], width: int) -> str:
    """One line a rule: code, severity, name, limits with their defaults."""
    names = max(len(rule.name) for rule in listed)
    lines = []
    for rule in listed:
        limits = ", ".join(f"{name} = {value:g}" for name, value in rule.limits.items())
        start = f"{rule.code}  {rule.severity:<7}  {rule.name:<{names}}  "
        if len(start) + max(map(len, limits.split()), default=0) <= width:
            lines += textwrap.wrap(start + limits, width, subsequent_indent=" " * len(start))
        else:
            indent = " " * len(f"{rule.code}  ")
            lines += textwrap.wrap(start.rstrip(), width, subsequent_indent=indent)
            lines += textwrap.wrap(limits, width, initial_indent=indent, subsequent_indent=indent)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _beside(heading: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=heading.ljust(COLUMN),
        subsequent_indent=" " * COLUMN,
        break_long_words=False,
        break_on_hyphens=False,
    )
