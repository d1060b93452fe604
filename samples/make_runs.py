"""Make the runs of checkpoints. Needs PyTorch; the results are checked in.

python samples/make_runs.py
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
WIDTHS = (64, 24, 24, 24, 24, 24, 10)
# Twenty checkpoints each, close together where the loss falls.
SMALL_STEPS = (
    0, 1000, 2000, 3000, 3500, 3800, 4000, 4060, 4080, 4090,
    4100, 4110, 4120, 4140, 4180, 4250, 4400, 4700, 5200, 6000,
)  # fmt: skip
STANDARD_STEPS = (
    0, 10, 20, 40, 60, 80, 100, 130, 160, 200, 250, 300, 350, 400, 500, 600, 700, 800, 900, 1000,
)  # fmt: skip


def main() -> None:
    torch.set_num_threads(1)
    depth = len(WIDTHS) - 1
    run("run_small_init", 0.1, lambda norm: 30.0 / norm ** (depth - 2), SMALL_STEPS)
    run("run_standard_init", 1.0, lambda norm: 0.02, STANDARD_STEPS)


def run(folder: str, scale: float, rate: Callable[[float], float], steps: Sequence[int]) -> None:
    """Train a bias-free ReLU network on all the digits by full-batch gradient descent.

    scale: the weights are drawn from N(0, scale^2 2 / fan_in), so that 1 is He's initialisation.
    rate: of learning, from the norm of all weights. steps: before which the weights are saved,
    with the step in the file's metadata.
    """
    torch.manual_seed(0)
    with np.load(HERE / "digits.npz") as digits:
        x = torch.tensor(digits["X"].astype(np.float32))
        y = torch.tensor(digits["y"].astype(np.int64))
    model = bias_free(scale)
    weights = list(model.parameters())
    (HERE / folder).mkdir(exist_ok=True)
    for step in range(steps[-1] + 1):
        loss = nn.functional.cross_entropy(model(x), y)
        if step in steps:
            name = HERE / folder / f"step_{step:04d}.safetensors"
            save_file(model.state_dict(), name, metadata={"step": str(step)})
            name.chmod(0o644)
            print(f"{folder}: step {step:4d}, loss {loss.item():.5f}")
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            size = rate(float(sum((weight * weight).sum() for weight in weights)) ** 0.5)
            for weight in weights:
                weight.sub_(size * weight.grad)


def bias_free(scale: float) -> nn.Sequential:
    """Six dense layers without biases, ReLU between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(WIDTHS):
        layer = nn.Linear(n_in, n_out, bias=False)
        nn.init.normal_(layer.weight, 0.0, scale * (2.0 / n_in) ** 0.5)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


if __name__ == "__main__":
    main()
