"""The names of scores and models, and what stands between two of them, for rules and views."""

from __future__ import annotations

import math

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section

METRICS = {"accuracy": "accuracy", "r2": "R²"}

# What a problem without targets of its own asks for; see problem.choose_problem.
RECONSTRUCTION = "the input row itself"

NAMES = {
    "linear_on_input": "linear on input",
    "neighbours": "nearest neighbours",
    "rbf": "RBF ridge",
    "last_layer_at_init": "last layer at init",
    "infinite_nngp": "infinite, NNGP",
    "infinite_ntk": "infinite, NTK",
    "trained": "network as it is",
    "last_layer": "last layer refit",
    "last_2_layers": "last 2 layers",
    "last_3_layers": "last 3 layers",
}


def model_name(section: Section, model: str) -> str:
    """What a model of the comparison is called."""
    if model == "majority":
        return "majority class" if section["metric"] == "accuracy" else "mean only"
    rank = section["linear_rank"]
    if model == "linear_on_input" and rank is not None:
        return f"{rank} principal axes"
    return NAMES.get(model, model)


def model_of(section: Section, name: str) -> Section:
    """The line of a model in the comparison; {} where there is none."""
    found: Section = next((one for one in section["models"] if one["name"] == name), {})
    return found


def gain_of(section: Section, model: str, over: str) -> Section | None:
    """{gain, low, high, splits}: the score of `model` minus that of `over`, None if not both known.

    The report holds each pair once; the other way round its signs change.
    """
    for pair in section["paired"]:
        if (pair["model"], pair["over"]) == (model, over):
            return dict(pair)
        if (pair["model"], pair["over"]) == (over, model):
            return {
                "gain": -pair["gain"],
                "low": None if pair["high"] is None else -pair["high"],
                "high": None if pair["low"] is None else -pair["low"],
                "splits": pair["splits"],
            }
    return None


def finding_mark(finding: Finding) -> str:
    """The code of a finding that failed, `?` behind one that could not be decided; else ""."""
    marks = {"fail": "", "inconclusive": "?"}
    return finding.code + marks[finding.outcome] if finding.outcome in marks else ""


def bounds(gain: Section) -> tuple[float, float]:
    """The interval {low, high}; an end that is missing bounds nothing."""
    low = -math.inf if gain["low"] is None else float(gain["low"])
    high = math.inf if gain["high"] is None else float(gain["high"])
    return low, high


def score_text(value: float | None, sign: str = "") -> str:
    """A score with three decimals, one that is far from [-1, 1] in short; `-` for none."""
    if value is None:
        return "-"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if abs(value) >= 1e3:
        return format(value, f"{sign}.1e")
    return format(round(value, 3) + 0.0, f"{sign}.3f")  # + 0.0 turns -0 into 0


def interval_text(low: float | None, high: float | None) -> str:
    """The interval of a score; an end that is missing bounds nothing."""
    ends = bounds({"low": low, "high": high})
    return f"{score_text(ends[0])}–{score_text(ends[1])}"


def gain_text(gain: Section | None) -> str:
    """A difference and half the width of its 95 % interval: +0.012 ± 0.004; `-` for none."""
    if gain is None or gain["gain"] is None:
        return "-"
    low, high = bounds(gain)
    return f"{score_text(gain['gain'], sign='+')} ± {score_text(0.5 * (high - low))}"


def gain_at(section: Section, key: str) -> Section:
    """{gain, low, high} of the keys `key`, `key`_low and `key`_high."""
    return {
        "gain": section[key],
        "low": section[f"{key}_low"],
        "high": section[f"{key}_high"],
    }
