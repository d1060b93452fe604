"""Networks and data that several tests of the probe share."""

import itertools

import numpy as np

from fpcheck.network.activations import activation
from fpcheck.network.data import Data
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton


def mlp(widths, scale=1.0, seed=0, bias=False, function="relu"):
    """A chain with He's weights times `scale`, biases 0; `function` behind all layers but one."""
    rng = np.random.default_rng(seed)
    nodes, parameters = [Input("x", widths[:1])], {}
    for index, (n_in, n_out) in enumerate(itertools.pairwise(widths)):
        parameters[f"w{index}"] = rng.normal(size=(n_out, n_in)) * scale * (2.0 / n_in) ** 0.5
        if bias:
            parameters[f"b{index}"] = np.zeros(n_out)
        named = f"b{index}" if bias else None
        nodes.append(Dense(f"d{index}", (nodes[-1].name,), n_out, f"w{index}", named))
        if index < len(widths) - 2 and function != "identity":
            nodes.append(Activation(f"a{index}", (f"d{index}",), activation(function)))
    return Network(Skeleton(tuple(nodes)), parameters)


def classes(rows=120, width=6, count=3, seed=1):
    """Rows in `count` overlapping clouds, with their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, count, rows)
    centres = 2.0 * rng.normal(size=(count, width))
    inputs = centres[labels] + rng.normal(size=(rows, width))
    names = tuple(str(index) for index in range(count))
    return Data(inputs, labels, "classification", names, "clouds")


def numbers(rows=120, width=6, outputs=3, seed=2):
    """Rows with numbers as targets that a smooth function of them gives."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, width))
    targets = np.tanh(inputs @ rng.normal(size=(width, outputs))) * [10.0, 1.0, 0.1] + 5.0
    return Data(inputs, targets, "regression", (), "numbers")
