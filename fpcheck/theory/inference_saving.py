"""What share of a network's multiplications a sparse activation makes needless.

A multiplication by an input that is 0 can be skipped. With P(phi = 0) = s at q*, each product of a
layer that is fed by such an activation has a 0 in it with probability s, so s is exactly the
expected share of that layer's products, in dense and convolutional layers alike, whatever depends
on what. The first layer sees the data, which are not sparse, and a pooled or normalised activation
is not sparse any more: nothing is counted there.

That is arithmetic, not time. Ordinary dense kernels multiply by zeros like by anything else; only a
kernel that looks at its input and skips (a dense layer then need not read those columns of its
weights either) turns it into time, best at batch size 1, for every row of a batch has zeros of its
own. It holds at initialisation, at q*; training moves it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fpcheck.network.layers import Layer, layers
from fpcheck.network.skeleton import Activation, Conv, Flatten, Reshape, Skeleton


@dataclass(frozen=True, slots=True)
class LayerSaving:
    """One layer's multiplications for one input row, and the expected number by 0."""

    name: str
    multiplications: int
    skipped: float


@dataclass(frozen=True, slots=True)
class InferenceSaving:
    """A network's multiplications for one input row; share = skipped / multiplications."""

    multiplications: int
    skipped: float
    share: float
    layers: tuple[LayerSaving, ...]


def inference_saving(skeleton: Skeleton, sparsity: float) -> InferenceSaving:
    """The saving if every activation of the skeleton were sparse: P(phi = 0) = sparsity.

    Dense and convolutional layers are counted, products with padding are not.
    """
    counted = []
    for layer in layers(skeleton):
        count = multiplications(layer)
        sparse = sparsity if _fed_by_activation(skeleton, layer) else 0.0
        counted.append(LayerSaving(layer.name, count, sparse * count))
    total = sum(layer.multiplications for layer in counted)
    skipped = math.fsum(layer.skipped for layer in counted)
    return InferenceSaving(total, skipped, skipped / total if total else 0.0, tuple(counted))


def multiplications(layer: Layer) -> int:
    """The products of one weight with one input that the layer takes for one input row."""
    if not isinstance(layer.node, Conv):
        return layer.input_shape[-1] * math.prod(layer.shape)
    node = layer.node
    taps = math.prod(
        _taps(before, after, k, stride, pad, dilation)
        for before, after, k, stride, (pad, _), dilation in zip(
            layer.input_shape[1:],
            layer.shape[1:],
            node.kernel,
            node.stride,
            node.padding,
            node.dilation,
            strict=True,
        )
    )
    return taps * node.channels * (layer.input_shape[0] // node.groups)


def _taps(before: int, after: int, k: int, stride: int, pad: int, dilation: int) -> int:
    """Pairs of an output place and a kernel place that meets the input, in one dimension."""
    return sum(
        0 <= out * stride + tap * dilation - pad < before
        for out in range(after)
        for tap in range(k)
    )


def _fed_by_activation(skeleton: Skeleton, layer: Layer) -> bool:
    """Whether the layer's input is an activation's result, perhaps in another shape."""
    by_name = {node.name: node for node in skeleton.nodes}
    node = by_name[layer.node.inputs[0]]
    while isinstance(node, Flatten | Reshape):
        node = by_name[node.inputs[0]]
    return isinstance(node, Activation)
