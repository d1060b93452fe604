"""Pseudo-arclength steps along the curve {(x, g) : x = f_g(x)}. [Keller 1977]"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.continuation.family import Family
from fpcheck.attractors.selfmap import Array

# Residual of a point on the curve, relative to its size: a thousandth of what a step is allowed
# to be off, and above the rounding of a deep network.
RESIDUAL = 1e-11
CORRECTIONS = 6
# Newton's corrections must shrink at least so fast, and the first one be a small part of the
# step: otherwise another curve may be the one that is met. [Deuflhard 2011, section 5.1]
CONTRACTION = 0.25
FIRST_CORRECTION = 0.2
# At a branch point the other curve's direction is known roughly only.
SWITCH_CORRECTION = 0.8
# The cosine between neighbouring tangents: a turn of 0.3 rad a step, and 0.1 is called straight.
LEAST_COSINE, STRAIGHT = 0.955, 0.995
FIRST_STEP, SHORTEST_STEP, LONGEST_STEP = 0.02, 1e-7, 0.1
# A change of orientation that steps of this length still show is a branch point; longer ones may
# have jumped to another curve.
BRANCH_STEP = 1e-4
# A turn that steps of this length still do not resolve is a corner, where slopes jump at a kink.
CORNER = 1e-5


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A point of the curve.

    row: (n + 1,), the state and the gain; derivative: (n, n + 1), [df/dx, df/dg] there; tangent:
    (n + 1,), of length 1 in the scaled coordinates (x / scale, g); eigenvalues: (n,), of df/dx.
    """

    row: Array
    derivative: Array
    tangent: Array
    eigenvalues: np.ndarray

    @property
    def gain(self) -> float:
        """g."""
        return float(self.row[-1])

    @property
    def state(self) -> Array:
        """x, (n,)."""
        return self.row[:-1]

    @property
    def rising(self) -> float:
        """dg/ds: positive where the gain grows along the curve, 0 at a fold."""
        return float(self.tangent[-1])

    @property
    def unstable(self) -> int:
        """The number of eigenvalues outside the unit circle."""
        return int(np.count_nonzero(np.abs(self.eigenvalues) > 1.0))

    @property
    def beyond_one(self) -> int:
        """The number of real eigenvalues above 1."""
        return int(np.count_nonzero((self.eigenvalues.imag == 0) & (self.eigenvalues.real > 1.0)))

    @property
    def orientation(self) -> int:
        """The sign of det [d(x - f)/d(x, g); tangent], +1 or -1.

        It stays the same along a curve up to a simple branch point; two curves that nearly meet
        have different ones. It is dg/ds times det(I - J), up to a positive factor (Cramer's rule).
        """
        sign = 1 if self.rising > 0.0 else -1
        return sign if self.beyond_one % 2 == 0 else -sign


