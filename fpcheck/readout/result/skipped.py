"""A part of the readout question that has no answer, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Skipped:
    """The question cannot be answered: why, and what to pass."""

    skipped: str
