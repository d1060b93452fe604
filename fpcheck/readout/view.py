"""The readout section of a report as a table and notes."""

from __future__ import annotations

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Note, Panel, Table

TITLE = "Readout"
METRICS = {"accuracy": "accuracy", "r2": "R²"}
CODES = {
    "last_layer": ("FP301", "FP304"),
    "linear_on_input": ("FP302",),
    "trained": ("FP303",),
    "majority": (),
}


def view(section: Section, findings: tuple[Finding, ...]) -> Panel:
    """The panel of the readout section, or why there is none."""
    if "skipped" in section:
        return Panel(TITLE, "skipped", (Note(str(section["skipped"])),))
    metric = METRICS[section["metric"]]
    rows = tuple(
        _row(section, model, findings)
        for model in ("trained", "last_layer", "linear_on_input", "majority")
        if section[model] is not None
    )
    table = Table(f"Predicting {section['target']}", _columns(metric), rows, section["interval"])
    return Panel(TITLE, _caption(section), (table, *_notes(section)))


def _columns(metric: str) -> tuple[Column, ...]:
    balanced = (Column("balanced", priority=2),) if metric == "accuracy" else ()
    return (
        Column("model", "left"),
        Column(f"{metric} train", priority=1),
        Column(f"{metric} held out"),
        Column("95% CI"),
        *balanced,
        Column("penalty", priority=2),
        Column("cond", priority=1),
        Column("eff. rank", priority=1),
        Column("rule", "left"),
    )


def _row(section: Section, model: str, findings: tuple[Finding, ...]) -> tuple[str, ...]:
    fit = next((fit for fit in section["fits"] if fit["model"] == model), None)
    balanced = section["balanced_accuracy"].get(model)
    accuracies = section["metric"] == "accuracy"
    return (
        _name(section, model),
        "-" if fit is None else f"{fit['score_train']:.3f}",
        f"{section[model]:.3f}",
        f"{section[f'{model}_low']:.3f}–{section[f'{model}_high']:.3f}",
        *(("-" if balanced is None else f"{balanced:.3f}",) if accuracies else ()),
        "-" if fit is None else _size(fit["penalty"]),
        "-" if fit is None else _size(fit["condition"]),
        "-" if fit is None else f"{fit['effective_rank']:.0f} / {fit['features']}",
        _rule(findings, CODES[model]),
    )


def _name(section: Section, model: str) -> str:
    if model == "linear_on_input":
        rank = section["linear_rank"]
        return "linear on input" if rank is None else f"{rank} principal components"
    if model == "majority":
        return "majority class" if section["metric"] == "accuracy" else "mean only"
    return {"trained": "network as it is", "last_layer": "last layer refit"}[model]


def _size(value: float | None) -> str:
    """A positive number; one beyond the range of doubles, which JSON has not, as infinite."""
    return "∞" if value is None else f"{value:.1e}"


def _rule(findings: tuple[Finding, ...], codes: tuple[str, ...]) -> str:
    """The codes that failed, `?` behind those that could not be decided."""
    marks = {"fail": "", "inconclusive": "?"}
    shown = [f.code + marks[f.outcome] for f in findings if f.code in codes and f.outcome in marks]
    if shown:
        return ", ".join(shown)
    judged = any(f.code in codes and f.outcome == "pass" for f in findings)
    return "ok" if judged else "-"


def _caption(section: Section) -> str:
    fit = next(fit for fit in section["fits"] if fit["model"] == "last_layer")
    return (
        f"layer {section['layer']} fitted again on {fit['features']} frozen features, ridge; "
        f"{section['rows']} rows, {section['test_rows']} held out, {section['splits']} splits"
    )


def _notes(section: Section) -> tuple[Note, ...]:
    notes = [Note(f"Verdict: {section['verdict']}. {_sentence(section['verdict_because'])}")]
    for key, what in (("trained", "network as it is"), ("linear_on_input", "linear on input")):
        if section[key] is None:
            notes.append(Note(f"Not scored, {what}: {section[f'{key}_skipped']}."))
    if any(fit["penalty_at_edge"] for fit in section["fits"]):
        notes.append(
            Note("A penalty lies at the edge of its grid, so the best one may lie beyond.")
        )
    return (*notes, *(Note(_sentence(text)) for text in section["notes"]))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
