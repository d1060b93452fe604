"""Activation functions as operators."""

from __future__ import annotations

import numpy as np

from fpcheck.network.activations import ActivationFunction
from fpcheck.network.operators.operator import Array, Operator
from fpcheck.network.skeleton import Activation


def prepare_activation(node: Activation) -> Operator:
    """The operator of an Activation node."""
    function = node.function

    def scaled(x: Array, direction: Array) -> Array:
        return slope(function, x) * direction

    return Operator(
        lambda inputs: phi(function, inputs[0]),
        lambda inputs, output, tangents: scaled(inputs[0], tangents[0]),
        lambda inputs, output, cotangent: (scaled(inputs[0], cotangent),),
    )


def phi(function: ActivationFunction, x: Array) -> Array:
    """phi(x), elementwise."""
    return function.phi(x)


def slope(function: ActivationFunction, x: Array) -> Array:
    """phi'(x), elementwise.

    Raises:
        UnsupportedOperationError: the function is a step, whose derivative says nothing.
    """
    return np.asarray(function.derivative(x))
