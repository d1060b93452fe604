"""Nodes that only move numbers: sums, flattening, reshaping."""

from __future__ import annotations

from fpcheck.network.operators.operator import Array, Inputs, Operator
from fpcheck.network.skeleton import Add, Shape


def prepare_add(node: Add) -> Operator:
    """The operator of an Add node."""

    def total(terms: Inputs) -> Array:
        first, *rest = terms
        out = first + rest[0]
        for term in rest[1:]:
            out = out + term
        return out

    return Operator(
        total,
        lambda inputs, output, tangents: total(tangents),
        lambda inputs, output, cotangent: (cotangent,) * len(node.inputs),
    )


def prepare_reshape(input_shape: Shape, output_shape: Shape) -> Operator:
    """The operator of a Flatten or Reshape node."""
    return Operator(
        lambda inputs: inputs[0].reshape(-1, *output_shape),
        lambda inputs, output, tangents: tangents[0].reshape(-1, *output_shape),
        lambda inputs, output, cotangent: (cotangent.reshape(-1, *input_shape),),
    )
