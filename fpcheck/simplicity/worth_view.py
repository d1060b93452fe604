"""What the bits are worth on new rows: promised, measured, beside training; the expensive rows."""

from __future__ import annotations

import math
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
from fpcheck.simplicity.wording import bounds, share_interval

SHOWN = 10  # expensive rows in the table; the report holds more
NOT_ASKED = "not asked"
ERROR_COLUMNS = (
    Column("network", "left"),
    Column("test error"),
    Column("95% CI"),
    Column("at most"),
    Column("rule", "left"),
)
TRAINING_COLUMNS = (
    Column("run"),
    Column("steps"),
    Column("training rows wrong"),
    Column("test error"),
    Column("multiply-adds"),
)
ROW_COLUMNS = (Column("row"), Column("label", "left"), Column("wrong in"), Column("rule", "left"))


def worth_items(section: Section, findings: tuple[Finding, ...]) -> Iterator[Item]:
    """The errors on new rows and the bound on them, then the runs of training."""
    yield Table("Error on new rows", ERROR_COLUMNS, _errors(section, findings), _promise(section))
    yield from _training(section["training"], section)


def _errors(section: Section, findings: tuple[Finding, ...]) -> tuple[tuple[str, ...], ...]:
    looked = section["accepted_networks"]
    vote = f"vote of {looked} of them" if looked else "vote of such"
    rows = [
        ("random, fits the rows", *_measured(section, "guess_and_check_error"),
         share_text(section["error_bound"]), finding_mark(findings, "FP403")),
        (vote, *_measured(section, "vote_error"), share_text(section["error_bound_vote"]), "-"),
    ]  # fmt: skip
    training = section["training"]
    if "skipped" not in training:
        trained = _measured(training, "test_error")
        rows.append(("trained", *trained, "-", finding_mark(findings, "FP404")))
    name = "always the mean" if section["rule"] == "band" else "always the commonest class"
    rows.append((name, share_text(section["majority_error"]), "-", "-", "-"))
    return tuple(rows)


def _measured(part: Section, key: str) -> tuple[str, str]:
    return share_text(part.get(key)), share_interval(part, key)


def _promise(section: Section) -> str:
    """What the bound means, or why there is none."""
    rows = section["test_rows"]
    words = f"measured on {counted(rows, 'test row')}" if rows else "there are no test rows"
    if section["error_bound"] is None:
        why = section.get("error_bound_reason")
        return f"{words}; no bound: {str(why).rstrip('.')}" if why else words
    sure = 1.0 - section["error_bound_delta"]
    text = (
        f"{words}; at most: the volume bound on the mean error of random networks that fit, "
        f"which holds with {sure:.0%} probability if the rows are independent draws"
    )
    scans = section["error_bound_scans"]
    return f"{text}, over {scans} choices at once" if scans and scans > 1 else text


def _training(training: Section, section: Section) -> Iterator[Item]:
    if "skipped" in training:
        if not str(training["skipped"]).startswith(NOT_ASKED):
            yield Note(f"Not trained: {sentence(str(training['skipped']))}")
        return
    rows = tuple(
        (
            str(number + 1),
            str(one["steps"]),
            str(one["train_errors"]),
            share_text(one["test_error"]),
            _size(one["multiply_adds"]),
        )
        for number, one in enumerate(training["seeds"])
    )
    yield Table("Training beside sampling", TRAINING_COLUMNS, rows, _compared(training))


def _compared(training: Section) -> str:
    text = (
        f"{str(training['optimiser']).rstrip('.')}; {training['reached']} of "
        f"{len(training['seeds'])} runs fit"
    )
    if training["multiply_adds_of_sampling"] is not None:
        text += (
            f"; multiply-adds: {_size(training['multiply_adds'])} a run, the sampling "
            f"{_size(training['multiply_adds_of_sampling'])} in all"
        )
    if training["gain"] is not None:
        text += f"; {_gained(training)}"
    return text


def _gained(training: Section) -> str:
    """By how many points training lowers, or raises, the test error."""
    low, high = bounds(training, "gain")
    gain, word = float(training["gain"]), "lowers"
    if gain < 0.0:
        gain, low, high, word = -gain, -high, -low, "raises"
    return (
        f"training {word} the test error by {100 * gain:.1f} points "
        f"(95% CI {100 * low:.1f} to {100 * high:.1f}, sampled)"
    )


def row_items(section: Section, findings: tuple[Finding, ...]) -> Iterator[Item]:
    """The most expensive rows, worst first."""
    rows = section.get("expensive") or ()
    if not rows:
        return
    mark = finding_mark(findings, "FP406")
    limits = [f.limit for f in findings if f.code == "FP406" and f.limit is not None]
    shown = tuple(
        (
            str(one["row"]),
            _label(one["label"]),
            f"{one['wrong_share']:.0%}",
            mark if mark == "FP406" and not one["wrong_share"] <= limits[0] else "-",
        )
        for one in rows[:SHOWN]
    )
    caption = f"the share of {section['expensive_at']} that have the row wrong; rows from 0"
    more = len(rows) - len(shown)
    if more:
        caption += f"; {more} more in the report"
    yield Table("Expensive rows", ROW_COLUMNS, shown, caption)


def _label(label: object) -> str:
    return f"{label:.4g}" if isinstance(label, float) else str(label)


def _size(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.1e}"
