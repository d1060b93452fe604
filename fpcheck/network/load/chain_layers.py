"""The layers that a state dict's names form, each of a kind that a plain chain has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.load.chain_order import LAYOUT_HINT, SPEC_HINT, DenseTensors
from fpcheck.network.load.naming import Name, Role, read_names, without_collection
from fpcheck.network.load.norm_places import NormTensors
from fpcheck.network.skeleton import Layout

Tensors = Mapping[str, NDArray[np.generic]]


@dataclass
class ChainLayers:
    """The layers of a state dict, sorted by kind."""

    dense: list[DenseTensors] = field(default_factory=list)
    norms: list[NormTensors] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


class UndeterminedError(Exception):
    """Names and shapes do not determine the network; why, and the flag that does."""

    def __init__(self, reason: str, hint: str = SPEC_HINT) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def chain_layers(tensors: Tensors, layout: Layout | None) -> ChainLayers:
    """The layers that the names form.

    Raises:
        UndeterminedError: a tensor that no dense layer or batch norm has.
    """
    groups: dict[str, dict[Role, Name]] = {}
    parts = ChainLayers()
    for full, name in read_names(tensors).items():
        tensor = tensors[full]
        if name.role == "count" or tensor.ndim == 0 or tensor.dtype.kind in "b":
            parts.unused.append(full)
        elif name.role == "unknown":
            if tensor.dtype.kind in "iu":
                parts.unused.append(full)
            else:
                raise UndeterminedError(f"tensor '{full}' belongs to no layer of a plain chain")
        elif name.role in groups.setdefault(name.layer, {}):
            twin = groups[name.layer][name.role].full
            raise UndeterminedError(f"tensors '{twin}' and '{full}' belong to one layer")
        else:
            groups[name.layer][name.role] = name
    for roles in groups.values():
        _add(parts, roles, tensors, layout)
    if not parts.dense:
        raise UndeterminedError("there is no matrix of weights")
    if len(set(parts.names)) != len(parts.names):
        raise UndeterminedError("two layers have one name")
    return parts


def _add(
    parts: ChainLayers, roles: Mapping[Role, Name], tensors: Tensors, layout: Layout | None
) -> None:
    weight = roles.get("weight")
    if "mean" in roles or "variance" in roles:
        norm = _norm(roles, tensors)
        parts.norms.append(norm)
        parts.names.append(norm.name)
        return
    if weight is None:
        raise UndeterminedError(f"'{next(iter(roles.values())).full}' has no weight beside it")
    axes = tensors[weight.full].ndim
    if axes == 1:
        raise UndeterminedError(
            f"'{weight.full}' has one axis: a norm or another layer whose place is not known"
        )
    if axes > 2:
        raise UndeterminedError(
            f"'{weight.full}' has {axes} axes: a convolution, whose stride, padding and input size "
            "are not in the file",
            SPEC_HINT.replace("new mlp", "new cnn1d"),
        )
    dense = _dense(weight, roles.get("bias"), tensors, layout)
    parts.dense.append(dense)
    parts.names.append(dense.name)


def _dense(
    weight: Name, bias: Name | None, tensors: Tensors, layout: Layout | None
) -> DenseTensors:
    rows, columns = tensors[weight.full].shape
    if not rows or not columns:
        raise UndeterminedError(f"'{weight.full}' has no entries")
    units = None
    if bias is not None:
        if tensors[bias.full].ndim != 1:
            raise UndeterminedError(f"'{bias.full}' has {tensors[bias.full].ndim} axes, not one")
        units = tensors[bias.full].shape[0]
    fitting: list[Layout] = []
    if units in (None, rows):
        fitting.append("out_in")
    if units in (None, columns):
        fitting.append("in_out")
    known = layout or weight.layout
    if known is None and rows == columns:
        raise UndeterminedError(
            f"'{weight.full}' is square, and its name does not say how it is stored", LAYOUT_HINT
        )
    layouts = tuple(option for option in fitting if known in (None, option))
    if not layouts:
        raise UndeterminedError(
            f"'{weight.full}' is {(rows, columns)}, its bias has {units} entries",
            LAYOUT_HINT if fitting else SPEC_HINT,
        )
    name = _layer_name(weight)
    return DenseTensors(name, weight.full, bias.full if bias else None, (rows, columns), layouts)


def _layer_name(name: Name) -> str:
    """The part before `.weight`, or the whole name where there is none (`w0`, `coefs_0`)."""
    bare = without_collection(name.full)
    return name.layer if name.layer and bare.startswith(name.layer) else name.full


def _norm(roles: Mapping[Role, Name], tensors: Tensors) -> NormTensors:
    some = next(iter(roles.values()))
    if "mean" not in roles or "variance" not in roles:
        raise UndeterminedError(f"'{some.full}' is half of a batch norm's running statistics")
    shapes = {tensors[name.full].shape for name in roles.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise UndeterminedError(f"the tensors of batch norm '{some.layer}' differ in shape")
    mean, variance = roles["mean"].full, roles["variance"].full
    weight, bias = roles.get("weight"), roles.get("bias")
    return NormTensors(
        name=_layer_name(roles["mean"]),
        size=next(iter(shapes))[0],
        mean=mean,
        variance=variance,
        weight=weight.full if weight else None,
        bias=bias.full if bias else None,
    )
