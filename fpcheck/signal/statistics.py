"""Statistics of one layer, gathered block of inputs by block of inputs.

The inputs are the sampling unit: units of one network are fixed and depend on each other, so every
quantity is first averaged over the units for each input, and Student's t interval is taken over
the inputs, which are drawn independently.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.intervals import Interval, binomial_upper, mean_t
from fpcheck.network.activations import ActivationFunction
from fpcheck.network.layers import Layer
from fpcheck.signal.result import MeasuredInput, MeasuredLayer
from fpcheck.theory.quadrature import Array

# A unit is saturated where its slope is below this share of the largest slope that it can have.
SATURATED_SLOPE = 0.01


@dataclass(slots=True)
class RowStatistics:
    """Per-input values of one array of units, in the order in which the blocks came."""

    means: list[Array] = field(default_factory=list)
    variances: list[Array] = field(default_factory=list)
    seconds: list[Array] = field(default_factory=list)
    contrasts: list[Array] = field(default_factory=list)
    lowest: Array | None = None
    highest: Array | None = None

    def add(self, rows: Array) -> None:
        """Take in a block. rows: (inputs, units); neighbouring rows make the pairs."""
        self.means.append(rows.mean(axis=1))
        self.variances.append(rows.var(axis=1))
        self.seconds.append(np.einsum("ij,ij->i", rows, rows) / rows.shape[1])
        self.contrasts.append(_contrasts(rows))
        low, high = rows.min(axis=0), rows.max(axis=0)
        self.lowest = low if self.lowest is None else np.minimum(self.lowest, low)
        self.highest = high if self.highest is None else np.maximum(self.highest, high)

    @property
    def input_dependent(self) -> bool:
        """Whether any unit took two different values."""
        return not bool(np.array_equal(self.lowest, self.highest))  # type: ignore[arg-type]

    def moments(self) -> tuple[float, float]:
        """Mean and variance about it, over all units and inputs."""
        means = np.concatenate(self.means)
        return float(means.mean()), float(np.concatenate(self.variances).mean() + means.var())


@dataclass(slots=True)
class LayerStatistics:
    """The statistics of one layer."""

    layer: Layer
    rows: RowStatistics = field(default_factory=RowStatistics)
    active: list[Array] = field(default_factory=list)
    saturated: list[Array] = field(default_factory=list)
    gradients: list[Array] = field(default_factory=list)
    arriving: list[Array] = field(default_factory=list)
    ever_active: NDArray[np.bool_] | None = None

    def add(self, incoming: Array, before: Array, after: Array, gradient: Array | None) -> None:
        """Take in a block: what enters the layer, its pre-activations, their phi, and gradients.

        All (inputs, entries).
        """
        self.rows.add(before)
        self.arriving.append(_contrasts(incoming))
        active = after != 0.0
        self.active.append(active.mean(axis=1))
        some = active.any(axis=0)
        self.ever_active = some if self.ever_active is None else self.ever_active | some
        function = self.layer.activation
        if saturates(function):
            flattest = SATURATED_SLOPE * max(abs(s) for s in function.slopes)
            flat = np.abs(function.derivative(before)) < flattest
            self.saturated.append((flat & active).mean(axis=1))
        if gradient is not None:
            self.gradients.append(np.einsum("ij,ij->i", gradient, gradient) / gradient.shape[1])


def saturates(f: ActivationFunction) -> bool:
    """Whether phi flattens out towards bounds on both sides."""
    bounded = all(math.isfinite(end) for end in f.values)
    return bounded and f.kind.monotone and f.kind.derivative is not None


def measured_input(rows: RowStatistics) -> MeasuredInput:
    """The inputs' own numbers."""
    q, q_range = _positive_mean(rows.seconds)
    contrast, contrast_range = _pair_mean(rows)
    return MeasuredInput(
        q=q,
        q_low=q_range.low,
        q_high=q_range.high,
        input_dependent=rows.input_dependent,
        c=None if contrast is None else 1.0 - contrast,
        contrast=contrast,
        contrast_low=None if contrast is None else contrast_range.low,
        contrast_high=None if contrast is None else contrast_range.high,
    )


