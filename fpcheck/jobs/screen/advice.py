"""The recommendation: one sentence with the figure that decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fpcheck.core.wording import thousands
from fpcheck.jobs.screen.ranking import Ranking
from fpcheck.jobs.screen.result import Baseline, Difference

LEADS = "one leads"
UNDECIDED = "undecided"
LINEAR = "no better than linear"
NOTHING = "nothing learned"
NOT_JUDGED = "not judged"

HOW = {
    "nngp": "at infinite width",
    "ntk": "at infinite width with all layers trained",
    "at_init": "at initialisation",
}
MEASURED = {"accuracy": "accuracy", "r2": "R²"}


@dataclass(frozen=True, slots=True)
class Advice:
    """What to take: a skeleton's name, "linear", or None; why, and by which figure."""

    outcome: str
    recommended: str | None
    sentence: str
    decided_by: Difference | None


def advice(
    ranked: Ranking, baseline: Baseline, parameters: Mapping[str, int], metric: str
) -> Advice:
    """The advice. parameters: how many each skeleton has. metric: accuracy or r2."""
    if ranked.by is None:
        return Advice(NOT_JUDGED, None, "None of the skeletons could be scored.", None)
    best, what = ranked.names[0], MEASURED[metric]
    linear, majority = baseline.over_linear, baseline.over_majority
    if linear is not None and linear.high < 0.0:
        return Advice(
            LINEAR,
            "linear",
            f"Take a linear model of the input, or train the inner layers too: untrained, the best "
            f"skeleton, {best}, has {what} {_gap(linear)} below it.",
            linear,
        )
    learned = baseline.linear_gain is not None and baseline.linear_gain.low > 0.0
    if majority is not None and not majority.low > 0.0 and not learned:
        simple = "the majority class" if metric == "accuracy" else "the mean"
        return Advice(
            NOTHING,
            None,
            f"Take none of them yet: the best, {best}, is not shown to predict better than "
            f"{simple} does, its gain in {what} is {_gain(majority)}.",
            majority,
        )
    if linear is not None and not linear.low > 0.0:
        return Advice(
            LINEAR,
            "linear",
            f"Start with a linear model of the input: the best skeleton, {best}, is not shown to be"
            f" better, its gain in {what} is {_gain(linear)}.",
            linear,
        )
    return _among(ranked, parameters, f"{what} {HOW[ranked.by]}")


def _among(ranked: Ranking, parameters: Mapping[str, int], what: str) -> Advice:
    """Of skeletons of which the best is worth its while."""
    best, *others = ranked.names
    if not others:
        return Advice(LEADS, best, f"Take {best}: it is the only one with a score.", None)
    second = ranked.to_best[others[0]]
    if not ranked.undecided:
        return Advice(
            LEADS,
            best,
            f"Take {best}: its {what} is {_gap(second)} above that of {others[0]}, the next.",
            second,
        )
    tied = (best, *ranked.undecided)
    smallest = min(tied, key=lambda name: parameters[name])  # of equal ones the better
    least = ranked.to_best[ranked.undecided[-1]]
    return Advice(
        UNDECIDED,
        smallest,
        f"Undecided between {_listed(tied)}, whose {what} differs by no more than chance may "
        f"({least.model} is {_gap(least)} below {best}); {smallest} has the fewest parameters, "
        f"{thousands(parameters[smallest])}.",
        least,
    )


def _gap(one: Difference) -> str:
    """The size of a difference that is below 0, with its interval turned with it."""
    return f"{_number(-one.gain)} ({_number(-one.high)} to {_number(-one.low)})"


def _gain(one: Difference) -> str:
    return f"{_number(one.gain)} ({_number(one.low)} to {_number(one.high)})"


def _number(value: float) -> str:
    """Three decimals, and no -0.000."""
    return f"{round(value, 3) + 0.0:.3f}"


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
