"""The keys of a configuration file, which are also flags: their names, types and ranges."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from fpcheck.core.limits import GATES, check_prefixes
from fpcheck.core.nearest import did_you_mean
from fpcheck.core.settings import (
    LABEL_SCANS,
    PLANE_FILES,
    PLANES,
    PROBE_OPTIMISERS,
    QUESTIONS,
    Settings,
    names_plane_file,
)

# Turns what a file or a flag holds into the value of a setting; ValueError says what is wrong.
Reader: TypeAlias = Callable[[object], object]


@dataclass(frozen=True, slots=True)
class Key:
    """A key `name`, the field of Settings that it sets ("" for none) and its reader."""

    name: str
    field: str
    read: Reader
    hint: str = ""

    @property
    def default(self) -> object:
        """What holds when nobody sets the key."""
        return DEFAULTS.get(self.field, ())


def whole(minimum: int) -> Reader:
    """A reader of whole numbers from `minimum` on."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"must be a whole number, got {value!r}")
        if value < minimum:
            raise ValueError(f"must be at least {minimum}, got {value}")
        return value

    return read


def number(minimum: float) -> Reader:
    """A reader of finite numbers from `minimum` on."""

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"must be a number, got {value!r}")
        if not minimum <= value < math.inf:
            raise ValueError(f"must be a finite number of at least {minimum:g}, got {value}")
        return float(value)

    return read


def between(value: object) -> float:
    """A number above 0 and below 1."""
    read = number(0.0)(value)
    if not isinstance(read, float) or not 0.0 < read < 1.0:
        raise ValueError(f"must be above 0 and below 1, got {value}")
    return read


def positive(value: object) -> float:
    """A finite number above 0."""
    read = number(0.0)(value)
    if not isinstance(read, float) or not read > 0.0:
        raise ValueError(f"must be above 0, got {value}")
    return read


def one_of(names: Iterable[str]) -> Reader:
    """A reader of one of `names`."""
    known = tuple(names)

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in known:
            near = did_you_mean(value, known) if isinstance(value, str) else ""
            raise ValueError(
                f"must be one of {', '.join(known)}, got {value!r}"
                + (f"; {near}" if near.startswith("did") else "")
            )
        return value

    return read


def texts(value: object) -> tuple[str, ...]:
    """One string or a list of strings as a tuple."""
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(e, str) for e in entries):
        raise ValueError(f"must be a list of strings, got {value!r}")
    return tuple(str(entry) for entry in entries)


def codes(value: object) -> tuple[str, ...]:
    """Code prefixes, each of some rule; `FP1,FP204` counts as two."""
    return check_prefixes(_parts(value))


def questions(value: object) -> tuple[str, ...]:
    """Questions, in the order in which they are measured and without repeats."""
    read = one_of(QUESTIONS)
    asked = {read(part) for part in _parts(value)}
    return tuple(question for question in QUESTIONS if question in asked)


def scans(value: object) -> tuple[str, ...]:
    """Along what the labels' bits are scanned, in one order and without repeats."""
    read = one_of(LABEL_SCANS)
    asked = {read(part) for part in _parts(value)}
    return tuple(scan for scan in LABEL_SCANS if scan in asked)


