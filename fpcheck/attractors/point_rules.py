"""What the listed points say besides their stability: FP207, and FP212 of the list itself."""

from __future__ import annotations

from collections.abc import Mapping

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section


def growing(one: Section, limits: Mapping[str, float], place: str) -> Finding:
    """Whether deviations from a stable point grow far before they die (FP207)."""
    limit = limits["max_transient_growth"]
    stable = [
        each
        for each in (*one["fixed_points"], *one["cycles"])
        if each["kind"] == "stable" and each.get("decay", {}).get("transient_growth") is not None
    ]
    if not stable:
        return finding(
            "FP207", "skipped", where=place, status="numerical", limit=limit,
            message="no stable fixed point or cycle with a full Jacobian was found",
        )  # fmt: skip
    worst = max(stable, key=lambda each: float(each["decay"]["transient_growth"]))
    growth, step = worst["decay"]["transient_growth"], worst["decay"]["transient_step"]
    beyond = [each for each in stable if each["decay"]["transient_growth"] > limit]
    more = f", and at {len(beyond) - 1} more" if len(beyond) > 1 else ""
    words = "return" if worst in one["cycles"] else "step"
    return finding(
        "FP207",
        "fail" if beyond else "pass",
        where=place,
        message=f"deviations from {worst['id']} grow {growth:.4g} times by {words} {step}{more}",
        status="numerical",
        found=growth,
        limit=limit,
    )


def complete(one: Section, place: str) -> Finding:
    """Whether the index sum proves that a fixed point is missing (FP212)."""
    known, whole = one.get("completeness"), one.get("complete")
    if not known:
        return finding(
            "FP212", "skipped", where=place, status="numerical",
            message="this report was written before index sums were",
        )  # fmt: skip
    total, expected = known["index_sum"], known["index_expected"]
    if whole and whole["complete"]:
        count, region = whole["count"], whole["region"]
        listed = len(one["fixed_points"])
        if listed < count:
            return finding(
                "FP212", "fail", where=place, status="proved", found=float(listed),
                limit=float(count),
                message=f"{count} fixed points in {region} by branch and bound, {listed} listed",
            )  # fmt: skip
        return finding(
            "FP212", "pass", where=place, status="proved",
            message=f"all {count} fixed points in {region} are listed, by branch and bound",
        )  # fmt: skip
    if total is None or expected is None:
        return finding(
            "FP212", "skipped", where=place, status="numerical", message=known["index_note"]
        )
    return finding(
        "FP212",
        "pass" if total == expected else "fail",
        where=place,
        message=f"the index signs add up to {total:+d}, and all would give {expected:+d}",
        status=known["index_status"],
        found=float(total),
        limit=float(expected),
    )
