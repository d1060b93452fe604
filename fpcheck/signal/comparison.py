"""Layers beside a reference layer, and the findings that list them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, Outcome

# Fails of one rule that are listed one by one, the worst first.
LISTED_FAILS = 3

Row = Mapping[str, Any]  # one entry of a report's list of layers


@dataclass(frozen=True, slots=True)
class Judged:
    """One layer under one rule; `badness` orders fails, the worst largest."""

    where: str
    outcome: Outcome
    message: str
    found: float | None
    low: float | None
    high: float | None
    badness: float


def judged_rows(rows: list[Row]) -> list[Row]:
    """The hidden layers behind the first; of a shallow network all behind the first."""
    return [row for row in rows[1:] if row["hidden"]] or rows[1:]


def ratios(rows: list[Row], key: str, reference: Row) -> Iterator[tuple[Row, float, float, float]]:
    """(layer, ratio, low, high) of `key` to the reference layer's, skipping what is not finite.

    The interval divides the ends of the two intervals, so it holds whatever their dependence.
    """
    base, base_low, base_high = triple(reference, key)
    for row in rows:
        found, low, high = triple(row, key)
        if math.isfinite(base + found) and base > 0.0:
            upper = high / base_low if base_low > 0.0 else math.inf
            yield row, found / base, low / base_high, upper


def gradient_ratios(rows: list[Row]) -> Iterator[tuple[Row, float, float, float]]:
    """The same for lengths of gradients, by the output layer's: the norm times sqrt(units)."""
    last = rows[-1]
    for row, found, low, high in ratios(rows[:-1] or rows, "gradient_norm", last):
        size = math.sqrt(row["units"] / last["units"])
        yield row, found * size, low * size, high * size


def contrast_left(first: Row, last: Row) -> tuple[float | None, float | None, float | None]:
    """The last layer's contrast by the inputs', with its interval."""
    for row, found, low, high in ratios([last], "contrast", first):
        return (found, low, high) if row["contrast"] is not None else (None, None, None)
    return None, None, None


def triple(row: Row, key: str) -> tuple[float, float, float]:
    """(value, low, high); an end that is not finite is an open one, a missing value is NaN."""
    value, low, high = row.get(key), row.get(f"{key}_low"), row.get(f"{key}_high")
    return (
        math.nan if value is None else value,
        0.0 if low is None else low,
        math.inf if high is None else high,
    )


def first_crossing(code: str, judged: list[Judged], limit: float, passed: str) -> Iterator[Finding]:
    """One finding for a quantity followed in order: where it crosses the limit first."""
    failed = [each for each in judged if each.outcome == "fail"]
    if not failed:
        yield from listed(code, judged, limit, passed)
        return
    first, worst = failed[0], max(failed, key=lambda each: each.badness)
    message = first.message + (f"; worst in layer {worst.where}" if worst is not first else "")
    yield finding(
        code, "fail", where=f"layer {first.where}", message=message, status="sampled",
        found=worst.found, low=worst.low, high=closed(worst.high), limit=limit,
    )  # fmt: skip


def listed(code: str, judged: list[Judged], limit: float | None, passed: str) -> Iterator[Finding]:
    """The worst fails one by one; or what is undecided; or one pass for all layers."""
    if not judged:
        yield skipped(code, "there is nothing to compare with the first layer")
        return
    order = sorted(judged, key=lambda each: -each.badness)
    failed = [each for each in order if each.outcome == "fail"]
    unknown = [each for each in order if each.outcome == "inconclusive"]
    for number, each in enumerate(failed[:LISTED_FAILS]):
        yield _found(code, each, f"layer {each.where}", more(len(failed), number), limit)
    if failed:
        return
    if unknown:
        others = len(unknown) - 1
        tail = f", and {others} more layer{'s' if others > 1 else ''}" if others else ""
        yield _found(code, unknown[0], f"layer {unknown[0].where}", tail, limit)
        return
    worst = order[0]
    yield finding(
        code, "pass", where="all layers", message=passed, status="sampled",
        found=worst.found, low=worst.low, high=closed(worst.high), limit=limit,
    )  # fmt: skip


def _found(code: str, each: Judged, where: str, more: str, limit: float | None) -> Finding:
    return finding(
        code, each.outcome, where=where, message=each.message + more, status="sampled",
        found=each.found, low=each.low, high=closed(each.high), limit=limit,
    )  # fmt: skip


def closed(high: float | None) -> float | None:
    """An open upper end is no number."""
    return high if high is not None and math.isfinite(high) else None


def more(total: int, number: int) -> str:
    """ ", and N more layers" behind the last one listed."""
    left = total - LISTED_FAILS
    words = f", and {left} more layer{'s' if left > 1 else ''}"
    return words if left > 0 and number == LISTED_FAILS - 1 else ""


def skipped(code: str, why: str) -> Finding:
    """The finding of a rule that has nothing to judge."""
    return finding(code, "skipped", where="network", message=why, status="numerical")