def word(value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be a name, got {value!r}")
    return value.strip()


def _parts(value: object) -> tuple[str, ...]:
    """What stands between the commas of every text.

    A text without any is refused: a variable of a CI job that is not set must not turn "only
    these" into "all".
    """
    parts: list[str] = []
    for entry in texts(value):
        named = [part.strip() for part in entry.split(",") if part.strip()]
        if not named:
            raise ValueError("is empty text")
        parts += named
    return tuple(parts)


def plane(value: object) -> tuple[str, ...]:
    """What a slice is laid through: a word of PLANES, a file, or the ids of three attractors."""
    given = texts(value)
    if names_plane_file(given):
        return given
    parts = _parts(value)
    if len(parts) == 1 and parts[0] in PLANES:
        return parts
    if len(set(parts)) != 3 or len(parts) != 3 or not set(PLANES).isdisjoint(parts):
        near = did_you_mean(parts[0], PLANES) if len(parts) == 1 else ""
        raise ValueError(
            f"must be {', '.join(PLANES)}, three different ids or a file "
            f"({', '.join(PLANE_FILES)}), got {','.join(parts)!r}"
            + (f"; {near}" if near.startswith("did") else "")
        )
    return parts


def truth(value: object) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, got {value!r}")
    return value


KEYS: tuple[Key, ...] = (
    Key("models", "", texts, "a list of files, globs (from this file), package.module:factory"),
    Key("questions", "questions", questions, f"known: {', '.join(QUESTIONS)}"),
    Key("seed", "seed", whole(0), "the same seed gives the same report"),
    Key("starts", "starts", whole(1), "1024 is the default; fewer starts give wider intervals"),
    Key("max-steps", "max_steps", whole(1), "2000 is the default"),
    Key("max-period", "max_period", whole(1), "64 is the default; 1 looks for no cycles"),
    Key("effort", "effort", number(0.0), "1 is the default; 0 searches for no fixed points"),
    Key("spectrum", "spectrum", truth, "the largest exponent is always there"),
    Key("continuation", "continuation", truth, "false is the default: it takes its time"),
    Key("slice", "slice", plane, "auto takes the three largest basins; or A,B,C; or plane.npy"),
    Key("draws", "draws", whole(1), "1 is the default; more are for specs, which draw weights"),
    Key("samples", "samples", whole(2), "512 is the default; an interval needs at least two"),
    Key("short-run", "short_run", truth, "false is the default: nothing is trained"),
    Key("splits", "splits", whole(2), "20 is the default; an interval needs at least two"),
    Key("readout-draws", "readout_draws", whole(0), "5 is the default; 0 draws no networks"),
    Key("bias-share", "bias_share", between, "for example 0.1; leave it out for no correction"),
    Key("label-rows", "label_rows", whole(0), "0 is the default: as many as are affordable"),
    Key("label-errors", "label_errors", whole(0), "0 is the default: every label is to be hit"),
    Key("label-law", "label_law", word, "uniform, normal, lattice:9, he_normal and so on"),
    Key("label-tolerance", "label_tolerance", positive, "0.5 is the default, half a deviation"),
    Key("label-shuffles", "label_shuffles", whole(2), "5 is the default; an interval needs two"),
    Key("label-scan", "label_scan", scans, f"known: {', '.join(LABEL_SCANS)}"),
    Key("scaled-neurons", "scaled_neurons", truth, "false is the default"),
    Key("label-training", "label_training", truth, "true is the default: trained beside it"),
    Key("probe-steps", "probe_steps", whole(1), "300 is the default"),
    Key("probe-optimiser", "probe_optimiser", one_of(PROBE_OPTIMISERS), "sgd is the default"),
    Key("probe-rate", "probe_rate", number(0.0), "0 is the default: chosen by the curvature"),
    Key("probe-batch", "probe_batch", whole(0), "0 is the default: all rows in every step"),
    Key("escape-scan", "escape_scan", truth, "false is the default: it takes its time"),
    Key("self-map", "self_map", truth, "leave it out to iterate wherever the shapes agree"),
    Key("threads", "threads", whole(0), "0 takes one thread a core; no number depends on it"),
    Key("select", "select", codes, "prefixes such as FP1 or whole codes such as FP102"),
    Key("ignore", "ignore", codes, "prefixes such as FP1 or whole codes such as FP102"),
    Key("fail-on", "fail_on", one_of(GATES), "the lowest level that gives exit code 1"),
)
TABLES = ("limits", "levels", "per-model")
ALIASES = {
    "question": "questions",
    "errors": "label-errors",
    "optimiser": "probe-optimiser",
    "lr": "probe-rate",
    "batch": "probe-batch",
}
# The flags that are not called as their keys are.
FLAG_NAMES = {key: flag for flag, key in ALIASES.items()}
BY_NAME = {key.name: key for key in KEYS}
DEFAULTS: dict[str, object] = {
    field.name: field.default
    for field in dataclasses.fields(Settings)
    if field.default is not dataclasses.MISSING
}
