"""What an iterated network does with its inputs and its data: FP208, FP211 and FP213."""

from __future__ import annotations

from collections.abc import Mapping

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, Outcome, outcome_above
from fpcheck.core.intervals import wilson
from fpcheck.core.plain import Section


def forgets(one: Section, limits: Mapping[str, float], place: str) -> Finding:
    """Whether one fixed point attracts every start (FP208)."""
    limit = limits["min_single_share"]
    if not one["fixed_points"]:
        return finding(
            "FP208", "pass", where=place, message="no fixed point was found",
            status="numerical", limit=limit,
        )  # fmt: skip
    largest = max(one["fixed_points"], key=lambda point: float(point["share"]))
    if _contracts(one):
        return finding(
            "FP208", "fail", where=place, status="proved", found=1.0, limit=limit,
            message=f"every input flows to {largest['id']}: the map is a contraction",
        )  # fmt: skip
    low, high = largest["share_low"], largest["share_high"]
    outcome: Outcome = "fail" if low > limit else "inconclusive" if high > limit else "pass"
    return finding(
        "FP208",
        outcome,
        where=place,
        message=f"{largest['starts']} of {one['starts']} starts end on {largest['id']}",
        status="sampled",
        found=largest["share"],
        low=low,
        high=high,
        limit=limit,
    )


def spurious(one: Section, limits: Mapping[str, float], place: str) -> Finding:
    """Whether starts end far from every row of the data (FP211)."""
    limit, data = limits["max_spurious"], one["data"]
    if not data or data.get("spurious_limit") is None:
        return _without_data("FP211", place, limit)
    far = set(data["spurious"])
    count = sum(each["starts"] for each in _listed(one) if each["id"] in far)
    interval = wilson(count, one["starts"])
    return finding(
        "FP211",
        outcome_above(interval.low, interval.high, limit),
        where=place,
        message=f"{count} of {one['starts']} starts end on {len(far)} attractors "
        "farther from the data than rows are from each other",
        status="sampled",
        found=count / one["starts"],
        low=interval.low,
        high=interval.high,
        limit=limit,
    )


def reproduced(one: Section, limits: Mapping[str, float], place: str) -> Finding:
    """Whether the network changes the data's rows (FP213)."""
    limit, data = limits["max_not_reproduced"], one["data"]
    if not data:
        return _without_data("FP213", place, limit)
    changed, rows = data["rows"] - data["reproduced"], data["rows"]
    interval = wilson(changed, rows)
    return finding(
        "FP213",
        outcome_above(interval.low, interval.high, limit),
        where=place,
        message=f"{changed} of {rows} rows are changed by more than {data['tolerance']:.0%}",
        status="sampled",
        found=changed / rows,
        low=interval.low,
        high=interval.high,
        limit=limit,
    )


def _listed(one: Section) -> list[Section]:
    return [*one["fixed_points"], *one["cycles"]]


def _contracts(one: Section) -> bool:
    """Whether the whole map is proved to bring any two states nearer to each other."""
    return bool(one.get("uniqueness_proof", {}).get("contraction"))


def _without_data(code: str, place: str, limit: float) -> Finding:
    return finding(
        code, "skipped", where=place, message="there are no data; pass --data FILE",
        status="sampled", limit=limit,
    )  # fmt: skip
