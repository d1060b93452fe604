"""What a short run of training says beside the rules that foretell it: FP114."""

from __future__ import annotations

from collections.abc import Iterable

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, Outcome
from fpcheck.core.plain import Section
from fpcheck.signal.comparison import skipped

CODE = "FP114"
# Whose fail says that training will not start or not get far.
FORETELLING = (
    "FP101", "FP102", "FP103", "FP104", "FP105", "FP106", "FP107", "FP108", "FP112",
)  # fmt: skip
AGREES, CONTRADICTS, NO_VERDICT = "agrees", "contradicts", "no verdict"
OUTCOMES: dict[str, Outcome] = {"trains": "pass", "does not start": "fail"}
BELIEVE = {
    # (the answer, whether trouble was foretold): who is to be believed
    ("trains", True): (
        "believe the run as far as it goes: these weights start on these rows; how far a longer "
        "run gets, and other draws, are what the rules speak of"
    ),
    ("does not start", False): (
        "believe the run: what stops it is not the signal's passage; look at the labels, the "
        "rows, the learning rate, or a start so small that it stays on a plateau"
    ),
}


def foretold(findings: Iterable[Finding]) -> tuple[bool | None, str]:
    """(whether the signal's rules foretell trouble, in words); None where they cannot say."""
    judged = [each for each in findings if each.code in FORETELLING]
    failed = sorted({each.code for each in judged if each.outcome == "fail"})
    if failed:
        return True, f"{', '.join(failed)} foretold trouble"
    doubtful = sorted({each.code for each in judged if each.outcome == "inconclusive"})
    if doubtful:
        return None, f"{', '.join(doubtful)} could not be decided"
    if not any(each.outcome == "pass" for each in judged):
        return None, "no rule of the signal could be judged"
    return False, "no rule of the signal foretold trouble"


def agreement(findings: Iterable[Finding], answer: str) -> tuple[str, str]:
    """(agrees, contradicts or no verdict; what was foretold, in words).

    A run that diverges says something of its learning rate, and none of whether it would start.
    """
    trouble, words = foretold(findings)
    if trouble is None or answer not in OUTCOMES:
        return NO_VERDICT, words
    return (AGREES if trouble == (answer == "does not start") else CONTRADICTS), words


def does_not_start(run: Section | None, findings: tuple[Finding, ...]) -> Finding:
    """FP114: whether the loss falls at all in a short run, beside what the rules foretold."""
    if run is None:
        return skipped(CODE, "the report holds no short run of training")
    if "skipped" in run:
        return skipped(CODE, str(run["skipped"]))
    answer = str(run["answer"])
    opening = "diverges: " if answer == "diverges" else ""
    return finding(
        CODE, OUTCOMES.get(answer, "inconclusive"), where="network", status="numerical",
        found=run["fall"], message=f"{opening}{run['reason']}; {foretold(findings)[1]}",
    )  # fmt: skip


def short_run_words(run: Section, findings: tuple[Finding, ...]) -> str:
    """The run, what was foretold and what is to be believed; "" where no run was asked for."""
    if "skipped" in run:
        return "" if run.get("asked") is False else f"Short run: {run['skipped']}."
    # Rules that are not selected leave no findings: then what was found with all of them holds.
    agrees, predicted = run["agrees"], run["predicted"]
    if any(each.code in FORETELLING for each in findings):
        agrees, predicted = agreement(findings, run["answer"])
    step = "" if run["learning_rate"] is None else f" at {run['learning_rate']:.3g}"
    words = (
        f"Short run, {run['rows']} rows, {run['optimiser']}{step}: {run['answer']}; "
        f"{run['reason']} (numerical). {predicted[0].upper()}{predicted[1:]}"
    )
    if agrees == AGREES:
        return f"{words}: both agree."
    if agrees == NO_VERDICT:
        return f"{words}: there is nothing to compare."
    return f"{words}: they disagree; {_believe(run['answer'])}."


def _believe(answer: str) -> str:
    return BELIEVE[answer, answer == "trains"]
