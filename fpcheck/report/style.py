"""How a report is written for people: width, colour, characters, how much."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH = 100  # columns of text that goes to no terminal


@dataclass(frozen=True, slots=True)
class Style:
    """The terminal's width, colour or none, ASCII alone, only findings, also what passed."""

    width: int = WIDTH
    colour: bool = False
    ascii_only: bool = False
    quiet: bool = False
    verbose: bool = False
