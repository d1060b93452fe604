"""The node types: frozen records that name their inputs and their parameters.

Shapes are of one row, without the batch axis; images and sequences are channels first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

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
class Add:
    """The sum of its inputs, which have one shape."""

    name: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """Max or mean pooling over windows. Padding counts as -inf for max and as 0 for mean."""

    name: str
    inputs: tuple[str, ...]
    kind: Literal["max", "mean"]
    size: tuple[int, ...]
    stride: tuple[int, ...] = ()
    padding: tuple[tuple[int, int], ...] = ()

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


Node: TypeAlias = (
    Input | Dense | Conv | Activation | BatchNorm | LayerNorm | Add | Pool | Flatten | Reshape
)
