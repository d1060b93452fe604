"""What the scores say about the network as it stands: a stated rule over the paired intervals."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fpcheck.readout.result import Gain, LearningCurve, Paired

ENOUGH = "enough"
PROMISING = "promising: tune inner layers"
NOT_SUITED = "not suited"
MORE_DATA = "more data needed"

# Points of accuracy or of R^2 that make a difference in practice; less is taken as none.
MARGIN = 0.02

# Features that have learnt the rows by heart predict those that are held out here.
SEEN = "; if training saw these rows, ask again first, with rows that it did not see"

MOST_ROWS = 100.0  # times the rows at hand: beyond it no number of rows is named

NAMES = {
    "majority": "the majority or mean predictor",
    "linear_on_input": "the linear model",
    "neighbours": "the nearest neighbours",
    "rbf": "RBF ridge on the input",
    "infinite_nngp": "infinite width with the last layer trained (NNGP)",
    "infinite_ntk": "infinite width with all layers trained (NTK)",
    "last_2_layers": "training the last 2 layers",
    "last_3_layers": "training the last 3 layers",
}


@dataclass(frozen=True, slots=True)
class Best:
    """The gain of the best of several that were tried, its interval widened to hold for all."""

    model: str
    over: str
    gain: float
    low: float
    high: float
    tried: int


Difference = Gain | Paired | Best


@dataclass(frozen=True, slots=True)
class Evidence:
    """The paired differences that the verdict rests on; None where there is no such model.

    over_majority, over_linear: the last layer's gain. over_best: over the best of the simple models
    that see the input. best_over_majority: of that one over the majority. stage: the gain over the
    last layer alone of the best stage; infinite: of the better dual kernel. All that were chosen
    among several have intervals that hold for all of these; but widest_stage, the stage whose
    interval reaches highest, as all stages lie below a limit where it does. rows: of the data.
    trained: whether the layers come from training, maybe on these rows.
    """

    over_majority: Difference
    over_linear: Difference | None = None
    over_best: Difference | None = None
    best_over_majority: Paired | None = None
    stage: Paired | Best | None = None
    infinite: Paired | Best | None = None
    curve: LearningCurve | None = None
    rows: int = 0
    widest_stage: Paired | None = None
    trained: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, the figure with the rule that decided it, its name, and what to do next."""

    verdict: str
    because: str
    decided_by: str
    next_step: str


def decide(seen: Evidence) -> Decision:
    """The verdict by the 95 % intervals of paired differences, in this order.

    1. Training inner layers, or else infinite width, gains more than 0.02 over the last layer:
       promising.
    2. The last layer's gain over the majority (or mean) is below 0.02, or that over the linear
       model, or over the best simple model of the input, below -0.02: not suited.
    3. Its gain over the majority reaches below 0.02: more data needed.
    4. Its gain over the linear model is above 0: enough; reaches from below -0.02 to above 0.02:
       more data needed.
    5. Else it does as well as the linear model. If training inner layers surely gains less than
       0.02: enough, or more data needed where more rows surely bring more than 0.02. Else
       promising.

    Without stages and infinite width it speaks of the weights as they stand, not of what training
    the inner layers would give.
    """
    found = _decided(seen)
    return replace(found, next_step=found.next_step + SEEN) if seen.trained else found


def _decided(seen: Evidence) -> Decision:
    for promise in (_by_stage(seen), _by_width(seen)):
        if promise is not None:
            return promise
    gain = seen.over_majority
    figure = _figure(gain)
    if gain.high < MARGIN:
        because = f"{figure} lies below {MARGIN:g}, so next to nothing can be read out"
        return _decision(NOT_SUITED, because, gain, _elsewhere(seen))
    for best in (seen.over_linear, seen.over_best):
        if best is not None and best.high < -MARGIN:
            return _worse(best)
    # Written so that an interval without bounds needs more data.
    if not gain.low >= MARGIN:
        because = f"{figure} reaches below {MARGIN:g}"
        return _decision(MORE_DATA, because, gain, _more_rows(seen, gain, MARGIN))
    if seen.over_linear is None:
        because = f"{figure} lies above {MARGIN:g}; there is no linear model beside it"
        return _decision(ENOUGH, because, gain, _last_layer_alone(seen))
    return _against_linear(seen, seen.over_linear)


def _worse(best: Difference) -> Decision:
    """Not suited, where a simple model of the input does better."""
    because = (
        f"{_figure(best)} lies below -{MARGIN:g}, so the inner layers as they stand lose what "
        f"serves {_a(best.over)}"
    )
    step = f"use {NAMES[best.over]} instead, or compare other architectures with `fpcheck screen`"
    return _decision(NOT_SUITED, because, best, step)


def _against_linear(seen: Evidence, linear: Difference) -> Decision:
    figure = _figure(linear)
    if linear.low > 0.0:
        because = f"{figure} lies above 0, so a last layer alone beats a linear model"
        return _decision(ENOUGH, because, linear, _last_layer_alone(seen))
    # Written so that an interval without bounds needs more data.
    if not (linear.low >= -MARGIN or linear.high <= MARGIN):
        because = f"{figure} reaches from below -{MARGIN:g} to above {MARGIN:g}"
        return _decision(MORE_DATA, because, linear, _more_rows(seen, linear, 0.0))
    return _as_good(seen, linear)


