"""What an earlier trace of the same run already knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fpcheck import __version__
from fpcheck.core.errors import UsageError
from fpcheck.report.schema import TRACE, violations

SCHEMA = "fpcheck/trace/1"
# What says how the numbers are judged, not what they are.
JUDGING = ("select", "ignore", "levels", "limits", "fail_on")
HINT = "it must be the JSON of fpcheck trace -o run.json"
# What an entry says of its place in the run, and not of the checkpoint alone.
OF_THE_RUN = ("name", "step", "distance")


@dataclass(frozen=True, slots=True)
class Earlier:
    """The entries of an earlier trace by the checkpoint's hash; note: why there are none."""

    entries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    note: str = ""


def read_earlier(
    resume: str | Path | Mapping[str, Any] | None, settings: Mapping[str, Any]
) -> Earlier:
    """The earlier trace, empty where there is none or where it was made under other settings
    or by another fpcheck.

    Raises:
        UsageError: the file is no trace, or a damaged one.
    """
    if resume is None:
        return Earlier()
    document = resume if isinstance(resume, Mapping) else _read(Path(resume))
    if document.get("schema") != SCHEMA or not isinstance(document.get("checkpoints"), list):
        name = "the earlier trace" if isinstance(resume, Mapping) else Path(resume).name
        raise UsageError(f"{name} is no trace", where="--resume", hint=HINT)
    if faults := violations(document, TRACE):
        raise UsageError(
            f"the earlier trace is damaged: {faults[0]}",
            where="--resume",
            hint=f"leave it out; {HINT}",
        )
    old = _measuring({**document["settings"], "fpcheck": document["fpcheck"]})
    new = _measuring({**settings, "fpcheck": __version__})
    changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    if changed:
        return Earlier(note=f"nothing is resumed: other {', '.join(changed)}")
    entries = {one["sha256"]: one for one in document["checkpoints"] if one.get("sha256")}
    return Earlier(entries)


def alone(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry says of the checkpoint alone, whatever run it stands in."""
    out = {key: value for key, value in entry.items() if key not in OF_THE_RUN}
    out["layers"] = [
        {k: v for k, v in layer.items() if k not in ("from_first", "from_previous")}
        for layer in entry["layers"]
    ]
    attractors = entry["attractors"]
    if "fixed_points" in attractors:
        points = [
            {key: value for key, value in point.items() if key != "track"}
            for point in attractors["fixed_points"]
            if not point.get("followed")
        ]
        out["attractors"] = {**attractors, "fixed_points": points}
    return out


def fits(entry: Mapping[str, Any], layers: int, size: int | None) -> bool:
    """Whether an entry is of a network of so many layers and, if it has points, so many inputs."""
    points = entry["attractors"].get("fixed_points", ())
    return len(entry["layers"]) == layers and all(len(one["point"]) == size for one in points)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path.name} cannot be read: {error.strerror}", where="--resume", hint=HINT
        ) from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path.name} is no JSON", where="--resume", hint=HINT) from None
    if not isinstance(document, dict):
        raise UsageError(f"{path.name} is no trace", where="--resume", hint=HINT)
    return document


def _measuring(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in JUDGING}