@dataclass(frozen=True, slots=True)
class Tracer:
    """The curve's geometry: the family and the length that a state is measured in."""

    family: Family
    scale: float

    def start(self, row: Array, side: int) -> CurvePoint | None:
        """The curve's point at a solution `row`, directed to larger (+1) or smaller (-1) gains."""
        direction = np.zeros(len(row))
        direction[-1] = side
        return self.at(row, direction)

    def at(self, row: Array, along: Array) -> CurvePoint | None:
        """The curve's point at a solution `row`, its tangent on the side of `along`.

        None where the curve has no single tangent there, or the derivative is not finite.
        """
        derivative = self.family.jacobian(row)
        if not np.isfinite(derivative).all():
            return None
        right = np.zeros(len(row))
        right[-1] = 1.0
        tangent = _solve(self._bordered(derivative, along), right)
        if tangent is None:
            return None
        tangent /= np.linalg.norm(tangent)
        try:
            eigenvalues = np.linalg.eigvals(derivative[:, :-1])
        except np.linalg.LinAlgError:  # the QR iteration did not converge
            return None
        return CurvePoint(row, derivative, tangent, eigenvalues)

    def advance(self, point: CurvePoint, length: float) -> CurvePoint | None:
        """The point of the curve in the plane at `length` along the tangent, None if not found."""
        guess = point.row + length * point.tangent * self._units(len(point.row))
        row = self.corrected(guess, point.tangent, FIRST_CORRECTION * abs(length))
        return None if row is None else self.at(row, point.tangent)

    def advanced(self, first: CurvePoint, second: CurvePoint) -> float:
        """How far the second point lies from the first along its tangent, in scaled units."""
        chord = (second.row - first.row) / self._units(len(first.row))
        return float(chord @ first.tangent)

    def between(
        self, low: CurvePoint, high: CurvePoint, share: float, normal: Array
    ) -> CurvePoint | None:
        """The point of the curve at this share of the way between two near ones, None if not found.

        It lies in the plane across `normal`; the guess is the cubic through both with their
        tangents, so that the curve is not lost close to another one.
        """
        units = self._units(len(low.row))
        chord = (high.row - low.row) / units
        length = float(chord @ normal)
        slopes = [length * end.tangent / float(end.tangent @ normal) for end in (low, high)]
        left, right = share, 1.0 - share
        bend = right * (slopes[0] - chord) - left * (slopes[1] - chord)
        guess = low.row + (share * chord + left * right * bend) * units
        reach = FIRST_CORRECTION * min(left, right) * float(np.linalg.norm(chord))
        row = self.corrected(guess, normal, reach)
        return None if row is None else self.at(row, normal)

    def switched(self, point: CurvePoint, direction: Array, length: float) -> CurvePoint | None:
        """The point of a curve that leaves a branch point in about this direction, if it is found.

        direction: of length 1 in scaled coordinates; the new point's tangent is on its side.
        """
        guess = point.row + length * direction * self._units(len(point.row))
        row = self.corrected(guess, direction, SWITCH_CORRECTION * length)
        return None if row is None else self.at(row, direction)

    def corrected(self, row: Array, normal: Array, reach: float) -> Array | None:
        """The solution that Newton's method finds from `row` in the plane across `normal`.

        None unless its corrections shrink fast and the first is at most `reach`. [Allgower, Georg
        1990, chapter 6]
        """
        units = self._units(len(row))
        before = math.inf
        for number in range(CORRECTIONS):
            defect = self.defect(row)
            if not np.isfinite(defect).all():
                return None
            derivative = self.family.jacobian(row)
            correction = _solve(self._bordered(derivative, normal), np.append(-defect, 0.0))
            if correction is None:
                return None
            size = float(np.linalg.norm(correction))
            at_rounding = size <= RESIDUAL
            if not (size <= (CONTRACTION * before if number else reach) or at_rounding):
                return None
            row = row + correction * units
            before = size
            # Quadratic convergence: the next correction would be about the square of this one.
            if at_rounding or (number and size * size <= 1e-3 * RESIDUAL):
                return row
        return None

    def defect(self, row: Array) -> Array:
        """(x - f_g(x)) / scale. (n + 1,) -> (n,)."""
        difference: Array = (row[:-1] - self.family.images(row[None])[0]) / self.scale
        return difference

    def null_space(self, point: CurvePoint, tolerance: float) -> Array:
        """An orthonormal basis of the directions in which x - f_g(x) is flat, (dimension, n + 1).

        In scaled coordinates; one dimension at a regular point.
        """
        _, sigmas, right_t = np.linalg.svd(self._derivative(point.derivative))
        small = int(np.count_nonzero(sigmas <= tolerance * max(1.0, float(sigmas[0]))))
        basis: Array = right_t[len(right_t) - 1 - small :]
        return basis

    def rescaled(self, point: CurvePoint) -> tuple[Tracer, CurvePoint | None]:
        """The geometry in units of the point's own size, and the point in it."""
        tracer = Tracer(self.family, float(np.linalg.norm(point.state)))
        along = point.tangent * self._units(len(point.row)) / tracer._units(len(point.row))
        return tracer, tracer.at(point.row, along / np.linalg.norm(along))

    def _derivative(self, derivative: Array) -> Array:
        """The derivative of the scaled defect in scaled coordinates, (n, n + 1)."""
        out = -derivative
        n = len(out)
        out[np.arange(n), np.arange(n)] += 1.0
        out[:, -1] /= self.scale
        return out

    def _bordered(self, derivative: Array, row: Array) -> Array:
        return np.vstack([self._derivative(derivative), row])

    def _units(self, size: int) -> Array:
        units = np.full(size, self.scale)
        units[-1] = 1.0
        return units


def next_length(length: float, before: CurvePoint, after: CurvePoint) -> float | None:
    """The next step's length after one of `length`, None where the curve turned too far in it.

    None also where it may have been left for another one.
    """
    cosine = float(before.tangent @ after.tangent)
    if length <= CORNER:
        return 2.0 * length
    if length > BRANCH_STEP and before.orientation != after.orientation:
        return None
    if not cosine >= LEAST_COSINE:
        return None
    return min(LONGEST_STEP, 1.5 * length) if cosine >= STRAIGHT else length


def _solve(matrix: Array, right: Array) -> Array | None:
    try:
        found = np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(found) if np.isfinite(found).all() else None
