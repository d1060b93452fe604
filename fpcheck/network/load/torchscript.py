"""Tensors of a TorchScript archive: the attributes of its modules, flattened to dotted names.

The archive holds a program under `code/`, which is neither read nor run; `data.pkl`, the tree of
module objects with their attributes; and `constants.pkl`, the tensors that the program names, where
a frozen module keeps its weights. Both pickles go through the bounded machine. [PyTorch sources,
torch/csrc/jit/docs/serialization.md]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fpcheck.network.load.archive import Archive, read_entry
from fpcheck.network.load.constructors import (
    Attributes,
    BadArgumentsError,
    Constructor,
    constructor,
)
from fpcheck.network.load.pickle_machine import MAX_OPCODES
from fpcheck.network.load.pickle_reader import read_pickle
from fpcheck.network.load.stored import Contents, Opaque, Stored
from fpcheck.network.load.torch_storages import (
    SPARE_VALUES,
    archive_storages,
    pickle_fault,
    plant,
)

MAX_PICKLE = 2**28  # bytes, as for a state dict
CLASSES = "__torch__."
CONSTANTS = "constants"


def script_contents(archive: Archive, root: str, *, big_endian: bool) -> Contents:
    """The tensors of the modules by dotted name; of a frozen module, the program's constants.

    Raises:
        ModelFileError: damaged, or naming a constructor that tensors do not need.
    """
    file = archive.file
    tensors = dict(_flat(_tree(archive, root, "data", big_endian=big_endian)))
    tree = _tree(archive, root, CONSTANTS, big_endian=big_endian)
    constants = [value for _, value in _flat(tree)]
    if tensors:
        note = "a TorchScript program: its modules' tensors are read, its code is not"
        return Contents(tensors, ordered=True, notes=(note,))
    if not constants:
        raise file.fault("is a TorchScript archive without tensors")
    named = {f"{CONSTANTS}.{i}": value for i, value in enumerate(constants)}
    note = (
        "a frozen TorchScript program: its tensors are constants of the code and have lost their "
        "names"
    )
    return Contents(named, ordered=True, notes=(note,))


def _tree(archive: Archive, root: str, name: str, *, big_endian: bool) -> object:
    """The values of `<name>.pkl`, whose storages lie in the folder `<name>`."""
    entry = archive.entries.get(f"{root}/{name}.pkl")
    if entry is None:
        return {}
    fault = pickle_fault(archive.file, entry.name)
    if entry.size > MAX_PICKLE:
        raise fault(f"{name}.pkl declares {entry.size} bytes", "")
    data = read_entry(archive, entry).tobytes()
    value = read_pickle(data, fault, script_constructor)
    storages = archive_storages(archive, f"{root}/{name}", big_endian=big_endian)
    return plant(value, storages, fault, min(len(data), MAX_OPCODES) + SPARE_VALUES)


def _flat(tree: object, prefix: str = "") -> Iterator[tuple[str, Stored]]:
    """(dotted name, tensor) of every tensor in the tree, in order; its depth is bounded."""
    if isinstance(tree, Stored):
        yield prefix or "tensor", tree
    elif isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from _flat(value, f"{prefix}.{name}" if prefix else name)


def script_constructor(name: str) -> Constructor | None:
    """The allow-list of a TorchScript pickle: that of a state dict, the program's own classes, and
    the typed lists."""
    if name.startswith(CLASSES):
        return Constructor(name, _module)
    return _TABLE.get(name) or constructor(name)


def _module(arguments: tuple[object, ...]) -> Attributes:
    """An object of a class of the program, its attributes still to come."""
    return Attributes()


def _tagged(arguments: tuple[object, ...]) -> object:
    """restore_type_tag(value, type): the value."""
    if len(arguments) != 2:
        raise BadArgumentsError("something else than a value and its type")
    return arguments[0]


def _tensors(arguments: tuple[object, ...]) -> object:
    """build_tensorlist(list): the list."""
    if len(arguments) != 1 or not isinstance(arguments[0], list):
        raise BadArgumentsError("something else than a list")
    return arguments[0]


def _numbers(arguments: tuple[object, ...]) -> Opaque:
    """build_intlist and the like: numbers, of no interest here."""
    return Opaque("list")


_PICKLE = "torch.jit._pickle"
_TABLE = {
    entry.name: entry
    for entry in (
        Constructor(f"{_PICKLE}.restore_type_tag", _tagged),
        Constructor(f"{_PICKLE}.build_tensorlist", _tensors),
        Constructor(f"{_PICKLE}.build_intlist", _numbers),
        Constructor(f"{_PICKLE}.build_doublelist", _numbers),
        Constructor(f"{_PICKLE}.build_boollist", _numbers),
    )
}
