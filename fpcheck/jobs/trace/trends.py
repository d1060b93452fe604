"""What the run did to the numbers, read from its checkpoints' plain data alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Z95
from fpcheck.escape.events import Curve, find_events
from fpcheck.escape.low_rank import LEAST_GROWTH, LEAST_RATIO

Section = dict[str, Any]
Array = NDArray[np.float64]

FEWEST = 4  # checkpoints; with fewer no order is beyond chance
LEVEL = 0.01  # of a tail's trend, over all layers together
# The length of a run, in the steps that the escape's events are dated in.
LENGTH = 1e6
# Fieller, Hartley, Pearson 1957: the variance of atanh(tau) is about this over n - 4.
TAU_VARIANCE = 0.437
# Two checkpoints early in a run that falls from the first step on may be alike: so many, or so much
# of the run, make a plateau.
FLAT, FLAT_SHARE = 3, 0.2
NO_LOSS = "there is no loss without a network and --data with its targets"


def trends(
    checkpoints: Sequence[Section], constant: float | None, no_loss: str = NO_LOSS
) -> Section:
    """The trends.

    constant: the loss of the best answer that is the same for all rows; without it `no_loss` says
    why there is none.
    """
    loss: Section = {"skipped": no_loss}
    if constant is not None:
        loss = _loss(checkpoints, constant)
    return {
        "tails": _tails(checkpoints),
        "most_changed": _most_changed(checkpoints),
        "ratio_peaks": _ratio_peaks(checkpoints),
        "loss": loss,
        "dominant": _dominant(checkpoints, loss.get("escape")),
    }


def kendall(values: Sequence[float]) -> tuple[float, float, float, float]:
    """(tau-b, low, high, two-sided p) of the values with their order.

    The variance of the number of concordant less discordant pairs is that of an order without ties
    [Kendall 1938]; the interval is Fieller's. Both take the values for independent.
    """
    x = np.asarray(values, np.float64)
    n = len(x)
    signs = np.sign(x[None, :] - x[:, None])
    concord = float(signs[np.triu_indices(n, 1)].sum())
    pairs = n * (n - 1) / 2.0
    counts = np.unique(x, return_counts=True)[1].astype(np.float64)
    tied = float(np.sum(counts * (counts - 1.0)) / 2.0)
    if pairs == tied:
        return 0.0, -1.0, 1.0, 1.0
    tau = concord / math.sqrt(pairs * (pairs - tied))
    excess = max(abs(concord) - 1.0, 0.0)  # continuity
    p = math.erfc(excess / math.sqrt(n * (n - 1) * (2 * n + 5) / 18.0) / math.sqrt(2.0))
    if n <= 4:
        return tau, -1.0, 1.0, p
    centre = math.atanh(max(-1.0 + 1e-12, min(1.0 - 1e-12, tau)))
    half = Z95 * math.sqrt(TAU_VARIANCE / (n - 4))
    return tau, math.tanh(centre - half), math.tanh(centre + half), p


def _tails(checkpoints: Sequence[Section]) -> list[Section]:
    """Every layer's tail index with the order of the checkpoints.

    A direction is named where it is beyond chance and the intervals at both ends are apart: the
    weights of neighbouring checkpoints are alike, so that small moves keep their sign for long.
    """
    out = []
    for i, layer in enumerate(checkpoints[0]["layers"]):
        known = [
            one["layers"][i] for one in checkpoints if one["layers"][i]["tail_index"] is not None
        ]
        entry: Section = {
            "layer": layer["name"], "tau": None, "low": None, "high": None, "p": None,
            "direction": "no trend", "start": None, "end": None, "end_high": None,
            "checkpoints": len(known),
        }  # fmt: skip
        if known:
            entry |= {
                "start": known[0]["tail_index"],
                "end": known[-1]["tail_index"],
                "end_high": known[-1]["tail_index_high"],
            }
        if len(known) >= FEWEST:
            tau, low, high, p = kendall([one["tail_index"] for one in known])
            entry |= {"tau": tau, "low": low, "high": high, "p": p}
            sure = p * len(checkpoints[0]["layers"]) <= LEVEL
            if sure and tau < 0 and known[-1]["tail_index_high"] < known[0]["tail_index_low"]:
                entry["direction"] = "heavier"
            elif sure and tau > 0 and known[-1]["tail_index_low"] > known[0]["tail_index_high"]:
                entry["direction"] = "lighter"
        out.append(entry)
    return out


def _most_changed(checkpoints: Sequence[Section]) -> Section:
    """The layer that went furthest from the first checkpoint, relative to its norm there."""
    found = []
    for old, new in zip(checkpoints[0]["layers"], checkpoints[-1]["layers"], strict=True):
        if new["from_first"] is not None and old["frobenius_norm"]:
            found.append((new["from_first"] / old["frobenius_norm"], old["name"]))
    if len(checkpoints) < 2 or not found:
        return {"layer": None, "relative": None}
    share, name = max(found)
    return {"layer": name if share > 0.0 else None, "relative": share}


def _ratio_peaks(checkpoints: Sequence[Section]) -> list[Section]:
    """Where sigma_1/sigma_2 of every layer is largest."""
    out = []
    for i, layer in enumerate(checkpoints[0]["layers"]):
        ratios = [
            (one["layers"][i]["ratio"], -at)
            for at, one in enumerate(checkpoints)
            if one["layers"][i]["ratio"] is not None
        ]
        ratio, at = max(ratios, default=(None, 0))
        out.append(
            {
                "layer": layer["name"], "depth": i + 1, "checkpoint": -at if ratios else None,
                "ratio": ratio, "start_ratio": layer["ratio"],
            }
        )  # fmt: skip
    return out


def _loss(checkpoints: Sequence[Section], constant: float) -> Section:
    """Start, end and best loss, the plateau and the escape as the escape question dates them."""
    losses = [one["loss"] for one in checkpoints]
    known = [(loss, at) for at, loss in enumerate(losses) if loss is not None]
    if not known:
        return {"skipped": "the outputs of no checkpoint are finite"}
    best, best_at = min(known)
    out: Section = {
        "start": losses[0], "end": losses[-1], "best": best, "best_at": best_at, "escape": None,
        "constant": constant, "plateau": None, "plateau_share": None, "diverged": None,
    }  # fmt: skip
    if len(losses) < FEWEST or losses[0] is None:
        return out
    steps = _positions(checkpoints)
    values = np.array([math.nan if loss is None else loss for loss in losses])
    norms = np.array([one["parameter_norm"] or math.nan for one in checkpoints])
    events = find_events(Curve(steps, values, norms, steps), constant, int(LENGTH))

    def index(step: float) -> int:
        return int(np.argmin(np.abs(steps - step)))

    if events.diverged_at is not None:
        out["diverged"] = index(events.diverged_at)
    if events.plateau is not None:
        first, last = index(events.plateau["from"]), index(events.plateau["to"])
        if last - first + 1 < FLAT and steps[last] - steps[first] < FLAT_SHARE * LENGTH:
            return out
        end = out["escape"] = None if events.escaped_at is None else index(events.escaped_at)
        out["plateau"] = [first, last]
        until = steps[last if end is None else end]
        out["plateau_share"] = float((until - steps[first]) / (steps[-1] - steps[0]))
    return out


def _positions(checkpoints: Sequence[Section]) -> Array:
    """Where the checkpoints lie in the run: by their steps, else evenly; 0 to LENGTH, whole."""
    steps = [one["step"] for one in checkpoints]
    known = all(step is not None for step in steps)
    if not known or any(b <= a for a, b in itertools.pairwise(steps)):
        steps = list(range(len(checkpoints)))
    places = np.array(steps, np.float64)
    scaled: Array = np.round((places - places[0]) * (LENGTH / (places[-1] - places[0])))
    return scaled


def _dominant(checkpoints: Sequence[Section], escape: int | None) -> Section:
    """The first checkpoint, of those from the escape on, at which one singular value leads in most
    layers and did not at the start.
    """
    first = checkpoints[0]["layers"]
    told = [i for i, layer in enumerate(first) if layer["ratio"] is not None]
    for at in range(escape or 0, len(checkpoints)):
        layers = checkpoints[at]["layers"]
        leading = [i for i in told if _leads(layers[i]["ratio"], first[i]["ratio"])]
        if told and 2 * len(leading) > len(told):
            clearest = max(leading, key=lambda i: layers[i]["ratio"])
            return {
                "checkpoint": at,
                "layers": [layers[i]["name"] for i in leading],
                "clearest": layers[clearest]["name"],
            }
    return {"skipped": "at no checkpoint one singular value leads in most layers"}


def _leads(ratio: float | None, start: float) -> bool:
    return ratio is not None and ratio >= LEAST_RATIO and ratio >= LEAST_GROWTH * start
