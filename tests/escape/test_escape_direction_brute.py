"""The search against other searches: a scan of all angles, and many restarts by autograd."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from bias_free import place_of

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.escape.direction import best_direction

ON_KINKS = 5e-3  # the optimum may sit on kinks, about which either ascent beats
RESTARTS, STEPS = 256, 800


def speed_of(x, pull, widths, sides, seed):
    place = place_of(x, pull, widths, sides)
    rng = np.random.default_rng(seed)
    direction, _ = best_direction(place, Settings(threads=1), rng, Monitor())
    return direction.speed


def brute_speed(x, pull, widths, sides, seed):
    """The best gain of many random restarts, layers of norm 1, gradients by autograd."""
    torch.manual_seed(seed)
    x, pull = torch.tensor(x), torch.tensor(pull)
    weights = [
        torch.randn(RESTARTS, n_out, n_in, dtype=torch.float64, requires_grad=True)
        for n_in, n_out in pairwise(widths)
    ]
    optimiser = torch.optim.Adam(weights, lr=0.05)
    decay = torch.optim.lr_scheduler.ExponentialLR(optimiser, 1e-3 ** (1.0 / STEPS))
    best = 0.0
    for _ in range(STEPS):
        value = x.expand(RESTARTS, *x.shape)
        for index, weight in enumerate(weights):
            scaled = weight / torch.linalg.norm(weight, dim=(1, 2), keepdim=True)
            value = value @ scaled.transpose(1, 2)
            if index < len(weights) - 1:
                value = torch.where(value > 0.0, sides[0] * value, sides[1] * value)
        gains = (value * pull).sum(dim=(1, 2))
        best = max(best, gains.detach().max().item())
        optimiser.zero_grad()
        # Each by its own size, so that weak starts move as fast as strong ones.
        (-gains).sum().backward()
        optimiser.step()
        decay.step()
    return best


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_one_hidden_layer_escapes_along_the_best_angle(outputs, seed):
    rng = np.random.default_rng(seed)
    x, pull = rng.normal(size=(12, 2)), rng.normal(size=(12, outputs))
    # With two layers of norm 1, no mixture of units beats the best of them: scan all angles.
    angles = np.linspace(0.0, 2.0 * np.pi, 200_001)
    ways = np.stack([np.cos(angles), np.sin(angles)])
    best = np.linalg.norm(pull.T @ np.maximum(x @ ways, 0.0).reshape(12, -1), axis=0).max()
    assert speed_of(x, pull, (2, 5, outputs), (1.0, 0.0), seed) == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize(
    ("widths", "sides", "seed"),
    [
        ((2, 4, 3, 1), (1.0, 0.0), 0),
        ((3, 4, 4, 1), (1.0, 0.0), 1),
        ((2, 4, 4, 2), (1.0, 0.0), 2),
        ((3, 5, 3, 2), (1.0, 0.2), 3),
        ((2, 3, 3, 3, 1), (1.0, 0.0), 4),
        ((3, 4, 3, 3, 2), (1.0, 0.0), 5),
        ((2, 3, 3, 3, 3, 1), (1.0, 0.0), 6),
    ],
)
def test_deeper_networks_escape_no_slower_than_many_restarts_find(widths, sides, seed):
    rng = np.random.default_rng(100 + seed)
    x, pull = rng.normal(size=(10, widths[0])), rng.normal(size=(10, widths[-1]))
    best = brute_speed(x, pull, widths, sides, seed)
    assert speed_of(x, pull, widths, sides, seed) >= (1.0 - ON_KINKS) * best
