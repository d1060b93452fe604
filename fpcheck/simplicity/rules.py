"""What the simplicity section of a report is held against."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, outcome_below
from fpcheck.core.plain import Section
from fpcheck.simplicity.row_rules import judge_contradictions, judge_expensive
from fpcheck.simplicity.wording import LOWER_BOUND, bits_text, bounds, figure, impossible, number
from fpcheck.simplicity.worth_rules import judge_bound, judge_training, judge_width

CODES = ("FP401", "FP402", "FP403", "FP404", "FP405", "FP406", "FP407", "FP408")
WHERE = "labels"
# The remedy where a proof says that no network fits, which no longer search mends.
IMPOSSIBLE_REMEDY = (
    "Allow errors (--errors K), take the rows out that contradict others, or give the network what "
    "it lacks: a hidden layer with an activation, biases."
)


def judge(section: Section, limits: Mapping[str, float]) -> tuple[Finding, ...]:
    """The findings of CODES, in that order."""
    if "skipped" in section:
        why = str(section["skipped"])
        return tuple(
            finding(code, "skipped", where=WHERE, message=why, status="sampled") for code in CODES
        )
    return (
        _saving(section, limits["min_label_saving"]),
        _fitting(section),
        judge_bound(section, limits["max_bound_over_majority"]),
        judge_training(section, limits["max_gain_of_training"]),
        _mixing(section),
        judge_expensive(section, limits["max_row_wrong"]),
        judge_width(section, limits["max_bits_per_doubling"]),
        judge_contradictions(section, limits["max_contradictions"]),
    )


def _saving(section: Section, limit: float) -> Finding:
    """The labels have to save at least the share `limit` of what random ones cost."""
    why = _no_saving(section)
    if why:
        return finding("FP401", "skipped", where=WHERE, message=why, status="sampled", limit=limit)
    random = float(section["random_label_bits"])
    low, high = bounds(section["difference"])
    low, high = low / random, high / random
    bits = section["difference"]["bits"]
    # Of a lower bound on either side one end of the interval is all that is known.
    ends = [end for end in (low, high) if math.isfinite(end)]
    found = float(bits) / random if bits is not None else ends[0] if ends else None
    return finding(
        "FP401",
        outcome_below(low, high, limit),
        where=WHERE,
        message=(
            f"{bits_text(section)} bits, shuffled labels "
            f"{bits_text(section, 'random_label_bits', 'random_label_status')} "
            f"({len(section['random_labels'])} shuffles)"
        ),
        status="sampled",
        found=found,
        low=low,
        high=high,
        limit=limit,
    )


def _no_saving(section: Section) -> str:
    """Why the true labels cannot be held against random ones, "" where they can."""
    if impossible(section):
        return "no network answers every row right: there are no bits to compare"
    random = section.get("random_label_bits")
    if random is None:
        return "shuffled labels were not measured"
    if not random > 0.0:
        return "shuffled labels cost nothing on so few rows: pass more by --label-rows"
    return ""


def _fitting(section: Section) -> Finding:
    """A network that fits has to be found."""
    rows, allowed = section["rows"], section["errors_allowed"]
    wanted = f"all {rows} rows right" if not allowed else f"at most {allowed} of {rows} rows wrong"
    if impossible(section):
        return finding(
            "FP402",
            "fail",
            where=WHERE,
            message=f"no weights have {wanted}{_because(section, ': {}')}",
            status="proved" if section["bits_claim"] == "proved" else "numerical",
            remedy=IMPOSSIBLE_REMEDY,
        )
    if section["status"] == LOWER_BOUND:
        low = bounds(section, "bits")[0]
        least = low if math.isfinite(low) else number(section["bits"])
        return finding(
            "FP402",
            "fail",
            where=WHERE,
            message=(
                f"no network with {wanted} among {_networks(section)}: the bits are at least "
                f"{figure(least)}{_because(section, ' ({})')}"
            ),
            status="sampled",
        )
    found = "in closed form" if section["status"] == "exact" else f"of {_networks(section)}"
    return finding(
        "FP402",
        "pass",
        where=WHERE,
        message=f"{bits_text(section)} bits {found}",
        status="numerical" if section["status"] == "exact" else "sampled",
    )


def _mixing(section: Section) -> Finding:
    """The repetitions of the search have to agree."""
    if section["mixed"] is None:
        drawn = "p is known in closed form" if section["method"] == "exact" else (
            "the networks were drawn independently of one another"
        )  # fmt: skip
        return finding("FP405", "skipped", where=WHERE, message=drawn, status="sampled")
    runs = [bits for bits in section["repetitions"] if bits is not None]
    spread = statistics.stdev(runs) if len(runs) > 1 else None
    words = str(section["mixing"]).rstrip(".")
    return finding(
        "FP405",
        "pass" if section["mixed"] is True else "fail",
        where=WHERE,
        message=words or f"{len(section['repetitions'])} repetitions agree",
        status="sampled",
        found=spread,
    )


def _networks(section: Section) -> str:
    return f"{section['networks']:,} networks".replace(",", " ")


def _because(section: Section, form: str) -> str:
    """What the search or the proof says of itself, "" where it says nothing."""
    words = str(section["mixing"]).rstrip(".")
    return form.format(words) if words else ""
