"""Normalisation: batch (at inference, an affine map) and layer."""

from __future__ import annotations

import numpy as np

from fpcheck.network.operators.operator import Array, Inputs, Operator, Parameters, as_float64
from fpcheck.network.skeleton import BatchNorm, LayerNorm, Shape


def prepare_batch_norm(node: BatchNorm, parameters: Parameters, shape: Shape) -> Operator:
    """The operator of a BatchNorm node: y = x * factor + shift in every channel."""
    factor = 1.0 / np.sqrt(as_float64(parameters, node.variance) + node.epsilon)
    if node.weight:
        factor = factor * as_float64(parameters, node.weight)
    shift = -as_float64(parameters, node.mean) * factor
    if node.bias:
        shift = shift + as_float64(parameters, node.bias)
    per_channel = (-1, *(1,) * (len(shape) - 1))
    factor, shift = factor.reshape(per_channel), shift.reshape(per_channel)
    return Operator(
        lambda inputs: inputs[0] * factor + shift,
        lambda inputs, output, tangents: tangents[0] * factor,
        lambda inputs, output, cotangent: (cotangent * factor,),
    )


def prepare_layer_norm(node: LayerNorm, parameters: Parameters, shape: Shape) -> Operator:
    """The operator of a LayerNorm node over the last `axes` axes of a row."""
    axes = tuple(range(-(node.axes or len(shape)), 0))
    weight = as_float64(parameters, node.weight) if node.weight else np.ones(())
    bias = as_float64(parameters, node.bias) if node.bias else np.zeros(())

    def normalised(x: Array) -> tuple[Array, Array]:
        centred = x - x.mean(axis=axes, keepdims=True)
        variance = (centred * centred).mean(axis=axes, keepdims=True)
        deviation = np.sqrt(variance + node.epsilon)
        return centred / deviation, deviation

    def project(direction: Array, x_hat: Array, deviation: Array) -> Array:
        # The Jacobian of x -> x_hat is symmetric, so it serves both products.
        along = (direction * x_hat).mean(axis=axes, keepdims=True)
        mean = direction.mean(axis=axes, keepdims=True)
        return np.asarray((direction - mean - x_hat * along) / deviation)

    def forward(inputs: Inputs) -> Array:
        return normalised(inputs[0])[0] * weight + bias

    def jvp(inputs: Inputs, output: Array, tangents: Inputs) -> Array:
        return project(tangents[0], *normalised(inputs[0])) * weight

    def vjp(inputs: Inputs, output: Array, cotangent: Array) -> Inputs:
        return (project(cotangent * weight, *normalised(inputs[0])),)

    return Operator(forward, jvp, vjp)
