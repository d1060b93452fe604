"""Second moments over the positions of a convolutional network, and between them.

At every position q and k (one input, two inputs); between positions the correlation by their
distance alone, averaged over its signs, as if the field were stationary. For inputs that are
independent over positions, or constant, that is exact away from zero padding; of images it takes
the mean. Zero padding lowers q towards the borders: that is followed position by position.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.activations import ActivationFunction
from fpcheck.network.skeleton import Conv, ConvTranspose, Pool, Shape
from fpcheck.theory.curves import correlations, second_moments
from fpcheck.theory.quadrature import Array

Indices: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Positions:
    """q, k: the moments by position. own, cross: the correlation of one input's, of two inputs'
    values by the distance along every axis. All of the shape of the positions.
    """

    q: Array
    k: Array
    own: Array
    cross: Array

    @property
    def mean_q(self) -> float:
        """The mean of q over positions."""
        return float(self.q.mean())

    @property
    def mean_k(self) -> float:
        """The mean of k over positions."""
        return float(self.k.mean())


def uniform(shape: Shape, q: float, k: float, mean: float) -> Positions:
    """Positions whose values are independent but for their mean."""
    apart = min(1.0, mean * mean / q) if q > 0.0 else 1.0
    own, cross = np.full(shape, apart), np.full(shape, apart)
    corner = (0,) * len(shape)
    own[corner], cross[corner] = 1.0, (k / q if q > 0.0 else 1.0)
    return Positions(np.full(shape, q), np.full(shape, k), own, cross)


@np.errstate(over="ignore", invalid="ignore")  # what is no number any more is told by the caller
def convolved(
    p: Positions, node: Conv | ConvTranspose, shape: Shape, sigma_w2: float, sigma_b2: float
) -> Positions:
    """The positions behind a convolution. shape: of the positions behind."""
    q, k = tap_means(p.q, node, shape), tap_means(p.k, node, shape)
    typical = float(q.mean())
    after = sigma_w2 * typical + sigma_b2
    weight = sigma_w2 * typical / after if after > 0.0 else 0.0
    own, cross = (_strided(lags, node, shape) for lags in (p.own, p.cross))
    return Positions(
        sigma_w2 * q + sigma_b2,
        sigma_w2 * k + sigma_b2,
        weight * own + (1.0 - weight),
        weight * cross + (1.0 - weight),
    )


def tap_means(values: Array, node: Conv | ConvTranspose, shape: Shape) -> Array:
    """The mean over the kernel of the values that it meets, 0 outside.

    Of a transposed convolution a position meets every stride-th tap only.
    """
    total = np.zeros(shape)
    for taps in itertools.product(*(range(size) for size in node.kernel)):
        met = [
            _met(node, axis, tap, values.shape[axis], shape[axis]) for axis, tap in enumerate(taps)
        ]
        inner, outer = [before for before, _ in met], [behind for _, behind in met]
        total[np.ix_(*outer)] += values[np.ix_(*inner)]
    return total / math.prod(node.kernel)


def tap_shares(values: Array, node: Conv | ConvTranspose, shape: Shape) -> Array:
    """The adjoint of `tap_means`: what every position before gets of the values behind.

    shape: of the positions before.
    """
    total = np.zeros(shape)
    for taps in itertools.product(*(range(size) for size in node.kernel)):
        met = [
            _met(node, axis, tap, shape[axis], values.shape[axis]) for axis, tap in enumerate(taps)
        ]
        inner, outer = [before for before, _ in met], [behind for _, behind in met]
        total[np.ix_(*inner)] += values[np.ix_(*outer)]
    return total / math.prod(node.kernel)


def coverage(node: Conv | ConvTranspose, before: Shape, after: Shape) -> float:
    """The share of the kernel's taps that meet a value, over the positions behind."""
    return float(tap_means(np.ones(before), node, after).mean())


def _met(
    node: Conv | ConvTranspose, axis: int, tap: int, before: int, after: int
) -> tuple[Indices, Indices]:
    """(positions before, positions behind) that this tap joins along one axis."""
    shift = tap * node.dilation[axis] - node.padding[axis][0]
    stride = node.stride[axis]
    if isinstance(node, ConvTranspose):
        source = np.arange(before)
        target = source * stride + shift
        inside = (target >= 0) & (target < after)
    else:
        target = np.arange(after)
        source = target * stride + shift
        inside = (source >= 0) & (source < before)
    return source[inside], target[inside]


