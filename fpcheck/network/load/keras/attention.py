"""MultiHeadAttention over a fixed number of positions, composed from products and a softmax.

[Vaswani et al. 2017, section 3.2]
"""

from __future__ import annotations

import math

import numpy as np

from fpcheck.network.load.keras.builder import Builder, Value, pick, unsupported
from fpcheck.network.load.keras.graph import Call, Ref
from fpcheck.network.skeleton import Dense, MatMul, Reshape, Scale, Softmax, Transpose

# What a masked score is lowered by: its softmax weight is zero, and no infinity enters a product.
MASKED = -1e30
MAX_POSITIONS = 4096


def multi_head_attention(builder: Builder, call: Call, given: dict[int, Value]) -> Value:
    """The attention of query (T, d) on key and value (S, d)."""
    query, value, key = _inputs(call, given)
    config, name = call.config, call.path.label
    rows = [len(builder.shape(item)) for item in (query, value, key)]
    if rows != [2, 2, 2]:
        raise unsupported(call, "only rows of [positions, features] are supported")
    if config.values.get("use_gate"):
        raise unsupported(call, "a gate on its output is not supported")
    heads, width = config.integer("num_heads"), config.integer("key_dim")
    wide = config.values.get("value_dim")
    value_width = width if wide is None else config.integer("value_dim")
    inner = [
        _projected(builder, call, part, item, (heads, size))
        for part, item, size in (
            ("query", query, width), ("key", key, width), ("value", value, value_width)
        )
    ]  # fmt: skip
    turned = _transposed(builder, f"{name}.keys", inner[1], (0, 2, 1))
    scores = builder.add(MatMul(builder.name(f"{name}.scores"), (inner[0], turned)))
    scores = builder.scaled(f"{name}.scaled", scores, 1.0 / math.sqrt(width))
    if call.keywords.get("use_causal_mask") is True:
        scores = _masked(builder, call, scores)
    weights = builder.add(Softmax(builder.name(f"{name}.weights"), (scores,), 2))
    mixed = builder.add(MatMul(builder.name(f"{name}.mixed"), (weights, inner[2])))
    together = _transposed(builder, f"{name}.heads", mixed, (1, 0, 2))
    positions = builder.shapes[together][0]
    joined = Reshape(builder.name(f"{name}.joined"), (together,), (positions, heads * value_width))
    return _output(builder, call, builder.add(joined))


def _inputs(call: Call, given: dict[int, Value]) -> tuple[Value, Value, Value]:
    """(query, value, key): Keras's order of arguments; the key is the value unless given."""
    for word, item in call.keywords.items():
        if "mask" in word and item not in (None, False) and word != "use_causal_mask":
            raise unsupported(call, "an attention mask that is computed is not supported")
        if word == "return_attention_scores" and item:
            raise unsupported(call, "returned attention scores are not supported")
    order = ("query", "value", "key")
    named = {word: item for word, item in call.keywords.items() if word in order}
    named |= dict(zip(order, call.arguments, strict=False))
    found = {word: given[item.call] for word, item in named.items() if isinstance(item, Ref)}
    if not {"query", "value"} <= set(found):
        raise unsupported(call, "it takes a query and a value")
    return found["query"], found["value"], found.get("key", found["value"])


def _projected(
    builder: Builder, call: Call, part: str, value: Value, sizes: tuple[int, int]
) -> str:
    """The rows of one part, (heads, positions, size)."""
    roles = pick(call, {"kernel": True, "bias": call.config.flag("use_bias", True)})
    kernel, *bias = builder.find(call, f"{part}_dense", roles)
    heads, size = sizes
    name, source = f"{call.path.label}.{part}", builder.native(value)
    positions, features = builder.shapes[source]
    _check(builder, call, kernel, (features, heads, size))
    flat = builder.reshaped(kernel, (features, heads * size))
    shift = builder.reshaped(bias[0], (heads * size,)) if bias else None
    node = Dense(builder.name(name), (source,), heads * size, flat, shift, "in_out")
    split = Reshape(builder.name(f"{name}.split"), (builder.add(node),), (positions, heads, size))
    return _transposed(builder, f"{name}.heads", builder.add(split), (1, 0, 2))


def _output(builder: Builder, call: Call, source: str) -> Value:
    """The last projection, of (positions, heads * size)."""
    roles = pick(call, {"kernel": True, "bias": call.config.flag("use_bias", True)})
    kernel, *bias = builder.find(call, "output_dense", roles)
    stored = builder.tensors[kernel].shape
    width = builder.shapes[source][1]
    if len(stored) not in (2, 3) or math.prod(stored[:-1]) != width:
        raise unsupported(call, f"an output projection of {list(stored)} is not supported")
    flat = builder.reshaped(kernel, (width, stored[-1]))
    shift = builder.use(bias[0]) if bias else None
    name = builder.name(call.path.label)
    return Value(builder.add(Dense(name, (source,), stored[-1], flat, shift, "in_out")))


def _masked(builder: Builder, call: Call, scores: str) -> str:
    """Scores of later positions lowered out of reach."""
    _, queries, keys = builder.shapes[scores]
    if max(queries, keys) > MAX_POSITIONS:
        raise unsupported(call, f"a causal mask over {max(queries, keys)} positions is too large")
    later = np.triu(np.ones((queries, keys)), 1) * MASKED
    name = f"{call.path.label}.causal"
    return builder.add(Scale(builder.name(name), (scores,), None, builder.constant(name, later)))


def _transposed(builder: Builder, name: str, source: str, order: tuple[int, ...]) -> str:
    return builder.add(Transpose(builder.name(name), (source,), order))


def _check(builder: Builder, call: Call, kernel: str, shape: tuple[int, ...]) -> None:
    stored = builder.tensors[kernel].shape
    if stored not in (shape, (shape[0], math.prod(shape[1:]))):
        raise unsupported(call, f"a projection of {list(stored)} is not {list(shape)}")
