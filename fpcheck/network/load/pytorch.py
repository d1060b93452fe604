"""Tensors of PyTorch's `.pt` and `.pth` files (the zip format of PyTorch 1.6 and later).

The archive holds `data.pkl`, which says what there is, and one entry a storage under `data/`.
Nothing of it is executed, and PyTorch is not needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load.archive import Archive, open_archive, read_entry
from fpcheck.network.load.constructors import View
from fpcheck.network.load.files import ModelFile, shown
from fpcheck.network.load.pickle_calls import STATE_DICT_HINT
from fpcheck.network.load.pickle_machine import MAX_OPCODES
from fpcheck.network.load.pickle_reader import read_pickle
from fpcheck.network.load.stored import Contents, Opaque, Stored
from fpcheck.network.load.views import element_type, is_contiguous, reach, read_view

MAX_PICKLE = 2**28  # bytes; the names of a million tensors take a quarter of it
# The tree may have as many values as the pickle has opcodes, and a few more for what is shared on
# purpose: without a bound ten lists of ten names each of the one before make 10^10 values.
SPARE_VALUES = 100_000
MAX_NESTING = 64
ZIP_MAGIC = b"PK\x03\x04"
_RESAVE = (
    "with PyTorch: torch.save(torch.load('{0}', weights_only=True), 'weights.pt') writes "
    "the format of PyTorch 1.6 and later"
)


def pytorch_contents(file: ModelFile) -> Contents:
    """What a `.pt` file holds: nested mappings with tensors as leaves.

    Raises:
        ModelFileError: damaged, of an older format, TorchScript, a whole pickled model, or
            naming a constructor that tensors do not need.
    """
    _check_kind(file)
    archive = open_archive(file)
    root = _root(archive)
    entry = archive.entries[f"{root}/data.pkl"]
    if entry.size > MAX_PICKLE:
        raise file.fault(f"data.pkl declares {entry.size} bytes", entry=entry.name)

    def fault(message: str, hint: str) -> ModelFileError:
        return file.fault(message, entry=entry.name, hint=hint)

    data = read_entry(archive, entry).tobytes()
    value = read_pickle(data, fault)
    budget = min(len(data), MAX_OPCODES) + SPARE_VALUES
    tree = _Planter(archive, root, fault, budget).tree(value, 0)
    if isinstance(tree, Stored):
        tree = {"tensor": tree}
    if not isinstance(tree, dict):
        raise fault("holds no mapping of tensors by name", STATE_DICT_HINT)
    return Contents(tree, ordered=True)


def _check_kind(file: ModelFile) -> None:
    """Refuse what is no zip archive, saying what it is."""
    head = bytes(file.read_at(0, min(file.size, 512)))
    if head.startswith(ZIP_MAGIC):
        return
    if head.startswith(b"\x80") or head[257:262] == b"ustar":
        raise file.fault(
            "is in PyTorch's old format, a bare pickle, which is not read",
            hint=_RESAVE.format(file.name),
        )
    raise file.fault(
        "is no PyTorch file: it does not start as a zip archive",
        hint="is its suffix right? .npz and .safetensors are read too",
    )


def _root(archive: Archive) -> str:
    """The folder of the archive that holds everything."""
    file = archive.file
    roots = [
        name.removesuffix("/data.pkl")
        for name in archive.entries
        if name.endswith("/data.pkl") and name.count("/") == 1
    ]
    if len(roots) != 1:
        raise file.fault(
            "is no PyTorch file: its archive has no data.pkl",
            hint="a NumPy archive is read under its own suffix, .npz",
        )
    if f"{roots[0]}/constants.pkl" in archive.entries:
        raise file.fault(
            "is a TorchScript archive, which holds a program and not weights alone",
            hint="save the weights: torch.save(torch.jit.load(file).state_dict(), 'weights.pt')",
        )
    return roots[0]


class _Planter:
    """Turns the pickle's value into a tree of mappings with Stored leaves."""

    def __init__(
        self,
        archive: Archive,
        root: str,
        fault: Callable[[str, str], ModelFileError],
        budget: int,
    ) -> None:
        self.archive = archive
        self.root = root
        self.fault = fault
        self.budget = budget
        self.big_endian = _big_endian(archive, root)
        # Shared storages are read once.
        self.storage = lru_cache(maxsize=None)(partial(_storage, archive, root))

    def tree(self, value: object, depth: int) -> object:
        """`value` with its views as Stored tensors, lists and tuples as mappings by index."""
        self.budget -= 1 + (len(value) if isinstance(value, dict | list | tuple) else 0)
        if self.budget < 0 or depth > MAX_NESTING:
            raise self.fault("the file nests too many values", STATE_DICT_HINT)
        if isinstance(value, View):
            return self.stored(value)
        if isinstance(value, dict):
            return {str(key): self.tree(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            if not any(isinstance(item, View | dict | list | tuple) for item in value):
                return Opaque(type(value).__name__)
            return {str(i): self.tree(item, depth + 1) for i, item in enumerate(value)}
        return value

    def stored(self, view: View) -> Stored:
        """The tensor behind `view`, checked to lie inside its storage."""
        storage = view.storage
        element = element_type(view.dtype, big_endian=self.big_endian)
        declared = element_type(storage.dtype, big_endian=False)
        if element is None or declared is None:
            raise self.fault(
                f"holds a tensor of type {view.dtype}, which is not read",
                "save it as float32: tensor.float()",
            )
        name = f"{self.root}/data/{storage.key}"
        entry = self.archive.entries.get(name)
        if entry is None:
            raise self.fault(f"names a storage that is missing: {shown(name)}", "")
        if entry.size != storage.count * declared.itemsize:
            raise self.fault(
                f"storage {shown(storage.key)} has {entry.size} bytes, "
                f"declared are {storage.count * declared.itemsize}",
                "",
            )
        end = reach(view)
        if end is None or end * element.itemsize > entry.size:
            raise self.fault(
                f"a tensor of shape {list(view.shape)[:8]} reaches outside its storage "
                f"{shown(storage.key)}",
                "",
            )
        size = math.prod(view.shape) * element.itemsize
        copied = size if self.big_endian or not is_contiguous(view) else 0
        return Stored(
            shape=view.shape,
            dtype=view.dtype,
            source=storage.key,
            source_bytes=entry.size,
            extra_bytes=copied + (2 * size if view.dtype == "bfloat16" else 0),
            read=partial(read_view, view, element, self.storage),
            left_out="complex numbers" if element.kind == "c" else "",
        )


def _storage(archive: Archive, root: str, key: str) -> NDArray[np.uint8]:
    return read_entry(archive, archive.entries[f"{root}/data/{key}"])


def _big_endian(archive: Archive, root: str) -> bool:
    entry = archive.entries.get(f"{root}/byteorder")
    if entry is None:
        return False
    if entry.size <= 16:
        word = read_entry(archive, entry).tobytes()
        if word in (b"little", b"big"):
            return word == b"big"
    raise archive.file.fault("its byte order is neither little nor big", entry=entry.name)
