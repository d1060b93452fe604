"""How steps, losses and ratios of the training probe are written, for views and figures."""

from __future__ import annotations

from fpcheck.core.plain import Section

OPTIMISERS = {
    "sgd": "SGD",
    "norm-adaptive": "norm-adaptive SGD",
    "momentum": "SGD with momentum",
    "adam": "Adam",
}


def figure(value: float | None, digits: int = 3) -> str:
    """The value with so many digits; `-` where there is none."""
    return "-" if value is None else f"{value:.{digits}g}"


def tenth(rate: float) -> str:
    """A tenth of a learning rate, with two digits, as a flag takes it."""
    return f"{float(f'{rate / 10:.2g}'):g}"


def stretch(part: Section | None) -> str:
    """Steps a-b, `-` for none."""
    return "-" if part is None else f"{part['from']}–{part['to']}"


def law_through(layers: list[Section], power: float) -> list[float | None]:
    """c depth^power for every layer, c the geometric mean of ratio / depth^power; None without."""
    known = [one for one in layers if one["ratio"] is not None]
    if not known:
        return [None] * len(layers)
    level = 1.0
    for one in known:
        level *= (float(one["ratio"]) / one["depth"] ** power) ** (1.0 / len(known))
    return [level * one["depth"] ** power for one in layers]
