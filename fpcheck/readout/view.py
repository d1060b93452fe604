"""The readout section of a report as tables and notes, the verdict first."""

from __future__ import annotations

from collections.abc import Iterator

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.tables import Item, Note, Panel
from fpcheck.core.wording import sentence
from fpcheck.readout.curves_view import learning_items, width_items
from fpcheck.readout.kernel_view import alignment_items, bias_items, kernel_items
from fpcheck.readout.models_view import comparison, fits, other_scores, verdict_notes
from fpcheck.readout.stages_view import probe_items, stage_items
from fpcheck.readout.wording import model_name

TITLE = "Readout"
NOT_ASKED = "not asked"  # how the reason of a part begins that only a flag asks for


def view(section: Section, findings: tuple[Finding, ...]) -> Panel:
    """The panel of the readout section, or why there is none."""
    if "skipped" in section:
        return Panel(TITLE, "skipped", (Note(str(section["skipped"])),))
    return Panel(TITLE, _caption(section), tuple(_items(section, findings)))


def _items(section: Section, findings: tuple[Finding, ...]) -> Iterator[Item]:
    yield from verdict_notes(section)
    if "models" not in section:
        yield Note("This report was written before the comparison of models; analyze it again.")
        return
    yield from comparison(section, findings)
    yield from stage_items(section)
    yield from probe_items(section["probes"], findings)
    yield from kernel_items(section["kernel"], section["infinite_width"])
    yield from width_items(section["width_curve"])
    yield from alignment_items(section["alignment"])
    curve = section["learning_curve"]
    yield from learning_items(curve, model_name(section, curve.get("model", "last_layer")))
    yield from other_scores(section)
    yield from fits(section)
    bias = section["bias_correction"]
    yield from bias_items(bias, asked=not str(bias.get("skipped", "")).startswith(NOT_ASKED))
    yield from (Note(sentence(str(text))) for text in _remarks(section))


def _caption(section: Section) -> str:
    fit = next(fit for fit in section["fits"] if fit["model"] == "last_layer")
    return (
        f"layer {section['layer']} fitted again on {fit['features']} frozen features, ridge; "
        f"{section['rows']} rows, {section['test_rows']} held out, {section['splits']} splits"
    )


def _remarks(section: Section) -> Iterator[str]:
    """The law of random networks, duplicated rows, and what was noted on the data."""
    if section["initial"]:
        yield f"random networks: {section['initial']}"
    found = section["duplicates"]
    if found["rows"]:
        yield (
            f"{found['rows']} rows equal an earlier one; {found['held_out']:.1%} of the held-out "
            "rows have an equal among the training rows"
        )
    yield from (str(text) for text in section["notes"])