def measured_layer(gathered: LayerStatistics, hidden: bool) -> MeasuredLayer:
    """The layer's numbers with their intervals."""
    layer, rows = gathered.layer, gathered.rows
    own = measured_input(rows)
    mean, variance = rows.moments()
    active, active_range = _share(gathered.active)
    saturated, saturated_range = _share(gathered.saturated)
    gradient, gradient_range = _root_mean(gathered.gradients)
    units = math.prod(layer.shape)
    assert active is not None  # there is at least one block
    assert gathered.ever_active is not None
    dead = units - int(np.count_nonzero(gathered.ever_active))
    return MeasuredLayer(
        name=layer.name,
        kind=layer.kind,
        activation=layer.activation.label,
        hidden=hidden,
        units=units,
        mean=mean,
        variance=variance,
        q=own.q,
        q_low=own.q_low,
        q_high=own.q_high,
        c=own.c,
        contrast=own.contrast,
        contrast_low=own.contrast_low,
        contrast_high=own.contrast_high,
        active_fraction=active,
        active_fraction_low=active_range.low,
        active_fraction_high=active_range.high,
        dead_units=dead,
        dead_share=dead / units,
        arriving_contrast=_plain_mean(gathered.arriving),
        saturated_fraction=saturated,
        saturated_fraction_low=None if saturated is None else saturated_range.low,
        saturated_fraction_high=None if saturated is None else saturated_range.high,
        input_dependent=own.input_dependent,
        gradient_norm=gradient,
        gradient_norm_low=None if gradient is None else gradient_range.low,
        gradient_norm_high=None if gradient is None else gradient_range.high,
    )


def _contrasts(rows: Array) -> Array:
    """1 - cosine of rows 0 and 1, 2 and 3, ...: half the squared distance of the unit vectors.

    Not 1 minus a quotient: of two nearly equal vectors that would be rounding. Pairs with a zero
    vector count as equal, for nothing tells the two inputs apart.
    """
    pairs = len(rows) // 2
    even, odd = rows[0 : 2 * pairs : 2], rows[1 : 2 * pairs : 2]
    lengths = [np.sqrt(np.einsum("ij,ij->i", r, r)) for r in (even, odd)]
    valid = (lengths[0] > 0.0) & (lengths[1] > 0.0)
    scale = [np.where(valid, length, 1.0)[:, None] for length in lengths]
    difference = even / scale[0] - odd / scale[1]
    return np.where(valid, 0.5 * np.einsum("ij,ij->i", difference, difference), 0.0)


def _mean(blocks: list[Array]) -> tuple[float, float, int]:
    """Mean, its standard error (infinite for a single value), and the number of values."""
    values = np.concatenate(blocks)
    n = len(values)
    mean = float(values.mean())
    if n < 2:
        return mean, math.inf, n
    scale = float(np.abs(values).max())  # squares of values near the ends of the range overflow
    spread = scale * float((values / scale).std(ddof=1)) if scale > 0.0 else 0.0
    return mean, spread / math.sqrt(n), n


def _positive_mean(blocks: list[Array]) -> tuple[float, Interval]:
    """Mean and interval of values >= 0: t on the logarithm of the mean, by the delta method.

    Squares of signals and gradients are skewed to the right; so the interval is too, and it never
    reaches 0.
    """
    mean, error, n = _mean(blocks)
    if mean == 0.0:
        return mean, Interval(0.0, 0.0 if n > 1 else math.inf)
    if n < 2:
        return mean, Interval(0.0, math.inf)
    half = mean_t(0.0, error / mean, n - 1).high
    return mean, Interval(mean * math.exp(-half), mean * math.exp(min(half, 700.0)))


def _plain_mean(blocks: list[Array]) -> float | None:
    """The mean, None where there is no value."""
    values = np.concatenate(blocks)
    return float(values.mean()) if len(values) else None


def _pair_mean(rows: RowStatistics) -> tuple[float | None, Interval]:
    if not sum(len(block) for block in rows.contrasts):
        return None, Interval(math.nan, math.nan)
    return _positive_mean(rows.contrasts)


def _share(blocks: list[Array]) -> tuple[float | None, Interval]:
    """Mean and interval of shares in [0, 1].

    Where no input had any (or all had all), t gives an empty interval; then the exact bound holds
    for the inputs that would have some.
    """
    if not blocks:
        return None, Interval(math.nan, math.nan)
    mean, error, n = _mean(blocks)
    interval = mean_t(mean, error, n - 1)
    low, high = max(0.0, interval.low), min(1.0, interval.high)
    rare = binomial_upper(0, n)
    if mean == 0.0:
        high = max(high, rare)
    if mean == 1.0:
        low = min(low, 1.0 - rare)
    return mean, Interval(low, high)


def _root_mean(blocks: list[Array]) -> tuple[float | None, Interval]:
    if not blocks:
        return None, Interval(math.nan, math.nan)
    mean, interval = _positive_mean(blocks)
    return math.sqrt(mean), Interval(math.sqrt(interval.low), math.sqrt(interval.high))
