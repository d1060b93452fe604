"""Where a network has an infinite-width limit, node by node, and why it ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GroupNorm,
    LayerNorm,
    Node,
    Pool,
    Reshape,
    RMSNorm,
    Scale,
    Shape,
    Skeleton,
    Slice,
    Transpose,
)
from fpcheck.theory.dual_kernel.constants import (
    Parameters,
    affine_constants,
    alike_and_still,
    held_parameters,
)
from fpcheck.theory.dual_kernel.layout import (
    Described,
    Fixed,
    Kind,
    Known,
    Layout,
    joined,
    rearranged,
    remade,
)
from fpcheck.theory.layer_scales import LayerScale
from fpcheck.theory.recursion_state import NotKnown, no_limit
from fpcheck.theory.sums import fresh

FEWEST_CHANNELS = 2  # a group of one channel has no mean square over units to settle on


def describe(skeleton: Skeleton, parameters: Parameters) -> dict[str, Described]:
    """The layout of every node's value by node name."""
    described: dict[str, Described] = {skeleton.nodes[0].name: Fixed()}
    for node in skeleton.nodes[1:]:
        sources = [described[name] for name in node.inputs]
        unknown = next((each for each in sources if isinstance(each, NotKnown)), None)
        known = [each for each in sources if not isinstance(each, NotKnown)]
        described[node.name] = unknown or _described(node, known, skeleton, parameters)
    return described


def _described(
    node: Node, sources: list[Known], skeleton: Skeleton, parameters: Parameters
) -> Described:
    missing = [name for name in held_parameters(node) if name not in parameters]
    if missing:
        return NotKnown(f"'{node.name}' holds '{missing[0]}', which was not given")
    if isinstance(node, Dense | Conv | ConvTranspose):
        return _weighted(node, sources[0], skeleton)
    if all(isinstance(source, Fixed) for source in sources):
        return Fixed()
    match node:
        case Add():
            return _summed(node, sources, skeleton)
        case Concat():
            return joined(node, sources, skeleton)
    (source,) = sources if len(sources) == 1 else (None,)
    if not isinstance(source, Layout):
        return no_limit(node)
    before, after = skeleton.shapes[node.inputs[0]], skeleton.shapes[node.name]
    match node:
        case Activation():
            return _activated(node, source)
        case Pool():
            return _pooled(node, source, after)
        case Flatten() | Reshape() | Transpose() | Slice():
            return rearranged(node, source, skeleton)
        case LayerNorm() | RMSNorm() | GroupNorm():
            return _normalised(node, source, before, parameters)
        case BatchNorm() | Scale():
            return _scaled(node, source, parameters)
    return no_limit(node)


def _weighted(node: Dense | Conv | ConvTranspose, source: Known, skeleton: Skeleton) -> Described:
    before, after = skeleton.shapes[node.inputs[0]], skeleton.shapes[node.name]
    axis = len(after) - 1 if isinstance(node, Dense) else 0
    lattice = after[:axis] + after[axis + 1 :]
    groups = 1 if isinstance(node, Dense) else node.groups
    if isinstance(source, Fixed):
        # Every group sees channels of its own.
        return Layout(axis, (Kind(1.0 / groups, lattice, gaussian=True),) * groups)
    if source.axis is not None and source.axis != axis:
        return NotKnown(f"'{node.name}' has weights along positions: not over many units")
    if groups > 1 and groups == before[0]:
        return NotKnown(
            f"'{node.name}' convolves every channel alone: its units are no sums over many"
        )
    if groups > 1 and len(source.kinds) > 1:
        return NotKnown(f"'{node.name}' convolves units of several kinds in groups")
    return Layout(axis, (Kind(1.0, lattice, gaussian=True),))


def _activated(node: Activation, source: Layout) -> Described:
    if node.function.name == "identity":
        return source
    if not source.gaussian:
        return NotKnown(f"what enters '{node.name}' is not Gaussian over the units")
    return remade(source, gaussian=False)


def _pooled(node: Pool, source: Layout, after: Shape) -> Described:
    if node.kind == "max":
        return NotKnown(
            f"'{node.name}' takes the maximum over positions: that of dependent units has no map"
        )
    if source.axis != 0:
        return NotKnown(f"'{node.name}' takes means over units")
    return replace(source, kinds=tuple(replace(k, lattice=after[1:]) for k in source.kinds))


