"""The settings from flags and configuration files, each with where it came from.

Order, the first that sets a value wins: flags, --config FILE, ./fpcheck.toml, [tool.fpcheck] of
the nearest pyproject.toml upward, defaults. Limits and levels merge name by name; inside one
file a limit for one model comes before a limit for all.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, cast

from fpcheck.core.catalogue import default_limits
from fpcheck.core.config_file import OWN_FILE, PYPROJECT, Layer, Sourced, read_layer, read_value
from fpcheck.core.errors import UsageError
from fpcheck.core.keys import BY_NAME, FLAG_NAMES, KEYS
from fpcheck.core.limits import parse_limit
from fpcheck.core.live_target import names_target
from fpcheck.core.settings import Settings, names_plane_file


@dataclass(frozen=True, slots=True)
class Configuration:
    """The layers that set something, the strongest first."""

    layers: tuple[Layer, ...]

    def value(self, name: str) -> Sourced:
        """The value of the key `name` and its source."""
        for layer in self.layers:
            if name in layer.values:
                return layer.values[name]
        return Sourced(BY_NAME[name].default, "default")

    def limits(self, model: str = "") -> dict[str, Sourced]:
        """Every limit that somebody sets, for `model` (a path), sorted by name."""
        merged: dict[str, Sourced] = {}
        for layer in reversed(self.layers):
            merged.update(layer.limits)
            for pattern, limits in layer.per_model:
                if model and matches(model, pattern, layer.folder):
                    merged.update(limits)
        return dict(sorted(merged.items()))

    def levels(self) -> dict[str, Sourced]:
        """Every level that somebody sets, sorted by code."""
        merged: dict[str, Sourced] = {}
        for layer in reversed(self.layers):
            merged.update(layer.levels)
        return dict(sorted(merged.items()))

    def settings_for(self, model: str = "") -> Settings:
        """The settings of the analysis of `model` (a path)."""
        fields: dict[str, Any] = {
            key.field: self.value(key.name).value for key in KEYS if key.field
        }
        fields["slice"] = self._plane()
        return replace(
            Settings(),
            **fields,
            limits={name: cast("float", s.value) for name, s in self.limits(model).items()},
            levels={code: cast("str", s.value) for code, s in self.levels().items()},
        )

    def _plane(self) -> tuple[str, ...]:
        """What a slice is laid through; a file is named relative to the file that names it."""
        for layer in self.layers:
            if "slice" in layer.values:
                plane = cast("tuple[str, ...]", layer.values["slice"].value)
                return (_from_here(layer.folder / plane[0]),) if names_plane_file(plane) else plane
        return ()

    def models(self) -> tuple[str, ...]:
        """The configured models: globs expanded, relative to the current folder where below;
        live models as they are.

        Raises:
            UsageError: a glob that matches nothing.
        """
        for layer in self.layers:
            if "models" in layer.values:
                entry = layer.values["models"]
                return _expanded(cast("tuple[str, ...]", entry.value), layer.folder, entry.source)
        return ()

    def rows(self, model: str = "") -> tuple[tuple[str, str, str], ...]:
        """(setting, value, source) of everything that can be set, for --show-settings."""
        rows = [(key.name, _shown(self.value(key.name))) for key in KEYS]
        limits = self.limits(model)
        for name, default in default_limits().items():
            rows.append((f"limits.{name}", _shown(limits.get(name, Sourced(default, "default")))))
        rows += [(f"levels.{code}", _shown(level)) for code, level in self.levels().items()]
        return tuple((name, value, source) for name, (value, source) in rows)


def read_configuration(
    folder: Path,
    *,
    config: Path | None = None,
    flags: Mapping[str, object] | None = None,
    limits: Iterable[str] = (),
    discover: bool = True,
) -> Configuration:
    """The configuration for a run in `folder`.

    Args:
        folder: where `fpcheck.toml` and the nearest `pyproject.toml` are looked for.
        config: a file that comes before both.
        flags: values by key name; None stands for a flag that was not given.
        limits: `NAME=VALUE` texts of --limit.
        discover: whether to look for files that were not named.

    Raises:
        UsageError: a flag, file, key, limit or value that cannot be used.
    """
    layers = [_flags(folder, flags or {}, limits)]
    if config is not None:
        named = read_layer(config)
        if named is None:
            raise UsageError(
                f"'{config}' has no [tool.fpcheck]", where="--config", hint="add it, or name a file"
            )
        layers.append(named)
    if discover:
        layers += _discovered(folder)
    return Configuration(tuple(layers))


def matches(model: str, pattern: str, folder: Path) -> bool:
    """Whether the model's path, seen from `folder`, matches the glob `pattern`."""
    absolute = Path(os.path.abspath(model))
    try:
        seen = absolute.relative_to(folder).as_posix()
    except ValueError:
        seen = absolute.as_posix()
    return PurePosixPath(seen).match(pattern) or fnmatchcase(seen, pattern)


def _flags(folder: Path, flags: Mapping[str, object], limits: Iterable[str]) -> Layer:
    values = {}
    for name, value in flags.items():
        if value is not None:
            source = f"--{FLAG_NAMES.get(name, name)}"
            values[name] = Sourced(read_value(BY_NAME[name], value, source), source)
    parsed = dict(parse_limit(text) for text in limits)
    return Layer(
        folder=folder,
        values=values,
        limits={name: Sourced(value, "--limit") for name, value in parsed.items()},
    )


def _discovered(folder: Path) -> list[Layer]:
    layers = []
    own = folder / OWN_FILE
    if own.is_file():
        layer = read_layer(own)
        if layer is not None:
            layers.append(layer)
    for parent in (folder, *folder.parents):
        candidate = parent / PYPROJECT
        if candidate.is_file():
            layer = read_layer(candidate)
            if layer is not None:
                layers.append(layer)
                break
    return layers


def _expanded(patterns: tuple[str, ...], folder: Path, source: str) -> tuple[str, ...]:
    found: list[str] = []
    for pattern in patterns:
        hits = sorted(glob.glob(pattern, root_dir=folder, recursive=True))
        if not hits and names_target(pattern):
            found += [pattern] if pattern not in found else []
            continue
        if not hits:
            raise UsageError(
                f"models: '{pattern}' matches no file",
                where=source,
                hint="globs are relative to the folder of the configuration; a live model is "
                "package.module:factory",
            )
        files = [_from_here(folder / hit) for hit in hits]
        found += [file for file in files if file not in found]
    return tuple(found)


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _shown(setting: Sourced) -> tuple[str, str]:
    value = setting.value
    if isinstance(value, tuple):
        return (", ".join(str(entry) for entry in value) or "-", setting.source)
    if isinstance(value, float):
        return (f"{value:g}", setting.source)
    return ("-" if value is None else str(value), setting.source)
