"""Activation functions: one node where the registry has them, a few where they are composed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from fpcheck.network.activations import activation
from fpcheck.network.activations.registry import SELU_ALPHA, SELU_SCALE
from fpcheck.network.load.onnx.elementwise import scaled
from fpcheck.network.load.onnx.nodes import Op
from fpcheck.network.load.onnx.values import (
    Arguments,
    Builder,
    Constant,
    Rows,
    UnsupportedError,
    Value,
    axis_of,
    constant,
    given,
    integer,
    number,
    rows,
    scalar_beside,
    word,
)
from fpcheck.network.skeleton import Activation, Add, Multiply, Reshape, Softmax

Rule = Callable[[Op, Arguments, Builder], list[Value]]
CLOSE = 1e-6  # SELU's constants as float32 attributes


def value_of(arguments: Arguments) -> Rows:
    """The first argument, with its batch axis wherever it is."""
    value = given(arguments, 0)
    if not isinstance(value, Rows):
        raise UnsupportedError("its input is constant")
    return value


def act(
    op: Op,
    value: Rows,
    builder: Builder,
    name: str,
    parameters: Mapping[str, float] | None = None,
    suffix: str = "",
) -> Rows:
    """A node of one of the registry's functions."""
    function = activation(name, parameters)
    node = Activation(builder.name(op.label + suffix), (value.node,), function)
    return builder.add(node, value.batch)


