"""Activation functions as Keras names and parametrises them, composed where the registry has no
function of that name.

Formulas are those of keras.activations; Keras 2's hard sigmoid is another one than Keras 3's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations import activation
from fpcheck.network.load.files import shown
from fpcheck.network.load.keras.builder import Builder, Value, unsupported
from fpcheck.network.load.keras.config import LayerConfig
from fpcheck.network.load.keras.graph import Call
from fpcheck.network.skeleton import Scale, Softmax

Compose: TypeAlias = Callable[[Builder, str, str], str]

# Keras's names of functions that the registry has.
PLAIN: dict[str, tuple[str, dict[str, float]]] = {
    "relu": ("relu", {}),
    "sigmoid": ("sigmoid", {}),
    "tanh": ("tanh", {}),
    "softplus": ("softplus", {}),
    "softsign": ("softsign", {}),
    "selu": ("selu", {}),
    "elu": ("elu", {"alpha": 1.0}),
    "celu": ("elu", {"alpha": 1.0}),  # they differ only where alpha is not 1
    "gelu": ("gelu", {}),
    "silu": ("silu", {}),
    "swish": ("silu", {}),
    "leaky_relu": ("leaky_relu", {"negative_slope": 0.2}),
    "relu6": ("hardtanh", {"low": 0.0, "high": 6.0}),
    "hard_tanh": ("hardtanh", {"low": -1.0, "high": 1.0}),
    "soft_shrink": ("soft_threshold", {"tau": 0.5}),
}


def apply_named(builder: Builder, call: Call, value: Value, spelled: object, name: str) -> Value:
    """The activation that a layer's configuration spells, behind `value`; nothing for linear.

    Raises:
        UnsupportedOperationError: a function that is not Keras's, or not expressed here.
    """
    word, config = _spelled(call, spelled)
    if word in ("linear", "None"):
        return value
    if word in ("softmax", "Softmax"):
        return softmax(builder, value, config, name)
    if word in LAYERS:
        return LAYERS[word](builder, call, value, config, name)
    if word in PLAIN:
        kind, parameters = PLAIN[word]
        return Value(builder.applied(name, value.node, activation(kind, parameters)), value.moved)
    if word in COMPOSED:
        return Value(COMPOSED[word](builder, name, value.node), value.moved)
    raise unsupported(call, f"activation '{word}' is not supported")


def _spelled(call: Call, spelled: object) -> tuple[str, LayerConfig]:
    """The name of a function, or the class and settings of an activation layer."""
    none = LayerConfig(call.config.name, str(spelled)[:60], {})
    if spelled is None or isinstance(spelled, str):
        return str(spelled), none
    if isinstance(spelled, Mapping):
        module, kind = str(spelled.get("module") or ""), spelled.get("class_name")
        config = spelled.get("config")
        if kind == "function" and isinstance(config, str):
            if module not in ("builtins", "keras.activations"):
                raise unsupported(call, f"activation '{config}' is a function of '{module}'")
            return config, none
        if isinstance(kind, str) and isinstance(config, Mapping) and module.startswith("keras"):
            return kind, LayerConfig(call.config.name, kind, config)
        if isinstance(kind, str) and isinstance(config, Mapping) and not module:
            return kind, LayerConfig(call.config.name, kind, config)
    raise unsupported(call, "its activation is neither a name nor an activation layer")


def softmax(builder: Builder, value: Value, config: LayerConfig, name: str) -> Value:
    """Softmax along an axis of Keras's row, counted with the batch axis if positive."""
    source = builder.native(value)
    if isinstance(config.values.get("axis"), list):
        raise UnsupportedOperationError(
            f"layer '{shown(config.name)}' (Softmax): a softmax over several axes is not supported"
        )
    axis = config.integer("axis", -1)
    rank = len(builder.shapes[source])
    place = axis - 1 if axis > 0 else axis + rank
    if axis == 0 or not 0 <= place < rank:
        raise config.fault("axis", "an axis of a row")
    return Value(builder.add(Softmax(builder.name(name), (source,), place)))


