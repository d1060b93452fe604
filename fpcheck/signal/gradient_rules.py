"""Gradients on their way back: FP104, FP105, FP111."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, outcome_above, outcome_below
from fpcheck.core.plain import Section
from fpcheck.signal.comparison import Judged, closed, first_crossing, gradient_ratios, skipped


def gradients(measured: Section, limits: Mapping[str, float]) -> Iterator[Finding]:
    """FP104 and FP105: how long gradients are beside the output's."""
    rows = measured["layers"]
    if any(row["gradient_norm"] is None for row in rows) and measured["gradient"] != "measured":
        yield skipped("FP104", measured["gradient"])
        yield skipped("FP105", measured["gradient"])
        return
    floor, ceiling = limits["min_gradient_ratio"], limits["max_gradient_ratio"]
    if rows[-1]["gradient_norm"] == 0.0:
        yield finding(
            "FP104", "fail", where=f"layer {rows[-1]['name']}",
            message="no gradient passes the output's activation on these inputs",
            status="sampled", found=0.0, limit=floor,
        )  # fmt: skip
        yield skipped("FP105", "no gradient passes the output's activation")
        return
    if any(row["q"] is None for row in rows):
        yield skipped("FP104", "values overflow on these inputs, see FP102")
        yield skipped("FP105", "values overflow on these inputs, see FP102")
        return
    broken = next((row for row in reversed(rows) if row["gradient_norm"] is None), None)
    if broken is not None:
        message = "its gradients overflow, or are NaN, on these inputs"
        yield skipped("FP104", f"layer {broken['name']}: {message}")
        yield finding(
            "FP105", "fail", where=f"layer {broken['name']}", message=message, status="sampled",
            limit=ceiling,
        )  # fmt: skip
        return
    lengths = list(gradient_ratios(rows))[::-1]  # from the output back
    below = [
        Judged(row["name"], outcome_below(low, high, floor), words, found, low, high, -found)
        for row, found, low, high in lengths
        for words in (f"its gradient is {found:.2g} of the output's",)
    ]
    yield from first_crossing("FP104", below, floor, "no layer's gradient is that small")
    above = [
        Judged(row["name"], outcome_above(low, high, ceiling), words, found, low, high, found)
        for row, found, low, high in lengths
        for words in (f"its gradient is {found:.3g} times the output's",)
    ]
    yield from first_crossing("FP105", above, ceiling, "no layer's gradient is that large")


def isometry(jacobian: Section, limit: float) -> Finding:
    """FP111: how unlike the Jacobian's singular values are."""
    code = "FP111"
    if "skipped" in jacobian:
        return skipped(code, str(jacobian["skipped"]))
    spread = jacobian.get("isometry")
    if spread is None:
        return skipped(code, "the report holds no spread of singular values")
    if jacobian["rank"] < 2:
        return skipped(code, "the Jacobian has fewer than two singular values above rounding")
    found, low, high = (spread[f"log_spread{end}"] for end in ("", "_low", "_high"))
    low, high = 0.0 if low is None else low, math.inf if high is None else high
    words = (
        f"singular values spread by a factor {math.exp(min(found, 700.0)):.3g} about their "
        f"geometric mean; {spread['effective_rank']:.2g} directions of {jacobian['rank']:g} carry "
        "what passes"
    )
    return finding(
        code, outcome_above(low, high, limit), where="network", message=words, status="sampled",
        found=found, low=low, high=closed(high), limit=limit,
    )  # fmt: skip