def _as_good(seen: Evidence, best: Difference) -> Decision:
    """The verdict where the last layer does about as well as the linear model."""
    name = NAMES[best.over]
    stage, curve = seen.widest_stage, seen.curve
    if stage is not None and stage.high < MARGIN:
        if curve is not None and curve.gap_low is not None and curve.gap_low > MARGIN:
            because = (
                f"the learning curve's limit lies {curve.gap:.4f} above the present score, 95 % "
                f"interval [{curve.gap_low:.4f}, {_shown(curve.gap_high)}], all above {MARGIN:g}, "
                f"and the last layer does not beat {name} on the rows there are"
            )
            step = "collect more rows before any layer is tuned, and ask again"
            return Decision(MORE_DATA, because, "learning_curve.gap", step)
        because = f"{_figure(stage)} lies below {MARGIN:g}, so tuning inner layers does not pay"
        step = f"train the last layer alone, or use {name}, which does as well without a network"
        return _decision(ENOUGH, because, stage, step)
    because = (
        f"{_figure(best)} does not lie above 0, so the inner layers as they stand add little that "
        "a last layer can use"
    )
    step = f"train the inner layers and hold the result against {name}"
    return _decision(PROMISING, because, best, step)


def _by_stage(seen: Evidence) -> Decision | None:
    """Promising, where training inner layers on these rows was seen to pay."""
    if seen.stage is None or not seen.stage.low > MARGIN:
        return None
    count = seen.stage.model.split("_")[1]
    return _decision(
        PROMISING,
        f"{_figure(seen.stage)} lies above {MARGIN:g}",
        seen.stage,
        f"train the last {count} layers, which gains {seen.stage.gain:+.3f} on held-out rows; then "
        "see whether still more layers gain more",
    )


def _by_width(seen: Evidence) -> Decision | None:
    """Promising, where the same architecture at infinite width does better."""
    if seen.infinite is None or not seen.infinite.low > MARGIN:
        return None
    widen = "widen the hidden layers and fit the last layer again"
    if seen.infinite.model == "infinite_ntk":
        widen = "train all layers, or widen them: the limit of both does better"
    because = f"{_figure(seen.infinite)} lies above {MARGIN:g}"
    return _decision(PROMISING, because, seen.infinite, widen)


def _last_layer_alone(seen: Evidence) -> str:
    step = "train the last layer alone and keep the inner layers as they are"
    best = seen.over_best
    if best is not None and best.over != "linear_on_input" and not best.low > 0.0:
        step = f"{step}, or do without a network: {NAMES[best.over]} may do as well"
    curve = seen.curve
    if curve is not None and curve.reached == "no" and curve.gap is not None:
        return f"{step}; more rows would still bring about {curve.gap:+.3f}"
    return step


def _elsewhere(seen: Evidence) -> str:
    best = seen.best_over_majority
    if best is not None and best.low > MARGIN:
        return (
            f"the rows do hold something, for {NAMES[best.model]} gains {best.gain:+.3f} over the "
            "majority or mean: compare other architectures with `fpcheck screen`"
        )
    return "look at the data first: no simple model finds anything in these inputs either"


def _more_rows(seen: Evidence, gain: Difference, limit: float) -> str:
    """How many rows would decide, by an interval that narrows as their root."""
    half, distance = 0.5 * (gain.high - gain.low), abs(gain.gain - limit)
    times = (half / distance) ** 2 if distance > 0.0 else float("inf")
    if seen.rows == 0 or not 1.0 < times < MOST_ROWS:
        return "collect more rows and ask again"
    rows = float(f"{seen.rows * times:.1g}")
    return f"collect more rows and ask again: about {max(rows, seen.rows + 1):.0f} would decide it"


def _decision(verdict: str, because: str, by: Difference, step: str) -> Decision:
    model = "last_layer" if isinstance(by, Gain) else by.model
    return Decision(verdict, because, f"{model} over {by.over}", step)


def _figure(gain: Difference) -> str:
    interval = f"[{gain.low:+.4f}, {gain.high:+.4f}]"
    model = "last_layer" if isinstance(gain, Gain) else gain.model
    left = "last layer" if model == "last_layer" else NAMES[model]
    right = "the last layer alone" if gain.over == "last_layer" else NAMES[gain.over]
    tried = gain.tried if isinstance(gain, Best) else 1
    chosen = f", as the best of {tried} tried," if tried > 1 else ""
    return f"{left} minus {right} is {gain.gain:+.4f}, and its 95 % interval{chosen} {interval}"


def _a(model: str) -> str:
    return "a linear model" if model == "linear_on_input" else NAMES[model]


def _shown(value: float | None) -> str:
    return "?" if value is None else f"{value:.4f}"
