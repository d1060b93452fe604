"""How a gradient moves the parameters: SGD and Adam, as torch.optim has them, in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fpcheck.network.operators.operator import Array
from fpcheck.network.skeleton import Conv, ConvTranspose, Dense, Skeleton
from fpcheck.network.training.losses import LOSSES, MEAN_SQUARED_ERROR

# update(parameters, gradient, rate) -> the new parameters, in an array of their own.
Update = Callable[[Array, Array, float], Array]

SGD, ADAM = "sgd", "adam"
OPTIMISERS = (SGD, ADAM)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Args:
        steps: updates; `rate`: of each.
        batch: rows of a step, 0 for all; else the rows are shuffled for every pass over them, and
            the last batch of a pass holds what is left.
        norm_adaptive: the rate is rate / |theta|^(L - 2), L the number of layers on the longest
            way through the network. [Bantzis, Simon, Jacot: 10 / |theta|^4 for six layers]
        momentum, dampening, nesterov: of SGD. betas, epsilon: of Adam.
        weight_decay: added to the gradient as weight_decay * theta.

    Raises:
        ValueError: a name that is not known or a number out of its range.
    """

    loss: str = MEAN_SQUARED_ERROR
    optimiser: str = SGD
    rate: float = 0.01
    steps: int = 300
    batch: int = 0
    norm_adaptive: bool = False
    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"loss '{self.loss}'; there are {', '.join(LOSSES)}")
        if self.optimiser not in OPTIMISERS:
            raise ValueError(f"optimiser '{self.optimiser}'; there are {', '.join(OPTIMISERS)}")
        if not self.rate > 0.0 or self.steps < 0 or self.batch < 0 or self.weight_decay < 0.0:
            raise ValueError("the rate is positive; steps, batch and weight decay are not negative")
        if not 0.0 <= self.momentum < 1.0 or not all(0.0 <= beta < 1.0 for beta in self.betas):
            raise ValueError("momentum and betas lie in [0, 1)")
        if self.nesterov and (self.momentum == 0.0 or self.dampening != 0.0):
            raise ValueError("Nesterov's momentum needs a momentum and no dampening")


def step_rate(recipe: Recipe, theta: Array, degree: int) -> float:
    """The rate at the parameters `theta` of a network that is `degree` layers deep."""
    if not recipe.norm_adaptive:
        return recipe.rate
    return float(recipe.rate / np.linalg.norm(theta) ** (degree - 2))


def degree(skeleton: Skeleton) -> int:
    """The number of weight layers on the longest way from the input to the output."""
    depths: dict[str, int] = {}
    for node in skeleton.nodes:
        before = max((depths[name] for name in node.inputs), default=0)
        depths[node.name] = before + isinstance(node, Dense | Conv | ConvTranspose)
    return depths[skeleton.nodes[-1].name]


def optimiser(recipe: Recipe) -> Update:
    """The recipe's rule, at its first step."""
    rule = _adam(recipe) if recipe.optimiser == ADAM else _sgd(recipe)
    if recipe.weight_decay == 0.0:
        return rule
    return lambda theta, gradient, rate: rule(theta, gradient + recipe.weight_decay * theta, rate)


def _sgd(recipe: Recipe) -> Update:
    """Stochastic gradient descent with momentum. [Sutskever et al. 2013, as torch.optim.SGD]"""
    velocity: Array | None = None

    def update(theta: Array, gradient: Array, rate: float) -> Array:
        nonlocal velocity
        if recipe.momentum == 0.0:
            return theta - rate * gradient
        if velocity is None:  # the first gradient is not dampened
            velocity = gradient.copy()
        else:
            velocity = recipe.momentum * velocity + (1.0 - recipe.dampening) * gradient
        way = gradient + recipe.momentum * velocity if recipe.nesterov else velocity
        return theta - rate * way

    return update


def _adam(recipe: Recipe) -> Update:
    """Adam. [Kingma, Ba 2015, algorithm 1, epsilon outside the bias correction as torch.optim]"""
    first, second = recipe.betas
    mean: Array | None = None
    square: Array | None = None
    count = 0

    def update(theta: Array, gradient: Array, rate: float) -> Array:
        nonlocal mean, square, count
        if mean is None or square is None:
            mean, square = np.zeros_like(theta), np.zeros_like(theta)
        count += 1
        mean += (1.0 - first) * (gradient - mean)
        square *= second
        square += (1.0 - second) * gradient * gradient
        spread = np.sqrt(square)
        spread /= np.sqrt(1.0 - second**count)
        spread += recipe.epsilon
        np.divide(mean, spread, out=spread)
        spread *= -rate / (1.0 - first**count)
        spread += theta
        return spread

    return update