def relu_layer(builder: Builder, call: Call, value: Value, config: LayerConfig, name: str) -> Value:
    """ReLU(max_value, negative_slope, threshold)."""
    bounded = config.values.get("max_value") is not None
    high = config.number("max_value", 0.0) if bounded else math.inf
    slope = config.number("negative_slope", 0.0)
    if config.number("threshold", 0.0) != 0.0:
        raise unsupported(call, "a ReLU with a threshold jumps there")
    source = value.node
    if not slope:
        kind = activation("hardtanh", {"low": 0.0, "high": high}) if bounded else "relu"
        return Value(builder.applied(name, source, kind), value.moved)
    leaky = activation("leaky_relu", {"negative_slope": slope})
    if not bounded:
        return Value(builder.applied(name, source, leaky), value.moved)
    # min(y, m) = m - relu(m - y)
    inner = builder.applied(f"{name}.leaky", source, leaky)
    room = builder.scaled(f"{name}.room", inner, -1.0, high)
    kept = builder.applied(f"{name}.kept", room, "relu")
    return Value(builder.scaled(name, kept, -1.0, high), value.moved)


def leaky_layer(
    builder: Builder, call: Call, value: Value, config: LayerConfig, name: str
) -> Value:
    """LeakyReLU; Keras 2 calls the slope alpha."""
    key = "alpha" if "alpha" in config.values else "negative_slope"
    kind = activation("leaky_relu", {"negative_slope": config.number(key, 0.3)})
    return Value(builder.applied(name, value.node, kind), value.moved)


def elu_layer(builder: Builder, call: Call, value: Value, config: LayerConfig, name: str) -> Value:
    """ELU(alpha)."""
    kind = activation("elu", {"alpha": config.number("alpha", 1.0)})
    return Value(builder.applied(name, value.node, kind), value.moved)


def softmax_layer(
    builder: Builder, call: Call, value: Value, config: LayerConfig, name: str
) -> Value:
    """Softmax(axis)."""
    return softmax(builder, value, config, name)


def prelu(builder: Builder, call: Call, value: Value) -> Value:
    """PReLU: relu(x) + alpha * -relu(-x), alpha of the row's shape with shared axes of 1."""
    name, source = call.path.label, builder.native(value)
    (alpha,) = builder.find(call, "", ("alpha",))
    above = builder.applied(f"{name}.above", source, "relu")
    turned = builder.scaled(f"{name}.turned", source, -1.0)
    below = builder.scaled(f"{name}.below", builder.applied(f"{name}.clipped", turned, "relu"), -1)
    sloped = builder.add(Scale(builder.name(f"{name}.sloped"), (below,), builder.use(alpha)))
    return Value(builder.total(builder.name(name), above, sloped))


def hard_sigmoid(builder: Builder, name: str, source: str) -> str:
    """clip(x / 6 + 1/2, 0, 1); Keras 2: clip(x / 5 + 1/2, 0, 1)."""
    inner = builder.scaled(f"{name}.in", source, 0.2 if builder.keras2 else 1.0 / 6.0, 0.5)
    return builder.applied(name, inner, activation("hardtanh", {"low": 0.0, "high": 1.0}))


def hard_silu(builder: Builder, name: str, source: str) -> str:
    """x * hard sigmoid of x."""
    return builder.product(name, source, hard_sigmoid(builder, f"{name}.gate", source))


def mish(builder: Builder, name: str, source: str) -> str:
    """x * tanh(softplus(x)) [Misra 2019]."""
    inner = builder.applied(f"{name}.softplus", source, "softplus")
    return builder.product(name, source, builder.applied(f"{name}.tanh", inner, "tanh"))


def log_sigmoid(builder: Builder, name: str, source: str) -> str:
    """-softplus(-x)."""
    turned = builder.scaled(f"{name}.turned", source, -1.0)
    return builder.scaled(name, builder.applied(f"{name}.softplus", turned, "softplus"), -1.0)


def tanh_shrink(builder: Builder, name: str, source: str) -> str:
    """x - tanh(x)."""
    bent = builder.applied(f"{name}.tanh", source, "tanh")
    return builder.total(name, source, builder.scaled(f"{name}.minus", bent, -1.0))


def sparse_sigmoid(builder: Builder, name: str, source: str) -> str:
    """clip((x + 1) / 2, 0, 1)."""
    inner = builder.scaled(f"{name}.in", source, 0.5, 0.5)
    return builder.applied(name, inner, activation("hardtanh", {"low": 0.0, "high": 1.0}))


COMPOSED: dict[str, Compose] = {
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": hard_silu,
    "hard_swish": hard_silu,
    "mish": mish,
    "log_sigmoid": log_sigmoid,
    "tanh_shrink": tanh_shrink,
    "sparse_sigmoid": sparse_sigmoid,
}
LAYERS: dict[str, Callable[[Builder, Call, Value, LayerConfig, str], Value]] = {
    "ReLU": relu_layer,
    "LeakyReLU": leaky_layer,
    "ELU": elu_layer,
    "Softmax": softmax_layer,
}
