"""How well a kernel's largest directions are those of the targets: an early sign, before any fit.

Centred kernel-target alignment [Cortes, Mohri, Rostamizadeh 2012, definition 4] with what targets
in random order would give, exactly, and the share of the targets' variance in the leading
eigenspaces.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.readout.features import rescaled
from fpcheck.readout.kernel_curve import spread_rows
from fpcheck.readout.result import Alignment, EigenShare, Skipped

Array = NDArray[np.float64]

ROWS = 1000  # whose eigenvectors take a sixth of a second
FEWEST_ROWS = 4  # the spread over random orders needs (n - 3)
TOPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
SPECTRUM = 50  # eigenvalues that are given


@dataclass(frozen=True, slots=True, eq=False)
class _Eigen:
    """A centred kernel (n, n) in its eigenbasis.

    values: (r,) above rounding, descending. coordinates: (r, k), the centred targets'.
    diagonal: (n,) of the centred kernel.
    """

    values: Array
    coordinates: Array
    diagonal: Array


def alignment(kernel: Array, targets: Array, *, name: str) -> Alignment | Skipped:
    """The alignment of a kernel (n, n), positive semidefinite to rounding, with targets (n, k).

    With more than ROWS rows it is that of ROWS of them, evenly chosen. name: the kernel's, for the
    report.
    """
    rows = spread_rows(len(kernel), ROWS)
    some = kernel if len(rows) == len(kernel) else kernel[np.ix_(rows, rows)]
    return _aligned(some, targets[rows], name, of_features=False)


def feature_alignment(features: Array, targets: Array, *, name: str) -> Alignment | Skipped:
    """The alignment of the kernel of inner products of features (n, p); the rest as `alignment`."""
    rows = spread_rows(len(features), ROWS)
    return _aligned(features[rows], targets[rows], name, of_features=True)


def chance_moments(rows: int, kernel: Array, targets: Array) -> tuple[float, float]:
    """Mean and standard deviation of tr(K P Y P') over all orders P of `rows` >= 4 rows.

    kernel, targets: (3,) of each centred matrix: its trace, the trace of its square, and the sum of
    its diagonal's squares [Kazi-Aoual, Hitier, Sabatier, Lebreton 1995].
    """
    n = float(rows)
    t, t2, t3 = kernel.tolist()
    s, s2, s3 = targets.tolist()
    mean = t * s / (n - 1.0)
    spread = 2.0 * ((n - 1.0) * t2 - t * t) * ((n - 1.0) * s2 - s * s)
    spread /= (n - 1.0) ** 2 * (n + 1.0) * (n - 2.0)
    uneven = n * (n + 1.0) * t3 - (n - 1.0) * (t * t + 2.0 * t2)
    uneven *= n * (n + 1.0) * s3 - (n - 1.0) * (s * s + 2.0 * s2)
    uneven /= (n + 1.0) * n * (n - 1.0) * (n - 2.0) * (n - 3.0)
    return mean, math.sqrt(max(0.0, spread + uneven))


def _aligned(table: Array, targets: Array, name: str, *, of_features: bool) -> Alignment | Skipped:
    rows = len(table)
    if rows < FEWEST_ROWS:
        return Skipped(f"{rows} rows; an alignment needs {FEWEST_ROWS}")
    if not np.isfinite(table).all():
        return Skipped(f"the kernel '{name}' is not finite on these rows")
    centred, _ = rescaled(targets)
    if not centred.any():
        return Skipped(f"the targets of the {rows} rows do not vary")
    eigen = (_of_features if of_features else _of_kernel)(table, centred)
    if not len(eigen.values):
        return Skipped(f"all rows look alike to the kernel '{name}'")
    squares = np.square(eigen.coordinates).sum(axis=1)  # (r,)
    products = centred.T @ centred
    spread = np.asarray(np.linalg.eigvalsh(products), dtype=np.float64)
    size = float(np.linalg.norm(eigen.values) * np.linalg.norm(products))
    mean, sd = chance_moments(
        rows,
        _summary(eigen.values, eigen.diagonal),
        _summary(spread, np.square(centred).sum(axis=1)),
    )
    total = float(eigen.values.sum())
    return Alignment(
        kernel=name,
        rows=rows,
        alignment=min(1.0, float(eigen.values @ squares) / size),
        chance=mean / size,
        chance_sd=sd / size,
        shares=tuple(_shares(eigen.values, squares / float(np.square(centred).sum()))),
        spectrum=tuple((eigen.values[:SPECTRUM] / total).tolist()),
    )


def _summary(values: Array, diagonal: Array) -> Array:
    """(3,): tr A, tr A^2 and the sum of A_ii^2 of a symmetric A with these eigenvalues."""
    return np.array([values.sum(), values @ values, diagonal @ diagonal])


def _of_kernel(kernel: Array, targets: Array) -> _Eigen:
    unit = float(np.abs(kernel).max(initial=0.0))
    centred = kernel / (unit or 1.0)
    centred -= centred.mean(axis=0)
    centred -= centred.mean(axis=1)[:, None]
    values, basis = np.linalg.eigh(0.5 * (centred + centred.T))
    # Centring leaves rounding of the largest entry, 1, where nothing varies.
    kept = _above_rounding(values, len(centred), max(float(values[-1]), 1.0))
    coordinates = basis[:, kept].T @ targets
    return _Eigen(values[kept], coordinates, np.diagonal(centred).copy())


def _of_features(features: Array, targets: Array) -> _Eigen:
    centred, _ = rescaled(features)
    rows, width = centred.shape
    if width >= rows:
        return _of_kernel(centred @ centred.T, targets)
    values, basis = np.linalg.eigh(centred.T @ centred)
    kept = _above_rounding(values, rows, float(values[-1]))
    coordinates = basis[:, kept].T @ (centred.T @ targets) / np.sqrt(values[kept])[:, None]
    return _Eigen(values[kept], coordinates, np.square(centred).sum(axis=1))


def _above_rounding(values: Array, rows: int, largest: float) -> NDArray[np.intp]:
    """The indices of the ascending values that exceed rounding, the largest value first."""
    floor = rows * np.finfo(np.float64).eps * largest
    return np.flatnonzero(values > floor)[::-1]


def _shares(values: Array, parts: Array) -> Iterator[EigenShare]:
    """The share in the leading directions; the last one is in all that the kernel spans.

    values: (r,) descending. parts: (r,) of the targets' variance along each. Of equal eigenvalues
    no direction comes first: `top` that ends among them gets a proportional part of theirs.
    """
    rank = len(values)
    ties = rank * np.finfo(np.float64).eps * float(values[0])
    ends = np.append(np.flatnonzero(values[:-1] - values[1:] > ties) + 1, rank)
    sums = np.minimum(np.cumsum(parts)[ends - 1], 1.0)
    for top in (*(top for top in TOPS if top < rank), rank):
        share = np.interp(top, np.append(0, ends), np.append(0.0, sums))
        yield EigenShare(top, float(share))
