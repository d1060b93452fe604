"""The nearest valid name, for hints."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LISTED = 12  # a list of valid names longer than this helps nobody


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest of `known`, or all of them where none is near and few are."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{near[0]}'?"
    if names and len(names) <= LISTED:
        return f"known: {', '.join(names)}"
    return ""
