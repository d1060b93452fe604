"""Planted teachers: normal rows, labels of a random network of some width, and priors for them."""

from __future__ import annotations

import numpy as np

from fpcheck.core.settings import Settings
from fpcheck.network.activations import activation, parse_activation
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.prior import Prior, make_prior


def chain(*sizes, function="tanh", bias=True, layout="out_in"):
    """The skeleton of a chain of dense layers, linear at the end: chain(10, 16, 1)."""
    nodes = [Input("x", (sizes[0],))]
    for number, units in enumerate(sizes[1:], 1):
        name = f"layer{number}"
        b = f"{name}.bias" if bias else None
        nodes.append(Dense(name, (nodes[-1].name,), units, f"{name}.weight", b, layout))
        if number < len(sizes) - 1:
            nodes.append(Activation(f"{name}.{function}", (name,), parse_activation(function)))
    return Skeleton(tuple(nodes))


def classes(rows, labels, count=2):
    """The labelling of rows by class indices: by sign for two classes, else by argmax."""
    names = tuple(str(index) for index in range(count))
    rule = "sign" if count == 2 else "argmax"
    return Labelling(
        np.ascontiguousarray(rows, float), rule, np.asarray(labels, np.int64), classes=names
    )


def teacher_outputs(rows, width, rng, function="tanh"):
    """The outputs on rows of a two-layer network with normal weights and no biases."""
    first = rng.standard_normal((width, rows.shape[1]))
    hidden = activation(function).phi(rows @ first.T / np.sqrt(rows.shape[1]))
    return hidden @ rng.standard_normal(width)


def planted(rows=80, inputs=10, width=2, seed=0, function="tanh", test=0):
    """Normal rows labelled by the side of a random teacher's median, so that classes balance.

    Returns the training labelling, and with `test` rows a pair of it and the test labelling.
    """
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows + test, inputs))
    f = teacher_outputs(x, width, rng, function)
    whole = classes(x, f > np.median(f[:rows]))
    if not test:
        return whole
    return whole.subset(slice(0, rows)), whole.subset(slice(rows, None))


def prior_of(skeleton, labelling, law="normal", laws=None, **options) -> Prior:
    """The prior of a skeleton under one law, which must exist."""
    scaled = options.pop("scaled", False)
    settings = Settings(label_law=law, scaled_neurons=scaled)
    prior = make_prior(skeleton, laws, settings, labelling, **options)
    assert isinstance(prior, Prior), prior
    return prior
