"""What a run is called, in its report and in the names of its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def run_name(given: Sequence[str | Path]) -> str:
    """The name of its folder, or of the folder of its files."""
    first = Path(given[0])
    folder = first if first.is_dir() else first.parent
    return folder.resolve().name or first.name
