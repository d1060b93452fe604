"""Statistics of one layer, gathered block of inputs by block of inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from fpcheck.core.intervals import Interval
from fpcheck.network.activations import ActivationFunction
from fpcheck.network.layers import Layer
from fpcheck.signal.result import MeasuredInput, MeasuredLayer
from fpcheck.signal.row_moments import RowMoments, contrasts
from fpcheck.signal.sampling import UNKNOWN, root_mean, share
from fpcheck.signal.unit_counts import UnitCounts
from fpcheck.theory.closed_forms import scale_free_gain
from fpcheck.theory.quadrature import Array

# A unit is saturated where its slope is below this share of the largest slope that it can have.
SATURATED_SLOPE = 0.01
RELU_SCATTER = 5.0


@dataclass(slots=True)
class LayerStatistics:
    """The statistics of one layer."""

    layer: Layer
    rows: RowMoments = field(default_factory=RowMoments)
    active: list[Array] = field(default_factory=list)
    saturated: list[Array] = field(default_factory=list)
    gradients: list[Array] = field(default_factory=list)
    arriving: list[Array] = field(default_factory=list)
    off: UnitCounts = field(default_factory=UnitCounts)
    flat: UnitCounts = field(default_factory=UnitCounts)

    def add(self, incoming: Array, before: Array, after: Array, gradient: Array | None) -> None:
        """Take in a block: what enters the layer, its pre-activations, their phi, and gradients.

        All (inputs, entries).
        """
        units = before.shape[1]
        self.rows.add(before)
        self.arriving.append(contrasts(incoming))
        active = after != 0.0
        self.active.append(np.count_nonzero(active, axis=1) / units)
        self.off.add(active)
        function = self.layer.activation
        if saturates(function):
            flattest = SATURATED_SLOPE * max(abs(s) for s in function.slopes)
            flat = np.abs(function.derivative(before)) < flattest
            flat &= active
            self.saturated.append(np.count_nonzero(flat, axis=1) / units)
            self.flat.add(~flat)
        if gradient is not None:
            self.gradients.append(np.einsum("ij,ij->i", gradient, gradient) / units)


def saturates(f: ActivationFunction) -> bool:
    """Whether phi flattens out towards bounds on both sides."""
    bounded = all(math.isfinite(end) for end in f.values)
    return bounded and f.kind.monotone and f.kind.derivative is not None


def natural_q(f: ActivationFunction) -> float | None:
    """The q at which phi bends: by its largest kink, the smooth functions bend at 1.

    None for a scale-free function, which behaves alike at every q.
    """
    if scale_free_gain(f) is not None:
        return None
    return max((kink * kink for kink in f.kinks), default=0.0) or 1.0


def measured_input(rows: RowMoments) -> MeasuredInput:
    """The inputs' own numbers."""
    q, q_range = rows.second()
    contrast, range_ = rows.contrast()
    known = contrast is not None
    return MeasuredInput(
        q=q,
        q_low=q_range.low,
        q_high=q_range.high,
        input_dependent=rows.input_dependent,
        c=None if contrast is None else 1.0 - contrast,
        c_low=1.0 - range_.high if known else None,
        c_high=1.0 - range_.low if known else None,
        contrast=contrast,
        contrast_low=range_.low if known else None,
        contrast_high=range_.high if known else None,
    )


def chance_spreads(stack: tuple[Layer, ...]) -> list[float]:
    """The standard deviation of log q, relative to the first layer's, that chance gives each layer.

    Of a critical ReLU chain: a layer of n units adds (E phi^4 / (E phi^2)^2 - 1) / n = 5 / n, and
    with a scale of its own an activation adds less. Units of a convolution are its channels, as if
    all positions were one; a residual branch counts whole. Both make it larger than it is.
    """
    total, spreads = 0.0, [0.0]
    for layer in stack[1:]:
        width = layer.input_shape[-1] if layer.kind == "dense" else layer.input_shape[0]
        total += RELU_SCATTER / width
        spreads.append(math.sqrt(total))
    return spreads


def measured_layer(gathered: LayerStatistics, hidden: bool, q_chance: float) -> MeasuredLayer:
    """The layer's numbers with their intervals."""
    layer, own = gathered.layer, measured_input(gathered.rows)
    mean, mean_range = gathered.rows.mean()
    variance, variance_range = gathered.rows.variance()
    kurtosis, kurtosis_range = gathered.rows.kurtosis()
    active, active_range = share(np.concatenate(gathered.active))
    dead, dead_range = gathered.off.staying_share()
    saturated, saturated_range = _share(gathered.saturated)
    stuck, stuck_range = gathered.flat.staying_share() if gathered.saturated else (None, UNKNOWN)
    gradient, gradient_range = _root(gathered.gradients)
    arriving = np.concatenate(gathered.arriving)
    return MeasuredLayer(
        name=layer.name,
        kind=layer.kind,
        activation=layer.activation.label,
        hidden=hidden,
        units=math.prod(layer.shape),
        natural_q=natural_q(layer.activation),
        q_chance=q_chance,
        mean=mean,
        mean_low=mean_range.low,
        mean_high=mean_range.high,
        variance=variance,
        variance_low=variance_range.low,
        variance_high=variance_range.high,
        kurtosis=kurtosis,
        kurtosis_low=None if kurtosis is None else kurtosis_range.low,
        kurtosis_high=None if kurtosis is None else kurtosis_range.high,
        q=own.q,
        q_low=own.q_low,
        q_high=own.q_high,
        c=own.c,
        c_low=own.c_low,
        c_high=own.c_high,
        contrast=own.contrast,
        contrast_low=own.contrast_low,
        contrast_high=own.contrast_high,
        active_fraction=active,
        active_fraction_low=active_range.low,
        active_fraction_high=active_range.high,
        dead_units=gathered.off.staying(),
        dead_share=dead,
        dead_share_low=dead_range.low,
        dead_share_high=dead_range.high,
        arriving_contrast=float(arriving.mean()) if len(arriving) else None,
        saturated_fraction=saturated,
        saturated_fraction_low=None if saturated is None else saturated_range.low,
        saturated_fraction_high=None if saturated is None else saturated_range.high,
        saturated_units=None if stuck is None else gathered.flat.staying(),
        saturated_share=stuck,
        saturated_share_low=None if stuck is None else stuck_range.low,
        saturated_share_high=None if stuck is None else stuck_range.high,
        input_dependent=own.input_dependent,
        gradient_norm=gradient,
        gradient_norm_low=None if gradient is None else gradient_range.low,
        gradient_norm_high=None if gradient is None else gradient_range.high,
    )


def _share(blocks: list[Array]) -> tuple[float | None, Interval]:
    return share(np.concatenate(blocks)) if blocks else (None, UNKNOWN)


def _root(blocks: list[Array]) -> tuple[float | None, Interval]:
    return root_mean(np.concatenate(blocks)) if blocks else (None, UNKNOWN)
