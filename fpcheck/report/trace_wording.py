"""The words and numbers of a trace: steps, shares, sparks, what stands where nothing is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from fpcheck.core.plain import Section
from fpcheck.core.wording import thousands

METRICS = {"accuracy": "accuracy", "r2": "R²"}
RISING, RISING_ASCII = "▁▂▃▄▅▆▇█", "12345678"
SPARKS = 16  # layers that a spark shows one by one; of more, the largest of neighbours
UNKNOWN = "?"
NONE = "-"


def known(value: object) -> float | None:
    """`value` as a number; None for one that is not finite or not there."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def figure(value: object, digits: int = 3) -> str:
    """So many significant digits, `-` for what is not known: 0.935, 12.5, 3.1e-14."""
    number = known(value)
    if number is None:
        return NONE
    if 10.0 ** (digits - 1) <= abs(number) < 1e5:
        return f"{number:.0f}"
    return f"{number:#.{digits}g}".rstrip(".").replace("e-0", "e-").replace("e+0", "e+")


def score(value: object, metric: str) -> str:
    """An accuracy in percent, R² as a number."""
    number = known(value)
    if number is None:
        return NONE
    return f"{100.0 * number:.1f}%" if metric == "accuracy" else f"{number:.3f}"


def place(document: Section, index: int | None) -> str:
    """What a checkpoint is called: its step where it has one, else its name without its ending."""
    checkpoints = document["checkpoints"]
    if index is None or not 0 <= index < len(checkpoints):
        return NONE
    one = checkpoints[index]
    if one["step"] is not None:
        return thousands(one["step"])
    return str(one["name"]).rpartition(".")[0] or str(one["name"])


def at(document: Section, index: int | None) -> str:
    """The same in a sentence: `step 800`, or the name."""
    words = place(document, index)
    stepped = index is not None and 0 <= index < len(document["checkpoints"])
    numbered = stepped and document["checkpoints"][index]["step"] is not None
    return f"step {words}" if numbered else words


def metric_of(document: Section) -> str:
    """accuracy or r2; accuracy where there are no data."""
    return str((document["run"]["data"] or {}).get("metric") or "accuracy")


def trend(document: Section, name: str) -> Section:
    """One trend that is an object; empty where it could not be told."""
    found = document["trends"].get(name) or {}
    return {} if "skipped" in found else found


def ratios(checkpoint: Section) -> list[float | None]:
    """sigma_1/sigma_2 of every layer of a checkpoint."""
    return [known(layer["ratio"]) for layer in checkpoint["layers"]]


def clearest(checkpoint: Section) -> tuple[str, float] | None:
    """(layer, ratio) of the layer whose first singular value leads most."""
    pairs = [(str(one["name"]), known(one["ratio"])) for one in checkpoint["layers"]]
    found = [(ratio, name) for name, ratio in pairs if ratio is not None]
    if not found:
        return None
    ratio, name = max(found)
    return name, ratio


def heaviest(checkpoint: Section) -> float | None:
    """The smallest tail index of the layers: the heaviest tail."""
    return min(
        (v for one in checkpoint["layers"] if (v := known(one["tail_index"])) is not None),
        default=None,
    )


def best_readout(checkpoint: Section) -> Section | None:
    """The layer that reads out best; None where nothing was read out."""
    layers = checkpoint["readout"].get("layers", ())
    found = [one for one in layers if known(one["score"]) is not None]
    return max(found, key=lambda one: float(one["score"])) if found else None


def log_range(values: Sequence[float | None]) -> tuple[float, float]:
    """The logarithms between which a spark's heights lie: from 1 to the largest, at least 3."""
    top = max((v for v in values if v is not None and v > 0.0), default=1.0)
    return 0.0, max(math.log(top), math.log(3.0))


def spark(
    values: Sequence[float | None], limits: tuple[float, float], *, ascii_only: bool = False
) -> str:
    """One character a value, as high as its logarithm lies between the limits; `?` for none."""
    signs = RISING_ASCII if ascii_only else RISING
    low, high = limits
    out = []
    for value in _pooled(values):
        if value is None or not value > 0.0:
            out.append(UNKNOWN)
            continue
        share = (math.log(value) - low) / (high - low)
        out.append(signs[min(len(signs) - 1, max(0, int(share * len(signs))))])
    return "".join(out)


def _pooled(values: Sequence[float | None]) -> list[float | None]:
    """At most SPARKS values, each the largest of its neighbours."""
    if len(values) <= SPARKS:
        return list(values)
    edges = [round(i * len(values) / SPARKS) for i in range(SPARKS + 1)]
    groups = [values[a:b] for a, b in pairwise(edges)]
    return [max((v for v in group if v is not None), default=None) for group in groups]
