"""Max pooling."""

from __future__ import annotations

import numpy as np

from fpcheck.network.enclosure.ball import Array, Ball, between, bounds
from fpcheck.network.enclosure.rule import Balls, Rule
from fpcheck.network.operators.windows import Window
from fpcheck.network.skeleton import Pool


def max_pool_rule(node: Pool) -> Rule:
    """The rule of a maximum over windows."""
    window = Window(node.size, node.stride, (1,) * len(node.size), node.padding)

    def value(inputs: Balls) -> Ball:
        low, high = bounds(inputs[0])
        return between(
            window.unfold(low, -np.inf).max(axis=2), window.unfold(high, -np.inf).max(axis=2)
        )

    def tangent(inputs: Balls, output: Ball, tangents: Balls) -> Ball:
        low, high = bounds(inputs[0])
        # Whatever may be the largest entry may pass its tangent on; where several may, the slope
        # is a mixture of theirs.
        sure = window.unfold(low, -np.inf).max(axis=2, keepdims=True)
        able = window.unfold(high, -np.inf) >= sure
        least, most = (_windows(window, end) for end in bounds(tangents[0]))
        able = np.broadcast_to(able[:, None], least.shape)
        return between(
            np.where(able, least, np.inf).min(axis=3), np.where(able, most, -np.inf).max(axis=3)
        )

    return Rule(value, tangent)


def _windows(window: Window, tangents: Array) -> Array:
    """(k, t, channels, *lengths) -> (k, t, channels, positions, *outputs)."""
    rows = window.unfold(tangents.reshape(-1, *tangents.shape[2:]))
    return rows.reshape(*tangents.shape[:2], *rows.shape[1:])
