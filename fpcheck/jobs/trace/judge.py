"""What the rules say about a run, from the trace's plain data alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, Severity, verdict_of
from fpcheck.core.limits import SEVERITIES, check_level, effective_limits, selected
from fpcheck.core.plain import Section, as_section, plain
from fpcheck.core.settings import Settings
from fpcheck.core.wording import counted
from fpcheck.report.report import JUDGING, OUTCOMES

FEWEST = 4  # checkpoints of which a plateau or a trend is told
WHERE = "run"


def judge_trace(document: Section, settings: Settings) -> dict[str, Any]:
    """The document with findings, verdict and summary under `settings`.

    Of `settings` only limits, select, ignore, levels and fail_on count.

    Raises:
        UsageError: an unknown limit, code or level.
    """
    limits = effective_limits(settings.limits)
    levels = dict(check_level(code, level) for code, level in settings.levels.items())
    found = [
        _levelled(one, levels)
        for one in judge(document, limits)
        if levels.get(one.code) != "off" and selected(one.code, settings.select, settings.ignore)
    ]
    findings = tuple(sorted(found, key=_rank))
    judging = {name: getattr(settings, name) for name in JUDGING} | {"limits": limits}
    return {
        **document,
        "settings": {**document["settings"], **as_section(judging)},
        "findings": [plain(one) for one in findings],
        "verdict": verdict_of(findings),
        "summary": summary(document, findings),
    }


def judge(document: Section, limits: Mapping[str, float]) -> tuple[Finding, ...]:
    """A finding of every rule about runs."""
    return (
        _finite(document),
        _diverges(document),
        _plateau(document, limits),
        _low_rank(document),
        _tails(document, limits),
        _points(document),
    )


def summary(document: Section, findings: tuple[Finding, ...]) -> dict[str, str]:
    """{answer, reason, next_step}: what happened in this run, in three sentences."""
    answer = _answer(document)
    failed = [one for one in findings if one.outcome == "fail"]
    reason = "; ".join(one.message for one in failed[:2]) or _quiet(document)
    if mistaken := other_order(document):
        answer = f"{mistaken[0].upper()}{mistaken[1:]}; the loss says nothing."
        step = "number the classes as in training, from 0 on, in the file of the data"
    elif failed:
        step = f"fpcheck explain {failed[0].code}"
    elif document["run"]["data"] is None:
        step = "give --data FILE for the loss, the escape and the readout of every checkpoint"
    else:
        step = f"fpcheck analyze {document['checkpoints'][-1]['name']} looks closer at the last one"
    return {"answer": answer, "reason": f"{reason}.", "next_step": f"{step}."}


def _answer(document: Section) -> str:
    checkpoints, loss = document["checkpoints"], document["trends"]["loss"]
    if len(checkpoints) == 1:
        return "There is one checkpoint, and so no course to tell of."
    most = document["trends"]["most_changed"]
    words = "The weights changed" if most["relative"] != 0.0 else "No weight changed"
    if most["layer"] is not None:
        words = f"'{most['layer']}' changed most, by {most['relative']:.3g} times its first norm"
    if "skipped" in loss or loss["start"] is None or loss["end"] is None:
        return f"{words[0].upper()}{words[1:]}, over {len(checkpoints)} checkpoints."
    course = f"The loss goes from {loss['start']:.4g} to {loss['end']:.4g}"
    if loss["escape"] is None:
        return f"{course}; {words}."
    dominant = document["trends"]["dominant"]
    place = place_of(document, loss["escape"])
    if "skipped" in dominant:
        return f"{course}, leaving a plateau by {place}; no singular value leads in most layers."
    return (
        f"{course}, leaving a plateau by {place}; then one singular value leads in "
        f"{len(dominant['layers'])} of {len(document['run']['layers'])} layers, clearest in "
        f"'{dominant['clearest']}'."
    )


def other_order(document: Section) -> str:
    """That the data number the classes in another order than the run did, "" if they do not."""
    last = document["checkpoints"][-1]
    share = last["accuracy_in_another_order"]
    if share is None:
        return ""
    return (
        "the data seem to number the classes in another order than the run did: the last "
        f"checkpoint has {last['accuracy']:.1%} right, and {share:.1%} in another order"
    )


def _quiet(document: Section) -> str:
    skipped = len(document["run"]["skipped"])
    left = f"; {counted(skipped, 'file')} left out" if skipped else ""
    return (
        f"no rule about runs failed on {counted(len(document['checkpoints']), 'checkpoint')}{left}"
    )


def place_of(document: Section, index: int) -> str:
    """A checkpoint in words: its step, else its name."""
    one = document["checkpoints"][index]
    return f"step {one['step']}" if one["step"] is not None else str(one["name"])


def _finite(document: Section) -> Finding:
    bad = [
        (one["name"], layer)
        for one in document["checkpoints"]
        for layer in one["layers"]
        if layer["nonfinite"]
    ]
    elsewhere = [one["name"] for one in document["checkpoints"] if one["parameter_norm"] is None]
    if not bad and not elsewhere:
        return finding(
            "FP511", "pass", where="all checkpoints", message="every weight is finite",
            status="numerical", found=0.0,
        )  # fmt: skip
    names = list(dict.fromkeys([*(name for name, _ in bad), *elsewhere]))
    count = sum(layer["nonfinite"] for _, layer in bad)
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    places = list(dict.fromkeys(str(layer["name"]) for _, layer in bad))
    others = " and others" if len(places) > 1 else ""
    entries = "1 entry" if count == 1 else f"{count} entries"
    inside = f"'{places[0]}'{others}, {entries}" if bad else "a bias or the shift of a norm"
    return finding(
        "FP511", "fail", where=names[0],
        message=f"{names[0]}{more}: weights that are NaN or Inf, in {inside}",
        status="numerical", found=float(len(names)),
    )  # fmt: skip


def _without_loss(code: str, document: Section) -> Finding | None:
    """The finding that says why the loss cannot be judged; None where it can."""
    loss = document["trends"]["loss"]
    if "skipped" in loss:
        return _skipped(code, str(loss["skipped"]))
    if words := other_order(document):
        return _skipped(code, words)
    if (count := len(document["checkpoints"])) < FEWEST:
        return _skipped(code, f"{counted(count, 'checkpoint')}; it takes {FEWEST}")
    return None


def _skipped(code: str, why: str) -> Finding:
    return finding(code, "skipped", where=WHERE, message=why, status="numerical")


def _diverges(document: Section) -> Finding:
    if (left := _without_loss("FP502", document)) is not None:
        return left
    loss = document["trends"]["loss"]
    if loss["diverged"] is None and loss["end"] is not None:
        return finding(
            "FP502", "pass", where=WHERE, message=f"the loss ends at {loss['end']:.4g}",
            status="numerical", found=loss["end"],
        )  # fmt: skip
    place = place_of(document, loss["diverged"] or len(document["checkpoints"]) - 1)
    end = "not finite" if loss["end"] is None else f"{loss['end']:.4g}"
    return finding(
        "FP502", "fail", where=place, message=f"from {place} on the loss is lost; it ends {end}",
        status="numerical", found=loss["end"],
    )  # fmt: skip


def _plateau(document: Section, limits: Mapping[str, float]) -> Finding:
    if (left := _without_loss("FP503", document)) is not None:
        return left
    limit = limits["max_plateau_share"]
    share = document["trends"]["loss"]["plateau_share"]
    words = "the loss leaves its first level at once"
    if share is not None:
        words = f"the loss stays at its first level for {share:.0%} of the run"
    long = share is not None and share > limit
    return finding(
        "FP503", "fail" if long else "pass", where=WHERE, message=words,
        status="numerical", found=share or 0.0, limit=limit,
    )  # fmt: skip


def _low_rank(document: Section) -> Finding:
    if (left := _without_loss("FP504", document)) is not None:
        return left
    escape, dominant = document["trends"]["loss"]["escape"], document["trends"]["dominant"]
    if escape is None:
        return _skipped("FP504", "no escape from a plateau was seen")
    if "skipped" in dominant:
        return finding(
            "FP504", "pass", where=WHERE, message=dominant["skipped"], status="numerical"
        )
    layers = document["checkpoints"][dominant["checkpoint"]]["layers"]
    ratio = next(one["ratio"] for one in layers if one["name"] == dominant["clearest"])
    return finding(
        "FP504", "fail", where=dominant["clearest"], found=ratio, status="numerical",
        message=f"at {place_of(document, dominant['checkpoint'])} one singular value leads in "
        f"{len(dominant['layers'])} of {len(layers)} layers, by {ratio:.3g} times in "
        f"'{dominant['clearest']}'",
    )  # fmt: skip


def _tails(document: Section, limits: Mapping[str, float]) -> Finding:
    judged = [one for one in document["trends"]["tails"] if one["tau"] is not None]
    if not judged:
        return _skipped(
            "FP507", "too few checkpoints, or too few weights in every layer for a tail index"
        )
    limit = limits["heavy_tail_index"]
    heavier = [one for one in judged if one["direction"] == "heavier"]
    heavier.sort(key=lambda one: float(one["end"]))
    heavy = [one for one in heavier if one["end_high"] <= limit]
    if not heavy:
        words = f"no tail of {len(judged)} layers grows heavier beyond chance"
        if heavier:
            words = f"tails of {len(heavier)} layers grow, none to a heavy one: the least index is "
            words += f"{heavier[0]['end']:.3g}"
        return finding("FP507", "pass", where="all layers", message=words, status="sampled",
                       limit=limit)  # fmt: skip
    worst = heavy[0]
    more = f", and of {len(heavy) - 1} more," if len(heavy) > 1 else ""
    return finding(
        "FP507", "fail", where=worst["layer"], found=worst["end"], high=worst["end_high"],
        limit=limit, status="sampled",
        message=f"the tail index of '{worst['layer']}'{more} falls along the run, from "
        f"{worst['start']:.3g} to {worst['end']:.3g}",
    )  # fmt: skip


def _points(document: Section) -> Finding:
    tracks = document["tracks"]
    if isinstance(tracks, Mapping):
        return _skipped("FP508", str(tracks["skipped"]))
    if sum("fixed_points" in one["attractors"] for one in document["checkpoints"]) < 2:
        return _skipped("FP508", "fixed points of one checkpoint only")
    lost = [
        (event["checkpoint"], track["id"], event)
        for track in tracks
        for event in track["events"]
        if event["kind"] == "lost stability"
        or (event["kind"] in ("vanished", "merged") and _was_stable(track))
    ]
    if not lost:
        words = f"none of {len(tracks)} fixed points loses stability or vanishes while stable"
        return finding("FP508", "pass", where=WHERE, message=words, status="numerical", found=0.0)
    at, name, event = min(lost, key=lambda one: (one[0], one[1]))
    other = f" with {event['with']}" if event["with"] else ""
    verb = {
        "lost stability": "loses stability",
        "vanished": f"vanishes{other}",
        "merged": f"merges{other}",
    }[event["kind"]]
    more = f"; {len(lost) - 1} more" if len(lost) > 1 else ""
    return finding(
        "FP508", "fail", where=name, found=float(len(lost)), status="numerical",
        message=f"{name} {verb} between {place_of(document, max(at - 1, 0))} and "
        f"{place_of(document, at)}{more}",
    )  # fmt: skip


def _was_stable(track: Section) -> bool:
    known = [kind for kind in track["kinds"] if kind is not None]
    return bool(known) and known[-1] == "stable"


def _levelled(one: Finding, levels: Mapping[str, str]) -> Finding:
    level = levels.get(one.code)
    return replace(one, severity=cast("Severity", level)) if level else one


def _rank(one: Finding) -> tuple[int, int, str]:
    return OUTCOMES.index(one.outcome), SEVERITIES.index(one.severity), one.code
