"""Some of many, evenly."""

from __future__ import annotations


def evenly(count: int, most: int) -> list[int]:
    """At most so many of the places 0 to count - 1, evenly, with first and last; `most` above 1."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]
