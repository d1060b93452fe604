"""Whether a linear function can answer all rows at all: a linear program, and its dual as witness.

Where it cannot, p is 0 for every chain of linear layers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpcheck.simplicity.labelling import Labelling

Array = NDArray[np.float64]

# A margin, of constraints of length 1 over weights within [-1, 1], below which rows count as
# inseparable: what rounding leaves of a witness. A true margin below it costs some 40 bits or more.
NO_MARGIN = 1e-12
# Entries of the linear program's matrix beyond which it is not tried: a second or so.
ENTRIES = 5e5


def inseparable(rows: Array, labelling: Labelling, *, biased: bool, ties: bool) -> str:
    """Why no affine (linear, unless `biased`) function answers all rows, "" if one may.

    rows: (n, d). ties: whether an output of exactly 0 has a probability, as of lattice weights:
    then a tie that falls to the right class will do.
    """
    flat = np.hstack([rows, np.ones((len(rows), 1))]) if biased else rows
    classes = 1 if labelling.rule == "sign" else len(labelling.classes)
    if flat.size * classes * classes > ENTRIES:
        return ""
    conditions, strict = _conditions(flat, labelling)
    if not ties:
        strict = np.ones(len(conditions))
    sizes = np.linalg.norm(conditions, axis=1)
    if ((sizes == 0.0) & (strict > 0.0)).any():
        return "a row on which every linear function ties is asked for more"
    kept = sizes > 0.0
    conditions, strict = conditions[kept] / sizes[kept, None], strict[kept]
    if not strict.any() or _margin_bound(conditions, strict) > NO_MARGIN:
        return ""
    kind = "affine" if biased else "linear"
    return f"no {kind} function answers all rows, by a linear program and its dual"


def _conditions(rows: Array, labelling: Labelling) -> tuple[Array, Array]:
    """Vectors c with c . w > 0 for all right answers w, and 1 where > 0, 0 where >= 0 will do.

    For several classes w holds one function's weights after the other.
    """
    labels = labelling.labels
    assert labels is not None
    if labelling.rule == "sign":
        return np.where(labels == 1, 1.0, -1.0)[:, None] * rows, (labels == 1).astype(float)
    classes, d = len(labelling.classes), rows.shape[1]
    found, strict = [], []
    for other in range(classes):
        some = np.flatnonzero(labels != other)
        block = np.zeros((len(some), classes, d))
        block[:, other] = -rows[some]
        block[np.arange(len(some)), labels[some]] += rows[some]
        found.append(block.reshape(len(some), classes * d))
        strict.append((other < labels[some]).astype(float))  # of equal outputs the first is taken
    return np.concatenate(found), np.concatenate(strict)


def _margin_bound(conditions: Array, strict: Array) -> float:
    """An upper bound of max t: c_i . w >= t strict_i for all i and |w_j| <= 1.

    For any u >= 0, t sum u_i strict_i <= (sum u_i c_i) . w <= |sum u_i c_i|_1; u is the program's
    dual, so that the bound holds whatever the solver's tolerances were.
    """
    from scipy.optimize import linprog

    n, d = conditions.shape
    matrix = np.hstack([-conditions, strict[:, None]])
    cost = np.append(np.zeros(d), -1.0)
    bounds = [(-1.0, 1.0)] * d + [(None, float(d))]
    found = linprog(cost, A_ub=matrix, b_ub=np.zeros(n), bounds=bounds, method="highs")
    if found.status != 0:
        return np.inf
    u = np.maximum(-found.ineqlin.marginals, 0.0)
    weight = float(u @ strict)
    return float(np.abs(u @ conditions).sum()) / weight if weight > 0.0 else np.inf
