"""The suggestion as code for a framework: templates filled with one row of scales a layer."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from itertools import groupby

from fpcheck import __version__
from fpcheck.jobs.suggest.result import SuggestedLayer

FRAMEWORKS = ("pytorch", "keras", "jax")
DIGITS = 8


def framework_code(
    framework: str, model: str, scales: Sequence[SuggestedLayer], *, orthogonal: bool
) -> str:
    """The Python source of `initialise(...)` for pytorch, keras or jax.

    model: its name. scales: one layer for every weight tensor, in order.
    """
    text = resources.files(__package__).joinpath(f"{framework}.txt").read_text("utf-8")
    filled = {
        "{version}": __version__,
        "{model}": " ".join(model.split()),
        "{rows}": "\n".join(_rows(scales)),
        "{orthogonal}": str(orthogonal),
    }
    for key, value in filled.items():
        text = text.replace(key, value)
    return text


def number(value: float) -> str:
    """The number in the digits that matter for a scale."""
    return repr(float(f"{value:.{DIGITS}g}"))


def _rows(scales: Sequence[SuggestedLayer]) -> list[str]:
    """A line for every run of equal layers."""
    lines = []
    for row, run in groupby(scales, key=_row):
        names = [_commented(layer.name) for layer in run]
        if len(names) == 1:
            lines.append(f"    {row},  # {names[0]}")
        else:
            lines.append(f"    *[{row}] * {len(names)},  # {names[0]} to {names[-1]}")
    return lines


def _row(layer: SuggestedLayer) -> str:
    scales = f"{number(layer.sigma_w2)}, {number(layer.sigma_b2)}"
    return f"({layer.fan_in}, {layer.units}, {scales})"


def _commented(name: str) -> str:
    """The layer's name as it may stand in a comment: on one line, and short."""
    shown = "".join(c if c.isprintable() else "?" for c in name)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
