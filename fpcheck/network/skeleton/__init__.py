"""The skeleton: a network's typed nodes in topological order, their shapes inferred and checked.

A computation skeleton is a directed acyclic graph [Daniely, Frostig, Singer 2016, section 2]; ours
has one input and one output.
"""

from fpcheck.network.skeleton.graph import Skeleton
from fpcheck.network.skeleton.nodes import (
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
    Input,
    LayerNorm,
    Layout,
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
from fpcheck.network.skeleton.shapes import fan_in, fan_out, output_shape, stored_shape

__all__ = [
    "Activation",
    "Add",
    "BatchNorm",
    "BlackBox",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Dense",
    "Flatten",
    "GroupNorm",
    "Input",
    "LayerNorm",
    "Layout",
    "MatMul",
    "Multiply",
    "Node",
    "Pool",
    "RMSNorm",
    "Reshape",
    "Scale",
    "Shape",
    "Skeleton",
    "Slice",
    "Softmax",
    "Transpose",
    "fan_in",
    "fan_out",
    "output_shape",
    "stored_shape",
]
