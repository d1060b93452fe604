"""FP305 and FP306: what depth leaves of the kernel, and what width leaves of the score."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, Status, outcome_above
from fpcheck.core.plain import Section
from fpcheck.readout.wording import METRICS, bounds, model_of


def judge_kernel(section: Section, limits: Mapping[str, float]) -> tuple[Finding, Finding]:
    """The findings of FP305 and FP306."""
    return (
        _degeneration(section["kernel"], limits["min_kernel_spread"]),
        _width(section, limits["max_gain_of_infinite_width"]),
    )


def _degeneration(kernel: Section, limit: float) -> Finding:
    """The spread of the correlations has to keep at least `limit` of what it is at the input."""
    if "skipped" in kernel:
        return _skipped("FP305", str(kernel["skipped"]), limit, "network")
    depths = kernel["depths"]
    if len(depths) < 2:
        why = kernel["stopped"] or "there is no layer between the input and the last one"
        return _skipped("FP305", why, limit, "network")
    first, last = depths[0], depths[-1]
    where = f"node {last['node']}"
    if not _number(first["off_diagonal_sd"]) > 0.0:
        return _skipped("FP305", "the rows are equally alike as they come", limit, where)
    share = _number(last["off_diagonal_sd"]) / first["off_diagonal_sd"]
    passed = share >= limit
    if passed and kernel["stopped"]:
        return _skipped("FP305", kernel["stopped"], limit, where)
    return finding(
        "FP305",
        "pass" if passed else "fail",
        where=where,
        message=(
            f"correlations of {kernel['rows']} rows: {_spread(last)} at depth {last['depth']}, "
            f"{_spread(first)} of the input; effective rank {_rank(last)} of {_rank(first)}"
        ),
        status="numerical",
        found=share,
        limit=limit,
    )


def _width(section: Section, limit: float) -> Finding:
    """Infinite width may gain at most `limit` over networks of this width."""
    where = f"layer {section['layer']}"
    infinite = section["infinite_width"]
    model = infinite if "skipped" in infinite else infinite["nngp"]
    if "skipped" in model:
        return _skipped("FP306", str(model["skipped"]), limit, where)
    drawn = model_of(section, "last_layer_at_init")
    if model["gain"] is None or drawn.get("score") is None:
        why = drawn.get("skipped") or "no random networks of this width were fitted"
        return _skipped("FP306", why, limit, where)
    low, high = bounds({"low": model["gain_low"], "high": model["gain_high"]})
    return finding(
        "FP306",
        outcome_above(low, high, limit),
        where=where,
        message=(
            f"held-out {METRICS[section['metric']]} {model['score']:.3f} at infinite width, "
            f"{drawn['score']:.3f} at this width, mean of {drawn['draws']} random networks"
        ),
        status="sampled",
        found=model["gain"],
        low=model["gain_low"],
        high=model["gain_high"],
        limit=limit,
    )


def _skipped(code: str, why: str, limit: float, where: str) -> Finding:
    status: Status = "numerical" if code == "FP305" else "sampled"
    return finding(code, "skipped", where=where, message=why, status=status, limit=limit)


def _number(value: float | None) -> float:
    """NaN, which passes no limit, for a number that is missing."""
    return math.nan if value is None else float(value)


def _spread(depth: Section) -> str:
    return f"{_number(depth['off_diagonal_mean']):.4f} ± {_number(depth['off_diagonal_sd']):.2g}"


def _rank(depth: Section) -> str:
    return f"{_number(depth['effective_rank']):.3g}"
