"""The escape's rank by layer, and the optimal direction beside the run."""

from __future__ import annotations

from collections.abc import Iterator

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Item, Note, Table
from fpcheck.core.wording import (
    counted,
    finding_mark,
    sentence,
    share_text,
)
from fpcheck.escape.wording import figure, law_through

LOW_RANK_COLUMNS = (
    Column("layer", "left"),
    Column("depth", priority=3),
    Column("sigma_1/sigma_2"),
    Column("at start"),
    Column("l^(1/4)"),
    Column("rest", priority=1),
    Column("of change", priority=2),
    Column("its rest"),
    Column("low-rank", "left"),
)
DIRECTION_COLUMNS = (
    Column("layer", "left"),
    Column("rest"),
    Column("leading singular values", "left"),
)
LEADING = 4  # singular values of the direction that are shown
THIN = 5e-4  # of the squares behind the first: 0.0 % as it is written
CLOSE = 1e-3  # of the optimal speed: a direction of rank one is as good


def low_rank_items(section: Section, findings: tuple[Finding, ...]) -> Iterator[Item]:
    """Every layer at the escape with the law of its depth beside it."""
    layers = section["low_rank"]
    if not layers:
        return
    law, exponent = law_through(layers, 0.25), section["law"]
    rows = tuple(
        (
            str(one["name"]), str(one["depth"]), figure(one["ratio"]), figure(one["start_ratio"]),
            figure(expected), share_text(one["rest"]), share_text(one["share_of_change"]),
            share_text(one["change_rest"]), _low_rank_word(one),
        )
        for one, expected in zip(layers, law, strict=True)
    )  # fmt: skip
    caption = (
        f"weights of step {section['low_rank_at']}; rest: of their squares, behind sigma_1; of "
        "change: its squares along the weights' first direction; its rest: behind its own first"
    )
    mark = finding_mark(findings, "FP504")
    title = "Rank at the escape" + (f" ({mark})" if mark.startswith("FP") else "")
    yield Table(title, LOW_RANK_COLUMNS, rows, caption)
    if "skipped" in exponent:
        yield Note(f"Power of the depth: {str(exponent['skipped']).rstrip('.')}.")
        return
    low, high = exponent["exponent_low"], exponent["exponent_high"]
    inside = low <= exponent["expected"] <= high
    yield Note(
        f"sigma_1/sigma_2 grows as depth^{exponent['exponent']:.2f} (95% over layers: {low:.2f} to "
        f"{high:.2f}); the theory's 1/4 lies {'inside' if inside else 'outside'}. It is a bound of "
        "order at the optimal direction, not a prediction of each layer."
    )


def _low_rank_word(one: Section) -> str:
    if not one["low_rank"]:
        return "no"
    return "yes, leads" if one["dominated"] else "by change"


def direction_items(section: Section, findings: tuple[Finding, ...]) -> Iterator[Item]:
    """Speed and rank profile of the optimal direction; predicted and measured escape."""
    direction = section["direction"]
    if "skipped" in direction:
        yield Note(f"Escape direction: not computed; {str(direction['skipped']).rstrip('.')}.")
        return
    if _thin(direction):
        yield Note(f"Escape direction: of rank one in every layer; {_speed(direction)}.")
        yield Note(_prediction(direction, findings, section))
        return
    rows = tuple(
        (
            str(one["name"]),
            share_text(one["rest"]),
            ", ".join(figure(value) for value in one["singular_values"][:LEADING]),
        )
        for one in direction["layers"]
    )
    yield Table("Escape direction", DIRECTION_COLUMNS, rows, _speed(direction))
    yield Note(_prediction(direction, findings, section))


def _thin(direction: Section) -> bool:
    return all(one["rest"] <= THIN for one in direction["layers"])


def _speed(direction: Section) -> str:
    others = direction["agreeing"] - 1
    close = "no other" if others < 1 else "1 other" if others == 1 else f"{others} others"
    words = (
        f"speed {direction['speed']:.4g} at least ({direction['status']}: best of "
        f"{direction['starts']} ascents, {close} within 2% of it)"
    )
    one = direction.get("rank_one_speed")
    if one is not None and direction["speed"] > 0.0 and not _thin(direction):
        gain = one / direction["speed"]
        same = gain >= 1.0 - CLOSE
        words += "; rank one is as fast" if same else f"; rank one reaches {gain:.1%} of it"
    return words


def _prediction(direction: Section, findings: tuple[Finding, ...], section: Section) -> str:
    measured, told = direction["measured_escape"], direction["predicted_escape"]
    mark = finding_mark(findings, "FP510")
    seen = "no escape within the probe" if measured is None else f"measured at step {measured}"
    if told is None:
        why = str(direction.get("reason") or "").rstrip(".")
        late = f"not within {counted(section['steps_made'], 'step')}"
        return f"Predicted escape: {f'none, {why}' if why else late}; {seen}."
    words = f"Predicted escape: step {told:.0f} from these weights; {seen}"
    if not direction["near_zero"]:
        words += "; the start is not near zero, so the prediction need not hold"
    return sentence(f"{words} ({mark})" if mark.startswith("FP") else words)
