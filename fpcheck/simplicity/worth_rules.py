"""FP403, FP404 and FP407: what the bits promise, what training adds, and what width costs."""

from __future__ import annotations

import math

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, outcome_above
from fpcheck.core.plain import Section
from fpcheck.core.wording import counted, share_text
from fpcheck.simplicity.wording import bounds, number

WHERE = "labels"


def judge_bound(section: Section, limit: float) -> Finding:
    """The bound may be at most `limit` times the error of the commonest class."""
    majority = majority_error(section)
    if majority is None or not majority > 0.0:
        why = "there is no error of the commonest class to hold a bound against"
        return _skipped("FP403", why, limit)
    bound = section["error_bound"]
    if bound is None:
        why = str(section.get("error_bound_reason") or "no bound: p has no lower limit")
        return finding(
            "FP403",
            "fail",
            where=WHERE,
            message=why.rstrip("."),
            status="sampled",
            found=math.inf,
            limit=limit,
        )
    ratio = float(bound) / majority
    return finding(
        "FP403",
        # Written so that NaN fails.
        "pass" if ratio <= limit else "fail",
        where=WHERE,
        message=(
            f"error of a network that fits: at most {share_text(bound)} "
            f"({1.0 - section['error_bound_delta']:.0%}); "
            f"{_baseline(section)} {share_text(majority)}"
        ),
        status="sampled",
        found=ratio,
        limit=limit,
    )


def majority_error(section: Section) -> float | None:
    """The error of always giving the commonest answer, of the training rows if there are no others.

    None where it is not known.
    """
    if section["majority_error"] is not None:
        return float(section["majority_error"])
    sizes = [one["rows"] for one in section["classes"] or ()]
    return 1.0 - max(sizes) / sum(sizes) if sum(sizes) else None


def judge_training(section: Section, limit: float) -> Finding:
    """Training may be better than sampling by at most `limit`."""
    training = section["training"]
    if "skipped" in training:
        return _skipped("FP404", str(training["skipped"]), limit)
    if training.get("gain") is None:
        why = "no network that fits was sampled"
        return _skipped("FP404", why if section["test_rows"] else "there are no test rows", limit)
    low, high = bounds(training, "gain")
    sampled, trained = section["guess_and_check_error"], training["test_error"]
    return finding(
        "FP404",
        outcome_above(low, high, limit),
        where=WHERE,
        message=(
            f"test error {share_text(sampled)} of random networks that fit, {share_text(trained)} "
            f"of trained ones, on {counted(section['test_rows'], 'row')}"
        ),
        status="sampled",
        found=number(training["gain"]),
        low=low,
        high=high,
        limit=limit,
    )


def judge_width(section: Section, limit: float) -> Finding:
    """A doubling of the width may cost at most `limit` bits a row."""
    scan = section["scan"]
    if "skipped" in scan or not scan.get("width"):
        why = scan.get("skipped") or "not asked; pass --label-scan width"
        return _skipped("FP407", str(why), limit)
    slope = section.get("scan_slope") or {}
    if slope.get("bits") is None:
        why = str(slope.get("reason") or "too few widths with known bits for a slope")
        return _skipped("FP407", why, limit)
    rows = section["rows"]
    low, high = bounds(slope)
    ends = scan["width"][0], scan["width"][-1]
    return finding(
        "FP407",
        outcome_above(low / rows, high / rows, limit),
        where=WHERE,
        message=(
            f"{float(slope['bits']):.2g} bits for every doubling of the hidden widths, "
            f"{_widths(ends[0])} to {_widths(ends[1])}, {rows} rows"
        ),
        status="sampled",
        found=float(slope["bits"]) / rows,
        low=low / rows,
        high=high / rows,
        limit=limit,
    )


def _widths(one: Section) -> str:
    return "-".join(str(width) for width in one["hidden"])


def _baseline(section: Section) -> str:
    return "always the mean" if section["rule"] == "band" else "always the commonest class"


def _skipped(code: str, why: str, limit: float) -> Finding:
    return finding(
        code, "skipped", where=WHERE, message=why.rstrip("."), status="sampled", limit=limit
    )
