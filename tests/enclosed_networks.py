"""Small networks of every node type and every activation function, for tests of enclosures."""

from __future__ import annotations

import numpy as np

from fpcheck.network.activations import ACTIVATIONS, activation
from fpcheck.network.network import Network
from fpcheck.network.recurrent import gru_cell, lstm_cell
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GroupNorm,
    Input,
    LayerNorm,
    MatMul,
    Multiply,
    Pool,
    Reshape,
    RMSNorm,
    Scale,
    Skeleton,
    Slice,
    Softmax,
    Transpose,
)

PARAMETERS = {
    "shifted_relu": {"tau": -0.3},
    "soft_threshold": {"tau": 0.2},
    "crelu": {"tau": 0.1, "m": 0.7},
    "cst": {"tau": 0.1, "m": 0.7},
}
SMOOTH_OR_KINKED = tuple(name for name in ACTIVATIONS if name != "step")


def chain(rng, name, n=4, hidden=5, gain=1.5, bias=0.5):
    """n -> hidden -> n, with the activation called `name` behind both layers."""
    function = activation(name, PARAMETERS.get(name))
    nodes = (
        Input("x", (n,)),
        Dense("a", ("x",), hidden, "A", "a"),
        Activation("p", ("a",), function),
        Dense("b", ("p",), n, "B", "b", "in_out"),
        Activation("q", ("b",), function),
    )
    parameters = {
        "A": rng.normal(size=(hidden, n)) * gain / np.sqrt(n),
        "a": bias * rng.normal(size=hidden),
        "B": (rng.normal(size=(hidden, n)) * gain / np.sqrt(hidden)).astype(np.float32),
        "b": bias * rng.normal(size=n),
    }
    return Network(Skeleton(nodes), parameters)


def image_network(rng):
    """(2, 4, 4) -> 48 entries through every type of node."""

    def drawn(*shape):
        return 0.5 * rng.normal(size=shape)

    nodes = (
        Input("x", (2, 4, 4)),
        Conv("conv", ("x",), 4, (3, 3), "w", "wb", padding=((1, 1), (1, 1))),
        BatchNorm("batch", ("conv",), "mean", "var", "bw", "bb"),
        Activation("silu", ("batch",), activation("silu")),
        LayerNorm("layer", ("silu",), "lw", "lb"),
        GroupNorm("group", ("layer",), 2, "gw", "gb"),
        Scale("scale", ("group",), "factor", "shift"),
        Add("add", ("scale", "conv")),
        Multiply("multiply", ("add", "batch")),
        MatMul("matmul", ("multiply", "conv")),
        RMSNorm("rms", ("matmul",), "rw", axes=1),
        Softmax("softmax", ("rms",), -1),
        Pool("max", ("softmax",), "max", (2, 2), (1, 1), ((0, 1), (0, 1))),
        Pool("mean", ("max",), "mean", (2, 2), (2, 2), ((1, 1), (1, 1)), False),
        Slice("slice", ("mean",), 1, 0, 2),
        Slice("other", ("mean",), 1, 1, 3),
        Concat("concat", ("slice", "other"), 0),
        Reshape("reshape", ("concat",), (4, 3, 4)),
        Slice("cut", ("reshape",), 2, 0, 2),
        ConvTranspose("back", ("cut",), 2, (2, 2), "t", "tb", stride=(2, 2), groups=2),
        Transpose("transpose", ("back",), (2, 0, 1)),
        Flatten("flatten", ("transpose",)),
        Activation("gelu", ("flatten",), activation("gelu")),
    )
    parameters = {
        "w": drawn(4, 2, 3, 3).astype(np.float32),
        "wb": drawn(4),
        "mean": drawn(4),
        "var": rng.uniform(0.5, 2.0, size=4),
        "bw": drawn(4),
        "bb": drawn(4),
        "lw": drawn(4, 4, 4),
        "lb": drawn(4, 4, 4),
        "gw": drawn(4),
        "gb": drawn(4),
        "factor": drawn(1, 4, 1),
        "shift": drawn(4, 1, 1),
        "rw": drawn(4),
        "t": drawn(4, 1, 2, 2),
        "tb": drawn(2),
    }
    return Network(Skeleton(nodes), parameters)


def cell(rng, kind, hidden=3):
    """A recurrent cell's network; `gru` or `lstm`."""
    gates = 3 if kind == "gru" else 4
    weight = rng.normal(size=(gates * hidden, hidden)) * 2.0
    drive = 0.5 * rng.normal(size=gates * hidden)
    make = gru_cell if kind == "gru" else lstm_cell
    return make("cell", weight, drive, input_size=hidden).network


def all_networks(rng):
    """(label, network) of every kind above."""
    for name in SMOOTH_OR_KINKED:
        yield name, chain(rng, name)
    yield "image", image_network(rng)
    for kind in ("gru", "lstm"):
        yield kind, cell(rng, kind)
