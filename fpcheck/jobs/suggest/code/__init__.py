"""The suggestion as code for a framework: templates filled with one row of scales a layer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from itertools import groupby

from fpcheck import __version__
from fpcheck.jobs.suggest.result import SuggestedLayer

FRAMEWORKS = ("pytorch", "keras", "jax")
DIGITS = 8
LSUV_REMARK = "\n# LSUV's scales are those of one draw on the inputs: deep networks may stray."


def framework_code(
    framework: str, model: str, scales: Sequence[SuggestedLayer], *, method: str
) -> str:
    """The Python source of `initialise(...)` for pytorch, keras or jax.

    model: its name. scales: one layer for every weight tensor, in order. method: normal,
    orthogonal or lsuv.
    """
    text = resources.files(__package__).joinpath(f"{framework}.txt").read_text("utf-8")
    filled = {
        "version": __version__,
        "model": commented(model),
        "rows": "\n".join(_rows(scales)),
        "orthogonal": str(method != "normal"),
        "remark": LSUV_REMARK if method == "lsuv" else "",
    }
    # In one pass: a name may hold another one's braces.
    return re.sub(
        r"\{(version|model|rows|orthogonal|remark)\}", lambda found: filled[found[1]], text
    )


def number(value: float) -> str:
    """The number in the digits that matter for a scale."""
    return repr(float(f"{value:.{DIGITS}g}"))


def _rows(scales: Sequence[SuggestedLayer]) -> list[str]:
    """A line for every run of equal layers."""
    lines = []
    for row, run in groupby(scales, key=_row):
        names = [_short(layer.name) for layer in run]
        if len(names) == 1:
            lines.append(f"    {row},  # {names[0]}")
        else:
            lines.append(f"    *[{row}] * {len(names)},  # {names[0]} to {names[-1]}")
    return lines


def _row(layer: SuggestedLayer) -> str:
    scales = f"{number(layer.sigma_w2)}, {number(layer.sigma_b2)}"
    return f"({layer.fan_in}, {layer.units}, {scales})"


def commented(name: str) -> str:
    """The name as it may stand in a comment, of Python as of TOML: on one line, and printable."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(name.split()))


def _short(name: str) -> str:
    shown = commented(name)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
