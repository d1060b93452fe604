"""Activation functions and softmax as operators."""

from __future__ import annotations

import numpy as np

from fpcheck.kernels import elementwise
from fpcheck.network.activations import ActivationFunction
from fpcheck.network.operators.operator import Array, Inputs, Operator
from fpcheck.network.skeleton import Activation, Shape, Softmax


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


def prepare_softmax(node: Softmax, shape: Shape) -> Operator:
    """The operator of a Softmax node."""
    axis = node.axis % len(shape) + 1

    def project(direction: Array, output: Array) -> Array:
        # diag(p) - p p^T is symmetric, so it serves both products.
        weighted = direction * output
        return np.asarray(weighted - output * weighted.sum(axis=axis, keepdims=True))

    def forward(inputs: Inputs) -> Array:
        raised = np.exp(inputs[0] - inputs[0].max(axis=axis, keepdims=True))
        return np.asarray(raised / raised.sum(axis=axis, keepdims=True))

    return Operator(
        forward,
        lambda inputs, output, tangents: project(tangents[0], output),
        lambda inputs, output, cotangent: (project(cotangent, output),),
    )


def phi(function: ActivationFunction, x: Array) -> Array:
    """phi(x), elementwise."""
    given = np.ascontiguousarray(x)
    out = np.empty_like(given)
    elementwise.apply(function.opcode, function.p0, function.p1, given, out)
    return out


def slope(function: ActivationFunction, x: Array) -> Array:
    """phi'(x), elementwise.

    Raises:
        UnsupportedOperationError: the function is a step, whose derivative says nothing.
    """
    given = np.ascontiguousarray(x)
    out = np.empty_like(given)
    elementwise.slope(function.opcode, function.p0, function.p1, given, out)
    return out
