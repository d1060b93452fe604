"""Plain training by PyTorch of the networks that tests draw."""

from __future__ import annotations

import numpy as np
import torch

from fpcheck.network.skeleton import Activation, Dense


def clipped(x, tau, m):
    """min(max(x - tau, 0), m)."""
    return torch.clamp(x - tau, 0.0, m)


def torch_losses(network, data, rate, steps):
    """The cross-entropy before each of the steps of full-batch descent, and behind the last."""
    tensors = {
        name: torch.tensor(np.asarray(value, np.float64), requires_grad=True)
        for name, value in network.parameters.items()
    }
    x, y = torch.tensor(data.inputs), torch.tensor(data.targets)
    optimiser = torch.optim.SGD(list(tensors.values()), lr=rate)
    losses = []
    for _ in range(steps + 1):
        value = x.reshape(len(x), -1)
        for node in network.skeleton.nodes[1:]:
            if isinstance(node, Dense):
                value = value @ tensors[node.weight].T + tensors[node.bias]
            elif isinstance(node, Activation):
                assert node.function.name == "crelu"
                value = clipped(value, *node.function.parameters)
        loss = torch.nn.functional.cross_entropy(value, y)
        optimiser.zero_grad()
        loss.backward()
        losses.append(loss.item())
        optimiser.step()
    return np.array(losses)
