"""Scores over the number of rows and over the width, and where they are heading."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LearningPoint:
    """The mean held-out score of fits to the first `rows` training rows of every split."""

    rows: int
    score: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """The last layer's score over the training rows, and the limit it is heading for.

    asymptote, exponent: of score = asymptote - a rows^-exponent; gap: the asymptote minus the
    fitted score at the most rows. reached: yes, no or unknown, whether the gap's interval is
    within, beyond or across `distance`. asymptote_skipped: why there is none, else "".
    """

    model: str
    splits: int
    points: tuple[LearningPoint, ...]
    asymptote: float | None
    asymptote_low: float | None
    asymptote_high: float | None
    exponent: float | None
    gap: float | None
    gap_low: float | None
    gap_high: float | None
    distance: float
    reached: str
    misfit: float | None
    asymptote_skipped: str


@dataclass(frozen=True, slots=True)
class WidthPoint:
    """The last layer's mean held-out score at initialisation, hidden widths times `factor`.

    width: units that enter the last layer.
    """

    factor: float
    width: int
    score: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class WidthCurve:
    """The last layer's score over the width, and the limit it is heading for.

    slope, offset: of score = limit - slope / (width + offset). near: the width at which the score
    is within `distance` of the limit. nngp: ridge on the dual kernel on the same splits, null where
    there is none. fitted_from: the least width that the law is fitted to; narrower ones contradict
    it. draws: of every width but that of the network as given, which may have more. limit_skipped:
    why there is none, else "".
    """

    points: tuple[WidthPoint, ...]
    limit: float | None
    limit_low: float | None
    limit_high: float | None
    slope: float | None
    offset: float | None
    near: float | None
    near_low: float | None
    near_high: float | None
    distance: float
    misfit: float | None
    fitted_from: int | None
    nngp: float | None
    draws: int
    splits: int
    limit_skipped: str
