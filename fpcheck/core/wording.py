"""How sentences, counts, shares and findings are written, for every question's view."""

from __future__ import annotations

from fpcheck.core.findings import Finding


def share_text(value: float | None) -> str:
    """A share in percent with one decimal; `-` where there is none."""
    return "-" if value is None else f"{value:.1%}"


def sentence(text: str) -> str:
    """The text with a capital in front and a full stop behind."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def counted(count: int, word: str) -> str:
    """1 row, 3 rows, 20 000 rows."""
    return f"{thousands(count)} {word}" + "s" * (count != 1)


def thousands(count: int) -> str:
    """A whole number with its thousands apart: 6 602."""
    return f"{count:,}".replace(",", " ")


def finding_mark(findings: tuple[Finding, ...], *codes: str) -> str:
    """The first of the codes that failed, `?` behind one that is open, `ok`, or `-` for none."""
    mine = [f for f in findings if f.code in codes]
    for outcome, mark in (("fail", ""), ("inconclusive", "?")):
        for found in mine:
            if found.outcome == outcome:
                return found.code + mark
    return "ok" if any(f.outcome == "pass" for f in mine) else "-"
