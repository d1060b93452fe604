"""Keras's layers and operations of several inputs: sums, products, means, extremes, joins."""

from __future__ import annotations

import math
from collections.abc import Callable

from fpcheck.network.load.keras.activations import apply_named
from fpcheck.network.load.keras.builder import Builder, Value, unsupported
from fpcheck.network.load.keras.graph import Call
from fpcheck.network.skeleton import Concat

# Operations of one input that functional models hold, and the activation they are.
FUNCTIONS = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Tanh": "tanh", "Silu": "silu",
    "Softplus": "softplus", "Softsign": "softsign", "Selu": "selu", "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu", "Mish": "mish",
}  # fmt: skip
# Names that no layer has.
OPERATIONS = (*FUNCTIONS, "Negative", "TrueDivide", "Divide")


def add(builder: Builder, call: Call, values: list[Value]) -> Value:
    """The sum of two inputs or more."""
    nodes, moved = _together(builder, call, values)
    return Value(builder.total(call.path.label, *nodes), moved)


def subtract(builder: Builder, call: Call, values: list[Value]) -> Value:
    """The first input less the second one."""
    (first, second), moved = _pair(builder, call, values)
    minus = builder.scaled(f"{call.path.label}.minus", second, -1.0)
    return Value(builder.total(call.path.label, first, minus), moved)


def scaled_sum(builder: Builder, call: Call, values: list[Value]) -> Value:
    """CustomScaleLayer of keras.applications: the first input and the second one times `scale`."""
    (first, second), moved = _pair(builder, call, values)
    name = call.path.label
    scaled = builder.scaled(f"{name}.scaled", second, call.config.number("scale", 1.0))
    return Value(builder.total(name, first, scaled), moved)


def multiply(builder: Builder, call: Call, values: list[Value]) -> Value:
    """The product of two inputs or more."""
    nodes, moved = _together(builder, call, values)
    return Value(builder.product(call.path.label, *nodes), moved)


def average(builder: Builder, call: Call, values: list[Value]) -> Value:
    """The mean of two inputs or more."""
    nodes, moved = _together(builder, call, values)
    total = builder.total(f"{call.path.label}.sum", *nodes)
    return Value(builder.scaled(call.path.label, total, 1.0 / len(nodes)), moved)


def maximum(builder: Builder, call: Call, values: list[Value]) -> Value:
    """max(a, b) = a + relu(b - a); minimum: a - relu(a - b)."""
    nodes, moved = _together(builder, call, values)
    sign = 1.0 if call.config.class_name == "Maximum" else -1.0
    name = call.path.label
    best, *rest = nodes
    for other in rest:
        minus = builder.scaled(f"{name}.minus", best, -1.0)
        gap = builder.scaled(f"{name}.gap", builder.total(f"{name}.less", other, minus), sign)
        rise = builder.scaled(f"{name}.rise", builder.applied(f"{name}.relu", gap, "relu"), sign)
        best = builder.total(name, best, rise)
    return Value(best, moved)


def concatenate(builder: Builder, call: Call, values: list[Value]) -> Value:
    """Inputs joined along an axis, counted with the batch axis where positive."""
    nodes, moved = _together(builder, call, values)
    rank = len(builder.shapes[nodes[0]])
    axis = call.config.integer("axis", -1)
    place = axis - 1 if axis > 0 else axis + rank
    if axis == 0 or not 0 <= place < rank:
        raise call.config.fault("axis", f"an axis of rows of {rank} axes")
    if moved:
        place = 0 if place == rank - 1 else place + 1
    return Value(builder.add(Concat(builder.name(call.path.label), tuple(nodes), place)), moved)


def operation(builder: Builder, call: Call, values: list[Value]) -> Value:
    """An operation of keras.ops: arithmetic with a number or another value, or an activation."""
    kind, name = call.config.class_name, call.path.label
    numbers = [item for item in call.arguments if isinstance(item, int | float)]
    if kind in FUNCTIONS and len(values) == 1:
        return apply_named(builder, call, values[0], FUNCTIONS[kind], name)
    if len(values) == 2 and kind in PAIRS:
        return PAIRS[kind](builder, call, values)
    if len(values) == 1 and kind == "Negative":
        return Value(builder.scaled(name, values[0].node, -1.0), values[0].moved)
    if len(values) == 1 and len(numbers) == 1 and math.isfinite(numbers[0]):
        number, (value,) = float(numbers[0]), values
        behind = isinstance(call.arguments[0], int | float)  # the number comes first
        factors = {
            "Add": (None, number),
            "Subtract": (-1.0 if behind else None, number if behind else -number),
            "Multiply": (number, None),
        }
        if not behind and number:
            factors |= {"TrueDivide": (1.0 / number, None), "Divide": (1.0 / number, None)}
        if kind in factors:
            return Value(builder.scaled(name, value.node, *factors[kind]), value.moved)
    raise unsupported(call, "this operation is not supported")


PAIRS: dict[str, Callable[[Builder, Call, list[Value]], Value]] = {
    "Add": add,
    "Subtract": subtract,
    "Multiply": multiply,
    "Maximum": maximum,
    "Minimum": maximum,
}


def _together(builder: Builder, call: Call, values: list[Value]) -> tuple[tuple[str, ...], bool]:
    """The nodes of all inputs in one order of axes, the first input's."""
    if len(values) < 2:
        raise unsupported(call, f"it takes two inputs or more, got {len(values)}")
    if len({len(builder.shape(value)) for value in values}) != 1:
        shapes = " and ".join(str(list(builder.shape(value))) for value in values[:4])
        raise unsupported(call, f"rows of different numbers of axes, {shapes}")
    moved = values[0].moved
    take = builder.moved if moved else builder.native
    return tuple(take(value) for value in values), moved


def _pair(builder: Builder, call: Call, values: list[Value]) -> tuple[tuple[str, ...], bool]:
    if len(values) != 2:
        raise unsupported(call, f"it takes two inputs, got {len(values)}")
    return _together(builder, call, values)
