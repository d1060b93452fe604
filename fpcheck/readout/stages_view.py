"""From where the network pays: the last layers trained on, and the score by depth, as tables."""

from __future__ import annotations

from collections.abc import Iterator

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Item, Note, Table
from fpcheck.core.wording import sentence
from fpcheck.readout.wording import (
    finding_mark,
    gain_at,
    gain_text,
    interval_text,
    score_text,
)

STAGE_COLUMNS = (
    Column("trained on", "left"),
    Column("parameters", priority=1),
    Column("held out"),
    Column("95% CI"),
    Column("to the stage before"),
    Column("to last alone", priority=1),
)
PROBE_COLUMNS = (
    Column("read from", "left"),
    Column("depth"),
    Column("values"),
    Column("held out"),
    Column("95% CI"),
    Column("", "left"),
)


def stage_items(section: Section) -> Iterator[Item]:
    """The staged protocol, or why there is none, where the models without a score do not say it."""
    stages = section["stages"]
    if "skipped" in stages:
        if stages["skipped"] not in {model["skipped"] for model in section["models"]}:
            yield Note(f"No stages: {sentence(stages['skipped'])}")
        return
    rows = tuple(_stage(stage) for stage in stages["stages"])
    yield Table("Last layers trained on, one stage after the other", STAGE_COLUMNS, rows,
                _pays(stages))  # fmt: skip


def probe_items(probes: Section, findings: tuple[Finding, ...]) -> Iterator[Item]:
    """The score by depth, or why there is none."""
    marks = "".join(finding_mark(finding) for finding in findings if finding.code == "FP308")
    if "skipped" in probes:
        yield Note(f"No score by depth: {sentence(probes['skipped'])}")
        return
    rows = tuple(
        (
            probe["node"],
            str(probe["depth"]),
            _values(probe),
            score_text(probe["score"]),
            interval_text(probe["low"], probe["high"]),
            _place(probe["node"], probes, marks),
        )
        for probe in probes["probes"]
    )
    caption = f"a linear readout of every layer, {probes['splits']} splits"
    if probes["best"] != probes["last"]:
        gain = gain_text(gain_at(probes, "gain"))
        caption += f"; best minus last {gain}, the interval for all layers at once"
    if any(probe["coordinates"] < probe["width"] for probe in probes["probes"]):
        caption += "; layers of many values through their principal axes"
    yield Table("Score by depth", PROBE_COLUMNS, rows, caption)


def _stage(stage: Section) -> tuple[str, ...]:
    return (
        ", ".join(stage["layers"]),
        f"{stage['parameters']:,}".replace(",", " "),
        score_text(stage["score"]),
        interval_text(stage["low"], stage["high"]),
        gain_text(gain_at(stage, "gain")),
        gain_text(gain_at(stage, "over_last")),
    )


def _pays(stages: Section) -> str:
    first = stages["stages"][0]
    words = [f"from {stages['start']}, {first['splits']} splits"]
    if first.get("fit") not in (None, "ridge"):
        words.append(f"the last layer alone by {first['fit']}, which does better here than the "
                     "ridge of its refit above")  # fmt: skip
    count = stages["pays_from"]
    if count is not None:
        words.append(f"training the last {count} pays: its gain on the last layer alone lies above "
                     f"{stages['margin']:g}")  # fmt: skip
    elif len(stages["stages"]) > 1:
        words.append(f"no stage gains more than {stages['margin']:g} on the last layer alone, "
                     "with its whole interval")  # fmt: skip
    if stages["stopped"]:
        words.append(str(stages["stopped"]).rstrip("."))
    return "; ".join(words)


def _values(probe: Section) -> str:
    width, seen = probe["width"], probe["coordinates"]
    return str(width) if seen >= width else f"{seen} of {width}"


def _place(node: str, probes: Section, marks: str) -> str:
    """What the node is, and the finding on the best one where it is not the last."""
    words = [word for key, word in (("best", "best"), ("last", "last")) if probes[key] == node]
    if words == ["best"] and marks:
        words.append(marks)
    return ", ".join(words)
