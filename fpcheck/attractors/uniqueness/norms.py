"""A proved Lipschitz constant of a network in the 2-norm: its layers' norms along its graph."""

from __future__ import annotations

import math

import numpy as np

from fpcheck.attractors.uniqueness.stacked import outer_slopes
from fpcheck.network.enclosure.ball import Ball, U
from fpcheck.network.enclosure.matrices import point, two_norm
from fpcheck.network.enclosure.rule import Rule
from fpcheck.network.enclosure.rules import enclosable, rules
from fpcheck.network.operators.dense import dense_weight_t
from fpcheck.network.program import Program
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GroupNorm,
    LayerNorm,
    Node,
    Pool,
    Reshape,
    RMSNorm,
    Scale,
    Slice,
    Softmax,
    Transpose,
)

UP = 1.0 + 8 * U
# Entries of a layer up to which its whole matrix is taken.
WIDEST = 2048


def lipschitz_upper(program: Program) -> tuple[float, str]:
    """(a proved bound of |f(x) - f(y)| / |x - y| in the 2-norm, why there is none).

    The bound is inf where there is none, and the reason "" where there is one.
    """
    reason = enclosable(program)
    if reason:
        return math.inf, reason
    every = rules(program)
    bounds = {program.skeleton.nodes[0].name: 1.0}
    for node in program.skeleton.nodes[1:]:
        inputs = [bounds[name] for name in node.inputs]
        bound, reason = _bound(program, node, every[node.name], inputs)
        if reason:
            return math.inf, f"layer '{node.name}': {reason}"
        bounds[node.name] = bound
    last = bounds[program.skeleton.nodes[-1].name]
    return last, "" if math.isfinite(last) else "the bound overflows"


def _bound(program: Program, node: Node, rule: Rule, inputs: list[float]) -> tuple[float, str]:
    """(a node's Lipschitz constant from those of its inputs, why there is none)."""
    shapes = [program.skeleton.shapes[name] for name in node.inputs]
    match node:
        case Flatten() | Reshape() | Transpose() | Slice():
            return inputs[0], ""
        case Concat():
            return math.hypot(*inputs) * UP, ""
        case Add():
            whole = program.skeleton.shapes[node.name]
            repeats = [math.sqrt(math.prod(whole) / max(1, math.prod(shape))) for shape in shapes]
            terms = [a * b * UP for a, b in zip(repeats, inputs, strict=True)]
            return math.fsum(terms) * UP, ""
        case Activation():
            return max(map(abs, outer_slopes(node.function))) * inputs[0] * UP, ""
        case Softmax():  # row i of diag(p) - p p^T sums to 2 p_i (1 - p_i) <= 1/2 in size
            return 0.5 * inputs[0], ""
        case LayerNorm() | RMSNorm() | GroupNorm():
            # The Jacobian of x / sqrt(mean square + epsilon) is a projection, shrunk, over that
            # root: its norm is at most 1 / sqrt(epsilon).
            if not node.epsilon > 0.0:
                return math.inf, "its slope has no bound without an epsilon"
            return _largest_weight(program, node) / math.sqrt(node.epsilon) * inputs[0] * UP, ""
        case Pool() if node.kind == "max":
            # |max - max| is at most the largest change in the window, which may be in several.
            overlap = math.prod(-(-k // s) for k, s in zip(node.size, node.stride, strict=True))
            return math.sqrt(overlap) * inputs[0] * UP, ""
        case Dense():
            return two_norm(point(dense_weight_t(node, program.parameters))) * inputs[0] * UP, ""
        case Conv() | ConvTranspose() | BatchNorm() | Scale() | Pool():
            if max(math.prod(shapes[0]), math.prod(program.skeleton.shapes[node.name])) > WIDEST:
                return math.inf, f"more than {WIDEST} entries"
            return two_norm(_matrix(rule, shapes[0])) * inputs[0] * UP, ""
    return math.inf, f"{type(node).__name__} has no Lipschitz constant"


def _largest_weight(program: Program, node: LayerNorm | RMSNorm | GroupNorm) -> float:
    if node.weight is None:
        return 1.0
    return float(np.abs(np.asarray(program.parameters[node.weight], dtype=np.float64)).max())


def _matrix(rule: Rule, shape: tuple[int, ...]) -> Ball:
    """The linear part of an affine node, (in, out)."""
    size = math.prod(shape)
    units = np.eye(size).reshape(1, size, *shape)
    tangents = rule.tangent((), Ball(units, units), (Ball(units, np.zeros_like(units)),))
    return tangents.map(lambda x: x.reshape(size, -1))
