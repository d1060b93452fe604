"""Text broken into lines, or cut, by a measure of its own."""

from __future__ import annotations

from collections.abc import Callable


def wrapped(text: str, room: float, measure: Callable[[str], float]) -> list[str]:
    """The text in lines that measure at most `room`, broken between words where that can be."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and measure(joined) <= room:
            lines[-1] = joined
        else:
            lines += _pieces(word, room, measure)
    return lines


def shortened(text: str, room: float, measure: Callable[[str], float]) -> str:
    """The text, or as much of its beginning as measures at most `room` with three dots behind."""
    if measure(text) <= room:
        return text
    while text and measure(text + "…") > room:
        text = text[:-1]
    return text.rstrip(" ,;") + "…"


def _pieces(word: str, room: float, measure: Callable[[str], float]) -> list[str]:
    """A word, cut where it alone is too long."""
    pieces = [""]
    for character in word:
        if pieces[-1] and measure(pieces[-1] + character) > room:
            pieces.append("")
        pieces[-1] += character
    return pieces
