"""What the scores say about the network as it stands: a stated rule over the paired intervals."""

from __future__ import annotations

from fpcheck.readout.result import Gain

ENOUGH = "enough"
PROMISING = "promising: tune inner layers"
NOT_SUITED = "not suited"
MORE_DATA = "more data needed"

# Points of accuracy or of R^2 that make a difference in practice; less is taken as none.
MARGIN = 0.02


def judge_scores(over_majority: Gain, over_linear: Gain | None) -> tuple[str, str]:
    """The verdict, and the figure with the rule that decided it.

    By the 95 % intervals of the gains, in this order. Over the majority (or mean): below 0.02, not
    suited; reaching below it, more data needed. Over the linear model: above 0, enough; below
    -0.02, not suited; from below -0.02 to above 0.02, more data needed; else promising.

    It speaks of the weights as they stand, not of what training the inner layers would give.
    """
    figure = _figure(over_majority, "the majority or mean predictor")
    if over_majority.high < MARGIN:
        return NOT_SUITED, f"{figure} lies below {MARGIN:g}, so next to nothing can be read out"
    if not over_majority.low >= MARGIN:
        return MORE_DATA, f"{figure} reaches below {MARGIN:g}"
    if over_linear is None:
        return ENOUGH, f"{figure} lies above {MARGIN:g}; there is no linear model beside it"
    figure = _figure(over_linear, "the linear model")
    if over_linear.low > 0.0:
        return ENOUGH, f"{figure} lies above 0, so a last layer alone beats a linear model"
    if over_linear.high < -MARGIN:
        return NOT_SUITED, (
            f"{figure} lies below -{MARGIN:g}, so the inner layers as they stand lose what a "
            "linear model finds"
        )
    # Written so that an interval without bounds needs more data.
    if not (over_linear.low >= -MARGIN or over_linear.high <= MARGIN):
        return MORE_DATA, f"{figure} reaches from below -{MARGIN:g} to above {MARGIN:g}"
    return PROMISING, (
        f"{figure} does not lie above 0, so the inner layers as they stand add little that a last "
        "layer can use"
    )


def _figure(gain: Gain, other: str) -> str:
    interval = f"[{gain.low:+.4f}, {gain.high:+.4f}]"
    return f"last layer minus {other} is {gain.gain:+.4f}, and its 95 % interval {interval}"
