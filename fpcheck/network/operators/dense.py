"""Dense layers: y = W x + b over the last axis."""

from __future__ import annotations

import numpy as np

from fpcheck.network.operators.operator import Array, Inputs, Operator, Parameters, as_float64
from fpcheck.network.skeleton import Dense


def prepare_dense(node: Dense, parameters: Parameters) -> Operator:
    """The operator of a Dense node."""
    weight_t = dense_weight_t(node, parameters)
    weight = np.ascontiguousarray(weight_t.T)
    bias = as_float64(parameters, node.bias) if node.bias else None

    def forward(inputs: Inputs) -> Array:
        y = _times(inputs[0], weight_t)
        if bias is not None:
            y += bias
        return y

    def jvp(inputs: Inputs, output: Array, tangents: Inputs) -> Array:
        return _times(tangents[0], weight_t)

    def vjp(inputs: Inputs, output: Array, cotangent: Array) -> Inputs:
        return (_times(cotangent, weight),)

    def gradients(inputs: Inputs, output: Array, cotangent: Array) -> dict[str, Array]:
        rows = inputs[0].reshape(-1, weight_t.shape[0])
        back = cotangent.reshape(-1, node.units)
        found = {node.weight: back.T @ rows if node.layout == "out_in" else rows.T @ back}
        if node.bias:
            found[node.bias] = back.sum(axis=0)
        return found

    return Operator(forward, jvp, vjp, gradients)


def dense_weight_t(node: Dense, parameters: Parameters) -> Array:
    """The weights of a Dense node as (in, out), C-contiguous float64."""
    weight = np.asarray(parameters[node.weight], dtype=np.float64)
    return np.ascontiguousarray(weight.T if node.layout == "out_in" else weight)


def _times(x: Array, matrix: Array) -> Array:
    flat = x.reshape(-1, x.shape[-1]) @ matrix
    return flat.reshape(*x.shape[:-1], matrix.shape[1])
