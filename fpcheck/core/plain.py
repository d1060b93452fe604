"""Frozen results as plain JSON data: numbers rounded to stated digits, never NaN or Inf."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeAlias

# JSON has no static type: a section is what `json.loads` returns for one key of the report.
Section: TypeAlias = Mapping[str, Any]

DIGITS = 12


def as_section(result: object) -> dict[str, Any]:
    """A frozen result as the section of the report that holds it: a dict of plain data."""
    out = plain(result)
    if not isinstance(out, dict):
        raise TypeError(f"{type(result).__name__} is not a section")
    return out


def plain(value: object, digits: int = DIGITS) -> object:
    """`value` as JSON data: dicts, lists, strings, ints, bools, None and finite floats.

    Dataclasses become dicts of their fields; arrays become nested lists; an enum its value. A
    float keeps `digits` significant digits, or those that its field's metadata names. A
    non-finite float in a dict or dataclass becomes None with `<key>_status` beside it ("nan",
    "inf" or "-inf"); in a list it becomes None alone.
    """
    if is_dataclass(value) and not isinstance(value, type):
        out: dict[str, Any] = {}
        for item in fields(value):
            own_digits = int(item.metadata.get("digits", digits))
            _put(out, item.name, getattr(value, item.name), own_digits)
        return out
    if isinstance(value, Mapping):
        out = {}
        for key, entry in value.items():
            _put(out, str(key), entry, digits)
        return out
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return _rounded(value, digits)
    if isinstance(value, list | tuple):
        return [plain(entry, digits) for entry in value]
    to_list = getattr(value, "tolist", None)  # arrays and their scalars, without importing numpy
    if to_list is None:
        raise TypeError(f"{type(value).__name__} has no plain form")
    return plain(to_list(), digits)


def _put(out: dict[str, Any], key: str, value: object, digits: int) -> None:
    out[key] = plain(value, digits)
    if out[key] is None and value is not None:
        number = float(value)  # type: ignore[arg-type] # only a float turns into None
        out[f"{key}_status"] = "nan" if math.isnan(number) else ("inf" if number > 0 else "-inf")


def _rounded(value: float, digits: int) -> float | None:
    if not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")
