"""What the readout section of a report is held against."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, Outcome, outcome_above, outcome_below
from fpcheck.core.plain import Section
from fpcheck.readout.baseline_rules import judge_baselines
from fpcheck.readout.data_rules import judge_data
from fpcheck.readout.kernel_rules import judge_kernel
from fpcheck.readout.wording import METRICS, bounds

CODES = (
    *("FP301", "FP302", "FP303", "FP304", "FP305", "FP306", "FP307", "FP308"),
    *("FP310", "FP311"),
)


def judge(section: Section, limits: Mapping[str, float]) -> tuple[Finding, ...]:
    """The findings of CODES, in that order; of an older report those that it has numbers for."""
    if "skipped" in section:
        why = str(section["skipped"])
        return tuple(
            finding(code, "skipped", where="network", message=why, status="sampled")
            for code in CODES
        )
    gains = {gain["over"]: gain for gain in section["gains"]}
    first = (
        _least_gain("FP301", section, gains["majority"], limits["min_gain_over_majority"]),
        _over_linear(section, gains.get("linear_on_input"), limits["min_gain_over_linear"]),
        _over_trained(section, gains.get("trained"), limits["max_gain_over_trained"]),
        _condition(section, limits["max_condition"]),
    )
    if "models" not in section:
        return first
    return (
        *first,
        *judge_kernel(section, limits),
        *judge_baselines(section, limits),
        *judge_data(section, limits),
    )


def _least_gain(code: str, section: Section, gain: Section, limit: float) -> Finding:
    """The last layer has to gain at least `limit`."""
    low, high = bounds(gain)
    return _gain(code, section, gain, limit, outcome_below(low, high, limit))


def _over_linear(section: Section, gain: Section | None, limit: float) -> Finding:
    if gain is None:
        return _skipped("FP302", section, section["linear_on_input_skipped"], limit)
    return _least_gain("FP302", section, gain, limit)


def _over_trained(section: Section, gain: Section | None, limit: float) -> Finding:
    """The last layer may gain at most `limit` over the weights as they are."""
    if gain is None:
        return _skipped("FP303", section, section["trained_skipped"], limit)
    low, high = bounds(gain)
    return _gain("FP303", section, gain, limit, outcome_above(low, high, limit))


def _gain(code: str, section: Section, gain: Section, limit: float, outcome: Outcome) -> Finding:
    metric = METRICS[section["metric"]]
    last_layer, other = section["last_layer"], section[gain["over"]]
    return finding(
        code,
        outcome,
        where=_where(section),
        message=f"held-out {metric} {last_layer:.3f}, {_named(section, gain['over'])} {other:.3f}",
        status="sampled",
        found=gain["gain"],
        low=gain["low"],
        high=gain["high"],
        limit=limit,
    )


def _condition(section: Section, limit: float) -> Finding:
    fit = next(fit for fit in section["fits"] if fit["model"] == "last_layer")
    condition = math.inf if fit["condition"] is None else float(fit["condition"])
    dependent = "" if math.isfinite(condition) else ", linearly dependent"
    return finding(
        "FP304",
        # Written so that NaN fails.
        "pass" if condition <= limit else "fail",
        where=_where(section),
        message=(
            f"{fit['features']} features of rank {fit['rank']}, "
            f"effective rank {fit['effective_rank']:.1f}{dependent}"
        ),
        status="numerical",
        found=condition,
        limit=limit,
    )


def _skipped(code: str, section: Section, why: str, limit: float) -> Finding:
    return finding(
        code, "skipped", where=_where(section), message=why, status="sampled", limit=limit
    )


def _named(section: Section, model: str) -> str:
    if model == "majority":
        return "majority class" if section["metric"] == "accuracy" else "mean"
    if model == "trained":
        return "as it is"
    rank = section["linear_rank"]
    return "linear on the input" if rank is None else f"{rank} principal components"


def _where(section: Section) -> str:
    return f"layer {section['layer']}"
