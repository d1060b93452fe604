"""The escape section of a report as tables and notes, the verdict first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fpcheck.core.evenly import evenly
from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Item, Note, Panel, Table
from fpcheck.core.wording import counted, finding_mark, sentence, share_text
from fpcheck.escape.origin_view import direction_items, low_rank_items
from fpcheck.escape.scan_view import scan_items
from fpcheck.escape.wording import OPTIMISERS, figure, stretch

TITLE = "Escape"
EVENLY = 5  # spaced steps in the timeline, beside the dated ones; the report holds more
SHOWN_LAYERS = 6  # with a column of their own in it
EVENT_COLUMNS = (
    Column("event", "left"),
    Column("step"),
    Column("what was seen", "left"),
    Column("rule", "left"),
)


def view(section: Section, findings: tuple[Finding, ...]) -> Panel:
    """The panel of the escape section, or why there is none."""
    if "skipped" in section:
        return Panel(TITLE, "skipped", (Note(str(section["skipped"])),))
    return Panel(TITLE, _caption(section), tuple(_items(section, findings)))


def _items(section: Section, findings: tuple[Finding, ...]) -> Iterator[Item]:
    verdict = section["verdict"]
    yield Note(f"Verdict: {verdict['answer']}. {sentence(str(verdict['reason']))}")
    if verdict.get("next_step"):
        yield Note(f"Next: {sentence(str(verdict['next_step']))}")
    yield Table("What happened", EVENT_COLUMNS, _events(section, findings))
    yield from _second(section.get("second_run") or {})
    yield _timeline(section)
    yield from low_rank_items(section, findings)
    yield from direction_items(section, findings)
    yield from scan_items(section)
    yield from (Note(sentence(str(text))) for text in section["notes"])


def _caption(section: Section) -> str:
    batch = f"batches of {section['batch']}" if section["batch"] else "all"
    return (
        f"{counted(section['steps_made'], 'step')} of {OPTIMISERS[section['optimiser']]} on "
        f"{batch} of {counted(section['rows'], 'row')}, {section['loss_name']}; learning rate "
        f"{str(section['learning_rate_rule']).removeprefix(section['optimiser']).lstrip(', ')}"
    )


def _events(section: Section, findings: tuple[Finding, ...]) -> tuple[tuple[str, ...], ...]:
    """What happened when, in the order of time; always the start and the end."""
    start, constant = section["start_loss"], section["constant_loss"]
    first = f"loss {figure(start, 4)}; a constant answer has {figure(constant, 4)}"
    rows = [("start", "0", first, finding_mark(findings, "FP505"))]
    plateau, escape = section["plateau"], section["escaped_at"]
    if plateau is not None:
        share = (plateau["to"] - plateau["from"]) / max(section["steps_made"], 1)
        words = f"{share:.0%} of the steps at one level"
        rows.append(("plateau", stretch(plateau), words, finding_mark(findings, "FP503")))
    if escape is not None:
        rows.append(("escape", str(escape), _escape_words(section), _escape_mark(findings)))
    if section["next_saddle"] is not None:
        saddle = section["next_saddle"]
        words = f"the loss stands still at {_loss_at(section, saddle['from'])}"
        rows.append(("next saddle", stretch(saddle), words, "-"))
    if section["spike_at"] is not None:
        words = f"the loss jumps to {_loss_at(section, section['spike_at'])}: too large a step"
        rows.append(("spike", str(section["spike_at"]), words, "-"))
    if section["diverged_at"] is not None:
        words = "the loss is lost from here on"
        rows.append(
            ("divergence", str(section["diverged_at"]), words, finding_mark(findings, "FP502"))
        )
    rows.sort(key=lambda row: int(row[1].partition("–")[0]))
    last = "not finite"
    if section["end_loss"] is not None:  # the median over the last steps; here the last one's own
        last = _loss_at(section, section["steps_made"])
    end = f"loss {last}, best {figure(section['best_loss'], 4)}"
    moved = section["moved"]
    if moved is not None:
        end += f"; weights moved by {moved:.3g} of their norm"
    codes = ("FP505", "FP501", "FP502", "FP506")
    rows.append(("end", str(section["steps_made"]), end, finding_mark(findings, *codes)))
    return tuple(rows)


def _second(run: Section) -> Iterator[Item]:
    """What a second run of another kind made of the start, where there was one."""
    if not run or "skipped" in run:
        return
    name = OPTIMISERS.get(run["optimiser"], run["optimiser"])
    words = f"A second run, by {name} at the rate {run['learning_rate']:g}: {run['answer']}"
    if run["escaped_at"] is not None:
        words += f", leaving the plateau at step {run['escaped_at']}"
    yield Note(f"{words}. {sentence(str(run['reason']))}")


def _escape_words(section: Section) -> str:
    words = f"loss {_loss_at(section, section['escaped_at'])}"
    if section["norm_growth"] is not None:
        words += f", |weights| {section['norm_growth']:.3g} times its least"
    thin = len(section["low_rank_layers"])
    if section["low_rank"]:
        words += f", {thin} of {len(section['low_rank'])} layers low-rank"
    return words


def _escape_mark(findings: tuple[Finding, ...]) -> str:
    failed = [f for f in findings if f.code in ("FP504", "FP510") and f.outcome == "fail"]
    return ", ".join(f.code for f in failed) or finding_mark(findings, "FP504", "FP510")


def _loss_at(section: Section, step: int) -> str:
    return figure(_nearest(section["steps"], step)["loss"], 4) if section["steps"] else "-"


def _timeline(section: Section) -> Table:
    """Loss, norm and sigma_1/sigma_2 by layer at a few steps, the dated ones among them."""
    steps = _chosen(section)
    names = [layer["name"] for layer in section["steps"][0]["layers"]] if steps else []
    dates = _dates(section)
    places = evenly(len(names), SHOWN_LAYERS)
    accuracy = any(one["accuracy"] is not None for one in steps)
    columns = [Column("step"), Column("loss")]
    columns += [Column("right", priority=2)] * accuracy
    columns += [Column("|weights|"), Column("|gradient|", priority=3)]
    # The last layers tell most: they stay longest where there is little room.
    columns += [Column(names[i], priority=4 + len(names) - i) for i in places]
    columns += [Column("event", "left")]
    rows = []
    for one in steps:
        cells = [str(one["step"]), figure(one["loss"], 4)]
        cells += [share_text(one["accuracy"])] * accuracy
        cells += [figure(one["parameter_norm"], 4), figure(one["gradient_norm"])]
        cells += [figure(one["layers"][i]["ratio"]) for i in places]
        cells += [dates.get(one["step"], "")]
        rows.append(tuple(cells))
    caption = "by layer: sigma_1/sigma_2 of its weights"
    if section["escaped_at"] is not None:
        caption += "; peak: the largest of them behind the escape"
    if len(places) < len(names):
        caption += f", of {len(places)} of {len(names)} layers; the report holds the rest"
    return Table("Timeline", tuple(columns), tuple(rows), caption)


def _chosen(section: Section) -> list[Section]:
    """The records of the dated steps, and some evenly spaced ones that are not close to them."""
    steps = section["steps"]
    if not steps:
        return []
    dates = _dates(section)
    last = steps[-1]["step"]
    apart = 0.4 * last / EVENLY
    wanted = list(dates)
    for step in (last * i / EVENLY for i in range(1, EVENLY)):
        if all(abs(step - date) >= apart for date in dates):
            wanted.append(_nearest(steps, step)["step"])
    return [one for one in steps if one["step"] in wanted]


def _dates(section: Section) -> dict[int, str]:
    """What the recorded steps nearest to the dated ones are, by step."""
    steps = section["steps"]
    if not steps:
        return {}
    dates = {steps[-1]["step"]: "end", steps[0]["step"]: "start"}
    if section["escaped_at"] is not None:
        behind = [one for one in steps if one["step"] >= section["escaped_at"]]
        dates[max(behind or steps, key=_leading)["step"]] = "peak"
    if section["next_saddle"] is not None:
        dates[_nearest(steps, section["next_saddle"]["from"])["step"]] = "saddle"
    if section["escaped_at"] is not None:
        dates[_nearest(steps, section["escaped_at"])["step"]] = "escape"
    if section["spike_at"] is not None:
        dates[_nearest(steps, section["spike_at"])["step"]] = "spike"
    if section["diverged_at"] is not None:
        dates[_nearest(steps, section["diverged_at"])["step"]] = "divergence"
    return dates


def _leading(one: Section) -> float:
    """The largest sigma_1/sigma_2 of a record."""
    return max((layer["ratio"] or 0.0 for layer in one["layers"]), default=0.0)


def _nearest(steps: Sequence[Section], step: float) -> Section:
    return min(steps, key=lambda one: abs(one["step"] - step))
