"""How bits, errors and their intervals are written, for rules and views."""

from __future__ import annotations

import math

from fpcheck.core.plain import Section

LOWER_BOUND = "lower bound"


def number(value: float | None) -> float:
    """The value, NaN where it is missing."""
    return math.nan if value is None else float(value)


def bounds(part: Section, key: str = "") -> tuple[float, float]:
    """The ends {key}_low and {key}_high, or low and high; an end that is missing bounds nothing."""
    low, high = (f"{key}_low", f"{key}_high") if key else ("low", "high")
    return (
        -math.inf if part.get(low) is None else float(part[low]),
        math.inf if part.get(high) is None else float(part[high]),
    )


def impossible(part: Section, key: str = "bits", status: str = "status") -> bool:
    """Whether it is known that nothing hits the labels: bits without end, and not for lack of time.

    part: the section or a point of a curve.
    """
    return part.get(status) == "exact" and part.get(key) is None


def figure(value: float) -> str:
    """Bits with one decimal: 47.5, and of an open end the word for it."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return "-" if math.isnan(value) else f"{value + 0.0:.1f}"


def bits_text(part: Section, key: str = "bits", status: str = "status") -> str:
    """Bits as they are known: 47.5, ≥ 120.0 of a lower bound, ∞ where no network can be right."""
    if impossible(part, key, status):
        return "∞"
    if part.get(key) is None:
        return "-"
    if part.get(status) == LOWER_BOUND:
        low = bounds(part, key)[0]
        return f"≥ {figure(low if math.isfinite(low) else float(part[key]))}"
    return figure(float(part[key]))


def interval_text(part: Section, key: str = "bits", status: str = "status") -> str:
    """The 95 % interval of bits; `-` where there is none, as of a lower bound."""
    if part.get(key) is None or part.get(status) in ("exact", LOWER_BOUND):
        return "-"
    low, high = bounds(part, key)
    # Bits are never below 0, so that an end there is none.
    if low <= 0.0 and high == math.inf:
        return "-"
    return f"≤ {figure(high)}" if low <= 0.0 < high else f"{figure(low)}–{figure(high)}"


def share_interval(part: Section, key: str) -> str:
    """The interval of a share: 1.2–4.5; `-` where there is none."""
    low, high = part.get(f"{key}_low"), part.get(f"{key}_high")
    return "-" if low is None or high is None else f"{100 * low:.1f}–{100 * high:.1f}"