def plain(name: str, **attributes: tuple[str, float]) -> Rule:
    """A function of the registry; `attributes`: its parameter = (the attribute, its default)."""

    def rule(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
        parameters = {
            key: number(op, attribute, default) for key, (attribute, default) in attributes.items()
        }
        return [act(op, value_of(arguments), builder, name, parameters)]

    return rule


def _fixed(op: Op, what: str, value: float) -> Constant:
    return Constant(np.array(value), f"{op.label}.{what}")


def gelu(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """GELU, exact or by tanh."""
    approximate = word(op, "approximate", "none")
    name = "gelu_tanh" if approximate == "tanh" else "gelu"
    return [act(op, value_of(arguments), builder, name)]


def selu(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """gamma * elu(x, alpha)."""
    alpha, gamma = number(op, "alpha", SELU_ALPHA), number(op, "gamma", SELU_SCALE)
    value = value_of(arguments)
    if math.isclose(alpha, SELU_ALPHA, rel_tol=CLOSE) and math.isclose(
        gamma, SELU_SCALE, rel_tol=CLOSE
    ):
        return [act(op, value, builder, "selu")]
    raised = act(op, value, builder, "elu", {"alpha": alpha}, ".elu")
    return [scaled(op, raised, _fixed(op, "gamma", gamma), None, builder)]


def celu(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """alpha * elu(x / alpha)."""
    alpha, value = number(op, "alpha", 1.0), value_of(arguments)
    if not alpha > 0:
        raise UnsupportedError("its alpha is not positive")
    if alpha == 1.0:
        return [act(op, value, builder, "elu")]
    inner = scaled(op, value, _fixed(op, "inverse_alpha", 1.0 / alpha), None, builder)
    raised = act(op, inner, builder, "elu", suffix=".elu")
    return [scaled(op, raised, _fixed(op, "alpha", alpha), None, builder)]


def prelu(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """A leaky ReLU whose slopes are weights: relu(x) - slope * relu(-x)."""
    value = value_of(arguments)
    slope = constant(given(arguments, 1), "its slope")
    one = scalar_beside(slope, value)
    if one is not None:
        return [act(op, value, builder, "leaky_relu", {"negative_slope": one})]
    above = act(op, value, builder, "relu", suffix=".above")
    turned = scaled(op, value, _fixed(op, "minus", -1.0), None, builder)
    below = act(op, turned, builder, "relu", suffix=".below")
    negative = Constant(np.asarray(np.negative(slope.array)), slope.name)
    sloped = scaled(op, below, negative, None, builder)
    return [builder.add(Add(builder.name(op.label), (above.node, sloped.node)), value.batch)]


def hard_sigmoid(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """min(max(alpha x + beta, 0), 1)."""
    alpha, beta = number(op, "alpha", 0.2), number(op, "beta", 0.5)
    return [_hard(op, value_of(arguments), alpha, beta, builder)]


def _hard(op: Op, value: Rows, alpha: float, beta: float, builder: Builder) -> Rows:
    factor, shift = _fixed(op, "alpha", alpha), _fixed(op, "beta", beta)
    line = scaled(op, value, factor, shift, builder)
    return act(op, line, builder, "hardtanh", {"low": 0.0, "high": 1.0}, ".clipped")


def hard_swish(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """x * min(max(x / 6 + 1/2, 0), 1)."""
    value = value_of(arguments)
    gate = _hard(op, value, 1.0 / 6.0, 0.5, builder)
    node = Multiply(builder.name(op.label), (value.node, gate.node))
    return [builder.add(node, value.batch)]


def mish(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """x * tanh(softplus(x))."""
    value = value_of(arguments)
    inner = act(op, value, builder, "softplus", suffix=".softplus")
    gate = act(op, inner, builder, "tanh", suffix=".tanh")
    node = Multiply(builder.name(op.label), (value.node, gate.node))
    return [builder.add(node, value.batch)]


def swish(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """x * sigmoid(alpha x)."""
    alpha, value = number(op, "alpha", 1.0), value_of(arguments)
    if alpha == 1.0:
        return [act(op, value, builder, "silu")]
    inner = scaled(op, value, _fixed(op, "alpha", alpha), None, builder)
    gate = act(op, inner, builder, "sigmoid", suffix=".sigmoid")
    node = Multiply(builder.name(op.label), (value.node, gate.node))
    return [builder.add(node, value.batch)]


def shrink(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """The soft threshold, where bias and threshold agree."""
    threshold, bias = number(op, "lambd", 0.5), number(op, "bias", 0.0)
    if threshold != bias or threshold < 0:
        raise UnsupportedError("its bias is not its threshold")
    return [act(op, value_of(arguments), builder, "soft_threshold", {"tau": threshold})]


def absolute(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """|x|: a leaky ReLU of slope -1 below zero."""
    return [act(op, value_of(arguments), builder, "leaky_relu", {"negative_slope": -1.0})]


def cosine(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """cos x = sin(x + pi / 2)."""
    moved = scaled(op, value_of(arguments), None, _fixed(op, "quarter", math.pi / 2), builder)
    return [act(op, moved, builder, "sin", suffix=".sin")]


def clip(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """x between constant bounds, which opset 11 made inputs."""
    bounds = []
    for place, name, default in ((1, "min", -math.inf), (2, "max", math.inf)):
        value = given(arguments, place)
        if value is None:
            stated = op.attributes.get(name, default)
            bounds.append(float(stated) if isinstance(stated, int | float) else default)
            continue
        one = scalar_beside(constant(value, f"its bound '{name}'"), value_of(arguments))
        if one is None:
            raise UnsupportedError(f"its bound '{name}' is no number")
        bounds.append(one)
    # The largest float32 stands for no bound.
    largest = 3.4e38
    low = -math.inf if bounds[0] < -largest else bounds[0]
    high = math.inf if bounds[1] > largest else bounds[1]
    return [clipped(op, value_of(arguments), low, high, builder)]


def clipped(op: Op, value: Rows, low: float, high: float, builder: Builder) -> Rows:
    """min(max(x, low), high); an infinite bound is none."""
    if math.isnan(low) or math.isnan(high) or not low < high:
        raise UnsupportedError(f"its bounds are {low:g} and {high:g}")
    if math.isfinite(low) and math.isfinite(high):
        return act(op, value, builder, "hardtanh", {"low": low, "high": high})
    if math.isinf(low) and math.isinf(high):
        return value
    if low == 0.0:
        return act(op, value, builder, "relu")
    bound, sign = (low, 1.0) if math.isfinite(low) else (high, -1.0)
    # max(x, a) = relu(x - a) + a, and min(x, a) = a - relu(a - x)
    inner = scaled(op, value, _fixed(op, "sign", sign), _fixed(op, "in", -sign * bound), builder)
    bent = act(op, inner, builder, "relu", suffix=".relu")
    return scaled(op, bent, _fixed(op, "sign", sign), _fixed(op, "bound", bound), builder)


def extremum(sign: float) -> Rule:
    """Max (sign 1) or Min (sign -1) with a constant."""

    def rule(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
        values = [value for value in arguments if isinstance(value, Rows)]
        fixed = [value for value in arguments if isinstance(value, Constant)]
        bound = scalar_beside(fixed[0], values[0]) if len(values) == len(fixed) == 1 else None
        if bound is None:
            raise UnsupportedError("it is not of one value and one number")
        low, high = (bound, math.inf) if sign > 0 else (-math.inf, bound)
        return [clipped(op, values[0], low, high, builder)]

    return rule


def softmax(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    """Softmax along an axis; before opset 13 over all axes from it on."""
    value = rows(given(arguments, 0))
    axis = axis_of(integer(op, "axis", -1 if builder.opset >= 13 else 1), value.rank)
    if axis == 0:
        raise UnsupportedError("it works across the rows of a batch")
    if builder.opset >= 13 or axis == value.rank - 1:
        return [builder.add(Softmax(builder.name(op.label), (value.node,), axis - 1))]
    flat = (*value.shape[: axis - 1], math.prod(value.shape[axis - 1 :]))
    joined = builder.add(Reshape(builder.name(f"{op.label}.in"), (value.node,), flat))
    soft = builder.add(Softmax(builder.name(op.label), (joined.node,), -1))
    return [builder.add(Reshape(builder.name(f"{op.label}.out"), (soft.node,), value.shape))]
