"""Activation functions: phi, its derivative, kinks, bounds and opcode in one registry."""

from fpcheck.network.activations.function import (
    ALIASES,
    ActivationFunction,
    activation,
    parse_activation,
)
from fpcheck.network.activations.kind import ActivationKind
from fpcheck.network.activations.registry import ACTIVATIONS

__all__ = [
    "ACTIVATIONS",
    "ALIASES",
    "ActivationFunction",
    "ActivationKind",
    "activation",
    "parse_activation",
]
