"""The network beside infinite width: FP110, FP113."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, Outcome
from fpcheck.core.plain import Section
from fpcheck.signal.comparison import Judged, Row, listed, skipped

# What has a band, by its key, in words.
QUANTITIES = {
    "q": "q",
    "c": "the correlation of two inputs",
    "gradient_norm": "the gradient norm",
    "active_fraction": "the active fraction",
}
# A gain within this of the edge's, as the log of their ratio, is the edge's: sigma_b^2 of a few
# dozen biases, and the edge with it, is not known better.
SAME_GAIN = 0.15


def departures(theory: Section, measured: Section) -> Iterator[Finding]:
    """FP110: layers whose measured numbers lie outside the band of a random network."""
    code = "FP110"
    if "skipped" in theory:
        yield skipped(code, str(theory["skipped"]))
        return
    expected = {row["name"]: row for row in theory["layers"]}
    judged = []
    for row in measured["layers"]:
        quantities = list(_departures(row, expected.get(row["name"], {})))
        if quantities:
            judged.append(max(quantities, key=lambda each: each.badness))
    if not judged:
        yield skipped(code, "; ".join(theory["notes"]) or "there is no band to compare with")
        return
    yield from listed(code, judged, None, "every layer is within the band of a random network")


def _departures(row: Row, expected: Row) -> Iterator[Judged]:
    """The layer's quantities that have a band, and how far off its middle they are.

    One fails where its own interval lies outside the band: the band is of what is measured on as
    many inputs, so a random network's does so less often still.
    """
    for key, words in QUANTITIES.items():
        low, high = expected.get(f"{key}_low"), expected.get(f"{key}_high")
        found, own_low, own_high = (row.get(f"{key}{end}") for end in ("", "_low", "_high"))
        if low is None or high is None or found is None:
            continue
        own_low = -math.inf if own_low is None else own_low
        own_high = math.inf if own_high is None else own_high
        inside = own_high >= low and own_low <= high
        message = f"{words} is {found:.3g}, of a random network {low:.3g} to {high:.3g}"
        yield Judged(
            row["name"], "pass" if inside else "fail", message, found, own_low, own_high,
            _distance(found, low, high),
        )  # fmt: skip


def _distance(found: float, low: float, high: float) -> float:
    """From the band's middle in half-widths, by ratios where all is positive."""
    if low > 0.0 and found > 0.0:
        found, low, high = math.log(found), math.log(low), math.log(high)
    half = 0.5 * (high - low)
    away = abs(found - low - half)
    return away / half if half > 0.0 else (math.inf if away else 0.0)


def wrong_gain(theory: Section, measured: Section, limit: float) -> Iterator[Finding]:
    """FP113: whose sigma_w^2 is not the critical one, where that adds up over the layers."""
    code = "FP113"
    if "skipped" in theory:
        yield skipped(code, str(theory["skipped"]))
        return
    known = [each for each in theory.get("gains", ()) if each["edge_sigma_w2"] is not None]
    if not known:
        yield skipped(code, "no chain of hidden layers whose activation has a critical gain")
        return
    wrong = [each for each in known if _matters(each, measured["layers"], limit)]
    for gain in wrong or [max(known, key=lambda each: abs(_log(each["growth"])))]:
        yield _gain_finding(gain, limit, outcome="fail" if wrong else "pass")


def _gain_finding(gain: Row, limit: float, outcome: Outcome) -> Finding:
    log_growth = _log(gain["growth"])
    layers = len(gain["layers"])
    change = "grow" if log_growth > 0.0 else "shrink"
    found = math.exp(min(abs(log_growth), 700.0))
    unheld = "" if gain["edge_stable"] else ", where q runs away"
    return finding(
        "FP113", outcome, where="network", status="numerical", found=found, limit=limit,
        message=(
            f"{gain['activation']}: σ_w² = {gain['sigma_w2']:.4g}, critical "
            f"{gain['edge_sigma_w2']:.4g}{unheld}; over {layers} "
            f"layer{'s' if layers > 1 else ''} squared gradients {change} by a factor {found:.3g}"
        ),
    )  # fmt: skip


def _matters(gain: Row, rows: list[Row], limit: float) -> bool:
    """Whether the gain is off, adds up beyond the limit, and is seen in the measured gradients.

    Seen: half of it on a log scale. Trained weights are not independent draws, so that theory alone
    decides nothing.
    """
    log_growth = _log(gain["growth"])
    off = _log(gain["sigma_w2"] / gain["edge_sigma_w2"])
    if abs(off) < SAME_GAIN or off * log_growth <= 0.0 or abs(log_growth) <= math.log(limit):
        return False
    seen = _measured_growth(gain, rows)
    return seen is not None and seen * log_growth > 0.0 and abs(seen) >= 0.5 * math.log(limit)


def _measured_growth(gain: Row, rows: list[Row]) -> float | None:
    """The log of what squared gradient lengths change by over the gain's layers."""
    names, total = set(gain["layers"]), 0.0
    for before, row in pairwise(rows):
        if row["name"] in names:
            ends = (before["gradient_norm"], row["gradient_norm"])
            if ends[0] is None or not ends[1]:
                return None
            total += 2.0 * _log(ends[0] / ends[1]) + _log(before["units"] / row["units"])
    return total


def _log(value: float | None) -> float:
    """log, of a number that overflowed the largest there is, of 0 the smallest."""
    if value is None:
        return 700.0
    return math.log(value) if value > 0.0 else -700.0
