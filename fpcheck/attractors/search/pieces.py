"""Curves {x : x - f(x) = s c} of a piecewise linear chain, followed exactly, region by region.

Within a region of linearity the curve is a straight line: one linear system gives its direction,
and the nearest kink along it says where the region ends (Katzenelson 1965). Where it crosses s = 0
in the region is a fixed point, solved for exactly and inside the region that it was solved for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.search.systems import solve_stack
from fpcheck.attractors.selfmap import Array
from fpcheck.kernels import elementwise, opcodes
from fpcheck.network.activations import ACTIVATIONS
from fpcheck.network.program import DenseLayer

PIECEWISE_LINEAR = frozenset(
    {opcodes.IDENTITY, opcodes.RELU, opcodes.LEAKY_RELU, opcodes.HARDTANH}
    | {opcodes.SHIFTED_RELU, opcodes.SOFT_THRESHOLD, opcodes.CRELU, opcodes.CST}
)
_KINDS = {kind.opcode: kind for kind in ACTIVATIONS.values()}
# Regions that one arc may pass through before it is given up.
REGIONS = 500


@dataclass(frozen=True, slots=True)
class Pieces:
    """A piecewise linear chain: its layers, each one's kinks and the slopes between them."""

    layers: tuple[DenseLayer, ...]
    kinks: tuple[Array, ...]
    slopes: tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a walk met a fixed point; None for `place`: the curve left, or was given up."""

    place: Array | None
    regions: int


def pieces_of(layers: tuple[DenseLayer, ...] | None) -> Pieces | None:
    """The pieces of a chain of which every activation is piecewise linear; else None."""
    if layers is None or not all(layer.opcode in PIECEWISE_LINEAR for layer in layers):
        return None
    kinks = [
        np.array(_KINDS[layer.opcode].kinks(layer.p0, layer.p1), dtype=np.float64)
        for layer in layers
    ]
    return Pieces(
        layers,
        tuple(kinks),
        tuple(_slopes(layer, k) for layer, k in zip(layers, kinks, strict=True)),
    )


class Walk:
    """One curve, followed from crossing to crossing of s = 0."""

    def __init__(self, pieces: Pieces, x: Array, s: float, direction: Array, side: float) -> None:
        self.pieces, self.x, self.s, self.direction = pieces, x, s, direction
        values = _preactivations(pieces, x)
        self.region = [
            np.searchsorted(kinks, z) for kinks, z in zip(pieces.kinks, values, strict=True)
        ]
        # Where the curve is to go: along s at first, then across the kink that it has come to.
        self.across: tuple[int, int, float] | None = None
        self.heading = side if s == 0.0 else -side
        self.fresh = s == 0.0

    def next(self) -> Crossing:
        """Follow the curve to the next fixed point."""
        for regions in range(1, REGIONS + 1):
            tangent, rates = self._tangent()
            if not np.isfinite(tangent).all():
                return Crossing(None, regions)
            step, layer, unit, up = self._nearest_kink(rates)
            slope = float(tangent[-1])
            to_rest = -self.s / slope if slope != 0.0 and not self.fresh else np.inf
            if 0.0 < to_rest <= step:
                self.x = self.x + to_rest * tangent[:-1]
                self.s, self.fresh = 0.0, True
                self.across, self.heading = None, float(np.sign(slope))
                return Crossing(self.x.copy(), regions)
            if not np.isfinite(step):
                return Crossing(None, regions)
            self.x = self.x + step * tangent[:-1]
            self.s, self.fresh = self.s + step * slope, False
            self.region[layer][unit] += 1 if up else -1
            self.across = layer, unit, 1.0 if up else -1.0
        return Crossing(None, REGIONS)

    def _tangent(self) -> tuple[Array, list[Array]]:
        """The unit tangent (n + 1,) in this region, and how fast every preactivation moves."""
        n = len(self.x)
        slopes = [s[r] for s, r in zip(self.pieces.slopes, self.region, strict=True)]
        jac = np.eye(n)
        for layer, slope in zip(self.pieces.layers, slopes, strict=True):
            jac = slope[:, None] * (layer.weight_t.T @ jac)
        matrix = np.zeros((n + 1, n + 1))
        matrix[:n, :n] = np.eye(n) - jac
        matrix[:n, n] = -self.direction
        # A row that is not orthogonal to the null vector, for nearly every null vector.
        matrix[n] = np.cos(np.arange(n + 1, dtype=np.float64))
        side = np.zeros((n + 1, 1))
        side[n] = 1.0
        tangent = solve_stack(matrix[None], side[None])[0, :, 0]
        tangent = tangent / np.linalg.norm(tangent)
        rates = _rates(self.pieces.layers, slopes, tangent[:-1])
        forward = tangent[-1] * self.heading
        if self.across is not None:
            layer_, unit, sign = self.across
            forward = rates[layer_][unit] * sign
        if forward < 0.0:
            tangent, rates = -tangent, [-rate for rate in rates]
        return tangent, rates

    def _nearest_kink(self, rates: list[Array]) -> tuple[float, int, int, bool]:
        """The step to the region's end: its length, the layer, the unit, and whether upwards."""
        best = (np.inf, -1, -1, True)
        values = _preactivations(self.pieces, self.x)
        for index, (kinks, z, rate, region) in enumerate(
            zip(self.pieces.kinks, values, rates, self.region, strict=True)
        ):
            if not len(kinks):
                continue
            edges = np.concatenate([[-np.inf], kinks, [np.inf]])
            ahead = np.where(rate > 0.0, edges[region + 1], edges[region])
            steps = np.divide(ahead - z, rate, out=np.full_like(z, np.inf), where=rate != 0.0)
            steps = np.maximum(steps, 0.0)  # rounding may have put it just past the kink
            unit = int(np.argmin(steps))
            if steps[unit] < best[0]:
                best = (float(steps[unit]), index, unit, bool(rate[unit] > 0.0))
        return best


def _slopes(layer: DenseLayer, kinks: Array) -> Array:
    """The slope of each piece, from the lowest up."""
    if not len(kinks):
        middles = np.zeros(1)
    else:
        between = 0.5 * (kinks[1:] + kinks[:-1])
        middles = np.concatenate([[kinks[0] - 1.0], between, [kinks[-1] + 1.0]])
    slopes = np.empty_like(middles)
    elementwise.slope(layer.opcode, layer.p0, layer.p1, middles, slopes)
    return slopes


def _preactivations(pieces: Pieces, x: Array) -> list[Array]:
    values, state = [], x.reshape(1, -1)
    for layer in pieces.layers:
        z = state @ layer.weight_t + layer.bias
        values.append(z[0])
        state = np.empty_like(z)
        elementwise.apply(layer.opcode, layer.p0, layer.p1, z, state)
    return values


def _rates(layers: tuple[DenseLayer, ...], slopes: list[Array], tangent: Array) -> list[Array]:
    """How fast each layer's preactivations move along the tangent."""
    rates, along = [], tangent
    for layer, slope in zip(layers, slopes, strict=True):
        rate = along @ layer.weight_t
        rates.append(rate)
        along = slope * rate
    return rates
