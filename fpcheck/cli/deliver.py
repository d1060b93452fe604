"""A finished report to its outputs, and several reports to one index and one exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from fpcheck.cli.outputs import PICTURES, Output, write_whole
from fpcheck.cli.terminal import say, show
from fpcheck.core.errors import FpcheckError
from fpcheck.report.report import Report
from fpcheck.report.style import WIDTH, Style

Content = str | bytes | FpcheckError

# Which of several exit codes tells most: something unreadable, then a failure, then nothing judged.
GRAVEST = (4, 2, 1, 3, 0)


def rendered(
    report: Report, plan: Sequence[Output], style: Style
) -> tuple[tuple[Output, Content], ...]:
    """Every output with its text, or why there is none; files of text have no colour and a fixed
    width.
    """
    plain = replace(style, colour=False, width=WIDTH)
    return tuple(
        (output, _text(report, output.format, style if output.path is None else plain))
        for output in plan
    )


def deliver(texts: Sequence[tuple[Output, Content]], style: Style) -> None:
    """Write every text or picture to its output, and say on stderr which files were written.

    What cannot be written keeps nothing else from it.

    Raises:
        FpcheckError: the first that could not be written, behind all that could.
    """
    written, errors = [], []
    for output, text in texts:
        if isinstance(text, FpcheckError):
            errors.append(text)
        elif output.path is None:
            show(str(text))
        else:
            try:
                write_whole(output.path, text)
            except FpcheckError as error:
                errors.append(error)
                continue
            written.append(str(output.path))
    if written and not style.quiet:
        say(f"Wrote {', '.join(written)}")
    if errors:
        raise errors[0]


def index_row(model: str, report: Report) -> tuple[str, ...]:
    """One model's row of the index: name, verdict, errors, warnings, inconclusive, passed."""
    failed = Counter(f.severity for f in report.findings if f.outcome == "fail")
    outcomes = Counter(f.outcome for f in report.findings)
    numbers = (failed["error"], failed["warning"], outcomes["inconclusive"], outcomes["pass"])
    return (model, report.verdict, *(str(number) for number in numbers))


def worst(codes: Sequence[int]) -> int:
    """The exit code of several models together."""
    return next((code for code in GRAVEST if code in codes), 0)


def _text(report: Report, form: str, style: Style) -> Content:
    if form == "json":
        from fpcheck.report.document import write_json

        return write_json(report.document)
    if form in PICTURES:
        from fpcheck.report.picture import write_picture

        try:
            return write_picture(report.document, form)
        except FpcheckError as error:
            return error
    from fpcheck.report.terminal import write_terminal

    return write_terminal(report.document, style)
