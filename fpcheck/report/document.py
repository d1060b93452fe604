"""The report as JSON text: the same report is the same bytes, and a read one is checked."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, NoReturn

from fpcheck.core.errors import DataError
from fpcheck.core.plain import Section
from fpcheck.report.report import SCHEMA
from fpcheck.report.schema import REPORT, TRACE, violations

LARGEST = 256 * 2**20  # bytes; a report of thousands of fixed points stays well below
TRACE_SCHEMA = "fpcheck/trace/1"
SHOWN = 3  # violations that an error message names
WRITES_ONE = "fpcheck analyze MODEL -o json=FILE writes one"


def write_json(document: Section) -> str:
    """The document as ASCII JSON text: sorted keys, lists of numbers on one line, a line end last.

    Raises:
        ValueError: a number is not finite; `plain` never lets one through.
    """
    return _text(document, "") + "\n"


def read_report(path: Path) -> Section:
    """The document of a saved report.

    Raises:
        DataError: unreadable, not JSON, not a report, damaged, or of a newer major schema.
    """
    document = _json_of(path)
    _check_schema(document, path.name)
    return _valid(document, path, REPORT, "report", "analyze MODEL")


def read_saved(path: Path) -> Section:
    """The document of a saved report, or of a saved trace.

    Raises:
        DataError: as `read_report` has it.
    """
    document = _json_of(path)
    if isinstance(document, dict) and document.get("schema") == TRACE_SCHEMA:
        return _valid(document, path, TRACE, "trace", "trace CKPT...")
    _check_schema(document, path.name)
    return _valid(document, path, REPORT, "report", "analyze MODEL")


def is_trace(document: Section) -> bool:
    """Whether a document that was read is a trace."""
    return document.get("schema") == TRACE_SCHEMA


def _json_of(path: Path) -> object:
    text = _text_of(path)
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise DataError(
            "not a report: nested too deeply", where=path.name, hint=WRITES_ONE
        ) from None
    except ValueError as error:
        raise DataError(
            f"not a report: {error}",
            where=path.name,
            hint=WRITES_ONE,
        ) from None


def _valid(document: object, path: Path, schema: str, kind: str, command: str) -> Section:
    """The document, if it is as its schema says."""
    found = violations(document, schema)
    if found:
        more = f" (and {len(found) - SHOWN} more)" if len(found) > SHOWN else ""
        raise DataError(
            f"damaged {kind}: {'; '.join(found[:SHOWN])}{more}",
            where=path.name,
            hint=f"write it anew with fpcheck {command} -o json=FILE",
        )
    checked: dict[str, Any] = document  # type: ignore[assignment]  # an object, says the schema
    return checked


def _check_schema(document: object, name: str) -> None:
    """Raise DataError unless `document` is a report of a schema that this version reads."""
    schema = document.get("schema") if isinstance(document, dict) else None
    match = (
        re.fullmatch(r"fpcheck/report/([0-9]{1,9})", schema) if isinstance(schema, str) else None
    )
    if match is None:
        raise DataError(
            "not a report of fpcheck: it has no schema fpcheck/report/N",
            where=name,
            hint=WRITES_ONE,
        )
    ours = int(SCHEMA.rpartition("/")[2])
    if int(match[1]) > ours:
        raise DataError(
            f"the report has schema {match[1]}; this version of fpcheck reads up to {ours}",
            where=name,
            hint="update fpcheck, or analyze the model again with this version",
        )


def _text_of(path: Path) -> str:
    try:
        if path.is_dir():
            raise DataError(
                f"'{path}' is a folder, not a report", where=str(path), hint="name a report in it"
            )
        if path.stat().st_size > LARGEST:
            raise DataError(
                f"'{path}' is larger than any report ({LARGEST >> 20} MiB)",
                where=str(path),
                hint=WRITES_ONE,
            )
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise DataError(
            f"no report at '{path}'", where=str(path), hint="is the path right?"
        ) from None
    except UnicodeDecodeError:
        raise DataError(
            "not a report: not UTF-8 text",
            where=path.name,
            hint="a model goes to fpcheck analyze; " + WRITES_ONE,
        ) from None
    except OSError as error:
        raise DataError(
            f"cannot read '{path}': {error.strerror}", where=str(path), hint="is it readable?"
        ) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is beyond the range of a double")
    return number


def _text(value: object, indent: str) -> str:
    inner = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{json.dumps(key)}: {_text(value[key], inner)}" for key in sorted(value)]
    elif isinstance(value, list | tuple) and any(isinstance(e, dict | list | tuple) for e in value):
        lines = [_text(entry, inner) for entry in value]
    else:
        return _scalar_or_row(value)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(lines) + f"\n{indent}{closing}"


def _scalar_or_row(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} has no place in a report")
    return json.dumps(value, allow_nan=False)
