"""Training in float64: losses, gradients by every parameter, optimisers, and a run step by step."""

from fpcheck.network.training.cost import multiply_adds
from fpcheck.network.training.descent import Step, train
from fpcheck.network.training.gradients import loss_and_gradient
from fpcheck.network.training.losses import CROSS_ENTROPY, LOSSES, MEAN_SQUARED_ERROR, logits
from fpcheck.network.training.optimisers import ADAM, OPTIMISERS, SGD, Recipe
from fpcheck.network.training.packing import trained_names

__all__ = [
    "ADAM",
    "CROSS_ENTROPY",
    "LOSSES",
    "MEAN_SQUARED_ERROR",
    "OPTIMISERS",
    "SGD",
    "Recipe",
    "Step",
    "logits",
    "loss_and_gradient",
    "multiply_adds",
    "train",
    "trained_names",
]
