"""The index of an HDF5 file, made by a process of its own and printed as JSON.

libhdf5 is C code that a damaged file may crash or send round in circles, so it runs apart, under
limits on memory and time, and reads nothing but structure: names, shapes, types, where the bytes
lie, and a few attributes. Links that are not hard, data in other files and foreign filters are
named and not followed. The numbers themselves are read by `hdf5.py` from the same file.

Run as a script: argv[1] is JSON {paths, start, size, memory, seconds}; the file is on stdin.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py

MAX_OBJECTS = 2**17
MAX_DEPTH = 32
MAX_CHUNKS = 2**18
MAX_ATTRIBUTE = 2**24  # bytes; the configuration of a large model takes under a million
ATTRIBUTES = ("model_config", "keras_version", "backend", "layer_names", "weight_names", "dtype")
FILTERS = {1: "deflate", 2: "shuffle"}


class FaultError(Exception):
    """What is wrong with the file, in words for the user."""


class Part(io.RawIOBase):
    """The bytes start to start + size of the file on stdin, as a file of its own."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        self.file = os.fdopen(descriptor, "rb", buffering=0, closefd=False)
        self.start, self.size, self.place = start, size, 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """The new place."""
        self.place = offset + {0: 0, 1: self.place, 2: self.size}[whence]
        return self.place

    def tell(self) -> int:
        """The present place."""
        return self.place

    def readinto(self, out: memoryview) -> int:  # type: ignore[override]  # h5py's only caller
        """The number of bytes read into `out` from the present place."""
        count = max(0, min(len(out), self.size - self.place))
        self.file.seek(self.start + self.place)
        got = self.file.readinto(memoryview(out)[:count]) or 0
        self.place += got
        return got


class Index:
    """What is found, in the order in which the file lists it."""

    def __init__(self) -> None:
        self.datasets: list[dict[str, Any]] = []
        self.attributes: dict[str, dict[str, Any]] = {}
        self.left_out: list[tuple[str, str]] = []
        self.seen: set[Any] = set()
        self.objects = 0
        self.chunks = 0


def index_file(handle: io.RawIOBase) -> dict[str, Any]:
    """The index of the HDF5 file that `handle` reads."""
    import h5py

    with h5py.File(handle, "r") as file:
        found = Index()
        root = h5py.h5o.get_info(file.id)
        found.seen.add((root.fileno, root.addr))
        _group(found, file, "", 0)
    return {
        "datasets": found.datasets,
        "attributes": found.attributes,
        "left_out": found.left_out,
    }


def _group(found: Index, group: h5py.Group, path: str, depth: int) -> None:
    import h5py

    if depth > MAX_DEPTH:
        raise FaultError(f"groups are nested deeper than {MAX_DEPTH}")
    _attributes(found, group, path)
    found.objects += len(group)
    if found.objects > MAX_OBJECTS:
        raise FaultError(f"it holds more than {MAX_OBJECTS} objects")
    for name in group:
        place = f"{path}/{_text(name)}".lstrip("/")
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            kind = "another file" if isinstance(link, h5py.ExternalLink) else "another place"
            found.left_out.append((place, f"a link to {kind}, which is not followed"))
            continue
        child = group[name]
        if isinstance(child, h5py.Datatype):
            continue
        info = h5py.h5o.get_info(child.id)
        if (info.fileno, info.addr) in found.seen:
            found.left_out.append((place, "a second name of another object"))
            continue
        found.seen.add((info.fileno, info.addr))
        if isinstance(child, h5py.Group):
            _group(found, child, place, depth + 1)
        else:
            _dataset(found, child, place)


