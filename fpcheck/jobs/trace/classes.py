"""Whether the classes of the data are numbered as the network's outputs are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fpcheck.escape.problem import answers

LEVEL = 1e-3  # of taking outputs that know nothing of the classes for ones in another order
LEFT = 0.5  # of a constant answer's errors: so many at the most in the other order


def share_in_another_order(outputs: NDArray[np.float64], labels: NDArray[np.int64]) -> float | None:
    """The share of rows that are right if the outputs are numbered in the best order.

    None where nothing speaks for another order: the outputs as they are beat a constant answer, or
    another order does not far beyond chance. Outputs that know nothing of the classes are right, in
    any one order, no more often than the largest class; the margin is Hoeffding's, over all orders.

    Args:
        outputs: (n, k), logits of k classes, or a single one of two.
        labels: (n,), from 0 to k - 1.
    """
    count, classes = len(outputs), max(2, outputs.shape[1])
    found = answers(outputs)
    largest = float(np.bincount(labels, minlength=classes).max()) / count
    if float(np.mean(found == labels)) >= largest:
        return None
    from scipy.optimize import linear_sum_assignment

    together = np.zeros((classes, classes))
    np.add.at(together, (found, labels), 1.0)
    share = float(together[linear_sum_assignment(together, maximize=True)].sum()) / count
    margin = math.sqrt((math.lgamma(classes + 1) - math.log(LEVEL)) / (2.0 * count))
    wanted = max(largest + margin, 1.0 - LEFT * (1.0 - largest))
    return share if share >= wanted else None
