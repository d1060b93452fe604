"""The law of inputs, and so of iteration starts: what is fed to a network without data."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import SpecError

# Parameters and defaults by law. A sphere's radius defaults to sqrt(n), n entries in a row, which
# gives a row the mean square 1 that N(0, 1) gives it on average.
INPUT_LAWS: dict[str, dict[str, float | None]] = {
    "normal": {"mean": 0.0, "std": 1.0},
    "uniform": {"low": -1.0, "high": 1.0},
    "sphere": {"radius": None},
}


@dataclass(frozen=True, slots=True)
class InputLaw:
    """The law of one input row: `normal` (mean, std) or `uniform` (low, high) per entry, `sphere`
    (radius) for the row as a whole. Parameters left out take their defaults.

    Raises:
        SpecError: an unknown law or parameter, or a bad value.
    """

    law: str = "normal"
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.law not in INPUT_LAWS:
            raise SpecError(f"unknown law of inputs '{self.law}'", hint=_near(self.law, INPUT_LAWS))
        defaults = INPUT_LAWS[self.law]
        for key, value in self.parameters.items():
            if key not in defaults:
                raise SpecError(
                    f"law '{self.law}' of inputs has no key '{key}'", hint=_near(key, defaults)
                )
            if not math.isfinite(value):
                raise SpecError(f"law '{self.law}' of inputs: '{key}' is a finite number")
        filled = {key: value for key, value in defaults.items() if value is not None}
        object.__setattr__(self, "parameters", filled | dict(self.parameters))
        self._check_values()

    def _check_values(self) -> None:
        values = self.parameters
        if self.law == "normal" and not values["std"] > 0:
            raise SpecError(
                f"law 'normal' of inputs: 'std' must be positive, got {values['std']:g}"
            )
        if self.law == "uniform" and not values["low"] < values["high"]:
            raise SpecError("law 'uniform' of inputs: 'low' must lie below 'high'")
        if self.law == "sphere" and not values.get("radius", 1.0) > 0:
            raise SpecError("law 'sphere' of inputs: 'radius' must be positive")

    @property
    def label(self) -> str:
        """The law in words, such as `N(0, 1)`, `U(-1, 1)` or `sphere of radius sqrt(n)`."""
        values = self.parameters
        if self.law == "normal":  # the second entry is the variance, as in N(0, sigma^2)
            return f"N({values['mean']:g}, {values['std'] ** 2:g})"
        if self.law == "uniform":
            return f"U({values['low']:g}, {values['high']:g})"
        return f"sphere of radius {values['radius']:g}" if values else "sphere of radius sqrt(n)"


def second_moment(law: InputLaw, n: int) -> float:
    """E x_i^2 of one entry of a row of `n` entries."""
    values = law.parameters
    if law.law == "normal":
        return values["mean"] ** 2 + values["std"] ** 2
    if law.law == "uniform":
        low, high = values["low"], values["high"]
        return (low * low + low * high + high * high) / 3.0
    return values.get("radius", math.sqrt(n)) ** 2 / n


def draw_inputs(
    law: InputLaw, n: int, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float64]:
    """`n` input rows of the given shape drawn from `law`, as (n, *shape)."""
    values = law.parameters
    size = (n, *shape)
    if law.law == "normal":
        return rng.normal(values["mean"], values["std"], size)
    if law.law == "uniform":
        return rng.uniform(values["low"], values["high"], size)
    rows = rng.standard_normal((n, math.prod(shape)))
    radius = values.get("radius", math.sqrt(math.prod(shape)))
    rows *= radius / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.reshape(size)


def _near(word: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
