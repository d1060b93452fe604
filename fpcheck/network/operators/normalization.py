"""Normalisation: batch (at inference, an affine map), layer, group, root mean square."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fpcheck.network.operators.operator import (
    Array,
    Gradients,
    Inputs,
    Operator,
    Parameters,
    as_float64,
)
from fpcheck.network.skeleton import BatchNorm, GroupNorm, LayerNorm, RMSNorm, Scale, Shape


def prepare_batch_norm(node: BatchNorm, parameters: Parameters, shape: Shape) -> Operator:
    """The operator of a BatchNorm node: y = x * factor + shift in every channel."""
    per_channel = (-1, *(1,) * (len(shape) - 1))
    mean = as_float64(parameters, node.mean).reshape(per_channel)
    inverse = 1.0 / np.sqrt(as_float64(parameters, node.variance) + node.epsilon)
    inverse = factor = inverse.reshape(per_channel)
    if node.weight:
        factor = inverse * as_float64(parameters, node.weight).reshape(per_channel)
    shift = -mean * factor
    if node.bias:
        shift = shift + as_float64(parameters, node.bias).reshape(per_channel)
    affine = _affine(parameters, (node.weight, factor), (node.bias, shift))
    return Operator(
        lambda inputs: inputs[0] * factor + shift,
        lambda inputs, output, tangents: tangents[0] * factor,
        lambda inputs, output, cotangent: (cotangent * factor,),
        affine.gradients(lambda x: (x - mean) * inverse),
    )


def prepare_layer_norm(node: LayerNorm, parameters: Parameters, shape: Shape) -> Operator:
    """The operator of a LayerNorm node over the last `axes` axes of a row."""
    axes = tuple(range(-(node.axes or len(shape)), 0))
    weight = as_float64(parameters, node.weight) if node.weight else np.ones(())
    bias = as_float64(parameters, node.bias) if node.bias else np.zeros(())
    affine = _affine(parameters, (node.weight, weight), (node.bias, bias))
    return _normalised(axes, node.epsilon, weight, bias, affine, centred=True)


def prepare_rms_norm(node: RMSNorm, parameters: Parameters, shape: Shape) -> Operator:
    """The operator of an RMSNorm node over the last `axes` axes of a row."""
    axes = tuple(range(-(node.axes or len(shape)), 0))
    weight = as_float64(parameters, node.weight) if node.weight else np.ones(())
    affine = _affine(parameters, (node.weight, weight))
    return _normalised(axes, node.epsilon, weight, np.zeros(()), affine, centred=False)


def prepare_group_norm(node: GroupNorm, parameters: Parameters, shape: Shape) -> Operator:
    """The operator of a GroupNorm node: a layer norm of every group of channels."""
    grouped = (node.groups, shape[0] // node.groups, *shape[1:])

    def per_channel(name: str | None, default: float) -> Array:
        if name is None:
            return np.full((), default)
        return as_float64(parameters, name).reshape(*grouped[:2], *(1,) * (len(shape) - 1))

    weight, bias = per_channel(node.weight, 1.0), per_channel(node.bias, 0.0)
    axes = tuple(range(2, len(shape) + 2))
    affine = _affine(parameters, (node.weight, weight), (node.bias, bias))
    inner = _normalised(axes, node.epsilon, weight, bias, affine, centred=True)

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

    def gradients(inputs: Inputs, output: Array, cotangent: Array) -> dict[str, Array]:
        return inner.gradients((split(inputs[0]),), split(output), split(cotangent))

    return Operator(forward, jvp, vjp, gradients)


def prepare_scale(node: Scale, parameters: Parameters) -> Operator:
    """The operator of a Scale node: y = x * factor + shift."""
    factor = as_float64(parameters, node.factor) if node.factor else np.ones(())
    shift = as_float64(parameters, node.shift) if node.shift else np.zeros(())
    affine = _affine(parameters, (node.factor, factor), (node.shift, shift))
    return Operator(
        lambda inputs: inputs[0] * factor + shift,
        lambda inputs, output, tangents: tangents[0] * factor,
        lambda inputs, output, cotangent: (cotangent * factor,),
        affine.gradients(lambda x: x),
    )


@dataclass(frozen=True, slots=True)
class _Term:
    """A parameter's name, its shape as it broadcasts and as it is stored."""

    name: str
    shape: Shape
    stored: Shape

    def gradient(self, by_entry: Array) -> Array:
        """Its gradient from that of every entry that it is added to or multiplied with."""
        return _summed(by_entry, self.shape).reshape(self.stored)


@dataclass(frozen=True, slots=True)
class _Affine:
    """The parameters of y = x_hat * weight + bias; None for what is no parameter."""

    weight: _Term | None
    bias: _Term | None

    def gradients(self, x_hat: Callable[[Array], Array]) -> Gradients:
        """The gradients by weight and bias, from x_hat as a function of the node's input."""

        def by_name(inputs: Inputs, output: Array, cotangent: Array) -> dict[str, Array]:
            found = {}
            if self.weight:
                found[self.weight.name] = self.weight.gradient(cotangent * x_hat(inputs[0]))
            if self.bias:
                found[self.bias.name] = self.bias.gradient(cotangent)
            return found

        return by_name


def _affine(
    parameters: Parameters,
    weight: tuple[str | None, Array],
    bias: tuple[str | None, Array] = (None, np.zeros(())),
) -> _Affine:
    """Weight and bias by name, with the array that stands for each in the node's formula."""

    def term(name: str | None, value: Array) -> _Term | None:
        return _Term(name, value.shape, parameters[name].shape) if name else None

    return _Affine(term(*weight), term(*bias))


def _summed(value: Array, shape: Shape) -> Array:
    """The adjoint of broadcasting `shape` to (n, *row): sums over all axes that it lacks."""
    lead = value.ndim - len(shape)
    axes = (
        *range(lead),
        *(lead + axis for axis, size in enumerate(shape) if size != value.shape[lead + axis]),
    )
    return np.asarray(value.sum(axis=axes)).reshape(shape)


def _normalised(
    axes: tuple[int, ...],
    epsilon: float,
    weight: Array,
    bias: Array,
    affine: _Affine,
    *,
    centred: bool,
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

    return Operator(forward, jvp, vjp, affine.gradients(lambda x: normalised(x)[0]))
