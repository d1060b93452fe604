"""What the signal section of a report is held against."""

from __future__ import annotations

from collections.abc import Mapping

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.signal.comparison import skipped
from fpcheck.signal.depth_rules import too_deep, unstable, untrainable
from fpcheck.signal.gradient_rules import gradients, isometry
from fpcheck.signal.short_run import does_not_start
from fpcheck.signal.size_rules import exploding, vanishing
from fpcheck.signal.theory_rules import departures, wrong_gain
from fpcheck.signal.unit_rules import inactive, saturated

CODES = (
    "FP101", "FP102", "FP103", "FP104", "FP105", "FP106", "FP107", "FP108", "FP110", "FP111",
    "FP112", "FP113", "FP114",
)  # fmt: skip


def judge(section: Section, limits: Mapping[str, float]) -> tuple[Finding, ...]:
    """The findings of FP101 to FP114."""
    if "skipped" in section:
        return tuple(skipped(code, str(section["skipped"])) for code in CODES)
    measured, theory = section["measured"], section["theory"]
    if not measured["layers"]:
        return tuple(skipped(code, "the network has no layer with weights") for code in CODES)
    found = (
        *vanishing(theory, measured, limits),
        *exploding(measured, limits["max_q_ratio"]),
        too_deep(theory, measured, limits["min_contrast"]),
        *gradients(measured, limits),
        *inactive(measured, limits),
        *saturated(measured, limits["max_saturated"]),
        unstable(theory, limits["min_judged_depth"]),
        *departures(theory, measured),
        isometry(section["jacobian"], limits["max_log_spread"]),
        untrainable(theory, limits["max_lost"]),
        *wrong_gain(theory, measured, limits["max_gain_growth"]),
    )
    return (*found, does_not_start(section.get("short_run"), found))
