"""Convolutions and transposed ones in one and two dimensions: windows times kernel, by groups."""

from __future__ import annotations

import numpy as np

from fpcheck.network.operators.operator import Array, Inputs, Operator, Parameters, as_float64
from fpcheck.network.operators.windows import Window
from fpcheck.network.skeleton import Conv, ConvTranspose, Shape


def prepare_conv(node: Conv, parameters: Parameters) -> Operator:
    """The operator of a Conv node."""
    kernel = kernel_matrix(node, parameters)
    adjoint = np.ascontiguousarray(kernel.transpose(0, 2, 1))
    window = Window(node.kernel, node.stride, node.dilation, node.padding)
    bias = None
    if node.bias:
        bias = as_float64(parameters, node.bias).reshape(-1, *(1,) * len(node.kernel))

    def linear(x: Array) -> Array:
        return _apply(kernel, window, x)

    def forward(inputs: Inputs) -> Array:
        y = linear(inputs[0])
        if bias is not None:
            y += bias
        return y

    def jvp(inputs: Inputs, output: Array, tangents: Inputs) -> Array:
        return linear(tangents[0])

    def vjp(inputs: Inputs, output: Array, cotangent: Array) -> Inputs:
        return (_adjoint(adjoint, window, cotangent, inputs[0].shape[1:]),)

    def gradients(inputs: Inputs, output: Array, cotangent: Array) -> dict[str, Array]:
        (x,) = inputs
        kernel_gradient = _correlated(cotangent, window.unfold(x), node.groups)
        return _by_name(node, kernel_gradient, x.shape[1] // node.groups, cotangent)

    return Operator(forward, jvp, vjp, gradients)


def prepare_conv_transpose(
    node: ConvTranspose, parameters: Parameters, input_shape: Shape, output_shape: Shape
) -> Operator:
    """The operator of a ConvTranspose node: the adjoint of a convolution from output to input."""
    weight = np.asarray(parameters[node.weight], dtype=np.float64)
    if node.layout == "in_out":  # (*kernel, out, in) -> (in, out, *kernel)
        weight = np.moveaxis(weight, (-1, -2), (0, 1))
    kernel = np.ascontiguousarray(weight.reshape(node.groups, input_shape[0] // node.groups, -1))
    adjoint = np.ascontiguousarray(kernel.transpose(0, 2, 1))
    window = Window(node.kernel, node.stride, node.dilation, node.padding)
    # A stride that output_padding does not use up leaves the convolution a window too many.
    inside = (slice(None), slice(None), *(slice(n) for n in input_shape[1:]))
    shift = 0.0 if node.bias is None else as_float64(parameters, node.bias)
    bias = np.reshape(shift, (-1, *(1,) * len(node.kernel)))

    def linear(x: Array) -> Array:
        return _adjoint(adjoint, window, x, output_shape)

    def gradients(inputs: Inputs, output: Array, cotangent: Array) -> dict[str, Array]:
        windows = window.unfold(cotangent)[(slice(None), *inside)]
        kernel_gradient = _correlated(inputs[0], windows, node.groups)
        return _by_name(node, kernel_gradient, node.channels // node.groups, cotangent)

    return Operator(
        lambda inputs: linear(inputs[0]) + bias,
        lambda inputs, output, tangents: linear(tangents[0]),
        lambda inputs, output, cotangent: (_apply(kernel, window, cotangent)[inside],),
        gradients,
    )


def kernel_matrix(node: Conv, parameters: Parameters) -> Array:
    """The kernel of a Conv node: (groups, out / groups, in / groups * positions), channels."""
    weight = np.asarray(parameters[node.weight], dtype=np.float64)
    if node.layout == "in_out":  # (*kernel, in, out) -> (out, in, *kernel)
        weight = np.moveaxis(weight, (-1, -2), (0, 1))
    per_group = node.channels // node.groups
    return np.ascontiguousarray(weight.reshape(node.groups, per_group, -1))


def _apply(kernel: Array, window: Window, x: Array) -> Array:
    rows, outputs = x.shape[0], window.outputs(x.shape[2:])
    unfolded = window.unfold(x).reshape(rows, kernel.shape[0], kernel.shape[2], -1)
    return np.asarray(kernel @ unfolded).reshape(rows, -1, *outputs)


def _adjoint(adjoint: Array, window: Window, cotangent: Array, shape: tuple[int, ...]) -> Array:
    rows, outputs = cotangent.shape[0], cotangent.shape[2:]
    grouped = cotangent.reshape(rows, adjoint.shape[0], adjoint.shape[2], -1)
    windows = np.asarray(adjoint @ grouped)
    positions = int(np.prod(window.size))
    return window.fold(windows.reshape(rows, shape[0], positions, *outputs), shape[1:])


def _correlated(x: Array, windows: Array, groups: int) -> Array:
    """Sums over rows and places of channels times windows: (groups, channels / groups, window).

    x: (n, channels, *places); windows: (n, other channels, positions, *places).
    """
    rows, places = len(x), int(np.prod(x.shape[2:]))
    left = x.reshape(rows, groups, -1, places).transpose(1, 2, 0, 3)
    right = windows.reshape(rows, groups, -1, places).transpose(1, 0, 3, 2)
    count = rows * places
    return np.asarray(
        left.reshape(groups, -1, count) @ right.reshape(groups, count, right.shape[3])
    )


def _by_name(
    node: Conv | ConvTranspose, kernel: Array, inner: int, cotangent: Array
) -> dict[str, Array]:
    """The gradients of weight and bias. kernel: (groups, rows / groups, inner * positions)."""
    weight = kernel.reshape(-1, inner, *node.kernel)
    if node.layout == "in_out":  # the two axes of channels stand behind, in reverse
        weight = np.moveaxis(weight, (0, 1), (-1, -2))
    found = {node.weight: np.ascontiguousarray(weight)}
    if node.bias:
        found[node.bias] = np.asarray(cotangent.sum(axis=(0, *range(2, cotangent.ndim))))
    return found
