"""Ends of iteration in clusters, the largest first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.selfmap import Array
from fpcheck.kernels.labelling import label_states


def clusters(states: Array, atol: float, rtol: float) -> list[NDArray[np.intp]]:
    """The indices of the states that lie together, the largest cluster first.

    states: (k, n). Each cluster is led by its first state; a state belongs to the first leader x
    with |y_i - x_i| <= atol + rtol |x_i| for every i.
    """
    labels = np.empty(len(states), np.int64)
    leaders = np.empty_like(states)
    count = label_states(np.ascontiguousarray(states), leaders, 0, atol, rtol, labels)
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.searchsorted(labels[order], np.arange(1, count)))
    return sorted(groups, key=lambda group: (-len(group), group[0]))
