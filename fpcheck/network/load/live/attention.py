"""PyTorch's attention over a fixed number of positions, composed from products and a softmax.

[Vaswani et al. 2017, section 3.2]
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.load.live import layers
from fpcheck.network.load.live import structure as move
from fpcheck.network.load.live.emitter import Emitter, Handler, Traced, as_array
from fpcheck.network.load.onnx.values import Constant, Rows, UnsupportedError

Array = NDArray[np.float64]

# What a masked score is lowered by: its softmax weight is zero, and no infinity enters a product.
MASKED = -1e30
MAX_POSITIONS = 4096


def dot_product_attention(
    e: Emitter,
    query: Traced,
    key: Traced,
    value: Traced,
    attn_mask: Traced = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Rows:
    """softmax(Q K^T scale + mask) V; a mask of truth values lets through where it is true."""
    if enable_gqa or dropout_p or not isinstance(query, Rows) or not isinstance(key, Rows):
        raise UnsupportedError("it groups its heads, drops at random, or its input is constant")
    if is_causal and attn_mask is not None:
        raise UnsupportedError("it has two masks")
    mask = _causal(query, key) if is_causal else lowered(attn_mask, through=True)
    return _mixed(e, query, key, value, mask, scale)


def _mixed(
    e: Emitter,
    query: Rows,
    key: Rows,
    value: Traced,
    mask: Array | None,
    scale: float | None = None,
) -> Rows:
    turned = move.transposed(e, key, -1, -2, suffix=".key")
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else float(scale)
    scores = e.emit("Mul", e.emit("MatMul", query, turned, suffix=".scores"), factor, suffix=".by")
    if mask is not None:
        scores = e.emit("Add", scores, Constant(mask, f"{e.label}.mask"), suffix=".mask")
    weights = e.emit("Softmax", scores, axis=-1, suffix=".softmax")
    return e.emit("MatMul", weights, value, suffix=".mixed")


def lowered(mask: Traced, *, through: bool) -> Array | None:
    """What a mask adds to the scores, minus infinity as a number out of reach.

    through: what a truth value has to be for its position to count.

    Raises:
        UnsupportedError: it depends on the input, lets nothing through, or holds NaN.
    """
    if mask is None:
        return None
    if isinstance(mask, Rows):
        raise UnsupportedError("its mask depends on the input")
    array = as_array(mask.array if isinstance(mask, Constant) else mask)
    if array.dtype.kind == "b":
        array = np.where(array == through, 0.0, -np.inf)
    if array.dtype.kind != "f" or array.ndim < 2:
        raise UnsupportedError("its mask is no matrix of truth values or real numbers")
    exact: Array = array.astype(np.float64)
    blocked = np.isneginf(exact)
    if not np.isfinite(exact[~blocked]).all() or blocked.all(axis=-1).any():
        raise UnsupportedError("its mask lets a position see nothing, or holds NaN or Inf")
    return np.where(blocked, MASKED, exact)


def masked_fill(e: Emitter, x: Traced, mask: Traced, value: Traced) -> Rows:
    """x where the mask is false, and a number where it is true; minus infinity as out of reach."""
    number = float(value)
    if isinstance(mask, Rows | Constant) or math.isnan(number) or number == math.inf:
        raise UnsupportedError("its mask depends on the input, or it fills with NaN or Inf")
    where = as_array(mask)
    if where.dtype.kind != "b":
        raise UnsupportedError("its mask holds no truth values")
    number = MASKED if number == -math.inf else number
    kept = e.emit("Mul", x, Constant(np.where(where, 0.0, 1.0), f"{e.label}.kept"), suffix=".kept")
    filled = Constant(np.where(where, number, 0.0), f"{e.label}.filled")
    return e.emit("Add", kept, filled)


def multi_head_attention(
    e: Emitter,
    m: Traced,
    query: Traced,
    key: Traced,
    value: Traced,
    key_padding_mask: Traced = None,
    need_weights: bool = True,
    attn_mask: Traced = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Traced:
    """(the output of nn.MultiheadAttention, None in the place of its weights)."""
    if key_padding_mask is not None or (is_causal and attn_mask is None):
        raise UnsupportedError("it masks positions of single rows")
    moved = [batch_first(e, m, x) for x in dict.fromkeys((query, key, value))]
    known = dict(zip(dict.fromkeys((query, key, value)), moved, strict=True))
    out = attended(e, m, (known[query], known[key], known[value]), attn_mask)
    return (out if m.batch_first else move.transposed(e, out, 0, 1)), None


def batch_first(e: Emitter, m: Traced, x: Traced) -> Rows:
    """Rows (batch, positions, features) of an input as the module takes it.

    Raises:
        UnsupportedError: the batch axis of the input is not where the module takes it.
    """
    if not isinstance(x, Rows) or x.rank != 3:
        raise UnsupportedError("it does not take a batch of sequences")
    if x.batch != (0 if m.batch_first else 1):
        stated = "first" if m.batch_first else "second (batch_first=False)"
        raise UnsupportedError(f"it takes the batch as the {stated} axis, which is another one")
    return x if m.batch_first else move.transposed(e, x, 0, 1)


def attended(e: Emitter, m: Traced, inputs: tuple[Rows, Rows, Rows], mask: Traced) -> Rows:
    """The attention of query on key and value, (batch, positions, features) each."""
    if m.bias_k is not None or m.bias_v is not None or m.add_zero_attn:
        raise UnsupportedError("it adds keys and values of its own")
    heads = int(m.num_heads)
    parts = []
    for word, part in zip(("query", "key", "value"), _projected(e, m, inputs), strict=True):
        with e.under(f".{word}"):
            n, positions, width = part.full(e.builder.batch)
            split = move.reshaped(e, part, n, positions, heads, width // heads)
            parts.append(move.transposed(e, split, 1, 2, suffix=".heads"))
    added = lowered(mask, through=False)
    if added is not None and added.ndim != 2:
        raise UnsupportedError("its mask is not one of all rows and heads")
    mixed = _mixed(e, parts[0], parts[1], parts[2], added)
    n, positions = inputs[0].full(e.builder.batch)[:2]
    with e.under(".joined"):
        joined = move.transposed(e, mixed, 1, 2, suffix=".heads")
        joined = move.reshaped(e, joined, n, positions, int(m.embed_dim))
    with e.under(".out_proj"):
        return layers.linear(e, joined, m.out_proj.weight, m.out_proj.bias)


def _projected(e: Emitter, m: Traced, inputs: tuple[Rows, Rows, Rows]) -> list[Rows]:
    """Query, key and value behind their projections: of one input one product gives all three."""
    width = int(m.embed_dim)
    if m.in_proj_weight is not None and inputs[0] is inputs[1] is inputs[2]:
        with e.under(".in_proj"):
            whole = layers.linear(e, inputs[0], m.in_proj_weight, m.in_proj_bias)
            parts = e.emit_all("Split", whole, [width] * 3, outputs=3, axis=-1)
        return [part for part in parts if isinstance(part, Rows)]
    bias = e.value(m.in_proj_bias)
    found = []
    for place, (word, x) in enumerate(zip("qkv", inputs, strict=True)):
        part = slice(place * width, (place + 1) * width)
        stored = m.in_proj_weight
        own = e.value(getattr(m, f"{word}_proj_weight") if stored is None else stored)
        if not isinstance(own, Constant):
            raise UnsupportedError("its projections depend on the input")
        weight = own if stored is None else Constant(own.array[part], own.name)
        shift = Constant(bias.array[part], bias.name) if isinstance(bias, Constant) else None
        with e.under(f".{word}_proj"):
            found.append(layers.linear(e, x, weight, shift))
    return found


def _causal(query: Rows, key: Rows) -> Array:
    """Scores of later positions lowered out of reach."""
    sizes = (query.shape[-2], key.shape[-2])
    if max(sizes) > MAX_POSITIONS:
        raise UnsupportedError(f"a causal mask over {max(sizes)} positions is too large")
    return np.triu(np.ones(sizes), 1) * MASKED


ATTENTION: dict[str, Handler] = {
    "scaled_dot_product_attention": dot_product_attention,
    "masked_fill": masked_fill,
}
