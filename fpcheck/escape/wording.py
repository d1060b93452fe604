"""How steps, losses and ratios of the training probe are written, for views and figures."""

from __future__ import annotations

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section

OPTIMISERS = {
    "sgd": "SGD",
    "norm-adaptive": "norm-adaptive SGD",
    "momentum": "SGD with momentum",
    "adam": "Adam",
}


def figure(value: float | None, digits: int = 3) -> str:
    """The value with so many digits; `-` where there is none."""
    return "-" if value is None else f"{value:.{digits}g}"


def share_text(value: float | None) -> str:
    """A share in percent with one decimal; `-` where there is none."""
    return "-" if value is None else f"{value:.1%}"


def stretch(part: Section | None) -> str:
    """Steps a-b, `-` for none."""
    return "-" if part is None else f"{part['from']}–{part['to']}"


def sentence(text: str) -> str:
    """The text with a capital in front and a full stop behind."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def counted(count: int, word: str) -> str:
    """1 row, 3 rows, 20 000 rows."""
    return f"{count:,} {word}".replace(",", " ") + "s" * (count != 1)


def finding_mark(findings: tuple[Finding, ...], *codes: str) -> str:
    """The first of the codes that failed, `?` behind one that is open, `ok`, or `-` for none."""
    mine = [f for f in findings if f.code in codes]
    for outcome, mark in (("fail", ""), ("inconclusive", "?")):
        for found in mine:
            if found.outcome == outcome:
                return found.code + mark
    return "ok" if any(f.outcome == "pass" for f in mine) else "-"


def law_through(layers: list[Section], power: float) -> list[float | None]:
    """c depth^power for every layer, c the geometric mean of ratio / depth^power; None without."""
    known = [one for one in layers if one["ratio"] is not None]
    if not known:
        return [None] * len(layers)
    level = 1.0
    for one in known:
        level *= (float(one["ratio"]) / one["depth"] ** power) ** (1.0 / len(known))
    return [level * one["depth"] ** power for one in layers]
