"""Flax's recurrent cells, a layer for every gate, put together as Keras stores a cell.

flax.linen's LSTMCell and OptimizedLSTMCell (ii if ig io, hi hf hg ho), GRUCell (ir iz in, hr hz hn)
and SimpleCell (i, h); flax.nnx's LSTMCell (if_ for if), and its others (dense_i, dense_h).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.load.files import shown
from fpcheck.network.load.naming import without_collection

Tensor = NDArray[np.generic]

_PART = re.compile(
    r"(?P<prefix>(?:.*[./])?)(?P<side>[ih]|dense_[ih])(?P<gate>[ifgornz]?)_?[./]"
    r"(?P<word>kernel|bias)(?:[./]value)?"
)
# Gates in Keras's order, by the gates that are there; the kind of packed cell by its width.
GATES = {frozenset("ifgo"): "ifgo", frozenset("rzn"): "zrn", frozenset([""]): ""}
# dense_i and dense_h hold all gates side by side: i f g o as in Keras, but r z n.
RZN = 3
MINIMAL = frozenset("fn")  # a minimal gated unit


@dataclass(frozen=True, slots=True)
class Packed:
    """Tensors with those of Flax's cells put together besides, and what became of others.

    `origins`: the stored tensors behind every one that was put together.
    """

    tensors: Mapping[str, Tensor]
    origins: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()


def packed(tensors: Mapping[str, Tensor]) -> Packed:
    """`tensors`, and `kernel`, `recurrent_kernel` and `bias` of every cell of Flax's among them."""
    cells: dict[tuple[str, str], dict[tuple[str, str, str], str]] = defaultdict(dict)
    for name in tensors:
        if match := _PART.fullmatch(name):
            side = match["side"]
            if len(side) == 1 or not match["gate"]:
                key = (side[-1], match["gate"], match["word"])
                cells[match["prefix"], side[:-1]][key] = name
    found, origins, notes = dict(tensors), {}, []
    for (prefix, dense), parts in cells.items():
        gates = [frozenset(g for s, g, word in parts if (s, word) == (x, "kernel")) for x in "ih"]
        own = without_collection(prefix)
        known = gates[0] == gates[1] and f"{own}recurrent_kernel" not in tensors
        if known and gates[0] == MINIMAL:
            notes.append(_left_out(own, "a minimal gated unit is not supported"))
        if not known or gates[0] not in GATES or (not prefix and not dense and gates[0] == {""}):
            continue
        stored = {key: tensors[name] for key, name in parts.items()}
        made = _side_by_side(stored) if dense else _joined(stored, GATES[gates[0]])
        if made is None:
            if gates[0] != {""}:
                notes.append(_left_out(own, "its gates are not matrices of one shape"))
            continue
        for word, tensor in made.items():
            found[f"{own}{word}"] = tensor
            origins[f"{own}{word}"] = tuple(parts.values())
    return Packed(found, origins, tuple(notes))


def _left_out(prefix: str, why: str) -> str:
    return f"cell '{shown(prefix.rstrip('./') or 'cell')}' is left out: {why}"


def _joined(stored: Mapping[tuple[str, str, str], Tensor], order: str) -> dict[str, Tensor] | None:
    """The gates of a cell side by side; None where they do not fit to one another."""
    gates = tuple(order) or ("",)
    kernels = {side: [stored[side, gate, "kernel"] for gate in gates] for side in "ih"}
    hidden = kernels["h"][0].shape[-1] if kernels["h"][0].ndim == 2 else 0
    size = kernels["i"][0].shape[0] if kernels["i"][0].ndim == 2 else 0
    fits = all(one.shape == (hidden, hidden) for one in kernels["h"])
    fits = fits and all(one.shape == (size, hidden) for one in kernels["i"])
    if not order and ("h", "", "bias") in stored:  # two layers of other networks
        return None
    biases = {side: [stored.get((side, gate, "bias")) for gate in gates] for side in "ih"}
    given = [bias for side in "ih" for bias in biases[side] if bias is not None]
    if not fits or not hidden or any(bias.shape != (hidden,) for bias in given):
        return None
    flat = {
        side: np.concatenate(
            [np.zeros(hidden, kernels["h"][0].dtype) if b is None else b for b in biases[side]]
        )
        for side in "ih"
    }
    return _cell(np.hstack(kernels["i"]), np.hstack(kernels["h"]), flat)


def _side_by_side(stored: Mapping[tuple[str, str, str], Tensor]) -> dict[str, Tensor] | None:
    """The cell of dense_i and dense_h; None where they make none."""
    kernel, recurrent = stored["i", "", "kernel"], stored["h", "", "kernel"]
    if kernel.ndim != 2 or recurrent.ndim != 2 or not recurrent.shape[0]:
        return None
    hidden, width = recurrent.shape
    count, left = divmod(width, hidden)
    biases = {side: stored.get((side, "", "bias")) for side in "ih"}
    if left or count not in (1, RZN, 4) or kernel.shape[1] != width:
        return None
    if any(bias is not None and bias.shape != (width,) for bias in biases.values()):
        return None
    flat = {s: np.zeros(width, recurrent.dtype) if b is None else b for s, b in biases.items()}
    if count == RZN:  # r z n -> z r n
        turned = np.r_[hidden : 2 * hidden, :hidden, 2 * hidden : width]
        flat = {side: bias[turned] for side, bias in flat.items()}
        kernel, recurrent = kernel[:, turned], recurrent[:, turned]
    return _cell(kernel, recurrent, flat)


def _cell(kernel: Tensor, recurrent: Tensor, biases: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """By Keras's names. A GRU keeps two biases: its reset gate lies behind the product."""
    if recurrent.shape[1] == RZN * recurrent.shape[0]:
        bias = np.stack([biases["i"], biases["h"]])
    else:
        bias = np.asarray(np.add(biases["i"], biases["h"], dtype=np.float64))
    return {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}
