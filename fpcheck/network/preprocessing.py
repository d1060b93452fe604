"""What the user does to the data before the network sees it: centre, then scale, then clip."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import DataError, UsageError


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """The steps between the file and the network, in this order; the default does nothing.

    Args:
        centre: a number is subtracted from every entry; "mean" subtracts every input entry's own
            mean over the rows.
        scale: a factor for every entry; "unit" divides by the root mean square of all (centred)
            entries, so that their second moment is 1.
        clip: (low, high): entries outside are set to the nearer bound.

    Raises:
        DataError: a factor of 0, bounds in the wrong order, or a number that is not finite.
    """

    scale: float | Literal["unit"] = 1.0
    centre: float | Literal["mean"] | None = None
    clip: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.scale != "unit" and (not _finite(self.scale) or self.scale == 0.0):
            raise DataError(
                f"scale = {self.scale:g} cannot be used",
                hint='a finite number other than 0, or "unit"',
            )
        if self.centre is not None and self.centre != "mean" and not _finite(self.centre):
            raise DataError(
                f"centre = {self.centre} cannot be used", hint='a finite number or "mean"'
            )
        if self.clip is not None:
            low, high = self.clip
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise DataError(
                    f"clip = [{low:g}, {high:g}] cannot be used",
                    hint="two finite numbers, the lower one first",
                )


def preprocess(
    inputs: NDArray[np.float64], steps: Preprocessing
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """`inputs` (n, ...) after the steps, and a line about each step for the report.

    Raises:
        DataError: "unit" of inputs that are all 0, or a step that leaves the float64 range.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        inputs, notes = _steps(inputs, steps)
    if not np.isfinite(inputs).all():
        raise DataError(
            "the preprocessing leaves inputs beyond the range of float64",
            hint="look at scale and centre",
        )
    return np.ascontiguousarray(inputs), tuple(notes)


def _steps(
    inputs: NDArray[np.float64], steps: Preprocessing
) -> tuple[NDArray[np.float64], list[str]]:
    notes: list[str] = []
    if steps.centre == "mean":
        inputs = inputs - inputs.mean(axis=0)
        notes.append("inputs centred: every entry's mean over the rows was subtracted")
    elif steps.centre is not None and steps.centre != 0.0:
        inputs = inputs - steps.centre
        notes.append(f"inputs centred: {steps.centre:g} was subtracted")
    if steps.scale == "unit":
        inputs, root_mean_square = _to_unit(inputs)
        notes.append(f"inputs scaled to second moment 1: divided by {root_mean_square:.6g}")
    elif steps.scale != 1.0:
        inputs = inputs * steps.scale
        notes.append(f"inputs scaled: multiplied by {steps.scale:g}")
    if steps.clip is not None:
        low, high = steps.clip
        outside = float(np.mean((inputs < low) | (inputs > high)))
        inputs = np.clip(inputs, low, high)
        notes.append(f"inputs clipped to [{low:g}, {high:g}]: {outside:.2%} of the entries")
    return inputs, notes


def parse_preprocessing(
    scale: str | None = None, centre: str | None = None, clip: str | None = None
) -> Preprocessing:
    """The steps that flags name: scale "0.0625" or "unit", centre "0.5" or "mean", clip "-1,1".

    Raises:
        UsageError: a text that is neither a number nor one of those words.
        DataError: a number that cannot be used.
    """
    return Preprocessing(
        scale="unit" if scale == "unit" else 1.0 if scale is None else _number(scale, "scale"),
        centre="mean"
        if centre == "mean"
        else None
        if centre is None
        else _number(centre, "centre"),
        clip=None if clip is None else _bounds(clip),
    )


def _to_unit(inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    largest = float(np.abs(inputs).max(initial=0.0))
    if largest == 0.0:
        raise DataError(
            "scale = unit cannot be used: all inputs are 0 (after centring)",
            hint="is this the right array? a number can be given as the scale",
        )
    # Divided by the largest entry first, so that no square overflows or vanishes.
    root_mean_square = largest * math.sqrt(float(np.mean((inputs / largest) ** 2)))
    return inputs / root_mean_square, root_mean_square


def _finite(value: float | str) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        word = {"scale": "unit", "centre": "mean"}.get(name)
        raise UsageError(
            f"--{name} {text}: not a number",
            where=f"--{name}",
            hint=f'a number, or "{word}"' if word else "two numbers: --clip=-1,1",
        ) from None


def _bounds(text: str) -> tuple[float, float]:
    parts = text.split(",")
    if len(parts) != 2:
        raise UsageError(
            f"--clip {text}: two numbers are needed", where="--clip", hint="--clip=-1,1"
        )
    return _number(parts[0], "clip"), _number(parts[1], "clip")
