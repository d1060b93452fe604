"""A network as one layer: the outputs of all its activations stacked, z = phi(W z + c).

Between activations a network of this kind is affine, and so is a fixed point x = f(x) as a function
of z; where an affine path leads from the input to the output (a residual network), x itself is
stacked as units of slope 1. So fixed points correspond one to one to the solutions of
z = phi(W z + c), with W cyclic in blocks for a plain chain. What is said of one layer then holds
for the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.selfmap import Array
from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.network.enclosure.ball import Ball, matmul, plus
from fpcheck.network.enclosure.matrices import point
from fpcheck.network.enclosure.rule import Rule
from fpcheck.network.enclosure.rules import rules
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
    Node,
    Pool,
    Reshape,
    Scale,
    Slice,
    Transpose,
)

# Entries of a layer, and of all activations together, up to which dense matrices are taken.
WIDEST = 2048
MOST_UNITS = 1024
# The name of the network's own output where it is stacked too; no node has an empty name.
OUTPUT = ""
SHUFFLES = Flatten | Reshape | Transpose | Slice | Concat


@dataclass(frozen=True, slots=True)
class Stacked:
    """z = phi(W z + c) with units' difference quotients of phi in [low, high].

    weight: the ball of W, (N, N); offset: the ball of c, (N,); low, high: (N,), exact floats on the
    outer side of the true range; functions: the activations in order, sizes: how many units of z
    each has; iterates: whether f itself contracts wherever z -> phi(W z + c) does in a 2-norm with
    weights. It does where every node has one input, and where x is stacked, as |z'|^2 + |x'|^2 <=
    r^2 (|z'|^2 + |x|^2) for the differences after and before; elsewhere what W adds up from this
    step's outputs and the last one's may cancel.
    """

    weight: Ball
    offset: Ball
    low: Array
    high: Array
    functions: tuple[ActivationFunction, ...]
    sizes: tuple[int, ...]
    iterates: bool


def stacked(program: Program) -> Stacked | str:
    """The network as one layer, or why it is none."""
    skeleton = program.skeleton
    reason = _obstacle(program)
    if reason:
        return reason
    source, last = skeleton.nodes[0].name, skeleton.nodes[-1].name
    units = _units(program)
    parts, offsets = _parts(program)
    rows = [_matrices(parts[node.inputs[0]]) for node in units]
    shifts = [_column(offsets[node.inputs[0]]) for node in units]
    functions = [node.function for node in units]
    sizes = {node.name: _size(program, node.name) for node in units}
    closing, shift = _matrices(parts[last]), _column(offsets[last])
    if source in closing:
        rows.append(closing)
        shifts.append(shift)
        closing, shift = {OUTPUT: point(np.eye(program.input_size))}, point(np.zeros(shift.shape))
        functions.append(activation("identity"))
        sizes[OUTPUT] = program.input_size
    slopes = np.array([outer_slopes(function) for function in functions]).reshape(-1, 2)
    low, high = np.repeat(slopes, list(sizes.values()), axis=0).T
    return Stacked(
        _closed(rows, closing, source, sizes),
        _closed_offset(rows, shifts, source, shift),
        np.ascontiguousarray(low),
        np.ascontiguousarray(high),
        tuple(functions),
        tuple(sizes.values()),
        OUTPUT in sizes or all(len(node.inputs) <= 1 for node in skeleton.nodes),
    )


def _parts(program: Program) -> tuple[dict[str, dict[str, Ball]], dict[str, Ball]]:
    """(every node's linear part by source, its value where all sources are 0), by node.

    The sources are the input and the activations. Parts are (1, size of the source, *shape).
    """
    first, *rest = program.skeleton.nodes
    units = {node.name for node in _units(program)}
    every = rules(program)
    parts = {first.name: {first.name: _units_of(program, first.name)}}
    offsets = {first.name: point(np.zeros((1, *program.skeleton.input_shape)))}
    for node in rest:
        if node.name in units:
            parts[node.name] = {node.name: _units_of(program, node.name)}
            offsets[node.name] = point(np.zeros((1, *program.skeleton.shapes[node.name])))
        elif isinstance(node, Activation):  # the identity
            parts[node.name], offsets[node.name] = parts[node.inputs[0]], offsets[node.inputs[0]]
        else:
            rule = every[node.name]
            parts[node.name] = _affine(program, rule, node, parts)
            offsets[node.name] = rule.value(tuple(offsets[name] for name in node.inputs))
    return parts, offsets


def outer_slopes(function: ActivationFunction) -> tuple[float, float]:
    """Floats that enclose every difference quotient of the function (mean value theorem).

    Round numbers are exact; those that were computed are moved outward by far more than their
    rounding.
    """
    low, high = function.slopes
    return _outward(low, -math.inf), _outward(high, math.inf)


def _outward(slope: float, side: float) -> float:
    if slope * 4.0 == round(slope * 4.0) or not math.isfinite(slope):
        return slope
    return slope + math.copysign(abs(slope) * 2.0**-40, side)


def _obstacle(program: Program) -> str:
    skeleton = program.skeleton
    for node in skeleton.nodes[1:]:
        kind = type(node).__name__
        if isinstance(node, Activation):
            if not all(map(math.isfinite, node.function.slopes)):
                return f"the slope of activation '{node.function.name}' has no bound"
        elif isinstance(node, Pool):
            if node.kind == "max":
                return f"layer '{node.name}' (max pool) is neither affine nor elementwise"
        elif not isinstance(
            node, SHUFFLES | Add | BatchNorm | Conv | ConvTranspose | Dense | Scale
        ):
            return f"layer '{node.name}' ({kind}) is neither affine nor elementwise"
    if max(map(math.prod, skeleton.shapes.values())) > WIDEST:
        return f"a layer has more than {WIDEST} entries"
    units = sum(_size(program, node.name) for node in _units(program))
    if units > MOST_UNITS:
        return f"its activations have {units} units, more than {MOST_UNITS}"
    return ""


def _units(program: Program) -> list[Activation]:
    """The activations that are not the identity, in order."""
    nodes = program.skeleton.nodes
    found = [node for node in nodes if isinstance(node, Activation)]
    return [node for node in found if node.function.name != "identity"]


def _size(program: Program, name: str) -> int:
    return math.prod(program.skeleton.shapes[name])


def _closed(
    rows: list[dict[str, Ball]],
    closing: dict[str, Ball],
    source: str,
    sizes: dict[str, int],
) -> Ball:
    """W: what every unit takes from z directly, and through the closed loop x = f(x)."""
    mids, rads = [], []
    for row, height in zip(rows, sizes.values(), strict=True):
        blocks = []
        for name, width in sizes.items():
            block = row.get(name, point(np.zeros((height, width))))
            if source in row and name in closing:
                block = plus(block, matmul(row[source], closing[name]))
            blocks.append(block)
        mids.append(np.concatenate([block.mid for block in blocks], axis=1))
        rads.append(np.concatenate([block.rad for block in blocks], axis=1))
    return Ball(np.concatenate(mids), np.concatenate(rads))


def _closed_offset(
    rows: list[dict[str, Ball]], shifts: list[Ball], source: str, shift: Ball
) -> Ball:
    """c: what every unit takes from the affine maps' constants, and through the closed loop."""
    columns = [
        plus(own, matmul(row[source], shift)) if source in row else own
        for row, own in zip(rows, shifts, strict=True)
    ]
    return Ball(
        np.concatenate([column.mid[:, 0] for column in columns]),
        np.concatenate([column.rad[:, 0] for column in columns]),
    )


def _column(value: Ball) -> Ball:
    """One row as a column. value: (1, *shape) -> (size, 1)."""
    return value.map(lambda x: x.reshape(-1, 1))


def _affine(
    program: Program, rule: Rule, node: Node, parts: dict[str, dict[str, Ball]]
) -> dict[str, Ball]:
    """The linear part of an affine node's value by source, from its inputs' parts."""
    out: dict[str, Ball] = {}
    for source in dict.fromkeys(source for name in node.inputs for source in parts[name]):
        count = next(parts[name][source].shape[1] for name in node.inputs if source in parts[name])
        tangents = []
        for name in node.inputs:
            none = np.zeros((1, count, *program.skeleton.shapes[name]))
            tangents.append(parts[name].get(source, Ball(none, none)))
        # Of an affine node neither inputs nor output are looked at.
        out[source] = rule.tangent((), tangents[0], tuple(tangents))
    return out


def _units_of(program: Program, name: str) -> Ball:
    """A node's value in terms of itself: (1, size, *shape)."""
    shape = program.skeleton.shapes[name]
    units = np.eye(math.prod(shape)).reshape(1, -1, *shape)
    return Ball(units, np.zeros_like(units))


def _matrices(parts: dict[str, Ball]) -> dict[str, Ball]:
    """Every part (1, t, *shape) as a matrix (size, t)."""
    return {
        source: part.map(lambda x: np.ascontiguousarray(x.reshape(x.shape[1], -1).T))
        for source, part in parts.items()
    }
