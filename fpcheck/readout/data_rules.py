"""FP310 and FP311: what the rows themselves leave open."""

from __future__ import annotations

from collections.abc import Mapping

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.readout.wording import METRICS, bounds


def judge_data(section: Section, limits: Mapping[str, float]) -> tuple[Finding, Finding]:
    """The findings of FP310 and FP311."""
    return (
        _duplicates(section, limits["max_duplicated"]),
        _rows(section, limits["max_score_error"]),
    )


def _duplicates(section: Section, limit: float) -> Finding:
    """At most `limit` of the held-out rows may stand among the training rows too."""
    found = section["duplicates"]
    share, count, rows = float(found["held_out"]), found["rows"], section["rows"]
    message = f"no two of the {rows} rows are equal"
    if count:
        message = f"{count} of {rows} rows equal an earlier one"
    if found["contradicting"]:
        groups = found["contradicting"]
        message += f"; {groups} group{'s' * (groups > 1)} of equal rows with unequal targets"
    return finding(
        "FP310",
        # Written so that NaN fails.
        "pass" if share <= limit else "fail",
        where="data",
        message=message,
        status="numerical",
        found=share,
        limit=limit,
    )


def _rows(section: Section, limit: float) -> Finding:
    """Half the score's interval may be at most `limit`."""
    ends = {"low": section["last_layer_low"], "high": section["last_layer_high"]}
    low, high = bounds(ends)
    half = 0.5 * (high - low)
    return finding(
        "FP311",
        "pass" if half <= limit else "fail",
        where="data",
        message=(
            f"held-out {METRICS[section['metric']]} {section['last_layer']:.3f} ± {half:.3f} from "
            f"{section['rows']} rows, of which {section['test_rows']} are held out"
        ),
        status="sampled",
        found=half,
        limit=limit,
    )
