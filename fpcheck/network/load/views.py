"""Strided views of PyTorch storages as arrays: checked to lie inside before they are made."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.load.constructors import View
from fpcheck.network.load.stored import bfloat16_as_float32

# Element types as they lie in a little-endian file; a bfloat16 is read as its 16 bits.
ELEMENTS = {
    "float64": "<f8", "double": "<f8", "float32": "<f4", "float": "<f4", "float16": "<f2",
    "half": "<f2", "bfloat16": "<u2", "int64": "<i8", "long": "<i8", "int32": "<i4",
    "int": "<i4", "int16": "<i2", "short": "<i2", "int8": "|i1", "uint8": "|u1",
    "uint16": "<u2", "uint32": "<u4", "uint64": "<u8", "bool": "|u1", "bytes": "|u1",
    "complex64": "<c8", "complex128": "<c16",
}  # fmt: skip


def element_type(name: str, *, big_endian: bool) -> np.dtype[np.generic] | None:
    """The type of an element named as PyTorch names it; None if it is not read."""
    code = ELEMENTS.get(name)
    if code is None:
        return None
    return np.dtype(code.replace("<", ">") if big_endian else code)


def reach(view: View) -> int | None:
    """One past the last element of the storage that `view` touches; None for negative strides."""
    if any(step < 0 for step in view.strides):
        return None
    if 0 in view.shape:
        return 0
    pairs = zip(view.shape, view.strides, strict=True)
    return view.offset + sum((size - 1) * step for size, step in pairs) + 1


def is_contiguous(view: View) -> bool:
    """Whether the elements of `view` lie in the storage in C order without gaps."""
    expected = 1
    for size, step in zip(reversed(view.shape), reversed(view.strides), strict=True):
        if size != 1 and step != expected:
            return False
        expected *= size
    return True


def read_view(
    view: View, element: np.dtype[np.generic], storage: Callable[[str], NDArray[np.uint8]]
) -> NDArray[np.generic]:
    """The array that `view` is, C-contiguous, in native byte order.

    storage: returns the bytes of a storage by its key. `reach(view)` lies inside it.
    """
    count = math.prod(view.shape)
    if count == 0:
        flat: NDArray[np.generic] = np.empty(0, dtype=element)
        array = flat.reshape(view.shape)
    else:
        raw = storage(view.storage.key)
        usable = len(raw) // element.itemsize * element.itemsize
        flat = raw[:usable].view(element)
        if is_contiguous(view):
            array = flat[view.offset : view.offset + count].reshape(view.shape)
        else:
            strides = tuple(step * element.itemsize for step in view.strides)
            strided = np.lib.stride_tricks.as_strided(
                flat[view.offset :], view.shape, strides, writeable=False
            )
            array = np.array(strided, order="C")
    return native_elements(array, view.dtype)


def native_elements(array: NDArray[np.generic], dtype: str) -> NDArray[np.generic]:
    """`array`, as it lies in the file, in native byte order; bfloat16 as float32, bytes as truth.

    dtype: the type as PyTorch names it.
    """
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if dtype == "bfloat16":
        raw = np.ascontiguousarray(array).view(np.uint16)
        return bfloat16_as_float32(raw).reshape(array.shape)
    if dtype == "bool":
        truth: NDArray[np.generic] = array.view(np.uint8) != 0
        return truth
    return array
