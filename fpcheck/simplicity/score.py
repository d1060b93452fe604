"""How far a network is from answering as it should, in one number: what the rare search lowers.

The sum of the violations over the sum of the outputs' sizes: free of the network's scale, so that
the search is not lured to small outputs, and at most 1 with two classes. The allowed errors are
taken off the largest violations first. A wrong tie counts as one row's share, since else a network
that is dead on a row would look nearly right there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.progress import Monitor
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.networks import Prior
from fpcheck.simplicity.outputs import outputs
from fpcheck.simplicity.violations import TIE, violations

Array = NDArray[np.float64]


def scores(out: Array, labelling: Labelling, errors: int) -> Array:
    """(m,) the scores of outputs (m, n, c): 0 where at most `errors` rows are wrong, else above.

    Sign: sum of violations / sum |f|. Argmax: over the sum of max_j f_j - mean_j f. Band: the mean
    violation. What is not finite is inf; outputs that are all 0 and wrong score 1.
    """
    with np.errstate(all="ignore"):
        return _scores(out, labelling, errors)


def _scores(out: Array, labelling: Labelling, errors: int) -> Array:
    wrong = violations(out, labelling)
    n = wrong.shape[1]
    if labelling.rule == "sign":
        size = np.abs(out[:, :, 0]).sum(axis=1)
    elif labelling.rule == "argmax":
        size = (out.max(axis=2) - out.mean(axis=2)).sum(axis=1)
    else:
        size = np.full(len(out), float(n))
    if labelling.rule != "band":
        wrong = np.where(wrong == TIE, (size / n)[:, None], wrong)
    usable = np.isfinite(wrong.sum(axis=1) + size)
    if errors:
        kept = max(n - errors, 0)
        wrong = np.partition(wrong, max(kept - 1, 0), axis=1)[:, :kept]
    found: Array = wrong.sum(axis=1) / size
    nothing = ~(size > 0.0)
    if nothing.any():
        tied = (violations(out[nothing], labelling) > 0.0).sum(axis=1)
        found[nothing] = np.where(tied <= errors, 0.0, 1.0)
    found[~usable] = np.inf
    return found


def latent_scores(
    prior: Prior, latent: Array, labelling: Labelling, errors: int, monitor: Monitor
) -> Array:
    """(m,) the scores of networks by their latent coordinates (m, L)."""
    out = outputs(prior, prior.parameters(latent), labelling.rows, monitor)
    return scores(out, labelling, errors)
