"""Enclosures of the return map f^p around the first points of several orbits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.selfmap import Array
from fpcheck.network.enclosure.ball import Ball
from fpcheck.network.enclosure.network import Enclosing, enclose, tangents_within
from fpcheck.network.enclosure.reach import box_reach, round_reach


@dataclass(frozen=True, slots=True, eq=False)
class Return:
    """The map f^period around printed points. points: (k, n), exactly known."""

    made: Enclosing
    points: Array
    period: int

    def at(self, rows: NDArray[np.intp]) -> Return:
        """The same around some of the points."""
        return Return(self.made, self.points[rows], self.period)

    @property
    def image(self) -> Ball:
        """f^p(x) of every printed point x, (k, n)."""
        ball = self._start
        for _ in range(self.period):
            ball = enclose(self.made, ball).map(self._flat)
        return ball

    def in_box(self, radius: Array) -> Ball:
        """The Jacobians of f^p on the boxes |x - point| <= radius in every entry.

        radius: (k,), one for each point -> (k, n, n).
        """
        count, n = self.points.shape
        radii = np.broadcast_to(radius[:, None], (count, n))
        axes = np.broadcast_to(np.eye(n), (count, n, n))
        return self._slopes(axes, lambda tangents: box_reach(tangents, radii))

    def in_ellipsoid(self, axes: Array, radius: Array) -> Ball:
        """J(x) A for all x = point + A u with |u| <= radius in the 2-norm.

        axes: A, (k, n, n); radius: (k,) -> (k, n, n).
        """
        return self._slopes(axes, lambda tangents: round_reach(tangents, radius))

    @property
    def _start(self) -> Ball:
        return Ball(self.points, np.zeros_like(self.points))

    def _slopes(self, axes: Array, reach: Callable[[Ball], Ball]) -> Ball:
        columns = np.ascontiguousarray(axes.swapaxes(1, 2))
        tangents = Ball(columns, np.zeros_like(columns))
        centre = self._start
        for step in range(self.period):
            if step:
                centre = enclose(self.made, centre).map(self._flat)
            _, moved = tangents_within(self.made, centre, tangents, reach)
            tangents = moved.map(lambda x: x.reshape(columns.shape))
        return tangents.map(lambda x: np.ascontiguousarray(x.swapaxes(1, 2)))

    def _flat(self, x: Array) -> Array:
        return x.reshape(self.points.shape)
