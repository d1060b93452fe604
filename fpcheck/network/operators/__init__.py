"""What every node type does to a batch, and its exact Jacobian products."""

from __future__ import annotations

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.operators.activation import prepare_activation
from fpcheck.network.operators.convolution import prepare_conv
from fpcheck.network.operators.dense import prepare_dense
from fpcheck.network.operators.normalization import prepare_batch_norm, prepare_layer_norm
from fpcheck.network.operators.operator import Operator, Parameters
from fpcheck.network.operators.pooling import prepare_pool
from fpcheck.network.operators.structural import prepare_add, prepare_reshape
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    LayerNorm,
    Node,
    Pool,
    Reshape,
    Shape,
)

__all__ = ["Operator", "prepare"]


def prepare(
    node: Node, parameters: Parameters, input_shapes: tuple[Shape, ...], output_shape: Shape
) -> Operator:
    """The operator of `node`, its parameters converted to float64.

    Raises:
        UnsupportedOperationError: no operator for this node type.
    """
    match node:
        case Dense():
            return prepare_dense(node, parameters)
        case Conv():
            return prepare_conv(node, parameters)
        case Activation():
            return prepare_activation(node)
        case BatchNorm():
            return prepare_batch_norm(node, parameters, input_shapes[0])
        case LayerNorm():
            return prepare_layer_norm(node, parameters, input_shapes[0])
        case Add():
            return prepare_add(node)
        case Pool():
            return prepare_pool(node)
        case Flatten() | Reshape():
            return prepare_reshape(input_shapes[0], output_shape)
    raise UnsupportedOperationError(f"layer '{node.name}': {type(node).__name__} cannot run")
