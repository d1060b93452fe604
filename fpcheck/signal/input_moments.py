"""What the inputs' own moments are: where the recursion of infinite width starts."""

from __future__ import annotations

import numpy as np

from fpcheck.theory.positions import Positions
from fpcheck.theory.propagation import UnitMoments
from fpcheck.theory.quadrature import Array

MOST_ROWS = 512  # inputs whose cosines with each other are all taken
MOST_FIELDS = 128  # inputs whose positions are correlated with one another
PATCH = 3  # positions along an axis that most kernels see at once
PATCH_PLACES = 4  # places along an axis where patches are compared


def input_moments(inputs: Array) -> UnitMoments:
    """The moments over entries of the inputs; k is q times the mean cosine of neighbouring inputs.

    By cosines, as the measured correlation is: products of inputs of unequal length say less of
    their directions. inputs: (n, *input shape), with positions where they have channels; k is 0 for
    a single input.
    """
    rows = inputs.reshape(len(inputs), -1)
    pairs = len(rows) // 2
    q = float(np.mean(rows * rows))
    unit = _unit_rows(rows)
    products = np.einsum("ij,ij->i", unit[0 : 2 * pairs : 2], unit[1 : 2 * pairs : 2])
    c = float(np.mean(products)) if pairs else 0.0
    places = _positions(inputs, c) if inputs.ndim > 2 and q > 0.0 else None
    mean = float(np.mean(rows))
    return UnitMoments(q=q, k=q * min(1.0, max(-1.0, c)), mean=mean, places=places)


def input_scatter(inputs: Array) -> tuple[float, float]:
    """How unlike each other the inputs are, patch by patch where they have positions.

    The variance over inputs of their mean square, by its mean's square; and the variance of the
    cosine over pairs of different inputs. (0, 0) for a single input.
    """
    if len(inputs) < 2:
        return 0.0, 0.0
    found = [_scatter(patch) for patch in _patches(inputs[:MOST_ROWS])]
    return float(np.mean([s for s, _ in found])), float(np.mean([c for _, c in found]))


def _scatter(rows: Array) -> tuple[float, float]:
    squares = np.mean(rows * rows, axis=1)
    mean = float(squares.mean())
    if not mean > 0.0:
        return 0.0, 0.0
    unit = _unit_rows(rows)
    cosines = (unit @ unit.T)[~np.eye(len(rows), dtype=bool)]
    return float(np.var(squares / mean)), float(np.var(cosines))


def _patches(inputs: Array) -> list[Array]:
    """The inputs as rows; with positions, their patches at some places, each as rows."""
    if inputs.ndim < 3:
        return [inputs.reshape(len(inputs), -1)]
    corners = [
        np.unique(np.linspace(0, max(0, size - PATCH), PATCH_PLACES).astype(int)).tolist()
        for size in inputs.shape[2:]
    ]
    out = []
    for index in np.ndindex(*(len(corner) for corner in corners)):
        place = tuple(
            slice(corner[i], corner[i] + PATCH) for corner, i in zip(corners, index, strict=True)
        )
        out.append(inputs[(slice(None), slice(None), *place)].reshape(len(inputs), -1))
    return out


def _positions(inputs: Array, c: float) -> Positions:
    """The inputs' moments by position and distance; k is c q on average over the positions."""
    axes = tuple(range(2, inputs.ndim))
    fields = inputs[: MOST_FIELDS - MOST_FIELDS % 2]
    pairs = len(fields) // 2
    q = np.mean(inputs * inputs, axis=(0, 1))
    own = _by_distance(fields, fields, axes)
    corner = (0,) * len(axes)
    cross = np.full(own.shape, c)
    if pairs:
        between = _by_distance(fields[0 : 2 * pairs : 2], fields[1 : 2 * pairs : 2], axes)
        cross = np.clip(between / own[corner], -1.0, 1.0)
    own = np.clip(own / own[corner], -1.0, 1.0)
    own[corner], cross[corner] = 1.0, c
    paired = len(inputs) - len(inputs) % 2
    k = np.mean(inputs[0:paired:2] * inputs[1:paired:2], axis=(0, 1)) if paired else c * q
    k = np.clip(k + c * q.mean() - np.mean(k), -q, q)
    return Positions(q, np.asarray(k), own, cross)


def _by_distance(one: Array, other: Array, axes: tuple[int, ...]) -> Array:
    """The mean product by distance along every axis, over its signs, channels and inputs."""
    sizes = [one.shape[axis] for axis in axes]
    double = [2 * size for size in sizes]
    product = np.fft.rfftn(one, double, axes) * np.conj(np.fft.rfftn(other, double, axes))
    total = np.fft.irfftn(product.mean(axis=(0, 1)), double, axes=tuple(range(len(sizes))))
    for axis, size in enumerate(sizes):
        moved = np.moveaxis(total, axis, 0)
        folded = moved[:size].copy()
        folded[1:] = 0.5 * (folded[1:] + moved[:-size:-1])
        folded /= (size - np.arange(size)).reshape(-1, *(1,) * (folded.ndim - 1))
        total = np.moveaxis(folded, 0, axis)
    return np.asarray(total)


def _unit_rows(rows: Array) -> Array:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0.0, lengths, 1.0))
