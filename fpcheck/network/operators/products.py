"""Sums and products of several inputs, whose axes of size 1 broadcast."""

from __future__ import annotations

import numpy as np

from fpcheck.network.operators.operator import Array, Inputs, Operator
from fpcheck.network.skeleton import Shape


def prepare_add(shapes: tuple[Shape, ...], output_shape: Shape) -> Operator:
    """The operator of an Add node."""

    def total(terms: Inputs) -> Array:
        first, *rest = terms
        out = first + rest[0]
        for term in rest[1:]:
            out = out + term
        return out

    def vjp(inputs: Inputs, output: Array, cotangent: Array) -> Inputs:
        return tuple(_summed(cotangent, shape) for shape in shapes)

    def jvp(inputs: Inputs, output: Array, tangents: Inputs) -> Array:
        return _whole(total(tangents), output_shape)

    return Operator(lambda inputs: _whole(total(inputs), output_shape), jvp, vjp)


def prepare_multiply(shapes: tuple[Shape, ...], output_shape: Shape) -> Operator:
    """The operator of a Multiply node of two inputs or more."""

    def others(inputs: Inputs, index: int) -> Array:
        product = np.ones(())
        for place, factor in enumerate(inputs):
            if place != index:
                product = product * factor
        return product

    def forward(inputs: Inputs) -> Array:
        return _whole(others(inputs, -1), output_shape)

    def jvp(inputs: Inputs, output: Array, tangents: Inputs) -> Array:
        terms = [tangent * others(inputs, index) for index, tangent in enumerate(tangents)]
        out = terms[0]
        for term in terms[1:]:
            out = out + term
        return _whole(out, output_shape)

    def vjp(inputs: Inputs, output: Array, cotangent: Array) -> Inputs:
        return tuple(
            _summed(cotangent * others(inputs, index), shape) for index, shape in enumerate(shapes)
        )

    return Operator(forward, jvp, vjp)


def prepare_matmul() -> Operator:
    """The operator of a MatMul node: the product of two inputs' last two axes."""

    def jvp(inputs: Inputs, output: Array, tangents: Inputs) -> Array:
        (left, right), (along_left, along_right) = inputs, tangents
        return np.asarray(along_left @ right + left @ along_right)

    def vjp(inputs: Inputs, output: Array, cotangent: Array) -> Inputs:
        left, right = inputs
        return (
            np.asarray(cotangent @ right.swapaxes(-1, -2)),
            np.asarray(left.swapaxes(-1, -2) @ cotangent),
        )

    return Operator(lambda inputs: np.asarray(inputs[0] @ inputs[1]), jvp, vjp)


def _whole(value: Array, shape: Shape) -> Array:
    """`value` with every axis of a row at its full size."""
    if value.shape[1:] == shape:
        return value
    return np.ascontiguousarray(np.broadcast_to(value, (len(value), *shape)))


def _summed(value: Array, shape: Shape) -> Array:
    """The adjoint of broadcasting rows of `shape`: sums over the axes that were 1."""
    axes = tuple(
        axis
        for axis, (have, want) in enumerate(zip(value.shape[1:], shape, strict=True), start=1)
        if have != want
    )
    return np.asarray(value.sum(axis=axes, keepdims=True)) if axes else value
