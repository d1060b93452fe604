"""PyTorch's encoder layers of a transformer in evaluation mode, and stacks of them."""

from __future__ import annotations

from collections.abc import Callable

from fpcheck.network.load.live import layers
from fpcheck.network.load.live import structure as move
from fpcheck.network.load.live.activations import ACTIVATIONS
from fpcheck.network.load.live.attention import attended, batch_first, multi_head_attention
from fpcheck.network.load.live.emitter import Emitter, Handler, Traced
from fpcheck.network.load.live.modules import MODULES
from fpcheck.network.load.onnx.values import Rows, UnsupportedError


def kind_of_layer(module: Traced) -> str:
    """The class of a layer of torch.nn, "" of another one."""
    own = type(module)
    return own.__name__.removeprefix("Parametrized") if own.__module__.startswith("torch.") else ""


def encoder_layer(
    e: Emitter,
    m: Traced,
    src: Traced,
    src_mask: Traced = None,
    src_key_padding_mask: Traced = None,
    is_causal: bool = False,
) -> Rows:
    """Attention and two dense layers, a sum and a norm around each [Vaswani et al. 2017, 3.1]."""
    if src_key_padding_mask is not None or (is_causal and src_mask is None):
        raise UnsupportedError("it masks positions of single rows")
    attention = m.self_attn
    if kind_of_layer(attention) != "MultiheadAttention":
        raise UnsupportedError("its attention is not PyTorch's own")
    x = batch_first(e, attention, src)
    x = _residual(e, m, x, "1", lambda value: _self_attention(e, attention, value, src_mask))
    x = _residual(e, m, x, "2", lambda value: _feed_forward(e, m, value))
    return x if attention.batch_first else move.transposed(e, x, 0, 1)


def _residual(e: Emitter, m: Traced, x: Rows, number: str, branch: Callable[[Rows], Rows]) -> Rows:
    """x + branch(norm(x)), or norm(x + branch(x))."""

    def normed(value: Rows) -> Rows:
        with e.under(f".norm{number}"):
            return plain_layer(e, getattr(m, f"norm{number}"), value)

    inner = branch(normed(x) if m.norm_first else x)
    with e.under(f".sum{number}"):
        total = e.emit("Add", x, inner)
    return total if m.norm_first else normed(total)


def _self_attention(e: Emitter, attention: Traced, x: Rows, mask: Traced) -> Rows:
    with e.under(".self_attn"):
        return attended(e, attention, (x, x, x), mask)


def _feed_forward(e: Emitter, m: Traced, x: Rows) -> Rows:
    with e.under(".linear1"):
        hidden = layers.linear(e, x, m.linear1.weight, m.linear1.bias)
    with e.under(".activation"):
        hidden = _activated(e, m.activation, hidden)
    with e.under(".linear2"):
        return layers.linear(e, hidden, m.linear2.weight, m.linear2.bias)


def _activated(e: Emitter, function: Traced, x: Rows) -> Rows:
    """The layer's activation: a function of PyTorch's, or a module."""
    if hasattr(function, "named_modules"):
        return plain_layer(e, function, x)
    home = str(getattr(function, "__module__", None) or "torch")
    rule = ACTIVATIONS.get(getattr(function, "__name__", ""))
    if rule is None or not f"{home}.".startswith("torch."):
        raise UnsupportedError("its activation is not one that fpcheck knows")
    value: Rows = rule(e, x)
    return value


def plain_layer(e: Emitter, module: Traced, x: Rows) -> Rows:
    """The value of a layer of one input inside of another one."""
    rule = MODULES.get(kind_of_layer(module))
    if rule is None:
        raise UnsupportedError(f"its {type(module).__name__} is not a layer that fpcheck knows")
    value: Rows = rule(e, module, x)
    return value


def encoder(
    e: Emitter,
    m: Traced,
    src: Traced,
    mask: Traced = None,
    src_key_padding_mask: Traced = None,
    is_causal: bool | None = None,
) -> Rows:
    """Encoder layers one after the other, and a norm."""
    if src_key_padding_mask is not None:
        raise UnsupportedError("it masks positions of single rows")
    x = src
    for number, layer in enumerate(m.layers):
        if kind_of_layer(layer) != "TransformerEncoderLayer":
            raise UnsupportedError("its layers are not PyTorch's own")
        with e.under(f".layers.{number}"):
            x = encoder_layer(e, layer, x, mask)
    if m.norm is not None:
        with e.under(".norm"):
            x = plain_layer(e, m.norm, x)
    if not isinstance(x, Rows):
        raise UnsupportedError("it has no layers")
    return x


# Modules of several arguments: (emitter, the module, its arguments).
SEVERAL: dict[str, Handler] = {
    "MultiheadAttention": multi_head_attention,
    "TransformerEncoderLayer": encoder_layer,
    "TransformerEncoder": encoder,
}
