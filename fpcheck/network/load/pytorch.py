"""Tensors of PyTorch's `.pt` and `.pth` files (the zip format of PyTorch 1.6 and later).

The archive holds `data.pkl`, which says what there is, and one entry a storage under `data/`.
Nothing of it is executed, and PyTorch is not needed.
"""

from __future__ import annotations

from fpcheck.network.load.archive import Archive, open_archive, read_entry
from fpcheck.network.load.files import ModelFile
from fpcheck.network.load.legacy import legacy_contents
from fpcheck.network.load.pickle_calls import STATE_DICT_HINT
from fpcheck.network.load.pickle_machine import MAX_OPCODES
from fpcheck.network.load.pickle_reader import read_pickle
from fpcheck.network.load.stored import Contents, Stored
from fpcheck.network.load.strangers import ADVICE
from fpcheck.network.load.torch_storages import (
    SPARE_VALUES,
    archive_storages,
    pickle_fault,
    plant,
)
from fpcheck.network.load.torchscript import script_contents

MAX_PICKLE = 2**28  # bytes; the names of a million tensors take a quarter of it
ZIP_MAGIC = b"PK\x03\x04"
_RESAVE = (
    "with PyTorch: torch.save(torch.load('{0}', weights_only=True), 'weights.pt') writes "
    "the format of PyTorch 1.6 and later"
)


def pytorch_contents(file: ModelFile) -> Contents:
    """What a `.pt` file holds: nested mappings with tensors as leaves.

    Raises:
        ModelFileError: damaged, a whole pickled model, or naming a constructor that tensors do not
            need.
    """
    if _is_pickle(file):
        return legacy_contents(file)
    archive = open_archive(file)
    root = _root(archive)
    big_endian = _big_endian(archive, root)
    if f"{root}/constants.pkl" in archive.entries:
        return script_contents(archive, root, big_endian=big_endian)
    entry = archive.entries[f"{root}/data.pkl"]
    if entry.size > MAX_PICKLE:
        raise file.fault(f"data.pkl declares {entry.size} bytes", entry=entry.name)
    fault = pickle_fault(file, entry.name)
    data = read_entry(archive, entry).tobytes()
    value = read_pickle(data, fault)
    storages = archive_storages(archive, f"{root}/data", big_endian=big_endian)
    tree = plant(value, storages, fault, min(len(data), MAX_OPCODES) + SPARE_VALUES)
    if isinstance(tree, Stored):
        tree = {"tensor": tree}
    if not isinstance(tree, dict):
        raise fault("holds no mapping of tensors by name", STATE_DICT_HINT)
    return Contents(tree, ordered=True)


def _is_pickle(file: ModelFile) -> bool:
    """Whether the file is in the old format; what is neither that nor a zip archive is refused."""
    head = bytes(file.read_at(0, min(file.size, 512)))
    if head.startswith(ZIP_MAGIC):
        return False
    if head.startswith(b"\x80"):
        return True
    if head[257:262] == b"ustar":
        raise file.fault(
            "is in PyTorch's first format, a tar archive, which is not read",
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
    if any(name.endswith("/archive_format") for name in archive.entries):
        raise file.fault("is a program of torch.export, which is not read", hint=ADVICE[".pt2"])
    if len(roots) != 1:
        raise file.fault(
            "is no PyTorch file: its archive has no data.pkl",
            hint="a NumPy archive is read under its own suffix, .npz",
        )
    return roots[0]


def _big_endian(archive: Archive, root: str) -> bool:
    entry = archive.entries.get(f"{root}/byteorder")
    if entry is None:
        return False
    if entry.size <= 16:
        word = read_entry(archive, entry).tobytes()
        if word in (b"little", b"big"):
            return word == b"big"
    raise archive.file.fault("its byte order is neither little nor big", entry=entry.name)
