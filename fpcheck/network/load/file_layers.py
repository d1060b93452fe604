"""The layers of a file as a spec's nodes look for them: tensors grouped by name, with a kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.load.naming import Name, Role, natural, read_names, stem
from fpcheck.network.skeleton import (
    BatchNorm,
    Conv,
    Dense,
    LayerNorm,
    Layout,
    Node,
    Shape,
    stored_shape,
)

Tensors = Mapping[str, NDArray[np.generic]]
Kind = Literal["dense", "convolution", "batch norm", "layer norm"]
Weighted: TypeAlias = Dense | Conv | BatchNorm | LayerNorm


@dataclass(frozen=True, slots=True)
class FileLayer:
    """A layer of the file: what its tensors share in their names, and the tensors by role."""

    name: str
    kind: Kind
    roles: Mapping[Role, Name]

    @property
    def main(self) -> str:
        """The name of its weight, or of the tensor that stands for it in a message."""
        return self.roles.get("weight", next(iter(self.roles.values()))).full


def file_layers(tensors: Tensors, taken: frozenset[str]) -> list[FileLayer]:
    """The layers that the names form, in the order of `tensors`, without those in `taken`."""
    groups: dict[str, dict[Role, Name]] = {}
    for full, name in read_names(tensors).items():
        if full not in taken and name.role not in ("unknown", "count"):
            groups.setdefault(name.layer, {}).setdefault(name.role, name)
    found = []
    for layer, roles in groups.items():
        kind = layer_kind(roles, tensors)
        if kind is not None:
            found.append(FileLayer(layer, kind, roles))
    return found


def layer_kind(roles: Mapping[Role, Name], tensors: Tensors) -> Kind | None:
    """What a layer with tensors of these roles is; None for none that a spec has."""
    if "mean" in roles and "variance" in roles:
        return "batch norm"
    if "weight" not in roles:
        return None
    shape = tensors[roles["weight"].full].shape
    own_shape_bias = "bias" in roles and tensors[roles["bias"].full].shape == shape
    if len(shape) == 1 or (len(shape) > 1 and own_shape_bias):
        return "layer norm"
    if len(shape) == 2:
        return "dense"
    return "convolution" if len(shape) in (3, 4) else None


def node_kind(node: Weighted) -> Kind:
    """What a node of the spec looks for."""
    if isinstance(node, Dense):
        return "dense"
    if isinstance(node, Conv):
        return "convolution"
    return "batch norm" if isinstance(node, BatchNorm) else "layer norm"


def fitting(
    node: Weighted, shape: Shape, layer: FileLayer, tensors: Tensors, layout: Layout | None
) -> list[Node]:
    """`node` with the tensors of `layer`, once for every orientation in which their shapes fit.

    shape: of the node's input.
    """
    names = {role: name.full for role, name in layer.roles.items()}
    shapes = {role: tensors[name].shape for role, name in names.items()}
    if isinstance(node, BatchNorm):
        if set(shapes.values()) != {shape[:1]} or not {"mean", "variance"} <= set(names):
            return []
        mean, variance = names["mean"], names["variance"]
        weight, bias = names.get("weight"), names.get("bias")
        return [replace(node, mean=mean, variance=variance, weight=weight, bias=bias)]
    if isinstance(node, LayerNorm):
        normalised = shape[len(shape) - (node.axes or len(shape)) :]
        if set(shapes.values()) != {normalised}:
            return []
        return [replace(node, weight=names.get("weight"), bias=names.get("bias"))]
    units = node.units if isinstance(node, Dense) else node.channels
    if shapes.get("bias", (units,)) != (units,) or "weight" not in names:
        return []
    known = layout or layer.roles["weight"].layout
    bound: list[Node] = [
        replace(node, weight=names["weight"], bias=names.get("bias"), layout=option)
        for option in _layouts(known)
        if stored_shape(replace(node, layout=option), shape) == shapes["weight"]
    ]
    return bound


def in_order(layers: Iterable[FileLayer], *, ordered: bool) -> list[list[FileLayer]]:
    """Layers in groups inside which the order is known: by kind, and in a file that does not keep
    the order by the words of their names, whose numbers then count."""
    groups: dict[tuple[str, str], list[FileLayer]] = {}
    for layer in layers:
        groups.setdefault((layer.kind, "" if ordered else stem(layer.name)), []).append(layer)
    if ordered:
        return list(groups.values())
    return [sorted(group, key=lambda layer: natural(layer.name)) for group in groups.values()]


def _layouts(known: Layout | None) -> tuple[Layout, ...]:
    return ("out_in", "in_out") if known is None else (known,)
