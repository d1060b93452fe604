"""The tensors of a weights file: in memory where they fit, else left in the file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import MemoryLimitError
from fpcheck.core.memory import GIB, available_memory, fits, require_memory
from fpcheck.network.load.files import ModelFile, digest, open_model, shown
from fpcheck.network.load.graph_file import GraphRequest
from fpcheck.network.load.registry import format_of
from fpcheck.network.load.state_dict import StateDict, choose
from fpcheck.network.load.stored import Stored, bytes_needed

# Bytes an entry that measuring a tensor takes, in float64 and more than once.
MEASURING = 32
# What unpacks to more than this many times the file's size is refused where it does not fit; a
# bfloat16 takes three times its size while it is read.
MOST_UNPACKED = 4

# How often tensors may show the same bytes: weights that many layers share are saved once and named
# by each. Beyond it an expanded tensor, or one named a thousand times, makes gigabytes of a small
# file. What is small anyway is read all the same.
MOST_SHARED = 64
FEW_ENTRIES = 2**24

Tensors = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Weights:
    """A weights file, read. `late`: its tensors where they are too large together to be held;
    `tensors` is empty then, and `too_large` says so."""

    name: str
    format: str
    sha256: str
    tensors: Tensors
    ordered: bool
    notes: tuple[str, ...]
    late: Mapping[str, Stored] = field(default_factory=dict)
    too_large: str = ""


def read_weights(path: Path, key: str | None, *, whole: bool) -> Weights:
    """The state dict in a weights file.

    Args:
        path: of the file, or of the index of several.
        key: which state dict of several.
        whole: whether nothing can be done with tensors that are too large to be held together.

    Raises:
        ModelFileError: the file, or one of its shards, cannot be read, or repeats its bytes.
        MemoryLimitError: the tensors do not fit into memory, and `whole`.
    """
    with open_model(path) as file, digest(file) as hashed:
        kind = format_of(path)
        if kind.contents is None:
            graph = kind.graph_of(file, GraphRequest(key))
            own, sha256 = dict(graph.tensors), hashed.result()
            return Weights(path.name, kind.name, sha256, own, ordered=True, notes=graph.notes)
        contents = kind.contents(file)
        chosen = choose(file, contents, key)
        usable, notes = _usable(file, chosen)
        _check_sharing(file, usable)
        needed = bytes_needed(usable.values())
        largest = max(tensor.entries for tensor in usable.values())
        held: Tensors = {}
        late: Mapping[str, Stored] = {}
        too_large = ""
        size = file.size + sum(shard.size for shard in contents.files)
        if whole or needed > MOST_UNPACKED * size or fits(needed + MEASURING * largest):
            held = _held(file, usable, needed)
        else:
            late = usable
            room = available_memory() or 0
            too_large = (
                f"its tensors take {needed / GIB:.1f} GiB, {room / GIB:.1f} GiB are available"
            )
            notes = (*notes, f"{too_large}: they are read one by one, and no network is built")
        sha256 = _with_shards(file, hashed.result(), contents.files)
    return Weights(
        path.name, kind.name, sha256, held, contents.ordered, notes, late=late, too_large=too_large
    )


def _usable(file: ModelFile, chosen: StateDict) -> tuple[dict[str, Stored], tuple[str, ...]]:
    """The tensors of real numbers, and notes on those that are left out."""
    usable = {name: tensor for name, tensor in chosen.tensors.items() if not tensor.left_out}
    notes = list(chosen.notes)
    for name, tensor in chosen.tensors.items():
        if tensor.left_out:
            notes.append(f"tensor '{shown(name)}' is left out: {tensor.left_out}")
    if any(tensor.dtype == "bfloat16" for tensor in usable.values()):
        notes.append("bfloat16 tensors are read as float32, exactly")
    if not usable:
        raise file.fault("holds no tensors of real numbers", hint=notes[-1])
    return usable, tuple(notes)


def _check_sharing(file: ModelFile, usable: Mapping[str, Stored]) -> None:
    """Raise where the tensors have far more entries than the file has bytes for."""
    own = sum({tensor.source: tensor.source_bytes for tensor in usable.values()}.values())
    entries = sum(tensor.entries for tensor in usable.values())
    if entries > MOST_SHARED * own + FEW_ENTRIES:
        raise file.fault(
            f"its tensors show the same {own} bytes again and again, as {entries} entries",
            hint="save what is expanded or shared as it is used: tensor.contiguous(), .clone()",
        )


def _held(file: ModelFile, usable: Mapping[str, Stored], needed: float) -> Tensors:
    try:
        require_memory(needed, f"reading {file.name}")
        return {name: tensor.read() for name, tensor in usable.items()}
    except MemoryError:
        raise MemoryLimitError(f"{file.name}: its tensors do not fit into memory") from None


def _with_shards(file: ModelFile, own: str, shards: tuple[ModelFile, ...]) -> str:
    """The file's SHA-256; of an index, that of the lines `sha256  name` of it and its shards."""
    if not shards:
        return own
    lines = [f"{own}  {file.name}\n"]
    for shard in sorted(shards, key=lambda shard: shard.name):
        with digest(shard) as hashed:
            lines.append(f"{hashed.result()}  {shard.name}\n")
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()
