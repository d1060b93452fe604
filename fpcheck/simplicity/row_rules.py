"""FP406 and FP408: which rows are wrong where all others are right, and which contradict others."""

from __future__ import annotations

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.wording import counted
from fpcheck.simplicity.wording import number

SHOWN = 5  # row numbers that a message names


def judge_expensive(section: Section, limit: float) -> Finding:
    """No row may be wrong in more than the share `limit` of the networks that nearly fit."""
    rows = section.get("expensive") or ()
    if not rows:
        why = str(section.get("expensive_at") or "no networks that nearly fit were looked at")
        return finding("FP406", "skipped", where="data", message=why, status="sampled", limit=limit)
    beyond = [one for one in rows if not number(one["wrong_share"]) <= limit]  # NaN is beyond
    worst = rows[0]
    if beyond:
        named = ", ".join(str(one["row"]) for one in beyond[:SHOWN])
        more = f" and {len(beyond) - SHOWN} more" if len(beyond) > SHOWN else ""
        words = f"row{'s' * (len(beyond) > 1)} {named}{more}, counted from 0"
    else:
        words = f"row {worst['row']} is the most expensive one"
    return finding(
        "FP406",
        "fail" if beyond else "pass",
        where="data",
        message=f"{words}: wrong in {worst['wrong_share']:.0%} of {section['expensive_at']}",
        status="sampled",
        found=worst["wrong_share"],
        limit=limit,
    )


def judge_contradictions(section: Section, limit: float) -> Finding:
    """At most `limit` rows may contradict an equal one."""
    pairs = section["contradictions"]
    message = "no training row equals one with another label"
    if pairs:
        named = ", ".join(f"{one['row']} ≠ {one['other']}" for one in pairs[:SHOWN])
        more = f" and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else ""
        message = (
            f"{counted(len(pairs), 'row')} equal in every entry to one with another label: "
            f"{named}{more}; at least {section['least_errors']} are wrong whatever the network"
        )
    return finding(
        "FP408",
        "pass" if len(pairs) <= limit else "fail",
        where="data",
        message=message,
        status="proved",
        found=float(len(pairs)),
        limit=limit,
    )
