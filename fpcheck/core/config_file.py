"""One configuration file, read and checked key by key, with the line of every key."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from fpcheck.core.errors import UsageError
from fpcheck.core.keys import ALIASES, BY_NAME, TABLES, Key
from fpcheck.core.limits import check_level, limit_value
from fpcheck.core.nearest import did_you_mean

T = TypeVar("T")
Where = Callable[..., str]

PYPROJECT = "pyproject.toml"
OWN_FILE = "fpcheck.toml"


@dataclass(frozen=True, slots=True)
class Sourced:
    """A value and where it came from: `--seed`, `fpcheck.toml, line 3` or `default`."""

    value: object
    source: str


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source sets; `folder` is what its globs are relative to."""

    folder: Path
    values: Mapping[str, Sourced] = field(default_factory=dict)
    limits: Mapping[str, Sourced] = field(default_factory=dict)
    levels: Mapping[str, Sourced] = field(default_factory=dict)
    per_model: tuple[tuple[str, Mapping[str, Sourced]], ...] = ()


def read_layer(path: Path) -> Layer | None:
    """The settings in `path`; None if it is a pyproject.toml without [tool.fpcheck].

    Raises:
        UsageError: unreadable, not TOML, or a key, limit or value that cannot be used.
    """
    text = _text_of(path)
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(
            f"not valid TOML: {error}", where=path.name, hint="look at quotes, commas and brackets"
        ) from None
    prefix: tuple[str, ...] = ()
    if path.name == PYPROJECT:
        prefix = ("tool", "fpcheck")
        tool = document.get("tool")
        if not isinstance(tool, dict) or "fpcheck" not in tool:
            return None
        document = tool["fpcheck"]
        if not isinstance(document, dict):
            raise UsageError(
                "tool.fpcheck is not a table", where=path.name, hint="write [tool.fpcheck]"
            )
    lines = key_lines(text)

    def where(*keys: str) -> str:
        line = _line_of(lines, (*prefix, *keys))
        return f"{path.name}, line {line}" if line else path.name

    return _layer(document, path.resolve().parent, where)


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """The line, counted from 1, on which each key or table of a TOML text first stands.

    Keys inside inline tables and multi-line values have no line of their own.
    """
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            header = _path_of(stripped.strip("[] \t").partition("]")[0])
            if header:
                table = header
                lines.setdefault(table, number)
        elif "=" in stripped and not stripped.startswith("#"):
            path = _path_of(stripped.partition("=")[0])
            if path:
                lines.setdefault((*table, *path), number)
    return lines


def _path_of(key: str) -> tuple[str, ...]:
    """The parts of a dotted key as TOML reads them; () if it is none."""
    try:
        value: object = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(value, dict) and len(value) == 1:
        ((name, value),) = value.items()
        path.append(name)
    return tuple(path)


def _line_of(lines: Mapping[tuple[str, ...], int], path: tuple[str, ...]) -> int:
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 0


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise UsageError(
            f"no configuration file '{path}'", where="--config", hint="is the path right?"
        ) from None
    except UnicodeDecodeError:
        raise UsageError(
            f"'{path.name}' is not UTF-8 text", where=path.name, hint="a configuration is TOML"
        ) from None
    except OSError as error:
        raise UsageError(
            f"cannot read the configuration: {error.strerror}", where=str(path)
        ) from None


def _layer(document: Mapping[str, object], folder: Path, where: Where) -> Layer:
    values: dict[str, Sourced] = {}
    for name, value in document.items():
        if name not in TABLES:
            key = known_key(name, where(name))
            values[key.name] = Sourced(read_value(key, value, where(name)), where(name))
    levels: dict[str, Sourced] = {}
    for code, level in _table(document, "levels", where("levels")).items():
        place = where("levels", code)
        upper, checked = check_level(code, level, where=place)
        levels[upper] = Sourced(checked, place)
    return Layer(
        folder=folder,
        values=values,
        limits=_limits(_table(document, "limits", where("limits")), "limits", where=where),
        levels=levels,
        per_model=tuple(_per_model(document, where)),
    )


def _per_model(
    document: Mapping[str, object], where: Where
) -> list[tuple[str, Mapping[str, Sourced]]]:
    entries: list[tuple[str, Mapping[str, Sourced]]] = []
    models = _table(document, "per-model", where("per-model"))
    for glob in models:
        table = _table(models, glob, where("per-model", glob))
        for name in table:
            if name != "limits":
                raise UsageError(
                    f"unknown key '{name}' in per-model.\"{glob}\"",
                    where=where("per-model", glob, name),
                    hint=f'only limits can be set for one model: [per-model."{glob}".limits]',
                )
        limits = _table(table, "limits", where("per-model", glob, "limits"))
        entries.append((glob, _limits(limits, "per-model", glob, "limits", where=where)))
    return entries


def _limits(table: Mapping[str, object], *path: str, where: Where) -> dict[str, Sourced]:
    limits = {}
    for name, value in table.items():
        place = where(*path, name)
        limits[name] = Sourced(limit_value(name, value, where=place), place)
    return limits


def _table(document: Mapping[str, object], name: str, where: str) -> Mapping[str, object]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise UsageError(
            f"'{name}' must be a table, got {table!r}", where=where, hint=f"write [{name}]"
        )
    return table


def known_key(name: str, where: str) -> Key:
    """The key `name`.

    Raises:
        UsageError: there is none.
    """
    canonical = ALIASES.get(name, name)
    if canonical not in BY_NAME:
        raise UsageError(
            f"unknown key '{name}'",
            where=where,
            hint=did_you_mean(name, (*BY_NAME, *TABLES)) or f"keys: {', '.join(BY_NAME)}",
        )
    return BY_NAME[canonical]


def read_value(key: Key, value: object, where: str) -> object:
    """What `value` sets `key` to.

    Raises:
        UsageError: it is of the wrong type or out of range.
    """
    try:
        return key.read(value)
    except ValueError as error:
        raise UsageError(f"{key.name} {error}", where=where, hint=key.hint) from None
    except UsageError as error:
        raise UsageError(error.message, where=where, hint=error.hint) from None
