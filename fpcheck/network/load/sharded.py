"""Tensors that lie in several files under one index, as the hubs keep large models.

`model.safetensors.index.json` and `pytorch_model.bin.index.json` map every tensor's name to the
file that holds it; these shards lie beside the index and nowhere else. [Hugging Face hub
documentation, "Sharded checkpoints"]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from fpcheck.network.load.files import ModelFile, open_model, shown
from fpcheck.network.load.json_object import json_object
from fpcheck.network.load.stored import Contents, Stored

INDEX = ".index.json"
MAX_INDEX = 2**26  # bytes; the names of a million tensors
MAX_SHARDS = 10_000
LISTED = 3  # names in a message

Reader = Callable[[ModelFile], Contents]


def sharded(read: Reader, suffix: str) -> Reader:
    """A reader of indexes whose shards `read` reads; they end in `suffix`."""

    def contents(file: ModelFile) -> Contents:
        return _contents(file, read, suffix)

    return contents


def _contents(file: ModelFile, read: Reader, suffix: str) -> Contents:
    """All tensors under the index `file`, every one checked to lie where the index says.

    Raises:
        ModelFileError: no index, a shard that is missing or lies elsewhere, a tensor that is
            missing, in another shard, or in two.
    """
    places = _weight_map(file)
    shards = list(dict.fromkeys(places.values()))
    if len(shards) > MAX_SHARDS:
        raise file.fault(f"names {len(shards)} shards, at most {MAX_SHARDS} are read")
    holds: dict[str, tuple[str, Stored]] = {}
    files: list[ModelFile] = []
    ordered = True
    for shard in shards:
        with open_model(_beside(file, shard, suffix)) as own:
            files.append(own)
            part = read(own)
            ordered = ordered and part.ordered
            for name, tensor in _flat(part.tree):
                if name in holds:
                    raise file.fault(
                        f"tensor '{shown(name)}' is in two shards, {shown(holds[name][0])} and "
                        f"{shown(shard)}"
                    )
                holds[name] = (shard, replace(tensor, source=f"{shard}/{tensor.source}"))
    tree: dict[str, object] = {}
    for name, shard in places.items():
        if name not in holds:
            raise file.fault(
                f"tensor '{shown(name)}' is not in {shown(shard)}, where the index has it",
                hint="download the shards and the index again, of one version",
            )
        if holds[name][0] != shard:
            raise file.fault(
                f"tensor '{shown(name)}' is in {shown(holds[name][0])}, the index has it in "
                f"{shown(shard)}"
            )
        tree[name] = holds[name][1]
    left = [shown(name) for name in holds if name not in tree]
    more = f" and {len(left) - LISTED} more" if len(left) > LISTED else ""
    notes = [f"{len(shards)} shards"]
    if left:
        listed = ", ".join(left[:LISTED])
        notes.append(f"left out, for the index does not have them: {listed}{more}")
    return Contents(tree, ordered=ordered, notes=tuple(notes), files=tuple(files))


def _weight_map(file: ModelFile) -> dict[str, str]:
    """The shard of every tensor."""
    if file.size > MAX_INDEX:
        raise file.fault(f"is no index: it has {file.size} bytes")
    index = json_object(
        file.read_at(0, file.size), lambda reason: file.fault(f"is no index of shards: {reason}")
    )
    places = index.get("weight_map")
    if not isinstance(places, dict) or not places:
        raise file.fault("is no index of shards: it has no weight_map")
    for name, shard in places.items():
        if not isinstance(shard, str):
            raise file.fault(f"names no shard for tensor '{shown(name)}'", entry="weight_map")
    return places


def _beside(file: ModelFile, shard: str, suffix: str) -> Path:
    """The path of a shard, which lies beside the index: no folder, no link to elsewhere."""
    plain = shard.endswith(suffix) and not set(shard) & set("/\\:\0") and shard == Path(shard).name
    if not plain:
        raise file.fault(
            f"names a shard that is no {suffix} file beside it: {shown(shard)}",
            entry="weight_map",
            hint="shards lie in the folder of their index",
        )
    path = file.path.parent / shard
    # A download folder may link the index and its shards to one store of files: they may lie
    # where the index lies, followed to its end, and nowhere else.
    homes = {file.path.parent.resolve(), file.path.resolve().parent}
    try:
        home = path.resolve().parent
    except (OSError, RuntimeError):  # links that lead in a circle
        home = Path()
    if home not in homes:
        raise file.fault(
            f"the shard {shown(shard)} is a link to outside the folder",
            entry="weight_map",
            hint="put the file itself there",
        )
    return path


def _flat(tree: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, Stored]]:
    """(dotted name, tensor) of every tensor in the tree, in order."""
    for name, value in tree.items():
        if isinstance(value, Stored):
            yield prefix + name, value
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
