"""How the bits grow with the rows, and what they are at other widths, depths and allowed errors."""

from __future__ import annotations

from collections.abc import Iterator

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Item, Note, Table
from fpcheck.core.wording import finding_mark, sentence
from fpcheck.simplicity.wording import (
    bits_text,
    bounds,
    figure,
    interval_text,
)

NOT_ASKED = "not asked"  # how the reason of a part begins that only a flag asks for
GROWTH_COLUMNS = (
    Column("rows"),
    Column("bits"),
    Column("95% CI"),
    Column("a row"),
    Column("shuffled"),
    Column("95% CI", priority=1),
)
ERROR_COLUMNS = (Column("errors"), Column("bits"), Column("95% CI"), Column("known", "left"))
SCAN_COLUMNS = (
    Column("hidden", "left"),
    Column("parameters"),
    Column("bits"),
    Column("95% CI"),
    Column("known", "left"),
)


def growth_items(section: Section) -> Iterator[Item]:
    """Bits by rows, for true and shuffled labels, and what they grow like."""
    growth = section["growth"]
    if "skipped" in growth:
        yield Note(f"No curve over the rows: {sentence(str(growth['skipped']))}")
        return
    rows = tuple(
        (
            str(one["rows"]),
            bits_text(one),
            interval_text(one),
            _each(one["bits"], one["rows"]),
            bits_text(one, "random_bits", "random_status"),
            interval_text(one, "random_bits", "random_status"),
        )
        for one in growth["points"]
    )
    yield Table("Bits by rows", GROWTH_COLUMNS, rows, _grown(growth))


def _grown(growth: Section) -> str:
    """The exponent of the growth, and the effective number of parameters or why there is none."""
    parts = ["below the last line means of several random subsets"]
    if growth["exponent"] is not None:
        low, high = bounds(growth, "exponent")
        parts.append(
            f"bits grow like rows^{growth['exponent']:.2f} "
            f"(95% CI {low:.2f} to {high:.2f}); noise like rows^1, a narrow teacher ever slower"
        )
    if growth["parameters"] is not None:
        low, high = bounds(growth, "parameters")
        parts.append(
            f"effective number of parameters {figure(float(growth['parameters']))} "
            f"(95% CI {figure(low)} to {figure(high)}): bits a doubling of the rows, sampled"
        )
    elif growth.get("reason"):
        parts.append(f"no effective number of parameters: {str(growth['reason']).rstrip('.')}")
    return "; ".join(parts)


def error_items(section: Section) -> Iterator[Item]:
    """Bits by allowed errors, where more than one number of them was measured."""
    curve = section.get("errors_curve") or ()
    if len(curve) < 2:
        return
    rows = tuple(
        (str(one["errors"]), bits_text(one), interval_text(one), _known(one)) for one in curve
    )
    yield Table(
        "Bits by allowed errors", ERROR_COLUMNS, rows, "a steep first step: few rows cost the most"
    )


def scan_items(section: Section, findings: tuple[Finding, ...]) -> Iterator[Item]:
    """Bits at other widths and depths, where they were asked for."""
    scan = section["scan"]
    if "skipped" in scan:
        if not str(scan["skipped"]).startswith(NOT_ASKED):
            yield Note(f"No scan: {sentence(str(scan['skipped']))}")
        return
    if scan.get("width"):
        caption = _slope(section.get("scan_slope") or {}, finding_mark(findings, "FP407"))
        yield Table("Bits by width", SCAN_COLUMNS, _scanned(scan["width"]), caption)
    if scan.get("depth"):
        yield Table("Bits by depth", SCAN_COLUMNS, _scanned(scan["depth"]))
    yield from (Note(f"Not in the scan: {sentence(str(why))}") for why in scan["reasons"])


def _scanned(points: list[Section]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            "-".join(map(str, one.get("hidden") or ())) or "none",
            str(one["parameters"]),
            bits_text(one),
            interval_text(one),
            _known(one),
        )
        for one in points
    )


def _slope(slope: Section, rule: str) -> str:
    if slope.get("bits") is None:
        return str(slope.get("reason") or "")
    low, high = bounds(slope)
    text = (
        f"{float(slope['bits']):.2f} bits for every doubling of the width "
        f"(95% CI {low:.2f} to {high:.2f}, sampled)"
    )
    return f"{text}; {rule}" if rule not in ("-", "ok") else text


def _known(one: Section) -> str:
    return "in closed form" if one["status"] == "exact" else str(one["status"])


def _each(bits: float | None, rows: int) -> str:
    return "-" if bits is None else f"{bits / rows:.3f}"
