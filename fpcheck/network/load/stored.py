"""Tensors that still lie in a file, and the tree of names that leads to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.load.files import ModelFile

# NumPy before 2.0 has 32 axes; no checkpoint needs more, and each one costs work.
MAX_AXES = 32
# Sizes above this overflow a signed 64-bit byte count with any item size.
MAX_ENTRIES = 2**59
# How formats call their types of real floating-point numbers.
FLOATING = ("float", "double", "half", "bfloat")


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor in a file: what is known of it before it is read.

    Args:
        shape: as the file states it.
        dtype: the file's word for its type, such as `bfloat16`.
        source: what is read to get it; tensors that share a storage share the source.
        source_bytes: the size of that source in memory.
        extra_bytes: what the array needs beside it, 0 where it is a view of the source.
        read: returns the array in native byte order.
        left_out: why the tensor cannot be analysed, "" if it can.
        part: returns the entries start..stop in C order without reading the others; None where the
            file packs them or has them in another order.
    """

    shape: tuple[int, ...]
    dtype: str
    source: str
    source_bytes: int
    extra_bytes: int
    read: Callable[[], NDArray[np.generic]]
    left_out: str = ""
    part: Callable[[int, int], NDArray[np.generic]] | None = None

    @property
    def entries(self) -> int:
        """The number of its entries."""
        return math.prod(self.shape)

    @property
    def floating(self) -> bool:
        """Whether it holds real floating-point numbers."""
        return not self.left_out and self.dtype.startswith(FLOATING)


@dataclass(frozen=True, slots=True)
class Opaque:
    """An object of the file that is no tensor and of which only its class's name was kept."""

    name: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds: a tree of mappings by name with tensors and other values as leaves.

    `ordered`: whether the order of the names is the one in which they were saved; `files`: the
    shards, where the file is an index of them.
    """

    tree: Mapping[str, object]
    ordered: bool
    notes: tuple[str, ...] = ()
    files: tuple[ModelFile, ...] = ()


def bytes_needed(tensors: Iterable[Stored]) -> int:
    """The memory that reading `tensors` takes, each shared source counted once."""
    sources: dict[str, int] = {}
    extra = 0
    for tensor in tensors:
        sources[tensor.source] = tensor.source_bytes
        extra += tensor.extra_bytes
    return sum(sources.values()) + extra


def entry_count(shape: Iterable[object]) -> int | None:
    """The number of entries of an array of this shape; None where it cannot be a shape."""
    sizes: list[int] = []
    for size in shape:
        if type(size) is not int or not 0 <= size < MAX_ENTRIES:
            return None
        sizes.append(size)
    if len(sizes) > MAX_AXES or math.prod(max(size, 1) for size in sizes) >= MAX_ENTRIES:
        return None
    return math.prod(sizes)


def bfloat16_as_float32(raw: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The same numbers as float32, exactly: a bfloat16 is the upper half of a float32."""
    wide = raw.astype(np.uint32)
    wide <<= np.uint32(16)
    return wide.view(np.float32)
