"""The nearest valid name, for hints."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LISTED = 12  # a list of valid names longer than this helps nobody
SHORTENED = 5  # letters that tell the beginning of a name
CUT_SHORT = 0.95  # of the likeness of a whole name


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest of `known`, or all of them where none is near and few are."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=LISTED, cutoff=0.5)
    if near:
        return f"did you mean '{min(near, key=lambda other: _difference(name, other))}'?"
    if names and len(names) <= LISTED:
        return f"known: {', '.join(names)}"
    return ""


def _difference(name: str, other: str) -> tuple[float, int, str]:
    """Small for likely misspellings; among equally alike names the letters in place decide.

    A name that was cut short is compared with the beginning of the other one.
    """
    alike = difflib.SequenceMatcher(None, other, name).ratio()
    if len(name) >= SHORTENED:
        start = difflib.SequenceMatcher(None, other[: len(name) + 1], name).ratio()
        alike = max(alike, CUT_SHORT * start)
    in_place = sum(a == b for a, b in zip(name, other, strict=False))
    return -alike, -in_place, other
