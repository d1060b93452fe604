"""What the escape section of a report is held against."""

from __future__ import annotations

from collections.abc import Mapping

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, Outcome, Status
from fpcheck.core.plain import Section
from fpcheck.escape.wording import tenth

CODES = ("FP501", "FP502", "FP503", "FP504", "FP505", "FP506", "FP510")
OF_RUNS = ("FP507", "FP508", "FP511")  # judged by the trace alone
ABOUT_RUNS = "about a run of checkpoints; fpcheck trace"
WHERE = "training probe"
STARTED: Mapping[str, Outcome] = {
    "trains": "pass",
    "does not start": "fail",
    "cannot tell": "inconclusive",
}


def judge(section: Section, limits: Mapping[str, float]) -> tuple[Finding, ...]:
    """The findings of CODES and OF_RUNS, the latter skipped."""
    runs = tuple(_skipped(code, ABOUT_RUNS, section) for code in OF_RUNS)
    if "skipped" in section:
        why = str(section["skipped"])
        return (*(_skipped(code, why, section) for code in CODES), *runs)
    return (
        _starts(section),
        _diverges(section),
        _plateau(section, limits["max_plateau_share"]),
        _low_rank(section),
        _dead(section),
        _lazy(section, limits["max_lazy_move"], limits["min_lazy_fall"]),
        _predicted(section, limits["min_escape_ratio"], limits["max_escape_ratio"]),
        *runs,
    )


def _starts(section: Section) -> Finding:
    """The loss has to fall."""
    if section["dead_start"]:
        return _skipped("FP501", "nothing can be learnt at the start: see FP505", section)
    if section["trainability"] == "diverges":
        return _skipped("FP501", "the probe diverges: see FP502", section)
    return finding(
        "FP501",
        STARTED[section["trainability"]],
        where=WHERE,
        message=str(section["trainability_reason"]),
        status=_status(section),
        found=section["fall"],
    )


def _diverges(section: Section) -> Finding:
    """The loss has to stay finite and near its start or below."""
    at = section["diverged_at"]
    end = section["end_loss"]
    words = f"the loss ends at {end:.4g}" if end is not None else "the loss ends not finite"
    if at is None and end is not None:
        return finding("FP502", "pass", where=WHERE, message=words, status=_status(section))
    return finding(
        "FP502",
        "fail",
        where=WHERE if at is None else f"step {at}",
        message=str(section["trainability_reason"]),
        status=_status(section),
        remedy=f"A smaller learning rate: --lr {tenth(section['learning_rate'])}, or smaller "
        "initial weights.",
    )


def _plateau(section: Section, limit: float) -> Finding:
    """A plateau may take at most the share `limit` of the steps."""
    plateau, steps = section["plateau"], section["steps_made"]
    if section["dead_start"]:
        return _skipped("FP503", "nothing can be learnt at the start: see FP505", section)
    if plateau is None:
        words = "no plateau was seen"
        return finding("FP503", "pass", where=WHERE, message=words, status=_status(section),
                       found=0.0, limit=limit)  # fmt: skip
    share = (plateau["to"] - plateau["from"]) / max(steps, 1)
    left = section["escaped_at"]
    behind = "and is not left" if left is None else f"and is left at {left}"
    return finding(
        "FP503",
        "fail" if share > limit else "pass",
        where=f"steps {plateau['from']} to {plateau['to']}",
        message=f"the plateau takes {share:.0%} of {steps} steps {behind}",
        status=_status(section),
        found=share,
        limit=limit,
    )


def _low_rank(section: Section) -> Finding:
    """Which layers the escape changed along one direction."""
    if section["escaped_at"] is None or not section["low_rank"]:
        return _skipped("FP504", "no escape from a plateau was seen", section)
    if not section["from_zero"]:
        why = "the weights' norm did not grow on the plateau: it was not the saddle at zero"
        return _skipped("FP504", why, section)
    names = section["low_rank_layers"]
    if not names:
        words = "one direction holds most of the change in no layer"
        return finding("FP504", "pass", where=WHERE, message=words, status=_status(section))
    thin = [one for one in section["low_rank"] if one["low_rank"]]
    best = max(thin, key=lambda one: one["ratio"] or 0.0)
    words = f"{len(names)} of {len(section['low_rank'])} layers change along one direction"
    if best["ratio"] is not None:
        words += f"; sigma_1/sigma_2 {best['ratio']:.3g} in '{best['name']}'"
        if best["start_ratio"] is not None:
            words += f", {best['start_ratio']:.3g} at the start"
    return finding(
        "FP504", "fail", where=f"step {section['low_rank_at']}", message=words,
        status=_status(section), found=best["ratio"],
    )  # fmt: skip


def _dead(section: Section) -> Finding:
    """There has to be something to learn by."""
    dead = section["dead_start"]
    words = "the gradient is not 0, and the answers differ between rows"
    if dead:
        words = str(section["trainability_reason"])
    elif section["dead_layer"]:
        words = f"'{section['dead_layer']}' gives 0 for every row, yet the answers differ"
    where = f"'{section['dead_layer']}'" if dead and section["dead_layer"] else "step 0"
    return finding(
        "FP505", "fail" if dead else "pass", where=where, message=words, status="numerical"
    )


def _lazy(section: Section, most: float, fall: float) -> Finding:
    """The weights have to move where the loss falls."""
    if section["trainability"] == "diverges" or section["fall"] is None:
        return _skipped("FP506", "the probe diverges", section)
    if not section["fall"] >= fall:
        why = f"the loss falls by {max(section['fall'], 0.0):.1%} only; from {fall:.0%} on it tells"
        return _skipped("FP506", why, section)
    moved = section["moved"]
    words = "the weights went any distance from zero" if moved is None else (
        f"the weights moved by {moved:.3g} of their norm while the loss fell by "
        f"{section['fall']:.1%}"
    )  # fmt: skip
    return finding(
        "FP506", "fail" if moved is not None and moved <= most else "pass", where=WHERE,
        message=words, status=_status(section), found=moved, limit=most,
    )  # fmt: skip


def _predicted(section: Section, low: float, high: float) -> Finding:
    """The escape has to come about when the first order at zero says."""
    direction = section["direction"]
    if why := _no_prediction(direction):
        return _skipped("FP510", why, section)
    told, seen = direction["predicted_escape"], direction["measured_escape"]
    ratio = told / seen
    return finding(
        "FP510",
        "pass" if low <= ratio <= high else "fail",
        where=WHERE,
        message=f"predicted at step {told:.4g}, measured at {seen}",
        status=_status(section),
        found=ratio,
        limit=low if ratio < low else high,
    )


def _no_prediction(direction: Section) -> str:
    """Why nothing is to be held against the run, "" where there is something."""
    if "skipped" in direction:
        return str(direction["skipped"])
    if not direction["near_zero"]:
        return "the loss does not start at that of zero weights, so the first order does not hold"
    if not direction["measured_escape"]:
        return "no escape from a plateau was seen"
    if direction["predicted_escape"] is None:
        return str(direction.get("reason") or "the prediction lies beyond what was followed")
    return ""


def _status(section: Section) -> Status:
    """Mini-batches are drawn, all rows are not."""
    return "sampled" if section.get("batch") else "numerical"


def _skipped(code: str, why: str, section: Section) -> Finding:
    return finding(code, "skipped", where=WHERE, message=why, status=_status(section))
