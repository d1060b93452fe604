"""The JSON schemas that ship with fpcheck, and a validator for what they use of JSON Schema."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

from fpcheck.core.plain import Section

Violation: TypeAlias = tuple[str, str]  # the place, and what is wrong there

TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


REPORT, SCREEN, TRACE = "schema.json", "screen_schema.json", "trace_schema.json"


@cache
def schema(name: str = REPORT) -> Section:
    """The schema of reports, of screens or of traces, draft 2020-12, as it ships in the package."""
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def violations(document: object, name: str = REPORT) -> list[str]:
    """What in `document` is not as the schema says, each with its place; [] for a valid one."""
    whole = schema(name)
    found = _check(document, whole, "", whole["$defs"])
    return [f"{place or 'the report'} {words}" for place, words in found]


def _check(value: object, rule: Section, place: str, parts: Section) -> Iterator[Violation]:
    """What is wrong at `place`. parts: the definitions that a rule may refer to."""
    if "$ref" in rule:
        yield from _check(value, parts[rule["$ref"].rpartition("/")[2]], place, parts)
    if "anyOf" in rule:
        tried = [list(_check(value, option, place, parts)) for option in rule["anyOf"]]
        if all(tried):
            yield from max(tried, key=_depth)
    if "type" in rule and not _is_of(value, rule["type"]):
        expected = rule["type"] if isinstance(rule["type"], str) else " or ".join(rule["type"])
        yield place, f"is {_kind(value)}, expected {expected}"
        return
    if "enum" in rule and value not in rule["enum"]:
        yield place, f"is {value!r}, expected one of {', '.join(map(str, rule['enum']))}"
    if isinstance(value, str) and "pattern" in rule and not re.search(rule["pattern"], value):
        yield place, f"is {value!r}, which does not match {rule['pattern']}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = rule.get("minimum", -math.inf), rule.get("maximum", math.inf)
        if not low <= value <= high:
            yield place, f"is {value}, out of range"
    if isinstance(value, dict):
        yield from _check_object(value, rule, place, parts)
    if isinstance(value, list) and "items" in rule:
        for index, entry in enumerate(value):
            yield from _check(entry, rule["items"], f"{place}[{index}]", parts)


def _check_object(
    value: Mapping[str, object], rule: Section, place: str, parts: Section
) -> Iterator[Violation]:
    prefix = f"{place}." if place else ""
    for name in rule.get("required", ()):
        if name not in value:
            yield f"{prefix}{name}", "is missing"
    properties = rule.get("properties", {})
    others = rule.get("additionalProperties", {})
    for name, entry in value.items():
        yield from _check(entry, properties.get(name, others), f"{prefix}{name}", parts)


def _depth(tried: list[Violation]) -> int:
    """How deep into the value an option fits: the one that fits deepest is the one meant."""
    return max(place.count(".") + place.count("[") for place, _ in tried)


def _is_of(value: object, names: str | list[str]) -> bool:
    if isinstance(names, list):
        return any(_is_of(value, name) for name in names)
    if isinstance(value, bool):
        return names == "boolean"
    if names == "integer" and isinstance(value, float):
        return value.is_integer()  # as JSON Schema has it: 1.0 is an integer
    return isinstance(value, TYPES[names])


def _kind(value: object) -> str:
    for name in ("boolean", "integer", "number", "string", "array", "object", "null"):
        if _is_of(value, name):
            return f"a {name}" if name[0] not in "aio" else f"an {name}"
    return type(value).__name__
