"""Tensors of PyTorch's old format (before 1.6): five pickles in a row, then the storages' bytes.

Read through the same bounded machine and the same allow-list as the zip format: magic number,
protocol, facts about the machine, the object, the storages' keys in order; then, storage by
storage, the number of its elements (int64) and the elements, little-endian. [PyTorch sources,
torch/serialization.py, _legacy_load]
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import ModelFileError
from fpcheck.core.memory import require_memory
from fpcheck.network.load.files import TRUNCATED_HINT, ModelFile, shown
from fpcheck.network.load.pickle_calls import STATE_DICT_HINT
from fpcheck.network.load.pickle_machine import MAX_OPCODES, Machine
from fpcheck.network.load.pickle_reader import run_pickle
from fpcheck.network.load.stored import Contents, Stored
from fpcheck.network.load.torch_storages import (
    SPARE_VALUES,
    Block,
    Storages,
    pickle_fault,
    plant,
)
from fpcheck.network.load.views import element_type

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
FIRST_LOOK = 2**22
MAX_PICKLES = 2**28  # bytes of the pickles together
LARGE = 2**24


def legacy_contents(file: ModelFile) -> Contents:
    """What a file in the old format holds: nested mappings with tensors as leaves.

    Raises:
        ModelFileError: damaged, a bare pickle of something else, or naming a constructor that
            tensors do not need.
    """
    fault = pickle_fault(file, "")
    # The pickles stand first and do not say how long they are: nearly always a few kilobytes.
    machine = Machine(bytes(file.read_at(0, min(file.size, FIRST_LOOK))), fault)
    try:
        return _contents(machine, file)
    except ModelFileError:
        if not machine.cut or file.size <= FIRST_LOOK:
            raise
    return _contents(Machine(bytes(file.read_at(0, min(file.size, MAX_PICKLES))), fault), file)


def _contents(machine: Machine, file: ModelFile) -> Contents:
    if _next(machine) != MAGIC:
        raise file.fault("is a bare pickle, not one that PyTorch has written", hint=STATE_DICT_HINT)
    if _next(machine) != PROTOCOL:
        raise file.fault("is in a PyTorch format that is not known", hint=STATE_DICT_HINT)
    _next(machine)
    before = machine.place
    value = _next(machine)
    budget = min(machine.place - before, MAX_OPCODES) + SPARE_VALUES
    keys = _next(machine)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise file.fault("does not list its storages")
    storages = Storages(file, _blocks(machine, file, keys))
    tree = plant(value, storages, machine.fault, budget)
    if isinstance(tree, Stored):
        tree = {"tensor": tree}
    if not isinstance(tree, dict):
        raise file.fault("holds no mapping of tensors by name", hint=STATE_DICT_HINT)
    return Contents(tree, ordered=True, notes=("PyTorch's format of before 1.6",))


def _next(machine: Machine) -> object:
    """The object of the next pickle; stack, marks and memo are its own."""
    machine.stack, machine.marks, machine.memo, machine.done = [], [], {}, False
    return run_pickle(machine)


def _blocks(machine: Machine, file: ModelFile, keys: list[str]) -> dict[str, Block]:
    """The storages' places, behind the last pickle; each has its count in front."""
    blocks: dict[str, Block] = {}
    place = machine.place
    for key in keys:
        storage = machine.storages.get(key)
        element = None if storage is None else element_type(storage.dtype, big_endian=False)
        if key in blocks or element is None:
            what = "twice" if key in blocks else "that no tensor describes"
            raise file.fault(f"lists a storage {what}: {shown(key)}")
        length = int.from_bytes(file.read_at(place, 8), "little") * element.itemsize
        start = place + 8
        if length > file.size - start:
            raise file.fault(
                f"storage {shown(key)} declares {length} bytes, the file has "
                f"{file.size - start} for it",
                hint=TRUNCATED_HINT,
            )
        blocks[key] = Block(length, partial(_bytes, file, start, length), partial(int, start))
        place = start + length
    return blocks


def _bytes(file: ModelFile, start: int, length: int) -> NDArray[np.uint8]:
    if length >= LARGE:
        require_memory(length, f"reading {file.name}")
    out = np.empty(length, dtype=np.uint8)
    file.read_into(start, out.data)
    return out
