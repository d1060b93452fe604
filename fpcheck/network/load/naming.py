"""What a tensor's name says: the layer that it belongs to, its role there, its orientation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from fpcheck.network.skeleton import Layout

Role = Literal["weight", "bias", "mean", "variance", "count", "unknown"]

# (role, orientation) by the last part of a name, its digits taken off. An orientation is what the
# framework with this habit stores: `weight` PyTorch, `kernel` Keras and Flax, `coefs_` and `W`
# scikit-learn and hand-written NumPy [design, section 4]. None: the word says nothing.
_ROLES: dict[str, tuple[Role, Layout | None]] = {
    "weight": ("weight", "out_in"),
    "kernel": ("weight", "in_out"),
    "coef": ("weight", "in_out"),
    "coefs": ("weight", "in_out"),
    "W": ("weight", "in_out"),
    "w": ("weight", None),
    "weights": ("weight", None),
    "bias": ("bias", None),
    "biases": ("bias", None),
    "b": ("bias", None),
    "intercept": ("bias", None),
    "intercepts": ("bias", None),
    "running_mean": ("mean", None),
    "running_var": ("variance", None),
    "num_batches_tracked": ("count", None),
}
_LEAF = re.compile(
    r"(?P<head>.*?)(?P<word>num_batches_tracked|running_mean|running_var|weights?|kernel|coefs?|"
    r"bias(?:es)?|intercepts?|[Wwb])_?(?P<index>\d*)"
)
# Words of Flax and Keras that mean this only where they are the whole last part of a path.
_WHOLE: dict[str, tuple[Role, Layout | None]] = {
    "scale": ("weight", None),
    "gamma": ("weight", None),
    "beta": ("bias", None),
    "mean": ("mean", None),
    "var": ("variance", None),
    "moving_mean": ("mean", None),
    "moving_variance": ("variance", None),
}
# Flax keeps trained tensors and running statistics of one layer apart, under these names.
COLLECTIONS = ("params/", "params.", "batch_stats/", "batch_stats.")
# flax.nnx keeps a parameter's array as its `value`.
_VALUES = ("/value", ".value")
# What numpy.savez(file, *arrays), a saved list and a frozen program call their arrays.
_COUNTED = re.compile(r"(?:arr_|constants\.)?(\d{1,9})")
_WORD_ENDS = re.compile(r"[A-Za-z]$")


class Shaped(Protocol):
    """What has a shape: an array, or a tensor that lies in a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of its axes."""


@dataclass(frozen=True, slots=True)
class Name:
    """A tensor's name taken apart.

    Args:
        full: the whole name.
        layer: what all tensors of one layer share; sorts naturally by `natural`.
        role: what the tensor is to its layer.
        layout: the orientation that the name means, for weights; None where it means none.
    """

    full: str
    layer: str
    role: Role
    layout: Layout | None = None


def read_name(full: str) -> Name:
    """The parts of a tensor's name: `net.0.weight`, `dense/kernel:0`, `coefs_0`, `W1`, `fc_w`."""
    name = without_collection(full.removesuffix(":0"))
    short = name[: -len(_VALUES[0])] if name.endswith(_VALUES) else ""
    if short and not short.endswith(_VALUES):
        inner = read_name(short)
        if inner.role != "unknown":
            return replace(inner, full=full)
    cut = max(name.rfind("."), name.rfind("/"))
    prefix, leaf = name[: cut + 1], name[cut + 1 :]
    if prefix and leaf in _WHOLE:
        return Name(full, prefix.rstrip("./_"), *_WHOLE[leaf])
    match = _LEAF.fullmatch(leaf)
    if match is None or match["word"] not in _ROLES:
        return Name(full, name, "unknown")
    head = match["head"]
    # `encoder_w` has a head and a word; the `w` of `raw` is the end of another word.
    if head and not head.endswith("_") and (len(match["word"]) == 1 or _WORD_ENDS.search(head)):
        return Name(full, name, "unknown")
    role, layout = _ROLES[match["word"]]
    layer = prefix + head + match["index"]
    return Name(full, layer.rstrip("./_"), role, layout)


def without_collection(name: str) -> str:
    """The name without the collection that Flax puts first."""
    found = next((start for start in COLLECTIONS if name.startswith(start)), "")
    return name.removeprefix(found)


def read_names(tensors: Mapping[str, Shaped]) -> dict[str, Name]:
    """The parts of all tensors' names; where names only count, by order and shape.

    Of arrays that are counted, a matrix starts a layer, and a vector behind it, as long as one of
    its sides, is its bias.
    """
    numbers = {full: _COUNTED.fullmatch(full) for full in tensors}
    if not all(numbers.values()):
        return {full: read_name(full) for full in tensors}
    names: dict[str, Name] = {}
    layer, sides = "", (0, 0)
    for full in sorted(tensors, key=natural):
        shape = tensors[full].shape
        if len(shape) > 1:
            layer, sides = full, (shape[0], shape[-1])
            names[full] = Name(full, layer, "weight")
        elif layer and len(shape) == 1 and shape[0] in sides:
            names[full] = Name(full, layer, "bias")
            layer = ""
        else:
            names[full] = Name(full, full, "unknown")
    return {full: names[full] for full in tensors}


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key under which `layer10` stands behind `layer2`."""
    parts = re.split(r"(\d+)", name)
    return tuple(
        (0, int(part), "") if part.isdigit() and len(part) < 20 else (1, 0, part)
        for part in parts
        if part
    )


def stem(name: str) -> str:
    """The name without its numbers: layers of one stem are ordered by them."""
    return re.sub(r"\d+", "#", name)
