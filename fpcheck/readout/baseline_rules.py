"""FP307 and FP308: what reads the input, or an earlier layer, better than the last layer does."""

from __future__ import annotations

from collections.abc import Mapping

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, Status, outcome_above
from fpcheck.core.plain import Section
from fpcheck.readout.wording import METRICS, RECONSTRUCTION, bounds, gain_of, model_name, model_of

BASELINES = ("linear_on_input", "neighbours", "rbf")

# What makes a 95 % interval hold for three models at once (Bonferroni): the quantiles of Student's
# t at 1 - 0.025/3 over those at 0.975, by the least number of splits.
WIDENED = ((20, 1.26), (10, 1.30), (5, 1.43), (3, 1.78), (0, 3.01))

COPIED = "the target is the input, which every layer nearer to it tells better"


def judge_baselines(section: Section, limits: Mapping[str, float]) -> tuple[Finding, Finding]:
    """The findings of FP307 and FP308."""
    return (
        _baseline(section, limits["max_gain_of_baseline"]),
        _earlier(section, limits["max_gain_of_earlier_layer"]),
    )


def _baseline(section: Section, limit: float) -> Finding:
    """No baseline may gain more than `limit` over the last layer; the best one is told of."""
    where = f"layer {section['layer']}"
    gains = {
        model: gain
        for model in BASELINES
        if (gain := gain_of(section, model, "last_layer")) is not None
    }
    if not gains:
        why = [model_of(section, model).get("skipped", "") for model in BASELINES]
        reason = next((text for text in why if text), "no baseline was fitted")
        return _skipped("FP307", reason, limit, where)
    best = max(gains, key=lambda model: (gains[model]["gain"], model))
    gain = gains[best]
    low, high = _widened(gain)
    metric = METRICS[section["metric"]]
    return finding(
        "FP307",
        outcome_above(low, high, limit),
        where=where,
        message=(
            f"held-out {metric} {model_of(section, best)['score']:.3f} of {_named(section, best)}, "
            f"{section['last_layer']:.3f} of the last layer; best of {len(gains)} simple models"
        ),
        status="sampled",
        found=gain["gain"],
        low=low,
        high=high,
        limit=limit,
    )


def _earlier(section: Section, limit: float) -> Finding:
    """The best layer may gain at most `limit` over the one that the last layer sees."""
    probes, where = section["probes"], f"layer {section['layer']}"
    if section["target"] == RECONSTRUCTION:
        return _skipped("FP308", COPIED, limit, where)
    if "skipped" in probes:
        return _skipped("FP308", str(probes["skipped"]), limit, where)
    by_node = {probe["node"]: probe for probe in probes["probes"]}
    best, last = by_node[probes["best"]], by_node[probes["last"]]
    low, high = bounds({"low": probes["gain_low"], "high": probes["gain_high"]})
    if best is last:
        message = f"'{last['node']}', which the last layer sees, is the best of {len(by_node)}"
    else:
        message = (
            f"held-out {METRICS[section['metric']]} {best['score']:.3f} from '{best['node']}' at "
            f"depth {best['depth']}, {last['score']:.3f} from '{last['node']}' at {last['depth']}"
        )
    return finding(
        "FP308",
        outcome_above(low, high, limit),
        where=where,
        message=message,
        status="sampled",
        found=probes["gain"],
        low=probes["gain_low"],
        high=probes["gain_high"],
        limit=limit,
    )


def _widened(gain: Section) -> tuple[float, float]:
    """The interval of one gain as that of the largest of three."""
    low, high = bounds(gain)
    factor = next(factor for least, factor in WIDENED if gain["splits"] >= least)
    middle = float(gain["gain"])
    return middle - factor * (middle - low), middle + factor * (high - middle)


def _named(section: Section, model: str) -> str:
    if model == "linear_on_input" and section["linear_rank"] is None:
        return "a linear model of the input"
    return model_name(section, model)


def _skipped(code: str, why: str, limit: float, where: str) -> Finding:
    status: Status = "sampled"
    return finding(code, "skipped", where=where, message=why, status=status, limit=limit)
