"""Limits, codes and levels as the user gives them, checked against the rule table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from fpcheck.core.catalogue import default_limits, rules
from fpcheck.core.errors import UsageError
from fpcheck.core.findings import Severity
from fpcheck.core.nearest import did_you_mean

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
LEVELS = (*SEVERITIES, "off")
GATES = (*SEVERITIES, "never")  # values of --fail-on


def effective_limits(overrides: Mapping[str, float]) -> dict[str, float]:
    """Every limit by name: the defaults of the rule table under `overrides`, sorted by name.

    Raises:
        UsageError: a name that no rule has.
    """
    for name in overrides:
        check_limit_name(name)
    return dict(sorted({**default_limits(), **overrides}.items()))


def check_limit_name(name: str, *, where: str = "") -> None:
    """Nothing, if some rule has the limit `name`.

    Raises:
        UsageError: none has.
    """
    if name not in default_limits():
        raise UsageError(
            f"unknown limit '{name}'",
            where=where,
            hint=did_you_mean(name, default_limits()) or "fpcheck explain lists every limit",
        )


def limit_value(name: str, value: object, *, where: str = "") -> float:
    """The number that the limit `name` is set to.

    Raises:
        UsageError: unknown name, or not a finite number.
    """
    check_limit_name(name, where=where)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(
            f"limit '{name}' must be a finite number, got {value!r}",
            where=where,
            hint=f"the default is {default_limits()[name]:g}; levels turn a rule off",
        )
    return float(value)


def parse_limit(text: str, *, where: str = "--limit") -> tuple[str, float]:
    """(name, value) of `NAME=VALUE`.

    Raises:
        UsageError: not of that form, an unknown name, or not a number.
    """
    name, equals, number = (part.strip() for part in text.partition("="))
    if not equals or not name or not number:
        example, default = next(iter(default_limits().items()))
        raise UsageError(
            f"'{text}' is not NAME=VALUE",
            where=where,
            hint=f"for example --limit {example}={default:g}",
        )
    try:
        value = float(number)
    except ValueError:
        check_limit_name(name, where=where)
        raise UsageError(
            f"limit '{name}' must be a number, got '{number}'",
            where=where,
            hint=f"the default is {default_limits()[name]:g}",
        ) from None
    return name, limit_value(name, value, where=where)


def check_prefixes(prefixes: Iterable[str], *, where: str = "") -> tuple[str, ...]:
    """The code prefixes in upper case, each the beginning of at least one rule's code.

    Raises:
        UsageError: a prefix of no rule.
    """
    checked = []
    for prefix in prefixes:
        upper = prefix.strip().upper()
        if not upper or not any(code.startswith(upper) for code in rules()):
            families = sorted({code[:3] for code in rules()})
            near = did_you_mean(upper, rules()) if len(upper) > len(families[0]) else ""
            raise UsageError(
                f"no rule has a code that starts with '{prefix}'",
                where=where,
                hint=near or f"codes start with {', '.join(families)}; fpcheck explain lists all",
            )
        checked.append(upper)
    return tuple(checked)


def check_level(code: str, level: object, *, where: str = "") -> tuple[str, str]:
    """(code, level), both known.

    Raises:
        UsageError: an unknown code or level.
    """
    upper = code.strip().upper()
    if upper not in rules():
        raise UsageError(
            f"unknown rule '{code}'",
            where=where,
            hint=did_you_mean(upper, rules()) or "fpcheck explain lists every rule",
        )
    if not isinstance(level, str) or level not in LEVELS:
        raise UsageError(
            f"level of {upper} must be one of {', '.join(LEVELS)}, got {level!r}", where=where
        )
    return upper, level


def selected(code: str, select: tuple[str, ...], ignore: tuple[str, ...]) -> bool:
    """Whether `code` is asked for: its longest matching prefix decides; a tie is ignored.

    An empty `select` selects every code.
    """
    chosen = max((len(p) for p in select if code.startswith(p)), default=-1 if select else 0)
    dropped = max((len(p) for p in ignore if code.startswith(p)), default=-1)
    return chosen > dropped
