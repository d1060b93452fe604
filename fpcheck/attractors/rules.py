"""What the attractors section of a report is held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fpcheck.attractors.memory_rules import forgets, reproduced, spurious
from fpcheck.attractors.point_rules import complete, growing
from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, Outcome, outcome_above
from fpcheck.core.plain import Section

CODES = (
    "FP201", "FP202", "FP203", "FP204", "FP205", "FP206", "FP207", "FP208", "FP210", "FP211",
    "FP212", "FP213",
)  # fmt: skip
# Fails of one rule that are listed one by one, the worst first.
LISTED_FAILS = 3


def judge(section: Section, limits: Mapping[str, float]) -> tuple[Finding, ...]:
    """The findings of FP201 to FP213 for every self-map of the section."""
    if "skipped" in section:
        why = str(section["skipped"])
        return tuple(
            finding(code, "skipped", where="network", message=why, status="numerical")
            for code in CODES
        )
    several = len(section["maps"]) > 1
    found: list[Finding] = []
    for one in section["maps"]:
        place = f"map {one['name']}" if several else "network"
        found += [*_shares(one, limits, place), *_marginal(one, limits, several)]
        found += [_several(one, limits, place), _attracting(one, place)]
        found += [growing(one, limits, place), forgets(one, limits, place)]
        found += [spurious(one, limits, place), complete(one, place)]
        found += [reproduced(one, limits, place)]
    return tuple(found)


def _shares(one: Section, limits: Mapping[str, float], place: str) -> Iterator[Finding]:
    texts = (
        ("FP201", "unresolved", "max_unresolved", f"unresolved after {one['max_steps']} steps"),
        ("FP202", "diverged", "max_diverged", "diverged"),
        ("FP203", "cycling", "max_cycling", "ended on a cycle"),
        ("FP210", "aperiodic", "max_aperiodic", _motion_words(one)),
    )
    for code, key, name, words in texts:
        limit = limits[name]
        if key not in one:
            old = "this report was written before such starts were told apart"
            yield finding(code, "skipped", where=place, message=old, status="sampled", limit=limit)
            continue
        share = one[key]
        low, high = share["share_low"], share["share_high"]
        outcome = outcome_above(low, high, limit)
        message = f"{share['starts']} of {one['starts']} starts {words}"
        if outcome == "inconclusive" and share["starts"] == 0:
            message += f": too few starts to say that at most {limit:.3g} do"
        yield finding(
            code,
            outcome,
            where=place,
            message=message,
            status="sampled",
            found=share["share"],
            low=low,
            high=high,
            limit=limit,
        )


def _motion_words(one: Section) -> str:
    moving = one.get("aperiodic")
    if not moving:
        return ""
    words = (
        f"move without end: {moving['chaotic']} chaotic, {moving['quasi_periodic']} quasi-periodic"
    )
    low, high = moving["lyapunov_low"], moving["lyapunov_high"]
    if moving["lyapunov"] is None or low is None or high is None:
        return words
    return f"{words}; largest exponent {moving['lyapunov']:.3g} ({low:.3g} to {high:.3g})"


def _marginal(one: Section, limits: Mapping[str, float], several: bool) -> Iterator[Finding]:
    band = limits["neutral_band"]
    points = one["fixed_points"]
    if not points:
        yield finding(
            "FP204", "skipped", where="fixed points", message="no fixed point was found",
            status="numerical", limit=band,
        )  # fmt: skip
        return
    judged = [(point, _neutral(point, band)) for point in points]
    failed = sorted(
        (point for point, outcome in judged if outcome == "fail"),
        key=lambda point: (-point["share"], abs(_radius(point) - 1.0)),
    )
    unknown = [point for point, outcome in judged if outcome == "inconclusive"]
    suffix = f" of {one['name']}" if several else ""
    for number, point in enumerate(failed[:LISTED_FAILS]):
        more = len(failed) - LISTED_FAILS
        tail = f", and {more} more" if more > 0 and number == LISTED_FAILS - 1 else ""
        words = "I - J is singular" if point["kind"] == "degenerate" else "too close to neutral"
        yield finding(
            "FP204",
            "fail",
            where=f"fixed point {point['id']}{suffix}",
            message=f"{words} (spectral radius {_radius(point):.6g}){tail}",
            status="numerical",
            found=point["spectral_radius"],
            limit=band,
        )
    if unknown:
        yield finding(
            "FP204", "inconclusive", where=f"{len(unknown)} fixed points{suffix}",
            message="spectral radius not known: " + (unknown[0]["note"] or "no reason recorded"),
            status="numerical", limit=band,
        )  # fmt: skip
    elif not failed:
        nearest = min(points, key=lambda point: abs(_radius(point) - 1.0))
        yield finding(
            "FP204", "pass", where=f"all fixed points{suffix}",
            message=f"the one nearest to neutral is {nearest['id']}",
            status="numerical", found=nearest["spectral_radius"], limit=band,
        )  # fmt: skip


def _several(one: Section, limits: Mapping[str, float], place: str) -> Finding:
    limit = limits["max_attractors"]
    others = [one[key] for key in ("other_fixed_points", "other_cycles") if one[key]]
    counted = [each for each in (*one["fixed_points"], *one["cycles"]) if _attracts(each)]
    count = len(counted) + sum(each["count"] for each in others)
    outcome: Outcome = "fail" if count > limit else "pass"
    if others or any(each["kind"] != "stable" for each in counted):
        message = f"{count} fixed points and cycles found that attract or that starts ended on"
    else:
        message = f"{count} attracting fixed points and cycles found"
    if one["continuum"]:
        message = f"infinitely many fixed points: {count} of them found"
    elif count <= limit and one["unresolved"]["starts"]:
        # What has not settled may settle on something else.
        outcome = "inconclusive"
        message += f", with {one['unresolved']['starts']} starts unresolved"
    return finding(
        "FP205", outcome, where=place, message=message, status="numerical",
        found=float(count), limit=limit,
    )  # fmt: skip


def _attracting(one: Section, place: str) -> Finding:
    kinds = {point["kind"] for point in one["fixed_points"]}
    stable = sum(point["kind"] == "stable" for point in one["fixed_points"])
    if stable:
        outcome: Outcome = "pass"
        message = f"{stable} attracting fixed points found"
    elif kinds & {"marginal", "degenerate"} or one["other_fixed_points"]:
        outcome, message = "inconclusive", "the fixed points found are too close to neutral"
    else:
        outcome, message = "fail", "no attracting fixed point found"
    return finding(
        "FP206", outcome, where=place, message=message, status="numerical", found=float(stable)
    )


def _attracts(each: Section) -> bool:
    if each["kind"] == "stable":
        return True
    return each["kind"] in ("marginal", "degenerate") and each["starts"] > 0


def _neutral(point: Section, band: float) -> Outcome:
    if point["kind"] == "degenerate":
        return "fail"
    if point["spectral_radius"] is None:
        return "inconclusive"
    # Written so that a NaN fails.
    return "pass" if abs(point["spectral_radius"] - 1.0) >= band else "fail"


def _radius(point: Section) -> float:
    radius = point["spectral_radius"]
    return 1.0 if radius is None else float(radius)
