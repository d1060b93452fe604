"""What every node type does to a batch, and its exact Jacobian products."""

from __future__ import annotations

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.operators import normalization, products, structural
from fpcheck.network.operators.activation import prepare_activation, prepare_softmax
from fpcheck.network.operators.black_box import prepare_black_box
from fpcheck.network.operators.convolution import prepare_conv, prepare_conv_transpose
from fpcheck.network.operators.dense import prepare_dense
from fpcheck.network.operators.operator import Operator, Parameters
from fpcheck.network.operators.pooling import prepare_pool
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    BlackBox,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GroupNorm,
    LayerNorm,
    MatMul,
    Multiply,
    Node,
    Pool,
    Reshape,
    RMSNorm,
    Scale,
    Shape,
    Slice,
    Softmax,
    Transpose,
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
        case ConvTranspose():
            return prepare_conv_transpose(node, parameters, input_shapes[0], output_shape)
        case Activation():
            return prepare_activation(node)
        case Softmax():
            return prepare_softmax(node, input_shapes[0])
        case BatchNorm():
            return normalization.prepare_batch_norm(node, parameters, input_shapes[0])
        case LayerNorm():
            return normalization.prepare_layer_norm(node, parameters, input_shapes[0])
        case RMSNorm():
            return normalization.prepare_rms_norm(node, parameters, input_shapes[0])
        case GroupNorm():
            return normalization.prepare_group_norm(node, parameters, input_shapes[0])
        case Scale():
            return normalization.prepare_scale(node, parameters)
    return _without_parameters(node, input_shapes, output_shape)


def _without_parameters(
    node: Node, input_shapes: tuple[Shape, ...], output_shape: Shape
) -> Operator:
    match node:
        case Add():
            return products.prepare_add(input_shapes, output_shape)
        case Multiply():
            return products.prepare_multiply(input_shapes, output_shape)
        case MatMul():
            return products.prepare_matmul()
        case Concat():
            return structural.prepare_concat(node, input_shapes)
        case Slice():
            return structural.prepare_slice(node, input_shapes[0])
        case Transpose():
            return structural.prepare_transpose(node)
        case Pool():
            return prepare_pool(node)
        case BlackBox():
            return prepare_black_box(node, input_shapes[0])
        case Flatten() | Reshape():
            return structural.prepare_reshape(input_shapes[0], output_shape)
    raise UnsupportedOperationError(f"layer '{node.name}': {type(node).__name__} cannot run")