def _strided(lags: Array, node: Conv | ConvTranspose, shape: Shape) -> Array:
    """The correlations by distance behind, bias aside."""
    if isinstance(node, Conv):
        grids = [
            np.minimum(np.arange(n) * s, m - 1)
            for n, s, m in zip(shape, node.stride, lags.shape, strict=True)
        ]
        return np.asarray(lags[np.ix_(*grids)])
    # Positions whose distance no multiple of the stride is meet different taps.
    out = np.zeros(shape)
    behind, before = [], []
    for n, s, m in zip(shape, node.stride, lags.shape, strict=True):
        steps = np.arange(0, n, s)
        behind.append(steps)
        before.append(np.minimum(steps // s, m - 1))
    out[np.ix_(*behind)] = lags[np.ix_(*before)]
    return out


def activated(p: Positions, f: ActivationFunction) -> Positions:
    """The positions behind an activation; correlations by the map at the mean q."""
    q = second_moments(f, p.q)
    typical = p.mean_q
    with np.errstate(invalid="ignore", divide="ignore"):
        c = np.where(p.q > 0.0, p.k / p.q, 1.0)
    return Positions(
        q,
        q * correlations(f, typical, c),
        correlations(f, typical, p.own),
        correlations(f, typical, p.cross),
    )


def mean_pooled(p: Positions, node: Pool, shape: Shape) -> Positions:
    """The positions behind mean pooling without padding."""
    windows = [range(size) for size in node.size]
    total, count = np.zeros(shape), math.prod(node.size)
    for offsets in itertools.product(*windows):
        grids = [np.arange(n) * s + o for n, s, o in zip(shape, node.stride, offsets, strict=True)]
        total += p.q[np.ix_(*grids)]
    level = total / count
    own, cross = (_window_lags(lags, node, shape) for lags in (p.own, p.cross))
    corner = (0,) * len(shape)
    kept, shared = float(own[corner]), float(cross[corner])
    scale = 1.0 / kept if kept > 0.0 else 0.0
    return Positions(level * kept, level * shared, own * scale, cross * scale)


def _window_lags(lags: Array, node: Pool, shape: Shape) -> Array:
    """The mean correlation over all pairs of positions of two windows, by the windows' distance."""
    out = lags
    for axis, (size, stride, count) in enumerate(zip(node.size, node.stride, shape, strict=True)):
        moved = np.moveaxis(out, axis, 0)
        rows = np.zeros((count, *moved.shape[1:]))
        for apart in range(1 - size, size):
            at = np.abs(np.arange(count) * stride + apart)
            rows += (size - abs(apart)) / size**2 * moved[np.minimum(at, len(moved) - 1)]
        out = np.moveaxis(rows, 0, axis)
    return np.asarray(out)


def scaled(p: Positions, gain: float, shift: float = 0.0) -> Positions:
    """gain x + an independent constant of second moment `shift` at every position."""
    before = p.mean_q * gain
    after = before + shift
    weight = before / after if after > 0.0 else 1.0
    return Positions(
        gain * p.q + shift,
        gain * p.k + shift,
        weight * p.own + (1.0 - weight),
        weight * p.cross + (1.0 - weight),
    )


def centred(p: Positions, mean: float) -> Positions:
    """The positions of x - mean."""
    square, before = mean * mean, p.mean_q
    after = before - square
    if not after > 0.0:
        return p
    return Positions(
        np.maximum(p.q - square, 0.0),
        p.k - square,
        (p.own * before - square) / after,
        (p.cross * before - square) / after,
    )


def added(parts: list[Positions], extra: float) -> Positions:
    """The sum of independent terms; extra: what the product of their means adds to every moment."""
    total = sum(p.mean_q for p in parts) + extra
    if not total > 0.0:
        return parts[0]
    return Positions(
        np.asarray(sum(p.q for p in parts) + extra),
        np.asarray(sum(p.k for p in parts) + extra),
        np.asarray((sum(p.mean_q * p.own for p in parts) + extra) / total),
        np.asarray((sum(p.mean_q * p.cross for p in parts) + extra) / total),
    )


def joined(parts: list[Positions], shares: list[float]) -> Positions:
    """Channels side by side, `shares` of them from each part."""
    weighted = [
        replace(p, q=share * p.q, k=share * p.k) for p, share in zip(parts, shares, strict=True)
    ]
    return added(weighted, 0.0)


def mean_powers(p: Positions, order: int) -> tuple[float, float]:
    """The means of |own|^order and |cross|^order over all pairs of positions."""
    weights = np.ones(())
    for size in p.own.shape:
        counts = 2.0 * (size - np.arange(size))
        counts[0] = size
        weights = np.multiply.outer(weights, counts / size**2)
    return (
        float(np.sum(weights * np.abs(p.own) ** order)),
        float(np.sum(weights * np.abs(p.cross) ** order)),
    )
