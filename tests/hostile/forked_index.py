"""The index of HDF5 files by one process that works through many, for a fuzz.

The reader starts a new interpreter for every file. Here a fork of one that has imported h5py
calls the same function under the same limits, file after file; when libhdf5 ends it, the next one
is forked. It tells in addition which lines ran. Run as a script it serves requests: a line of JSON
each on stdin.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
from typing import Any

from line_trace import Trace

from fpcheck.network.load.files import ModelFile
from fpcheck.network.load.keras import hdf5, hdf5_index

GAVE_UP = "it is damaged so that libhdf5 gives up on it"
SECONDS = 2  # of the ten that the reader gives: a structure that leads in circles needs no more
FILES = 500  # that one fork works through
DONE, WORN = 0, 3  # why it ends, where libhdf5 does not end it
REMEMBERED = 1000  # structures, most of which a mutated configuration leaves as they were


class ForkedIndex:
    """Stands for `hdf5._index`. `counts`: the steps from line to line of the last call;
    `asked` and `deaths`: files that libhdf5 was given, and those that ended its process."""

    def __init__(self) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
        )
        self.known: dict[bytes, bytes] = {}
        self.counts: dict[int, int] = {}
        self.asked = self.deaths = 0

    def __call__(self, file: ModelFile, start: int, size: int) -> dict[str, Any]:
        """What the reader's own function returns."""
        key = hashlib.sha256(file.read_at(start, size)).digest()
        if key not in self.known:
            if len(self.known) >= REMEMBERED:
                self.known.clear()
            self.known[key] = self._ask(file, start, size)
        data = self.known[key]
        if not data:
            return {"fault": GAVE_UP}
        found, counts = json.loads(data)
        self.counts = {int(step): n for step, n in counts.items()}
        return dict(json.loads(found))

    def _ask(self, file: ModelFile, start: int, size: int) -> bytes:
        self.asked += 1
        path = f"/proc/{os.getpid()}/fd/{file.handle.fileno()}"
        task = {"path": path, "start": start, "size": size, "memory": hdf5.SLACK + 2 * size}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(task).encode() + b"\n")
        self.process.stdin.flush()
        (count,) = struct.unpack("<Q", self.process.stdout.read(8))
        self.deaths += not count
        return self.process.stdout.read(count)

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def serve() -> None:
    """Answer requests by a fork, and the one that ends it by nothing."""
    import h5py  # noqa: F401  (once, before the forks)

    while True:
        worker = os.fork()
        if not worker:
            os._exit(_work())
        end = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        if end == DONE:
            return
        if end == WORN:
            continue
        sys.stdout.buffer.write(struct.pack("<Q", 0))
        sys.stdout.buffer.flush()


def _work() -> int:
    """DONE, or WORN after some hundred answers, each of them its length and its bytes."""
    import resource

    for _ in range(FILES):
        line = sys.stdin.buffer.readline()
        if not line:
            return DONE
        task = json.loads(line)
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(used.ru_utime + used.ru_stime) + SECONDS
        with open("/proc/self/statm", encoding="ascii") as statm:
            pages = int(statm.read().split()[0])
        room = pages * resource.getpagesize() + task["memory"]
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (room, hard))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        handle = os.open(task["path"], os.O_RDONLY)
        with Trace() as trace:
            part = hdf5_index.Part(handle, task["start"], task["size"])
            found = json.dumps(hdf5_index.answer(part))
        os.close(handle)
        data = json.dumps([found, trace.counts]).encode()
        sys.stdout.buffer.write(struct.pack("<Q", len(data)) + data)
        sys.stdout.buffer.flush()
    return WORN


if __name__ == "__main__":
    serve()
