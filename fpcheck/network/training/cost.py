"""What one row costs, and the blocks of rows that follow from it."""

from __future__ import annotations

import itertools
import math

from fpcheck.network.network import needed_parameters
from fpcheck.network.skeleton import (
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    MatMul,
    Node,
    Reshape,
    Shape,
    Skeleton,
    fan_in,
)

# The gradient by all parameters takes two products as large as each of the forward pass.
GRADIENT_PASSES = 3
# Rows that go through the network at once. Fixed, because a product's last bits depend on their
# number: 300 steps of 64-64-64-64-10 on 1800 rows take 1.9, 1.7, 1.5, 1.5, 1.5 s of one core in
# blocks of at most 64, 128, 256, 512, 1024.
BLOCK_ROWS = 256
# Multiplications of one block, some 20 ms, between two looks at the stop flag;
BLOCK_WORK = 2**28
# but never so few rows that adding up the blocks' gradients counts: a row's gradient takes 0.15 ns
# a parameter in dense layers, adding it up 1 ns.
ROWS_A_GRADIENT = 128
# Bytes of the values of all nodes, their gradients and the windows of a convolution.
BLOCK_BYTES = 2**27


def multiply_adds(skeleton: Skeleton) -> int:
    """Multiplications with an addition each in the forward pass of one row.

    Every node but products counts one for each of its entries, and changes of shape nothing.
    """
    shapes = skeleton.shapes
    return sum(
        _of_node(node, tuple(shapes[name] for name in node.inputs), shapes[node.name])
        for node in skeleton.nodes
        if node.inputs
    )


def block_rows(skeleton: Skeleton) -> int:
    """The most rows of a block of this network."""
    shapes = skeleton.shapes
    entries = sum(math.prod(shapes[node.name]) * _held(node) for node in skeleton.nodes)
    work = max(1, multiply_adds(skeleton))
    parameters = sum(math.prod(shape) for _, _, shape in needed_parameters(skeleton))
    worthwhile = ROWS_A_GRADIENT * min(parameters, work) // work
    affordable = max(worthwhile, BLOCK_WORK // (GRADIENT_PASSES * work))
    return max(1, min(BLOCK_ROWS, affordable, BLOCK_BYTES // (8 * entries)))


def blocks(most: int, rows: int) -> tuple[slice, ...]:
    """`rows` in blocks of nearly equal size, of at most `most` rows."""
    count = -(-rows // most)
    ends = [rows * part // count for part in range(count + 1)]
    return tuple(slice(start, end) for start, end in itertools.pairwise(ends))


def _of_node(node: Node, inputs: tuple[Shape, ...], shape: Shape) -> int:
    size = math.prod(shape)
    match node:
        case Dense() | Conv():
            return size * fan_in(node, inputs[0])
        case ConvTranspose():
            return math.prod(inputs[0]) * math.prod(node.kernel) * node.channels // node.groups
        case MatMul():
            return size * inputs[0][-1]
        case Flatten() | Reshape():
            return 0
    return size


def _held(node: Node) -> int:
    """The numbers that are held for every entry of the node's value."""
    return 3 + (2 * math.prod(node.kernel) if isinstance(node, Conv | ConvTranspose) else 0)
