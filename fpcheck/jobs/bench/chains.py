"""The dense chains that the bench runs, and PyTorch where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Node, Skeleton

Array = NDArray[np.float64]
# Weights' standard deviation times sqrt(width), and the biases': the chain contracts, so that
# starts converge one after the other and every way must drop them as they do.
WEIGHT_SPREAD = 1.0
BIAS_SPREAD = 0.3


def torch_module() -> ModuleType | None:
    """PyTorch held to one thread, None where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    return torch


def chain_parameters(
    width: int, depth: int, rng: np.random.Generator
) -> tuple[tuple[Array, Array], ...]:
    """`depth` pairs of a (width, width) weight and a (width,) bias."""
    return tuple(
        (
            rng.normal(0.0, WEIGHT_SPREAD / np.sqrt(width), (width, width)),
            rng.normal(0.0, BIAS_SPREAD, width),
        )
        for _ in range(depth)
    )


def tanh_network(parameters: tuple[tuple[Array, Array], ...]) -> Network:
    """The network of tanh layers with these weights and biases."""
    nodes: list[Node] = [Input("input", (parameters[0][0].shape[1],))]
    tensors: dict[str, Array] = {}
    for i, (weight, bias) in enumerate(parameters):
        name = f"{i}.weight", f"{i}.bias"
        nodes.append(Dense(f"dense{i}", (nodes[-1].name,), len(weight), *name))
        nodes.append(Activation(f"tanh{i}", (nodes[-1].name,), activation("tanh")))
        tensors |= dict(zip(name, (weight, bias), strict=True))
    return Network(Skeleton(tuple(nodes)), tensors)
