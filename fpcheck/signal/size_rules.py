"""The size of the signal along the depth: FP101, FP102.

Sizes are told against the first layer's and against the size at which the activation bends, whose
neighbourhood suits a tanh whatever came in; and less what chance does to q in a healthy network of
these widths.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, outcome_above, outcome_below
from fpcheck.core.plain import Section
from fpcheck.signal.comparison import (
    Judged,
    Row,
    closed,
    first_crossing,
    judged_rows,
    ratios,
    triple,
)

CHANCE = 3.0  # standard deviations of log q that are left to chance
# A signal that is bound for q* = 0 and predicted to be at this share of the first layer's q by the
# last hidden one is lost if the measurement agrees.
DOOMED = 1e-2
CRITICAL = 0.99  # V'(0) below this is a decay, not a critical network's slow fall


def vanishing(theory: Section, measured: Section, limits: Mapping[str, float]) -> Iterator[Finding]:
    """FP101: where the signal ends, or falls too far, or is bound to."""
    code, rows, limit = "FP101", measured["layers"], limits["min_q_ratio"]
    ended = _ended(measured)
    if ended is not None:
        row, words, found = ended
        yield finding(
            code, "fail", where=f"layer {row['name']}", message=words, status="sampled",
            found=found, limit=limit,
        )  # fmt: skip
        return
    judged = [
        Judged(
            row["name"],
            outcome_below(low * _chance(row), high * _chance(row), limit),
            f"q is {found:.2g} of the first layer's",
            found,
            low,
            high,
            -found,
        )
        for row, found, low, high in _against(rows, smallest=True)
    ]
    doomed = _doomed(theory, measured, limits["max_kept"])
    if doomed is not None and not any(each.outcome == "fail" for each in judged):
        yield doomed
        return
    yield from first_crossing(code, judged, limit, "no layer's q falls that far below the first's")


def exploding(measured: Section, limit: float) -> Iterator[Finding]:
    """FP102: where the signal stops being finite, or rises too far."""
    code, rows = "FP102", measured["layers"]
    broken = next((row for row in rows if row["q"] is None), None)
    if broken is not None:
        yield finding(
            code, "fail", where=f"layer {broken['name']}",
            message="its pre-activations overflow, or are NaN, on these inputs",
            status="sampled", limit=limit,
        )  # fmt: skip
        return
    judged = [
        Judged(
            row["name"],
            outcome_above(low / _chance(row), high / _chance(row), limit),
            f"q is {found:.3g} times the first layer's",
            found,
            low,
            high,
            found,
        )
        for row, found, low, high in _against(rows, smallest=False)
    ]
    yield from first_crossing(code, judged, limit, "no layer's q rises that far above the first's")


def _ended(measured: Section) -> tuple[Row, str, float | None] | None:
    """The layer at which nothing of the inputs is left, and in what sense."""
    rows = measured["layers"]
    if measured["inputs"] > 1 and measured["input"]["input_dependent"]:
        constant = next((row for row in rows if not row["input_dependent"]), None)
        if constant is not None:
            words = "its pre-activations are the same for every input: the signal ends here"
            return constant, words, None
    if rows[0]["q"] == 0.0 and measured["input"]["q"]:
        return rows[0], "its pre-activations are 0, or too small to be squared", 0.0
    return None


def _against(rows: list[Row], *, smallest: bool) -> Iterator[tuple[Row, float, float, float]]:
    """(layer, q, low, high) in units of the smaller, or larger, of the sizes that q should have.

    They are the first layer's q and the q at which the activation, or the last one before it that
    has a scale, bends.
    """
    of_first = {row["name"]: numbers for row, *numbers in ratios(judged_rows(rows), "q", rows[0])}
    choose = max if smallest else min  # the smaller unit gives the larger number
    natural: float | None = None
    for row in rows:
        natural = row.get("natural_q") or natural
        if row["name"] in of_first:
            found, low, high = of_first[row["name"]]
            if natural:
                own = [value / natural for value in triple(row, "q")]
                found, low, high = map(choose, (found, low, high), own)
            yield row, found, low, high


def _chance(row: Row) -> float:
    """The factor that chance alone may put between q here and in the first layer."""
    return math.exp(CHANCE * row.get("q_chance", 0.0))


def _doomed(theory: Section, measured: Section, limit: float) -> Finding | None:
    """The signal is not small yet, but the variance map takes it to 0 and it is on its way.

    Of activations with a scale: a signal far below it sees a linear function. Near the scale q may
    linger by chance, so prediction and measurement must agree; None where neither says so.
    """
    if "skipped" in theory or theory["scale_free"] or theory["q_star"] != 0.0:
        return None
    origin = next((p for p in theory["fixed_points"] if p["q"] == 0.0), None)
    last = [row for row in measured["layers"] if row["hidden"]][-1]
    predicted = {row["name"]: row["q"] for row in theory["layers"]}
    first = predicted[measured["layers"][0]["name"]]
    at_last = predicted[last["name"]]
    if origin is None or not origin["slope"] < CRITICAL or not first or at_last is None:
        return None
    expected = at_last / first
    if not expected < DOOMED:
        return None
    for row, found, low, high in ratios([last], "q", measured["layers"][0]):
        words = (
            f"q is {found:.2g} of the first layer's and bound for 0 ({theory['phase']}, V'(0) = "
            f"{origin['slope']:.3g}): {expected:.2g} of it is left here at infinite width"
        )
        return finding(
            "FP101", outcome_below(low, high, limit), where=f"layer {row['name']}",
            message=words, status="sampled", found=found, low=low, high=closed(high), limit=limit,
        )  # fmt: skip
    return None
