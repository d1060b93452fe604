"""A model file on disk: opened with checks, read by ranges, hashed beside the reading."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from threading import Event

from fpcheck.core.errors import ModelFileError
from fpcheck.core.printable import printable
from fpcheck.network.load.strangers import HEAD, stranger

HASH_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file. `name` is what messages and reports call it: no folder of anybody's.

    `stamp`: device, inode, size and time of change when it was opened.
    """

    path: Path
    name: str
    handle: FileIO
    size: int
    stamp: tuple[int, int, int, int] = (0, 0, 0, 0)

    def fault(self, message: str, *, entry: str = "", hint: str = "") -> ModelFileError:
        """An error about this file, to be raised; `entry` is the place inside it."""
        where = f"{self.name}, {shown(entry)}" if entry else self.name
        return ModelFileError(f"{self.name}: {message}", where=where, hint=hint)

    def read_at(self, offset: int, length: int) -> bytearray:
        """`length` bytes from `offset`.

        Raises:
            ModelFileError: the file ends before.
        """
        if not (offset >= 0 and 0 <= length <= self.size - offset):
            raise self.fault("the file is truncated", hint=TRUNCATED_HINT)
        out = bytearray(length)
        self.read_into(offset, memoryview(out))
        return out

    def read_into(self, offset: int, out: memoryview) -> None:
        """Fill `out` with the bytes from `offset`.

        Raises:
            ModelFileError: the file ends before.
        """
        try:
            with self._reading() as handle:
                handle.seek(offset)
                done = 0
                while done < len(out):  # one read call moves at most 2 GiB
                    count = handle.readinto(out[done:])
                    if not count:
                        raise self.fault("the file is truncated", hint=TRUNCATED_HINT)
                    done += count
        except OSError as error:
            raise self.fault(f"cannot be read: {error.strerror}") from None

    @contextmanager
    def _reading(self) -> Iterator[FileIO]:
        """The handle; a new one where it is closed, as for tensors that are read late."""
        if not self.handle.closed:
            yield self.handle
            return
        with FileIO(str(self.path), "r") as handle:
            if _stamp(handle) != self.stamp:
                raise self.fault("the file changed while it was read", hint=CHANGED_HINT)
            yield handle


CHANGED_HINT = "wait until nothing writes to it"
TRUNCATED_HINT = "copy or save it again; compare its size with the original's"


@contextmanager
def open_model(path: Path) -> Iterator[ModelFile]:
    """The opened file at `path`.

    Raises:
        ModelFileError: it is missing, empty, a folder, not a regular file, not readable, or by its
            first bytes no model of its suffix.
    """
    name = path.name or str(path)
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise ModelFileError(
                f"{name} is a directory", where=str(path), hint="name the model file in it"
            )
        if not stat.S_ISREG(found.st_mode):
            raise ModelFileError(
                f"{name} is not a regular file", where=str(path), hint="save the model to a file"
            )
        handle = FileIO(str(path), "r")
    except FileNotFoundError:
        raise ModelFileError(
            f"{name} does not exist", where=str(path), hint=_nearby(path)
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelFileError(
            f"{name} cannot be opened: {reason}", where=str(path), hint="is it readable?"
        ) from None
    with handle:
        size = os.fstat(handle.fileno()).st_size
        if size == 0:
            raise ModelFileError(f"{name} is empty", where=str(path), hint=TRUNCATED_HINT)
        file = ModelFile(path, name, handle, size, _stamp(handle))
        other = stranger(path, bytes(file.read_at(0, min(size, HEAD))), size)
        if other is not None:
            what, hint = other
            raise file.fault(what, hint=hint)
        yield file


@contextmanager
def digest(file: ModelFile) -> Iterator[Future[str]]:
    """The SHA-256 of the file, computed in a thread while the body reads; joined at the end."""
    stop = Event()
    with ThreadPoolExecutor(1, thread_name_prefix="sha256") as pool:
        future = pool.submit(_sha256, file, stop)
        try:
            yield future
        except BaseException:
            stop.set()
            raise


def _sha256(file: ModelFile, stop: Event) -> str:
    """The hash, taken through a handle of its own; refuses a file that changes meanwhile."""
    hashed = hashlib.sha256()
    block = memoryview(bytearray(min(HASH_BLOCK, file.size)))
    try:
        with FileIO(str(file.path), "r") as handle:
            while not stop.is_set() and (count := handle.readinto(block)):
                hashed.update(block[:count])
            after = _stamp(handle)
    except OSError as error:
        raise file.fault(f"cannot be read: {error.strerror}") from None
    if after != file.stamp:
        raise file.fault("the file changed while it was read", hint=CHANGED_HINT)
    return hashed.hexdigest()


def _stamp(handle: FileIO) -> tuple[int, int, int, int]:
    found = os.fstat(handle.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def shown(text: str, limit: int = 80) -> str:
    """`text` fit for a message: nothing that could draw on a terminal, and not too long."""
    return printable(text if len(text) <= limit else text[: limit - 3] + "...")


def _nearby(path: Path) -> str:
    """A hint naming the file beside it with the nearest name."""
    import difflib

    if path.parts and path.parts[0].lower() in ("http:", "https:", "s3:", "gs:", "hf:"):
        return "download it first; a model is read from a file"
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return "check the path"
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.75)
    return f"did you mean '{path.parent / near[0]}'?" if near else "check the path"