def _summed(node: Add, sources: list[Known], skeleton: Skeleton) -> Described:
    if len({skeleton.shapes[name] for name in node.inputs}) > 1:
        return NotKnown(f"'{node.name}' repeats one of its terms over positions or units")
    random = [(n, s) for n, s in zip(node.inputs, sources, strict=True) if isinstance(s, Layout)]
    for i, (one, _) in enumerate(random):
        for other, _ in random[:i]:
            if not (fresh(skeleton, one, other) or fresh(skeleton, other, one)):
                return NotKnown(
                    f"'{node.name}' adds '{other}' and '{one}', which are not independent: "
                    "no weights lie between them"
                )
    layouts = [layout for _, layout in random]
    if len(sources) - len(random) > 1:
        return NotKnown(f"'{node.name}' adds the inputs to themselves and to something random")
    flattened = any(layout.axis is None for layout in layouts) and len(random) < len(sources)
    if any(len(layout.kinds) > 1 for layout in layouts) or flattened:
        return NotKnown(f"'{node.name}' adds units of several kinds")
    if len({(layout.axis, layout.kinds[0].lattice) for layout in layouts}) > 1:
        return NotKnown(f"'{node.name}' adds units of one term to positions of another")
    gaussian = len(random) == len(sources) and all(layout.gaussian for layout in layouts)
    return remade(layouts[0], gaussian=gaussian)


def _normalised(
    node: LayerNorm | RMSNorm | GroupNorm, source: Layout, shape: Shape, parameters: Parameters
) -> Described:
    if isinstance(node, GroupNorm):
        if source.axis != 0 or len(source.kinds) > 1:
            return NotKnown(f"'{node.name}' normalises units of several kinds in groups")
        if shape[0] // node.groups < FEWEST_CHANNELS:
            return NotKnown(
                f"'{node.name}' normalises every channel alone: its mean square over positions "
                "differs from channel to channel"
            )
    elif node.axes not in (0, len(shape)) and not (
        node.axes == 1 and source.axis == len(shape) - 1
    ):
        return NotKnown(
            f"'{node.name}' normalises {node.axes} of {len(shape)} axes: not over the units"
        )
    alike, still = alike_and_still(node, parameters)
    spread = source.axis is None or any(kind.positions > 1 for kind in source.kinds)
    by_unit = isinstance(node, GroupNorm) or node.axes == 1
    if not alike and (len(source.kinds) > 1 or (spread and not by_unit)):
        return NotKnown(f"'{node.name}' rescales positions or units of several kinds differently")
    return remade(source, gaussian=source.gaussian and alike and still)


def _scaled(node: BatchNorm | Scale, source: Layout, parameters: Parameters) -> Described:
    if isinstance(node, BatchNorm):
        factor, shift = affine_constants(node, parameters)
        if np.any(shift) or float(np.ptp(factor)) > 0.0:
            return NotKnown(f"'{node.name}' holds statistics of the training data")
        return source
    alike, still = alike_and_still(node, parameters)
    spread = source.axis is None or any(kind.positions > 1 for kind in source.kinds)
    if not alike and (len(source.kinds) > 1 or spread):
        return NotKnown(f"'{node.name}' rescales channels or positions differently")
    return remade(source, gaussian=source.gaussian and alike and still)


def without_limit(
    needed: Sequence[Node],
    targets: Sequence[str],
    layouts: Mapping[str, Described],
    scales: Mapping[str, LayerScale],
    ntk: bool,
) -> NotKnown | None:
    """Why a target has no kernel, None where it has."""
    for name in targets:
        layout = layouts[name]
        if isinstance(layout, NotKnown):
            return layout
    users: dict[str, str] = {}
    for node in needed:
        if isinstance(node, Dense | Conv | ConvTranspose):
            scale = scales[node.name]
            if not math.isfinite(scale.sigma_w2) or not math.isfinite(scale.sigma_b2):
                return NotKnown(
                    f"the weights of '{node.name}' have no second moment: no Gaussian limit"
                )
            if node.weight in users:
                return NotKnown(
                    f"'{users[node.weight]}' and '{node.name}' share their weights, which the "
                    "limit takes to be independent"
                )
            users[node.weight] = node.name
        elif ntk and isinstance(node, Activation) and node.function.kind.derivative is None:
            return NotKnown(f"'{node.name}' is a step, whose slope is zero almost everywhere")
    return None
