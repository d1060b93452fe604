"""Text from files made safe to print: no control characters, no terminal escapes, ASCII on wish."""

from __future__ import annotations

import unicodedata

# Control, format (bidirectional overrides, zero width), surrogate, private use, unassigned, line
# and paragraph separators: what a name in a file could use to draw on a terminal.
HOSTILE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

ASCII_FORMS = {
    "─": "-", "━": "=", "│": "|", "█": "#", "▪": "#", "·": ".", "•": "*", "…": "...",
    "→": "->", "←": "<-", "–": "-", "—": "-", "−": "-", "‘": "'", "’": "'", "“": '"', "”": '"',
    "±": "+-", "×": "x", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "∞": "inf", "√": "sqrt ",
    "²": "^2", "³": "^3", "₁": "_1", "₂": "_2", "°": " deg", "½": "1/2", "‖": "||",
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "η": "eta",
    "κ": "kappa", "λ": "lambda", "μ": "mu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma",
    "τ": "tau", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Δ": "Delta", "Σ": "Sigma",
    "\N{NO-BREAK SPACE}": " ", "\N{THIN SPACE}": " ", "\N{NARROW NO-BREAK SPACE}": " ",
}  # fmt: skip


def printable(text: str, *, ascii_only: bool = False) -> str:
    """`text` with every character that could move the cursor or hide shown as its escape.

    A line break becomes a visible `\\n`, an escape character a visible `\\x1b`. With `ascii_only`
    signs and Greek letters become ASCII words and any other character its escape.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character, ascii_only) for character in text)


def _shown(character: str, ascii_only: bool) -> str:
    if character.isascii() and character.isprintable():
        return character
    if unicodedata.category(character) in HOSTILE_CATEGORIES:
        return _escaped(character)
    if not ascii_only:
        return character
    return ASCII_FORMS.get(character) or _escaped(character)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
