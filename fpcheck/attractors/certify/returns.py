"""Enclosures of the return map f^p around an orbit's first point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.selfmap import Array
from fpcheck.network.enclosure.ball import Ball
from fpcheck.network.enclosure.network import Enclosing, enclose, tangents_within
from fpcheck.network.enclosure.reach import box_reach, round_reach


@dataclass(frozen=True, slots=True, eq=False)
class Return:
    """The map f^period around a printed point. point: (n,), exactly known."""

    made: Enclosing
    point: Array
    period: int

    @property
    def images(self) -> list[Ball]:
        """f(x), f^2(x), ..., f^p(x) of the printed point x, each (n,)."""
        out = []
        ball = self._start
        for _ in range(self.period):
            ball = enclose(self.made, ball).map(lambda x: x.reshape(1, -1))
            out.append(ball.map(lambda x: x[0]))
        return out

    def in_box(self, radius: float) -> Ball:
        """The Jacobian of f^p on the box |x - point| <= radius in every entry, (n, n)."""
        n = len(self.point)
        radii = np.full((1, n), radius)
        return self._slopes(np.eye(n), lambda tangents: box_reach(tangents, radii))

    def in_ellipsoid(self, axes: Array, radius: float) -> Ball:
        """J(x) A for all x = point + A u with |u| <= radius in the 2-norm. axes: A, (n, n)."""
        return self._slopes(axes, lambda tangents: round_reach(tangents, radius))

    @property
    def _start(self) -> Ball:
        row = self.point.reshape(1, -1)
        return Ball(row, np.zeros_like(row))

    def _slopes(self, axes: Array, reach: Callable[[Ball], Ball]) -> Ball:
        n = len(self.point)
        columns = np.ascontiguousarray(axes.T).reshape(1, n, n)
        tangents = Ball(columns, np.zeros_like(columns))
        centre = self._start
        for step in range(self.period):
            if step:
                centre = enclose(self.made, centre).map(lambda x: x.reshape(1, -1))
            _, moved = tangents_within(self.made, centre, tangents, reach)
            tangents = moved.map(lambda x: x.reshape(1, n, n))
        return tangents.map(lambda x: np.ascontiguousarray(x[0].T))
