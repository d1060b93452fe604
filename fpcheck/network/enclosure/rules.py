"""Which rule every node type has, or why it has none."""

from __future__ import annotations

from fpcheck.network.enclosure.activation import activation_rule
from fpcheck.network.enclosure.affine import (
    batch_norm_rule,
    layer_rule,
    mean_pool_rule,
    scale_rule,
)
from fpcheck.network.enclosure.normalization import (
    group_norm_rule,
    layer_norm_rule,
    softmax_rule,
)
from fpcheck.network.enclosure.pooling import max_pool_rule
from fpcheck.network.enclosure.products import ADD, MATMUL, MULTIPLY
from fpcheck.network.enclosure.rule import Rule, moving
from fpcheck.network.program import Program
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
    Slice,
    Softmax,
    Transpose,
)


def enclosable(program: Program) -> str:
    """Why the network's values cannot be enclosed, naming the node; "" where they can."""
    return next(filter(None, map(_obstacle, program.skeleton.nodes)), "")


def rules(program: Program) -> dict[str, Rule]:
    """The rule of every node but the input, by name, for an enclosable program."""
    return {node.name: _rule(program, node) for node in program.skeleton.nodes[1:]}


def _obstacle(node: Node) -> str:
    if isinstance(node, BlackBox):
        return f"'{node.name}' is a function whose inside is not known"
    if isinstance(node, Activation) and node.function.kind.derivative is None:
        return f"layer '{node.name}': {node.function.label} jumps"
    return ""


def _rule(program: Program, node: Node) -> Rule:
    shapes, operator = program.skeleton.shapes, program.operators[node.name]
    match node:
        case Dense() | Conv() | ConvTranspose():
            ends = (shapes[node.inputs[0]], shapes[node.name])
            return layer_rule(node, operator, program.parameters, ends)
        case Activation():
            return activation_rule(node.function)
        case Scale():
            return scale_rule(node, program.parameters)
        case Pool():
            return max_pool_rule(node) if node.kind == "max" else mean_pool_rule(node, operator)
        case Concat() | Slice() | Transpose() | Flatten() | Reshape():
            return moving(operator.forward)
    return _product_or_norm(program, node)


def _product_or_norm(program: Program, node: Node) -> Rule:
    shape, parameters = program.skeleton.shapes[node.inputs[0]], program.parameters
    match node:
        case Add():
            return ADD
        case Multiply():
            return MULTIPLY
        case MatMul():
            return MATMUL
        case BatchNorm():
            return batch_norm_rule(node, parameters, shape)
        case LayerNorm() | RMSNorm():
            return layer_norm_rule(node, parameters, shape)
        case GroupNorm():
            return group_norm_rule(node, parameters, shape)
        case Softmax():
            return softmax_rule(node, shape)
    raise AssertionError(f"{type(node).__name__} has no rule")
