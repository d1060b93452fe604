"""The storages of a PyTorch file, wherever they lie, and the tensors over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load.archive import STORED, Archive, Entry, data_start, read_entry
from fpcheck.network.load.constructors import View
from fpcheck.network.load.files import ModelFile, shown
from fpcheck.network.load.pickle_calls import STATE_DICT_HINT
from fpcheck.network.load.pickle_machine import Fault
from fpcheck.network.load.stored import Opaque, Stored
from fpcheck.network.load.views import (
    element_type,
    is_contiguous,
    native_elements,
    reach,
    read_view,
)

# The tree may have as many values as the pickle has opcodes, and a few more for what is shared on
# purpose: without a bound ten lists of ten names each of the one before make 10^10 values.
SPARE_VALUES = 100_000
MAX_NESTING = 64


@dataclass(frozen=True, slots=True)
class Block:
    """Where the bytes of a storage lie: their number, how to read them all, and their place in the
    file, None where they are packed."""

    size: int
    read: Callable[[], NDArray[np.uint8]]
    place: Callable[[], int] | None


class Storages:
    """The storages of a file by key; one that is in use is read once."""

    def __init__(
        self, file: ModelFile, blocks: Mapping[str, Block], *, big_endian: bool = False
    ) -> None:
        self.file = file
        self.blocks = blocks
        self.big_endian = big_endian
        self._read: WeakValueDictionary[str, NDArray[np.uint8]] = WeakValueDictionary()

    def bytes_of(self, key: str) -> NDArray[np.uint8]:
        """The bytes of a storage, shared by all tensors over it that are in use."""
        found = self._read.get(key)
        if found is None:
            found = self.blocks[key].read()
            self._read[key] = found
        return found


def archive_storages(archive: Archive, folder: str, *, big_endian: bool = False) -> Storages:
    """The storages that lie in `folder` of an archive, one entry a storage."""
    prefix = f"{folder}/"
    blocks = {
        name.removeprefix(prefix): _entry_block(archive, entry)
        for name, entry in archive.entries.items()
        if name.startswith(prefix)
    }
    return Storages(archive.file, blocks, big_endian=big_endian)


def _entry_block(archive: Archive, entry: Entry) -> Block:
    place = partial(data_start, archive, entry) if entry.method == STORED else None
    return Block(entry.size, partial(read_entry, archive, entry), place)


def plant(value: object, storages: Storages, fault: Fault, budget: int) -> object:
    """`value` of a pickle as a tree of mappings with Stored leaves.

    budget: how many values the tree may have.

    Raises:
        ModelFileError: too many values, or a tensor that reaches outside its storage.
    """
    return _Planter(storages, fault, budget).tree(value, 0)


class _Planter:
    def __init__(self, storages: Storages, fault: Fault, budget: int) -> None:
        self.storages = storages
        self.fault = fault
        self.budget = budget

    def tree(self, value: object, depth: int) -> object:
        """`value` with its views as Stored tensors, lists and tuples as mappings by index."""
        self.budget -= 1 + (len(value) if isinstance(value, dict | list | tuple) else 0)
        if self.budget < 0 or depth > MAX_NESTING:
            raise self.fault("the file nests too many values", STATE_DICT_HINT)
        if isinstance(value, View):
            return stored_view(value, self.storages, self.fault)
        if isinstance(value, dict):
            return {str(key): self.tree(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            if not any(isinstance(item, View | dict | list | tuple) for item in value):
                return Opaque(type(value).__name__)
            return {str(i): self.tree(item, depth + 1) for i, item in enumerate(value)}
        return value


def stored_view(view: View, storages: Storages, fault: Fault) -> Stored:
    """The tensor behind `view`, checked to lie inside its storage."""
    storage = view.storage
    element = element_type(view.dtype, big_endian=storages.big_endian)
    declared = element_type(storage.dtype, big_endian=False)
    if element is None or declared is None:
        raise fault(
            f"holds a tensor of type {view.dtype}, which is not read",
            "save it as float32: tensor.float()",
        )
    block = storages.blocks.get(storage.key)
    if block is None:
        raise fault(f"names a storage that is missing: {shown(storage.key)}", "")
    if block.size != storage.count * declared.itemsize:
        raise fault(
            f"storage {shown(storage.key)} has {block.size} bytes, "
            f"declared are {storage.count * declared.itemsize}",
            "",
        )
    end = reach(view)
    if end is None or end * element.itemsize > block.size:
        raise fault(
            f"a tensor of shape {list(view.shape)[:8]} reaches outside its storage "
            f"{shown(storage.key)}",
            "",
        )
    size = math.prod(view.shape) * element.itemsize
    plain = is_contiguous(view)
    copied = 0 if plain and not storages.big_endian else size
    return Stored(
        shape=view.shape,
        dtype=view.dtype,
        source=storage.key,
        source_bytes=block.size,
        extra_bytes=copied + (2 * size if view.dtype == "bfloat16" else 0),
        read=partial(read_view, view, element, storages.bytes_of),
        left_out="complex numbers" if element.kind == "c" else "",
        part=_parts(storages, view, element) if plain else None,
    )


def _parts(
    storages: Storages, view: View, element: np.dtype[np.generic]
) -> Callable[[int, int], NDArray[np.generic]] | None:
    """The reader of entries start..stop of a contiguous view; None where its storage is packed."""
    find = storages.blocks[view.storage.key].place
    if find is None:
        return None

    def part(start: int, stop: int) -> NDArray[np.generic]:
        offset = find() + (view.offset + start) * element.itemsize
        raw = np.empty((stop - start) * element.itemsize, dtype=np.uint8)
        storages.file.read_into(offset, raw.data)
        return native_elements(raw.view(element), view.dtype)

    return part


def pickle_fault(file: ModelFile, entry: str) -> Fault:
    """What makes the errors of a pickle that is the file's `entry`."""

    def fault(message: str, hint: str) -> ModelFileError:
        return file.fault(message, entry=entry, hint=hint)

    return fault
