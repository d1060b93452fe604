"""A program: a network ready to run forward and backward over batches of rows.

Nothing is compiled for an architecture: a program is a list of operators that work on whole
blocks of rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.kernels import elementwise
from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.network.operators import Operator, prepare
from fpcheck.network.operators.dense import dense_weight_t
from fpcheck.network.operators.operator import Array
from fpcheck.network.skeleton import Activation, Dense, Flatten, Input, Node, Reshape, Skeleton

# Rows that pass through the network at once. Fixed, because a product's last bits depend on the
# number of rows; large enough for BLAS, small enough for the caches.
ROW_BLOCK = 256
# Tangents or cotangents that pass through the network at once.
TANGENT_BLOCK = 512


@dataclass(frozen=True, slots=True)
class DenseLayer:
    """A dense layer and its activation as kernels take them.

    weight_t: (in, out), C-contiguous; bias: (out,).
    """

    weight_t: Array
    bias: Array
    opcode: int
    p0: float
    p1: float


@dataclass(frozen=True, slots=True)
class Program:
    """A skeleton with an operator for every node but the input, and the parameters as stored."""

    skeleton: Skeleton
    operators: Mapping[str, Operator]
    chain: tuple[DenseLayer, ...] | None
    parameters: Mapping[str, NDArray[np.generic]]

    @property
    def input_size(self) -> int:
        """The number of entries of an input row."""
        return math.prod(self.skeleton.input_shape)

    @property
    def output_size(self) -> int:
        """The number of entries of an output row."""
        return math.prod(self.skeleton.output_shape)


def compile_program(skeleton: Skeleton, parameters: Mapping[str, NDArray[np.generic]]) -> Program:
    """The program of a skeleton and its parameters."""
    shapes = skeleton.shapes
    operators = {
        node.name: prepare(
            node, parameters, tuple(shapes[name] for name in node.inputs), shapes[node.name]
        )
        for node in skeleton.nodes
        if not isinstance(node, Input)
    }
    return Program(skeleton, operators, _chain(skeleton, parameters), parameters)


def forward(program: Program, x: Array) -> Array:
    """f(x). x: (n, *input shape) -> (n, *output shape)."""
    out = np.empty((len(x), *program.skeleton.output_shape))
    for start in range(0, len(x), ROW_BLOCK):
        block = slice(start, start + ROW_BLOCK)
        out[block] = _forward_block(program, x[block])
    return out


def trace(program: Program, x: Array) -> dict[str, Array]:
    """Every node's value by name, the input's too. x: (n, *input shape), one block of rows."""
    first, *rest = program.skeleton.nodes
    values = {first.name: np.ascontiguousarray(x, dtype=np.float64)}
    for node in rest:
        inputs = tuple(values[name] for name in node.inputs)
        values[node.name] = program.operators[node.name].forward(inputs)
    return values


def jvp(program: Program, values: Mapping[str, Array], tangents: Array) -> Array:
    """J(x) t for every tangent t. values: trace of one row, or of as many rows as tangents.

    tangents: (n, *input shape) -> (n, *output shape).
    """
    first, *rest = program.skeleton.nodes
    along = {first.name: tangents}
    for node in rest:
        inputs = tuple(values[name] for name in node.inputs)
        directions = tuple(along[name] for name in node.inputs)
        along[node.name] = program.operators[node.name].jvp(inputs, values[node.name], directions)
        _drop(along, node, program)
    return along[program.skeleton.nodes[-1].name]


def backward(program: Program, values: Mapping[str, Array], cotangents: Array) -> dict[str, Array]:
    """The gradient of u . f(x) with respect to every node's value, by name.

    values: trace of one row, or of as many rows as cotangents. cotangents: (n, *output shape).
    """
    nodes = program.skeleton.nodes
    gradients = {nodes[-1].name: cotangents}
    for node in reversed(nodes[1:]):
        if node.name not in gradients:  # its value goes nowhere
            continue
        inputs = tuple(values[name] for name in node.inputs)
        passed = program.operators[node.name].vjp(inputs, values[node.name], gradients[node.name])
        for name, gradient in zip(node.inputs, passed, strict=True):
            gradients[name] = gradients[name] + gradient if name in gradients else gradient
    gradients.setdefault(nodes[0].name, np.zeros((len(cotangents), *program.skeleton.input_shape)))
    return gradients


def parameter_gradients(
    program: Program, values: Mapping[str, Array], cotangents: Array
) -> dict[str, Array]:
    """The gradient of the sum over rows of u . f(x) by every parameter, by its name.

    values: trace of the rows, cotangents: (n, *output shape), one a row. Gradients are float64, in
    the stored layout; one that several nodes share is the sum over them. What no output depends on
    and the statistics of batch norms are left out.
    """
    behind = backward(program, values, cotangents)
    found: dict[str, Array] = {}
    for node in program.skeleton.nodes[1:]:
        if node.name not in behind:
            continue
        inputs = tuple(values[name] for name in node.inputs)
        operator = program.operators[node.name]
        for name, gradient in operator.gradients(
            inputs, values[node.name], behind[node.name]
        ).items():
            found[name] = found[name] + gradient if name in found else gradient
    return found


def vjp(program: Program, values: Mapping[str, Array], cotangents: Array) -> Array:
    """u^T J(x) for every cotangent u: (n, *output shape) -> (n, *input shape)."""
    return backward(program, values, cotangents)[program.skeleton.nodes[0].name]


def jacobian(program: Program, x: Array) -> Array:
    """The Jacobian at one point, by the shorter of the two ways. x: input shape -> (out, in).

    Raises:
        UnsupportedOperationError: an activation has no useful derivative.
    """
    if program.chain is not None:
        return _chain_jacobian(program.chain, x)
    values = trace(program, x.reshape(1, *program.skeleton.input_shape))
    n_in, n_out = program.input_size, program.output_size
    out = np.empty((n_out, n_in))
    if n_in <= n_out:
        for block in _blocks(n_in):
            units = _unit_rows(block, n_in).reshape(-1, *program.skeleton.input_shape)
            out[:, block] = jvp(program, values, units).reshape(-1, n_out).T
    else:
        for block in _blocks(n_out):
            units = _unit_rows(block, n_out).reshape(-1, *program.skeleton.output_shape)
            out[block] = vjp(program, values, units).reshape(-1, n_in)
    return out


def dense_chain(program: Program) -> tuple[DenseLayer, ...] | None:
    """The layers of a network that is a plain chain of dense layers, else None."""
    return program.chain


def _forward_block(program: Program, x: Array) -> Array:
    first, *rest = program.skeleton.nodes
    values = {first.name: np.ascontiguousarray(x, dtype=np.float64)}
    for node in rest:
        inputs = tuple(values[name] for name in node.inputs)
        values[node.name] = program.operators[node.name].forward(inputs)
        _drop(values, node, program)
    return values[program.skeleton.nodes[-1].name]


def _drop(values: dict[str, Array], node: Node, program: Program) -> None:
    """Forget the inputs of `node` that no later node takes."""
    for name in set(node.inputs):
        if program.skeleton.last_use[name] == node.name:
            del values[name]


def _chain_jacobian(chain: tuple[DenseLayer, ...], x: Array) -> Array:
    """The product of the layers' Jacobians diag(phi') W, from the side with fewer entries."""
    state = np.ascontiguousarray(x, dtype=np.float64).reshape(1, -1)
    slopes = []
    for layer in chain:
        state = state @ layer.weight_t
        state += layer.bias
        slope = np.empty_like(state)
        elementwise.slope(layer.opcode, layer.p0, layer.p1, state, slope)
        elementwise.apply(layer.opcode, layer.p0, layer.p1, state, state)
        slopes.append(slope[0])
    first, last = chain[0].weight_t, chain[-1].weight_t
    if first.shape[0] <= last.shape[1]:
        product: Array = first.T * slopes[0][:, None]
        for layer, slope in zip(chain[1:], slopes[1:], strict=True):
            product = layer.weight_t.T @ product
            product *= slope[:, None]
        return product
    back: Array = last.T * slopes[-1][:, None]
    for layer, slope in zip(chain[-2::-1], slopes[-2::-1], strict=True):
        back = (back * slope) @ layer.weight_t.T
    return back


def _blocks(size: int) -> list[slice]:
    return [
        slice(start, min(start + TANGENT_BLOCK, size)) for start in range(0, size, TANGENT_BLOCK)
    ]


def _unit_rows(block: slice, size: int) -> Array:
    rows = np.zeros((block.stop - block.start, size))
    rows[np.arange(len(rows)), np.arange(block.start, block.stop)] = 1.0
    return rows


def _chain(
    skeleton: Skeleton, parameters: Mapping[str, NDArray[np.generic]]
) -> tuple[DenseLayer, ...] | None:
    pairs: list[tuple[Dense, ActivationFunction]] = []
    free = False  # whether the last dense layer still waits for its activation
    linear = activation("identity")
    for before, node in zip(skeleton.nodes, skeleton.nodes[1:], strict=False):
        if node.inputs != (before.name,):
            return None
        flat = len(skeleton.shapes[before.name]) == 1
        if isinstance(node, Dense) and flat:
            pairs.append((node, linear))
            free = True
        elif isinstance(node, Activation) and free:
            pairs[-1] = (pairs[-1][0], node.function)
            free = False
        elif not isinstance(node, Flatten | Reshape):
            return None
    return tuple(_dense_layer(node, function, parameters) for node, function in pairs) or None


def _dense_layer(
    node: Dense, function: ActivationFunction, parameters: Mapping[str, NDArray[np.generic]]
) -> DenseLayer:
    weight_t = dense_weight_t(node, parameters)
    bias = np.zeros(node.units)
    if node.bias:
        bias = np.ascontiguousarray(parameters[node.bias], dtype=np.float64)
    return DenseLayer(weight_t, bias, function.opcode, function.p0, function.p1)
