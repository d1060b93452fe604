"""Small chains and labellings that the tests of simplicity share."""

from __future__ import annotations

import numpy as np

from fpcheck.core.settings import Settings
from fpcheck.network.activations import activation
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.prior import make_prior


def chain(widths, function="relu", *, bias=True):
    """Dense layers with an activation between them."""
    nodes = [Input("x", (widths[0],))]
    for layer, units in enumerate(widths[1:]):
        name = f"dense {layer}"
        if layer and function:
            before = nodes[-1].name
            nodes.append(Activation(f"phi {layer}", (before,), activation(function)))
        biases = f"{name}.bias" if bias else None
        nodes.append(Dense(name, (nodes[-1].name,), units, f"{name}.weight", biases))
    return Skeleton(tuple(nodes))


def signs(rows, labels):
    """Two classes by the sign of one output."""
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    return Labelling(rows, "sign", np.asarray(labels).astype(np.int64), classes=("0", "1"))


def prior_of(skeleton, labelling, law="", **settings):
    """The prior under a law's name."""
    prior = make_prior(skeleton, None, Settings(label_law=law, **settings), labelling)
    assert not isinstance(prior, str), prior
    return prior
