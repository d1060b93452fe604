"""Nodes that only move numbers: reshaping, transposing, slicing, joining."""

from __future__ import annotations

import numpy as np

from fpcheck.network.operators.operator import Array, Inputs, Operator
from fpcheck.network.skeleton import Concat, Shape, Slice, Transpose


def prepare_reshape(input_shape: Shape, output_shape: Shape) -> Operator:
    """The operator of a Flatten or Reshape node."""
    return Operator(
        lambda inputs: inputs[0].reshape(-1, *output_shape),
        lambda inputs, output, tangents: tangents[0].reshape(-1, *output_shape),
        lambda inputs, output, cotangent: (cotangent.reshape(-1, *input_shape),),
    )


def prepare_transpose(node: Transpose) -> Operator:
    """The operator of a Transpose node."""
    order = (0, *(axis + 1 for axis in node.order))
    back = tuple(int(axis) for axis in np.argsort(order))

    def moved(x: Array) -> Array:
        return np.ascontiguousarray(x.transpose(order))

    return Operator(
        lambda inputs: moved(inputs[0]),
        lambda inputs, output, tangents: moved(tangents[0]),
        lambda inputs, output, cotangent: (np.ascontiguousarray(cotangent.transpose(back)),),
    )


def prepare_slice(node: Slice, input_shape: Shape) -> Operator:
    """The operator of a Slice node."""
    before = (slice(None),) * (node.axis + 1)
    place = (*before, slice(node.start, node.stop, node.step))

    def taken(x: Array) -> Array:
        return np.ascontiguousarray(x[place])

    def vjp(inputs: Inputs, output: Array, cotangent: Array) -> Inputs:
        gradient = np.zeros((len(cotangent), *input_shape))
        gradient[place] = cotangent
        return (gradient,)

    return Operator(
        lambda inputs: taken(inputs[0]), lambda inputs, output, along: taken(along[0]), vjp
    )


def prepare_concat(node: Concat, shapes: tuple[Shape, ...]) -> Operator:
    """The operator of a Concat node."""
    axis = node.axis + 1
    ends = np.cumsum([shape[node.axis] for shape in shapes])[:-1]

    def joined(parts: Inputs) -> Array:
        return np.concatenate(parts, axis=axis)

    def vjp(inputs: Inputs, output: Array, cotangent: Array) -> Inputs:
        return tuple(np.ascontiguousarray(x) for x in np.split(cotangent, ends, axis=axis))

    return Operator(joined, lambda inputs, output, tangents: joined(tangents), vjp)
