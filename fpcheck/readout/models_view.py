"""The comparison that decides as a table, and what the ridge fits and other scores say."""

from __future__ import annotations

from collections.abc import Iterator

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Item, Note, Table
from fpcheck.core.wording import sentence
from fpcheck.readout.wording import (
    METRICS,
    finding_mark,
    gain_of,
    gain_text,
    interval_text,
    model_name,
    score_text,
)

CODES = {
    "last_layer": ("FP301", "FP304"),
    "linear_on_input": ("FP302", "FP307"),
    "neighbours": ("FP307",),
    "rbf": ("FP307",),
    "trained": ("FP303",),
    "infinite_nngp": ("FP306",),
}
COLUMNS = (
    Column("model", "left"),
    Column("held out"),
    Column("95% CI"),
    Column("to last layer"),
    Column("draws", priority=1),
    Column("rule", "left"),
)
FIT_COLUMNS = (
    Column("model", "left"),
    Column("train"),
    Column("penalty"),
    Column("cond"),
    Column("eff. rank"),
    Column("d.o.f.", priority=1),
)


def comparison(section: Section, findings: tuple[Finding, ...]) -> Iterator[Item]:
    """The models that were scored, one a row, then why the others were not."""
    metric = METRICS[section["metric"]]
    known = [model for model in section["models"] if model["score"] is not None]
    yield Table(
        f"Predicting {section['target']}: {metric}",
        COLUMNS,
        tuple(_row(section, model, findings) for model in known),
        f"{section['interval']}; to last layer: the difference to its refit on the same rows",
    )
    by_reason: dict[str, list[str]] = {}
    for model in section["models"]:
        if model["score"] is None and model["skipped"]:
            by_reason.setdefault(str(model["skipped"]), []).append(
                model_name(section, model["name"])
            )
    for reason, names in by_reason.items():
        yield Note(f"Not scored, {'; '.join(names)}: {reason.rstrip('.')}.")


def other_scores(section: Section) -> Iterator[Item]:
    """Balanced accuracy and log-loss, or the error in the target's units, by model."""
    if section["metric"] == "accuracy":
        yield from _table(
            section,
            "Other scores held out",
            (
                ("balanced acc.", "balanced", ".3f"),
                ("logistic acc.", "logistic", ".3f"),
                ("log-loss", "log_loss", ".3f"),
            ),
            "log-loss in nats a row; of ridge models that of a logistic fit to the same features, "
            "of neighbours by Laplace's rule",
        )
    else:
        yield from _table(
            section,
            "Error held out",
            (("RMSE", "rmse", ".4g"),),
            "root mean squared error, in the target's units",
        )


def fits(section: Section) -> Iterator[Item]:
    """The ridge fits of the last layer and of the linear model."""
    rows = tuple(
        (
            model_name(section, fit["model"]),
            f"{fit['score_train']:.3f}",
            _size(fit["penalty"]),
            _size(fit["condition"]),
            f"{fit['effective_rank']:.0f} / {fit['features']}",
            f"{fit['degrees_of_freedom']:.0f}",
        )
        for fit in section["fits"]
    )
    edge = any(fit["penalty_at_edge"] for fit in section["fits"])
    words = "a penalty lies at the edge of its grid, so the best one may lie beyond" if edge else ""
    yield Table("Ridge fits", FIT_COLUMNS, rows, words)


def _row(section: Section, model: Section, findings: tuple[Finding, ...]) -> tuple[str, ...]:
    name = model["name"]
    last = name == "last_layer"
    return (
        model_name(section, name),
        score_text(model["score"]),
        interval_text(model["low"], model["high"]),
        "" if last else gain_text(gain_of(section, name, "last_layer")),
        str(model["draws"]) if model["draws"] else "-",
        _rule(findings, CODES.get(name, ()), name, section),
    )


def _rule(
    findings: tuple[Finding, ...], codes: tuple[str, ...], name: str, section: Section
) -> str:
    """The findings on a model, of several the first, a failure before what is undecided."""
    mine = [f for f in findings if f.code in codes and not _elsewhere(f, name, section)]
    shown = sorted(filter(None, map(finding_mark, mine)), key=lambda mark: mark.endswith("?"))
    if shown:
        return shown[0] + (f" +{len(shown) - 1}" if len(shown) > 1 else "")
    return "ok" if any(f.outcome == "pass" for f in mine) else "-"


def _elsewhere(finding: Finding, name: str, section: Section) -> bool:
    """Whether a finding on the best of the baselines is about another one of them.

    What the best one passes, all pass.
    """
    if finding.code != "FP307" or finding.outcome == "pass" or finding.found is None:
        return False
    gain = gain_of(section, name, "last_layer")
    return gain is None or gain["gain"] != finding.found


def _table(
    section: Section, title: str, columns: tuple[tuple[str, str, str], ...], caption: str
) -> Iterator[Item]:
    """A row a model that has any of these scores."""
    models = [
        model
        for model in section["models"]
        if any(model.get(key) is not None for _, key, _ in columns)
    ]
    if not models:
        return
    rows = tuple(
        (
            model_name(section, model["name"]),
            *(
                "-" if model.get(key) is None else format(model[key], form)
                for _, key, form in columns
            ),
            model["tuned"] or "-",
        )
        for model in models
    )
    heads = tuple(Column(head) for head, _, _ in columns)
    yield Table(
        title,
        (Column("model", "left"), *heads, Column("tuned", "left", priority=1)),
        rows,
        caption if any(model.get(columns[-1][1]) is not None for model in models) else "",
    )


def _size(value: float | None) -> str:
    """A positive number; one beyond the range of doubles, which JSON has not, as infinite."""
    return "∞" if value is None else f"{value:.1e}"


def verdict_notes(section: Section) -> Iterator[Item]:
    """The verdict with the figure that decides it, and what to do next."""
    yield Note(f"Verdict: {section['verdict']}. {sentence(section['verdict_because'])}")
    if section.get("next_step"):
        yield Note(f"Next: {sentence(section['next_step'])}")
