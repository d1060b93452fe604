"""The node types: frozen records that name their inputs and their parameters.

Shapes are of one row, without the batch axis; images and sequences are channels first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.activations import ActivationFunction

Shape: TypeAlias = tuple[int, ...]
Layout: TypeAlias = Literal["out_in", "in_out"]


@dataclass(frozen=True, slots=True)
class Input:
    """The network's input, of the given shape."""

    name: str
    shape: Shape
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dense:
    """y = W x + b over the last axis. `weight`, `bias`: names in Network.parameters.

    `layout` is how the stored matrix lies: (out, in) or (in, out).
    """

    name: str
    inputs: tuple[str, ...]
    units: int
    weight: str
    bias: str | None = None
    layout: Layout = "out_in"


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution in one or two dimensions (cross-correlation, as every framework has it).

    `kernel`, `stride`, `dilation` have one entry a dimension, `padding` one (before, after) pair.
    `layout` out_in: (out, in / groups, *kernel); in_out: (*kernel, in / groups, out).
    """

    name: str
    inputs: tuple[str, ...]
    channels: int
    kernel: tuple[int, ...]
    weight: str
    bias: str | None = None
    stride: tuple[int, ...] = ()
    padding: tuple[tuple[int, int], ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    layout: Layout = "out_in"

    def __post_init__(self) -> None:
        ones = (1,) * len(self.kernel)
        object.__setattr__(self, "stride", self.stride or ones)
        object.__setattr__(self, "dilation", self.dilation or ones)
        object.__setattr__(self, "padding", self.padding or ((0, 0),) * len(self.kernel))


@dataclass(frozen=True, slots=True)
class ConvTranspose:
    """A transposed convolution in one or two dimensions: the adjoint of a convolution.

    `layout` out_in: (in, out / groups, *kernel), as PyTorch and ONNX have it; in_out:
    (*kernel, out, in), as Keras has it, without groups. `output_padding` adds entries at the end.
    """

    name: str
    inputs: tuple[str, ...]
    channels: int
    kernel: tuple[int, ...]
    weight: str
    bias: str | None = None
    stride: tuple[int, ...] = ()
    padding: tuple[tuple[int, int], ...] = ()
    dilation: tuple[int, ...] = ()
    output_padding: tuple[int, ...] = ()
    groups: int = 1
    layout: Layout = "out_in"

    def __post_init__(self) -> None:
        ones = (1,) * len(self.kernel)
        object.__setattr__(self, "stride", self.stride or ones)
        object.__setattr__(self, "dilation", self.dilation or ones)
        object.__setattr__(self, "padding", self.padding or ((0, 0),) * len(self.kernel))
        object.__setattr__(self, "output_padding", self.output_padding or (0,) * len(self.kernel))


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation function, elementwise."""

    name: str
    inputs: tuple[str, ...]
    function: ActivationFunction


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Batch normalisation at inference: a fixed affine map of every channel.

    y = (x - mean) / sqrt(variance + epsilon) * weight + bias, over the first axis of a row.
    """

    name: str
    inputs: tuple[str, ...]
    mean: str
    variance: str
    weight: str | None = None
    bias: str | None = None
    epsilon: float = 1e-5


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """Layer normalisation over the last `axes` axes of a row (0: all of them)."""

    name: str
    inputs: tuple[str, ...]
    weight: str | None = None
    bias: str | None = None
    epsilon: float = 1e-5
    axes: int = 0


@dataclass(frozen=True, slots=True)
class RMSNorm:
    """y = x / sqrt(mean(x^2) + epsilon) * weight over the last `axes` axes of a row (0: all)."""

    name: str
    inputs: tuple[str, ...]
    weight: str | None = None
    epsilon: float = 1e-6
    axes: int = 0


@dataclass(frozen=True, slots=True)
class GroupNorm:
    """Normalisation over groups of channels and all positions; one channel a group: instance norm.

    weight, bias: (channels,).
    """

    name: str
    inputs: tuple[str, ...]
    groups: int
    weight: str | None = None
    bias: str | None = None
    epsilon: float = 1e-5


@dataclass(frozen=True, slots=True)
class Scale:
    """y = x * factor + shift with constant tensors that broadcast to a row."""

    name: str
    inputs: tuple[str, ...]
    factor: str | None = None
    shift: str | None = None


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of its inputs, whose axes are equal or 1."""

    name: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Multiply:
    """The elementwise product of two inputs, whose axes are equal or 1."""

    name: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MatMul:
    """The matrix product of two inputs (.., a, b) and (.., b, c), as attention has it."""

    name: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Concat:
    """Its inputs joined along `axis` of a row."""

    name: str
    inputs: tuple[str, ...]
    axis: int = 0


@dataclass(frozen=True, slots=True)
class Slice:
    """The entries start, start + step, ... below stop along `axis` of a row; step is positive."""

    name: str
    inputs: tuple[str, ...]
    axis: int
    start: int
    stop: int
    step: int = 1


@dataclass(frozen=True, slots=True)
class Transpose:
    """The axes of a row in another order: axis i of the result is axis order[i] of the input."""

    name: str
    inputs: tuple[str, ...]
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Softmax:
    """exp(x) / sum exp(x) along `axis` of a row."""

    name: str
    inputs: tuple[str, ...]
    axis: int = -1


@dataclass(frozen=True, slots=True)
class Pool:
    """Max or mean pooling over windows.

    Padding counts as -inf for max; a mean takes it as zeros, or leaves it out without
    `count_padding`.
    """

    name: str
    inputs: tuple[str, ...]
    kind: Literal["max", "mean"]
    size: tuple[int, ...]
    stride: tuple[int, ...] = ()
    padding: tuple[tuple[int, int], ...] = ()
    count_padding: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "stride", self.stride or self.size)
        object.__setattr__(self, "padding", self.padding or ((0, 0),) * len(self.size))


@dataclass(frozen=True, slots=True)
class Flatten:
    """All axes of a row in one, in C order."""

    name: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reshape:
    """A row's entries in another shape, in C order; one entry may be -1."""

    name: str
    inputs: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True, slots=True)
class BlackBox:
    """A function whose inside is not known: its products are central differences.

    function: rows (n, *input) to rows (n, *shape); `step`: of the differences, in units of
    max(1, |x|), None where the function is too rough for any.
    """

    name: str
    inputs: tuple[str, ...]
    shape: Shape
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    step: float | None


Node: TypeAlias = (
    Input
    | Dense
    | Conv
    | ConvTranspose
    | Activation
    | BatchNorm
    | LayerNorm
    | RMSNorm
    | GroupNorm
    | Scale
    | Add
    | Multiply
    | MatMul
    | Concat
    | Slice
    | Transpose
    | Softmax
    | Pool
    | Flatten
    | Reshape
    | BlackBox
)
