"""A stroke alphabet: each character as lines and arcs, so that pictures need no font files.

A glyph is (width, path): M moves, L draws a line, Q an arc by a quadratic Bézier curve with one
control point. Ten units are the height of a capital, seven that of a small x; y points up.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TypeAlias

Segment: TypeAlias = tuple[float, float, float, float]

_BOWL = "M2.7 0Q0 0 0 3.5Q0 7 2.7 7Q5.4 7 5.4 3.5Q5.4 0 2.7 0"
_ARCH = "M0 7L0 0M0 4Q0.3 7 2.8 7Q5 7 5 4.4L5 0"
_O = "M3.5 0Q0 0 0 5Q0 10 3.5 10Q7 10 7 5Q7 0 3.5 0"
_P = "M0 0L0 10L3 10Q6 10 6 7.3Q6 4.6 3 4.6L0 4.6"

GLYPHS: dict[str, tuple[float, str]] = {
    "A": (7, "M0 0L3.5 10L7 0M1.2 3.5L5.8 3.5"),
    "B": (6, "M0 0L0 10L3 10Q5.5 10 5.5 7.6Q5.5 5.3 3 5.3L0 5.3M3 5.3Q6 5.3 6 2.7Q6 0 3 0L0 0"),
    "C": (6.5, "M6.5 8.2Q5.4 10 3.6 10Q0 10 0 5Q0 0 3.6 0Q5.4 0 6.5 1.8"),
    "D": (6.5, "M0 0L0 10L2.8 10Q6.5 10 6.5 5Q6.5 0 2.8 0L0 0"),
    "E": (5.5, "M5.5 10L0 10L0 0L5.5 0M0 5.2L4.8 5.2"),
    "F": (5.2, "M5.2 10L0 10L0 0M0 5.2L4.6 5.2"),
    "G": (6.8, "M6.4 8.2Q5.4 10 3.6 10Q0 10 0 5Q0 0 3.6 0Q6.8 0 6.8 3.2L6.8 4.8L4 4.8"),
    "H": (6.5, "M0 0L0 10M6.5 0L6.5 10M0 5.2L6.5 5.2"),
    "I": (0, "M0 0L0 10"),
    "J": (4, "M4 10L4 2.5Q4 0 2 0Q0 0 0 2.2"),
    "K": (6, "M0 0L0 10M6 10L0 4.2M2 6L6 0"),
    "L": (5, "M0 10L0 0L5 0"),
    "M": (8, "M0 0L0 10L4 3L8 10L8 0"),
    "N": (6.5, "M0 0L0 10L6.5 0L6.5 10"),
    "O": (7, _O),
    "P": (6, _P),
    "Q": (7, _O + "M4.4 2.2L7 -0.8"),
    "R": (6, _P + "M3 4.6L6 0"),
    "S": (6, "M5.7 8.3Q5 10 3 10Q0.3 10 0.3 7.6Q0.3 5.6 3 5.2Q6 4.8 6 2.5Q6 0 3 0Q0.7 0 0 1.8"),
    "T": (6.5, "M0 10L6.5 10M3.25 10L3.25 0"),
    "U": (6.5, "M0 10L0 3Q0 0 3.25 0Q6.5 0 6.5 3L6.5 10"),
    "V": (7, "M0 10L3.5 0L7 10"),
    "W": (10, "M0 10L2.5 0L5 9L7.5 0L10 10"),
    "X": (6.5, "M0 0L6.5 10M0 10L6.5 0"),
    "Y": (6.6, "M0 10L3.3 4.8L6.6 10M3.3 4.8L3.3 0"),
    "Z": (6, "M0 10L6 10L0 0L6 0"),
    "a": (5, "M0.6 5.7Q1.2 7 2.7 7Q5 7 5 4.8L5 0M5 4.2L2.6 4Q0 3.7 0 1.9Q0 0 2.1 0Q4.4 0 5 2.4"),
    "b": (5.4, "M0 10L0 0" + _BOWL),
    "c": (4.8, "M4.8 5.6Q4.1 7 2.6 7Q0 7 0 3.5Q0 0 2.6 0Q4.1 0 4.8 1.4"),
    "d": (5.4, "M5.4 10L5.4 0" + _BOWL),
    "e": (5.2, "M0 3.7L5.2 3.7Q5.2 7 2.7 7Q0 7 0 3.5Q0 0 2.8 0Q4.4 0 5 1.4"),
    "f": (3.4, "M3.4 9.8Q1.3 10.3 1.3 8L1.3 0M0 7L3.2 7"),
    "g": (5.4, _BOWL + "M5.4 7L5.4 0Q5.4 -3 2.7 -3Q0.9 -3 0.2 -1.9"),
    "h": (5, "M0 10L0 0M0 4Q0.3 7 2.8 7Q5 7 5 4.4L5 0"),
    "i": (0, "M0 7L0 0M0 9.5L0 9.9"),
    "j": (1.6, "M1.6 7L1.6 -1.2Q1.6 -3 0 -3M1.6 9.5L1.6 9.9"),
    "k": (4.8, "M0 10L0 0M4.6 7L0 2.8M1.7 4.3L4.8 0"),
    "l": (0, "M0 10L0 0"),
    "m": (8.4, "M0 7L0 0M0 4.2Q0.2 7 2.3 7Q4.2 7 4.2 4.4L4.2 0M4.2 4.2Q4.4 7 6.5 7Q8.4 7 8.4 4.4"
               "L8.4 0"),
    "n": (5, _ARCH),
    "o": (5.4, _BOWL),
    "p": (5.4, "M0 7L0 -3" + _BOWL),
    "q": (5.4, "M5.4 7L5.4 -3" + _BOWL),
    "r": (3.2, "M0 7L0 0M0 4Q0.3 7 3.2 6.9"),
    "s": (4.6, "M4.3 5.8Q3.8 7 2.3 7Q0.3 7 0.3 5.3Q0.3 3.9 2.3 3.6Q4.6 3.3 4.6 1.8Q4.6 0 2.3 0"
               "Q0.6 0 0 1.3"),
    "t": (3.4, "M1.3 9.2L1.3 1.8Q1.3 0 3.4 0.1M0 7L3.2 7"),
    "u": (5, "M0 7L0 2.6Q0 0 2.2 0Q4.7 0 5 3M5 7L5 0"),
    "v": (5, "M0 7L2.5 0L5 7"),
    "w": (7.6, "M0 7L1.9 0L3.8 6.3L5.7 0L7.6 7"),
    "x": (4.8, "M0 7L4.8 0M0 0L4.8 7"),
    "y": (5, "M0 7L2.6 0M5 7L2.2 -1.4Q1.5 -3 0 -2.9"),
    "z": (4.6, "M0 7L4.6 7L0 0L4.6 0"),
    "0": (5.8, "M2.9 0Q0 0 0 5Q0 10 2.9 10Q5.8 10 5.8 5Q5.8 0 2.9 0"),
    "1": (5.8, "M1 8L3.4 10L3.4 0"),
    "2": (5.8, "M0.2 7.6Q0.4 10 2.9 10Q5.5 10 5.5 7.5Q5.5 6 4 4.3L0 0L5.8 0"),
    "3": (5.8, "M0.3 8.4Q1 10 2.9 10Q5.4 10 5.4 7.7Q5.4 5.4 2.3 5.4Q5.8 5.4 5.8 2.7Q5.8 0 2.9 0"
               "Q0.6 0 0 1.8"),
    "4": (6, "M4.4 0L4.4 10L0 3L6 3"),
    "5": (5.8, "M5.3 10L0.8 10L0.4 5.6Q1.4 6.4 2.8 6.4Q5.8 6.4 5.8 3.3Q5.8 0 2.7 0Q0.7 0 0 1.6"),
    "6": (5.8, "M5.2 8.6Q4.6 10 3.1 10Q0 10 0 4.6Q0 0 2.9 0Q5.8 0 5.8 3.1Q5.8 6.2 3 6.2"
               "Q0.4 6.2 0 3.4"),
    "7": (5.6, "M0 10L5.6 10L2 0"),
    "8": (5.8, "M2.9 5.3Q0.4 5.3 0.4 7.7Q0.4 10 2.9 10Q5.4 10 5.4 7.7Q5.4 5.3 2.9 5.3Q0 5.3 0 2.6"
               "Q0 0 2.9 0Q5.8 0 5.8 2.6Q5.8 5.3 2.9 5.3"),
    "9": (5.8, "M0.6 1.4Q1.2 0 2.7 0Q5.8 0 5.8 5.4Q5.8 10 2.9 10Q0 10 0 6.9Q0 3.8 2.8 3.8"
               "Q5.4 3.8 5.8 6.6"),
    " ": (2.2, ""),
    ".": (0, "M0 0L0 0.3"),
    ",": (0.8, "M0.8 0.3L0 -1.8"),
    ":": (0, "M0 0L0 0.3M0 6L0 6.3"),
    ";": (0.8, "M0.8 0.3L0 -1.8M0.7 6L0.7 6.3"),
    "!": (0, "M0 10L0 3M0 0L0 0.3"),
    "?": (4.8, "M0 8Q0.4 10 2.4 10Q4.8 10 4.8 7.8Q4.8 6.4 3.4 5.4Q2.3 4.6 2.3 3M2.3 0L2.3 0.3"),
    "'": (0, "M0 10L0 7.5"),
    '"': (2, "M0 10L0 7.5M2 10L2 7.5"),
    "-": (3, "M0 3.8L3 3.8"),
    "–": (4.6, "M0 3.8L4.6 3.8"),
    "−": (5, "M0 3.8L5 3.8"),
    "+": (5, "M0 3.8L5 3.8M2.5 1.3L2.5 6.3"),
    "=": (5, "M0 2.6L5 2.6M0 5.2L5 5.2"),
    "<": (5, "M5 7L0 3.8L5 0.6"),
    ">": (5, "M0 7L5 3.8L0 0.6"),
    "/": (3.8, "M0 -1L3.8 10.5"),
    "\\": (3.8, "M0 10.5L3.8 -1"),
    "|": (0, "M0 -2L0 11"),
    "(": (2, "M2 11Q-1.6 4.5 2 -2"),
    ")": (2, "M0 11Q3.6 4.5 0 -2"),
    "[": (2, "M2 11L0 11L0 -2L2 -2"),
    "]": (2, "M0 11L2 11L2 -2L0 -2"),
    "_": (5.5, "M0 -1.4L5.5 -1.4"),
    "*": (4, "M2 10L2 5.6M0.1 8.9L3.9 6.7M0.1 6.7L3.9 8.9"),
    "#": (6, "M1.2 1L2.4 9M3.8 1L5 9M0.2 3.6L5.8 3.6M0.4 6.4L6 6.4"),
    "%": (8.4, "M7 10L1.4 0M1.8 5.4Q0 5.4 0 7.7Q0 10 1.8 10Q3.6 10 3.6 7.7Q3.6 5.4 1.8 5.4"
               "M6.6 0Q4.8 0 4.8 2.3Q4.8 4.6 6.6 4.6Q8.4 4.6 8.4 2.3Q8.4 0 6.6 0"),
    "&": (6.6, "M6.6 0L1.6 6.4Q0.2 8.2 1.2 9.3Q2.6 10.6 4 9.3Q5 7.6 2.8 6Q0 4.4 0 2.4Q0 0 2.6 0"
               "Q5.4 0 6.2 4"),
    "→": (8, "M0 3.8L8 3.8M5.2 6.4L8 3.8L5.2 1.2"),
    "←": (8, "M8 3.8L0 3.8M2.8 6.4L0 3.8L2.8 1.2"),
    "∞": (9, "M4.5 3.8Q2.6 6.6 1.4 6.2Q0 5.7 0 3.8Q0 1.9 1.4 1.4Q2.6 1 4.5 3.8Q6.4 6.6 7.6 6.2"
             "Q9 5.7 9 3.8Q9 1.9 7.6 1.4Q6.4 1 4.5 3.8"),
    "×": (4.4, "M0 6L4.4 1.6M0 1.6L4.4 6"),
    "±": (5, "M0 5L5 5M2.5 2.6L2.5 7.4M0 0.8L5 0.8"),
    "≤": (5, "M5 8L0 5L5 2M0 0L5 0"),
    "≥": (5, "M0 8L5 5L0 2M0 0L5 0"),
    "…": (5.2, "M0 0L0 0.3M2.6 0L2.6 0.3M5.2 0L5.2 0.3"),
    "·": (0, "M0 3.8L0 4.1"),
}  # fmt: skip
UNKNOWN = (5, "M0 0L0 10L5 10L5 0L0 0")
GAP = 2.4  # between two characters
ARC_PARTS = 6


@cache
def segments(character: str) -> tuple[float, tuple[Segment, ...]]:
    """The advance of a character and the straight pieces (x0, y0, x1, y1) that draw it."""
    width, path = GLYPHS.get(character, UNKNOWN)
    here = (0.0, 0.0)
    out: list[Segment] = []
    for command, numbers in _commands(path):
        end = (numbers[-2], numbers[-1])
        if command == "L":
            out.append((*here, *end))
        elif command == "Q":
            points = [_on_arc(here, (numbers[0], numbers[1]), end, i / ARC_PARTS)
                      for i in range(ARC_PARTS + 1)]  # fmt: skip
            out += [(*a, *b) for a, b in pairwise(points)]
        here = end
    return width + GAP, tuple(out)


def text_width(text: str, size: float) -> float:
    """The width of a line of text whose capitals are `size` high."""
    return sum(segments(character)[0] for character in text) * size / 10.0


def _commands(path: str) -> list[tuple[str, list[float]]]:
    out: list[tuple[str, list[float]]] = []
    for part in path.replace("M", "\nM").replace("L", "\nL").replace("Q", "\nQ").split("\n"):
        if part:
            out.append((part[0], [float(word) for word in part[1:].split()]))
    return out


def _on_arc(
    a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], t: float
) -> tuple[float, float]:
    x, y = (
        (1 - t) * (1 - t) * p + 2 * t * (1 - t) * q + t * t * r
        for p, q, r in zip(a, b, c, strict=True)
    )
    return x, y