def _dataset(found: Index, dataset: h5py.Dataset, path: str) -> None:
    import h5py

    _attributes(found, dataset, path)
    if dataset.shape is None:
        found.left_out.append((path, "it holds nothing"))
        return
    record: dict[str, Any] = {"path": path, "shape": list(dataset.shape)}
    kind = dataset.id.get_type()
    plain = kind.get_class() in (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM)
    dtype = dataset.dtype if plain else None
    record["dtype"] = dtype.str if dtype is not None else ""
    record["dtype_name"] = dtype.name if dtype is not None else "no number"
    record["itemsize"] = kind.get_size()
    plist = dataset.id.get_create_plist()
    layout = plist.get_layout()
    if layout == h5py.h5d.VIRTUAL or plist.get_external_count():
        raise FaultError(f"dataset '{path}' takes its data from other files, which is not followed")
    record["filters"] = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    record["pieces"] = []
    if layout == h5py.h5d.CONTIGUOUS:
        offset = dataset.id.get_offset()
        if offset is not None:
            record["pieces"] = [[offset, dataset.id.get_storage_size(), 0, []]]
    elif layout == h5py.h5d.CHUNKED:
        record["chunk"] = list(dataset.chunks)
        record["pieces"] = _chunks(found, dataset)
    elif plain:
        if dataset.nbytes > 2**16:
            raise FaultError(f"dataset '{path}' declares more than its header can hold")
        record["inline"] = base64.b64encode(dataset[()].tobytes()).decode("ascii")
    found.datasets.append(record)


def _chunks(found: Index, dataset: h5py.Dataset) -> list[Any]:
    count = dataset.id.get_num_chunks()
    found.chunks += count
    if found.chunks > MAX_CHUNKS:
        raise FaultError(f"it holds more than {MAX_CHUNKS} chunks")
    pieces: list[Any] = []
    dataset.id.chunk_iter(
        lambda info: pieces.append(
            [info.byte_offset, info.size, info.filter_mask, list(info.chunk_offset)]
        )
    )
    return pieces


def _attributes(found: Index, item: h5py.HLObject, path: str) -> None:
    import h5py

    kept: dict[str, Any] = {}
    for name in item.attrs:
        word = _text(name)
        if word.rstrip("0123456789") not in ATTRIBUTES:
            continue
        attribute = h5py.h5a.open(item.id, name.encode("utf-8", "surrogateescape"))
        size = attribute.get_space().get_simple_extent_npoints() * attribute.get_type().get_size()
        if size > MAX_ATTRIBUTE:
            raise FaultError(f"attribute '{word}' is larger than {MAX_ATTRIBUTE} bytes")
        kept[word] = _plain(item.attrs[name])
    if kept:
        found.attributes[path] = kept


def _plain(value: object) -> str | list[str] | None:
    """A string, or a list of strings; None for anything else."""
    if isinstance(value, str | bytes):
        return _text(value)
    if hasattr(value, "tolist"):
        items = value.tolist()
        if isinstance(items, str | bytes):
            return _text(items)
        if isinstance(items, list) and all(isinstance(item, str | bytes) for item in items):
            return [_text(item) for item in items]
    return None


def _text(value: str | bytes) -> str:
    """The text with what is no UTF-8 replaced, so that it can be printed and written."""
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return data.decode("utf-8", "replace")


def _limit(memory: int, seconds: int) -> None:
    """Hold this process to `memory` bytes beyond what it has, and to `seconds` of work."""
    try:
        import resource
    except ImportError:  # no such limits on Windows; the parent's clock still holds
        return
    with open("/proc/self/statm", encoding="ascii") as pages:
        room = int(pages.read().split()[0]) * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def answer(handle: io.RawIOBase) -> dict[str, Any]:
    """The index of the file, or what is wrong with it under `fault`."""
    try:
        return index_file(handle)
    except FaultError as error:
        return {"fault": str(error)}
    except MemoryError:
        return {"fault": "its structure claims more memory than a file of its size can need"}
    except Exception as error:  # h5py raises almost every built-in class on damaged files
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "signature not found" in words:
            return {"fault": "it is another kind of file, or it is damaged"}
        return {"fault": f"it is damaged ({_text(words)[:200]})"}


def main() -> None:
    """Print the index of the file on stdin."""
    task = json.loads(sys.argv[1])
    sys.path[:] = task["paths"]
    import h5py  # noqa: F401  (before the limit: its code takes room)

    with contextlib.suppress(OSError, ValueError):  # no /proc, or a lower limit holds already
        _limit(task["memory"], task["seconds"])
    sys.stdout.write(json.dumps(answer(Part(0, task["start"], task["size"]))))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
