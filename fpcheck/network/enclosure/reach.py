"""How far a set of displacements carries a network's tangents: a box, or a ball of the 2-norm."""

from __future__ import annotations

import numpy as np

from fpcheck.network.enclosure.ball import TINY, Array, Ball, U, sound, widen


def box_reach(tangents: Ball, radius: Array) -> Ball:
    """A ball around 0 that holds T d for all |d_i| <= radius_i.

    tangents: (k, t, *shape), the columns of T; radius: (k, t) -> (k, *shape).
    """
    boxes, count, *shape = tangents.shape
    sizes = (np.abs(tangents.mid) + tangents.rad).reshape(boxes, count, -1)
    total = (radius[:, None, :] @ sizes)[:, 0] * widen(count) + count * TINY
    return sound(np.zeros((boxes, *shape)), total.reshape(boxes, *shape))


def round_reach(tangents: Ball, radius: Array) -> Ball:
    """A ball around 0 that holds T u for all |u| <= radius in the 2-norm. radius: (k,).

    It is radius times the 2-norm of every row of T: what a box around the round set would give is
    larger by up to sqrt(t).
    """
    sizes = np.abs(tangents.mid) + tangents.rad
    squares = (sizes * sizes).sum(axis=1) * widen(tangents.shape[1]) + TINY
    radii = radius.reshape(-1, *(1,) * (squares.ndim - 1))
    return sound(np.zeros_like(squares), radii * np.sqrt(squares) * (1.0 + 8 * U) + TINY)
