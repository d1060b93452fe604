"""Normalisation: batch (at inference, an affine map), layer, group, root mean square."""

from __future__ import annotations

import numpy as np

from fpcheck.network.operators.operator import Array, Inputs, Operator, Parameters, as_float64
from fpcheck.network.skeleton import BatchNorm, GroupNorm, LayerNorm, RMSNorm, Scale, Shape


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
    return _normalised(axes, node.epsilon, weight, bias, centred=True)


def prepare_rms_norm(node: RMSNorm, parameters: Parameters, shape: Shape) -> Operator:
    """The operator of an RMSNorm node over the last `axes` axes of a row."""
    axes = tuple(range(-(node.axes or len(shape)), 0))
    weight = as_float64(parameters, node.weight) if node.weight else np.ones(())
    return _normalised(axes, node.epsilon, weight, np.zeros(()), centred=False)


def prepare_group_norm(node: GroupNorm, parameters: Parameters, shape: Shape) -> Operator:
    """The operator of a GroupNorm node: a layer norm of every group of channels."""
    grouped = (node.groups, shape[0] // node.groups, *shape[1:])

    def per_channel(name: str | None, default: float) -> Array:
        if name is None:
            return np.full((), default)
        return as_float64(parameters, name).reshape(*grouped[:2], *(1,) * (len(shape) - 1))

    weight, bias = per_channel(node.weight, 1.0), per_channel(node.bias, 0.0)
    axes = tuple(range(2, len(shape) + 2))
    inner = _normalised(axes, node.epsilon, weight, bias, centred=True)

    def split(x: Array) -> Array:
        return x.reshape(-1, *grouped)

    def forward(inputs: Inputs) -> Array:
        return inner.forward((split(inputs[0]),)).reshape(-1, *shape)

    def jvp(inputs: Inputs, output: Array, tangents: Inputs) -> Array:
        along = inner.jvp((split(inputs[0]),), split(output), (split(tangents[0]),))
        return along.reshape(-1, *shape)

    def vjp(inputs: Inputs, output: Array, cotangent: Array) -> Inputs:
        (back,) = inner.vjp((split(inputs[0]),), split(output), split(cotangent))
        return (back.reshape(-1, *shape),)

    return Operator(forward, jvp, vjp)


def prepare_scale(node: Scale, parameters: Parameters) -> Operator:
    """The operator of a Scale node: y = x * factor + shift."""
    factor = as_float64(parameters, node.factor) if node.factor else np.ones(())
    shift = as_float64(parameters, node.shift) if node.shift else np.zeros(())
    return Operator(
        lambda inputs: inputs[0] * factor + shift,
        lambda inputs, output, tangents: tangents[0] * factor,
        lambda inputs, output, cotangent: (cotangent * factor,),
    )


def _normalised(
    axes: tuple[int, ...], epsilon: float, weight: Array, bias: Array, *, centred: bool
) -> Operator:
    """y = (x - mean) / sqrt(mean square + epsilon) * weight + bias; the mean only if `centred`."""

    def normalised(x: Array) -> tuple[Array, Array]:
        if centred:
            x = x - x.mean(axis=axes, keepdims=True)
        deviation = np.sqrt((x * x).mean(axis=axes, keepdims=True) + epsilon)
        return x / deviation, deviation

    def project(direction: Array, x_hat: Array, deviation: Array) -> Array:
        # The Jacobian of x -> x_hat is symmetric, so it serves both products.
        along = (direction * x_hat).mean(axis=axes, keepdims=True)
        if centred:
            direction = direction - direction.mean(axis=axes, keepdims=True)
        return np.asarray((direction - x_hat * along) / deviation)

    def forward(inputs: Inputs) -> Array:
        return normalised(inputs[0])[0] * weight + bias

    def jvp(inputs: Inputs, output: Array, tangents: Inputs) -> Array:
        return project(tangents[0], *normalised(inputs[0])) * weight

    def vjp(inputs: Inputs, output: Array, cotangent: Array) -> Inputs:
        return (project(cotangent * weight, *normalised(inputs[0])),)

    return Operator(forward, jvp, vjp)
