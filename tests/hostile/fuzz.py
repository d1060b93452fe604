"""A coverage-guided fuzz of one reader: any file may only be read, or refused by an error of ours.

    PYTHONPATH=tests python tests/hostile/fuzz.py torchscript 600 [SEED [FOLDER]]

mutates the test files of that reader for 600 seconds and keeps every mutant that makes it take a
step from line to line that none before did. What goes wrong is made small and printed, and stored
in FOLDER, whose other files are read as further seeds. The tests run a short, fixed part.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from unittest import mock

import numpy as np
from files.reference import FOLDER
from forked_index import ForkedIndex
from line_trace import Features, Trace, words
from mutations import Mutator, Parts
from network.onnx_cases import CASES, write

from fpcheck.core.errors import FpcheckError, MemoryLimitError
from fpcheck.network.data import load_data
from fpcheck.network.load import load
from fpcheck.network.load.archive import MAX_RATIO
from fpcheck.network.summary import summarise

SECONDS = 20  # of processor time that one file may take
ROOM = 2**26  # bytes that reading any file may take, beside RATIO times its size
RATIO = 2 * MAX_RATIO  # an archive's or a chunk's deflate, read and converted
ADDRESSES = 2**31  # bytes of address space beyond the present ones: more is a MemoryError
CORPUS = 2**27  # bytes of mutants kept
SLOW = 0.5  # seconds; slower mutants are judged but not kept (none of a short run is)


class TooSlowError(BaseException):
    """A file took more than SECONDS; no reader can catch it by accident."""


def as_model(path: Path, flag: int) -> None:
    """Read a file of tensors, its activation given or not."""
    summarise(load(path, activation="tanh" if flag else None))


def as_graph(path: Path, flag: int) -> None:
    """Read a file that says everything itself."""
    summarise(load(path))


def as_data(path: Path, flag: int) -> None:
    """Read rows of data, with targets or without."""
    load_data(path, target="y" if flag else None)


Reader = Callable[[Path, int], None]
READERS: dict[str, tuple[Reader, tuple[str, ...]]] = {
    "pytorch": (as_model, ("pytorch/mlp.pt", "pytorch/cnn.pt")),
    "legacy": (as_model, ("pytorch/*_legacy.pt",)),
    "torchscript": (as_model, ("pytorch/*_script.pt", "pytorch/*.jit", "pytorch/mlp_[fl]*_*.pt*")),
    "skops": (as_graph, ("skops/*.skops",)),
    "npz": (as_model, ("npz/*.npz", "flax/*.npz")),
    "safetensors": (as_model, ("safetensors/*.safetensors", "flax/*.safetensors")),
    "sharded": (as_model, ("safetensors/*_sharded", "pytorch/*_sharded")),
    "onnx": (as_graph, ("onnx/*.onnx",)),
    "keras": (as_graph, ("keras/*.keras", "keras/*.h5")),
    "spec": (as_graph, ("*.toml", "../../samples/*.toml")),
    "data": (as_data, ()),
}
ROWS = "a,b,y\n1,0.5,cat\n2,-1e3,dog\n3,nan,cat\n4,7,dog\n"


@dataclass(frozen=True)
class Finding:
    """What went wrong, the file, made small, and where."""

    key: str
    words: str
    parts: Parts


Kept = tuple[int, Parts]  # with the steps that it took: seconds would choose anew in every run


@dataclass
class Run:
    """What a fuzz has seen so far. `outcomes`: of the mutants. `corpus`: the files kept, those
    that were read and the others."""

    corpus: tuple[list[Kept], list[Kept]] = field(default_factory=lambda: ([], []))
    kept: int = 0  # bytes
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[str, Finding] = field(default_factory=dict)
    seen: Features = field(default_factory=set)
    lines: Features = field(default_factory=set)
    seeded: int = 0  # the number of lines that the seeds reached
    slowest: float = 0.0
    libhdf5: tuple[int, int] = (0, 0)  # HDF5 files that it was given, and that ended its process
    growth: int = 0  # the largest resident memory that one file took

    @property
    def files(self) -> int:
        """The number of mutants that were read or refused."""
        return self.outcomes.total()


class Fuzz:
    """One reader under mutated files, in `folder`."""

    def __init__(self, name: str, seed: int, folder: Path, seeds: Path | None = None) -> None:
        self.reader, patterns = READERS[name]
        self.folder, self.run, self.trace = folder, Run(), Trace()
        self.rng = random.Random(f"{name} {seed}")
        self.forked: ForkedIndex | None = None
        self.guarded = False
        files = [file for pattern in patterns for file in sorted(FOLDER.glob(pattern))]
        files += sorted(seeds.iterdir()) if seeds else []
        self.seeds = [(0, parts) for parts in (*map(parts_of, files), *built(name, folder))]

    def work(self, files: int | None, seconds: float) -> Run:
        """The run after that many mutants or seconds."""
        for _, parts in self.seeds:  # twice: the first reading imports what it needs
            self.outcome(parts)
        self.guarded = True
        start = time.monotonic()
        self.seeds = [(self.consider(parts), parts) for _, parts in self.seeds]
        self.run.seeded = len(self.run.lines)
        self.run.outcomes.clear()
        mutator = Mutator(self.rng, words(self.trace.files))
        while time.monotonic() - start < seconds and (files is None or self.run.files < files):
            self.consider(mutator.mutated(self.chosen(), self.chosen()))
        return self.run

    def chosen(self) -> Parts:
        """A file of the corpus; seeds, new files, those that were read and quick ones preferred."""
        rng = self.rng
        corpus = self.run.corpus[rng.random() < 0.35] or self.seeds
        kind = rng.random()
        corpus = self.seeds if kind < 0.2 else corpus[-32:] if kind < 0.5 else corpus
        return min(rng.choice(corpus), rng.choice(corpus), key=itemgetter(0))[1]

    def consider(self, parts: Parts) -> int:
        """The steps that it took to read the file, which is kept where it shows something new."""
        run = self.run
        start = time.process_time()
        outcome, finding = self.outcome(parts)
        took = time.process_time() - start
        run.outcomes[outcome] += 1
        run.slowest = max(run.slowest, took)
        features, steps = self.trace.features, self.trace.steps
        if finding is not None:
            if finding.key not in run.findings:
                run.findings[finding.key] = self.smaller(finding)
        elif not features <= run.seen and took < SLOW and run.kept < CORPUS:
            run.seen |= features
            run.lines |= self.trace.lines
            run.kept += sum(map(len, parts.values()))
            run.corpus[outcome != "read"].append((steps, parts))
        return steps

    def outcome(self, parts: Parts) -> tuple[str, Finding | None]:
        """What became of the file, and the finding if that is one."""
        try:
            return self.read(parts), None
        except (Exception, TooSlowError) as error:
            own = traceback.extract_tb(error.__traceback__)
            place = next((f for f in reversed(own) if "fpcheck" in f.filename), own[-1])
            key = f"{type(error).__name__} {Path(place.filename).name}:{place.lineno}"
            return "FINDING", Finding(key, "".join(traceback.format_exception(error)), parts)

    def read(self, parts: Parts) -> str:
        """`read` or the class of our own error; all other errors come through.

        Raises:
            AssertionError: an error that is not one line, or more memory than the file warrants.
        """
        for old in self.folder.iterdir():
            old.unlink()
        for name, data in parts.items():
            (self.folder / name).write_bytes(data)
        whole = any(name.endswith(".index.json") for name in parts)
        path = self.folder if whole else self.folder / next(iter(parts))
        size = sum(map(len, parts.values()))
        flag = zlib.crc32(b"".join(parts.values())) & 1
        before = peak_memory(reset=True)
        try:
            with time_limit(), self.trace:
                self.reader(path, flag)
            outcome = "read"
        except FpcheckError as error:
            if not error.message or "\n" in error.message:
                raise AssertionError("an error is one line of text") from error
            if isinstance(error, MemoryLimitError) and path.suffix != ".toml":
                raise AssertionError("a small file claims more memory than there is") from error
            outcome = type(error).__name__
        finally:
            if self.forked is not None:
                self.trace.counts.update(self.forked.counts)
                self.forked.counts = {}
                self.run.libhdf5 = (self.forked.asked, self.forked.deaths)
        growth = peak_memory() - before
        if self.guarded and path.suffix != ".toml":  # a spec draws the network that it describes
            self.run.growth = max(self.run.growth, growth)
            assert growth <= ROOM + RATIO * size, f"{growth >> 20} MiB for {size} bytes"
        return outcome

    def smaller(self, finding: Finding) -> Finding:
        """The finding with bytes taken out, for some seconds, as long as it stays the same."""
        parts, end = dict(finding.parts), time.monotonic() + SECONDS
        for name in finding.parts:
            data = parts[name]
            width = len(data) // 2
            while width:
                at = 0
                while at < len(data) and time.monotonic() < end:
                    less = data[:at] + data[at + width :]
                    found = self.outcome({**parts, name: less})[1]
                    if found is not None and found.key == finding.key:
                        parts[name] = data = less
                    else:
                        at += width
                width //= 2
        return Finding(finding.key, finding.words, parts)


def built(name: str, folder: Path) -> list[Parts]:
    """Seeds that are made here: every operator of ONNX, tables of data."""
    if name == "data":
        np.savez(folder / "rows.npz", x=np.eye(3, dtype=np.float32), y=np.arange(3))
        return [{"model.csv": ROWS.encode()}, parts_of(folder / "rows.npz")]
    if name == "onnx" and find_spec("onnx"):
        paths = [write(case, folder / f"{n}.onnx", np.float32) for n, case in enumerate(CASES)]
        return [parts_of(path) for path in paths]
    return []


def parts_of(path: Path) -> Parts:
    """A file under a name that keeps its suffix, or a folder with its names."""
    if path.is_dir():
        return {file.name: file.read_bytes() for file in sorted(path.iterdir())}
    parts = {f"model{path.suffix}": path.read_bytes()}
    beside = path.with_suffix(".bin")  # the external data of an ONNX file
    return parts | ({beside.name: beside.read_bytes()} if beside.exists() else {})


def peak_memory(*, reset: bool = False) -> int:
    """The largest resident memory in bytes since the last reset; 0 where the system tells none."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@contextmanager
def time_limit() -> Iterator[None]:
    """Raise TooSlowError inside once SECONDS of processor time are over."""

    def stop(*_: object) -> None:
        raise TooSlowError

    if not hasattr(signal, "setitimer"):  # Windows: the clock of whoever runs this must do
        yield
        return
    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def fuzz(
    name: str,
    seed: int,
    *,
    files: int | None = None,
    seconds: float = 1e9,
    seeds: Path | None = None,
) -> Run:
    """The run of one reader over that many mutants or seconds."""
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("error")  # a warning that the user would see is a finding
        warnings.simplefilter("ignore", DeprecationWarning)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        work = Fuzz(name, seed, folder, seeds)
        if name == "keras" and sys.platform == "linux":
            work.forked = ForkedIndex()
            stack.callback(work.forked.close)
            stack.enter_context(mock.patch("fpcheck.network.load.keras.hdf5._index", work.forked))
        return work.work(files, seconds)


def main(name: str, seconds: float, seed: int = 0, seeds: Path | None = None) -> None:
    """Fuzz under a limit on the address space, print what was found, and store it."""
    import resource

    with open("/proc/self/statm", encoding="ascii") as pages:
        now = int(pages.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + ADDRESSES, hard))
    start = time.monotonic()
    run = fuzz(name, seed, seconds=seconds, seeds=seeds)
    for count, finding in enumerate(run.findings.values()):
        sys.stdout.write(f"{finding.key}\n{finding.words}\n")
        for part, data in finding.parts.items():
            sys.stdout.write(f"{part}: {data[:2000]!r}\n")
            if seeds is not None:
                (seeds / f"finding-{count}-{part}").write_bytes(data)
    sys.stdout.write(
        f"{name}: {run.files} files in {time.monotonic() - start:.0f} s, {dict(run.outcomes)}; "
        f"{len(run.lines)} lines ({run.seeded} by the seeds), {len(run.seen)} steps, "
        f"{sum(map(len, run.corpus))} kept; "
        f"slowest {run.slowest:.2f} s, largest growth {run.growth / 2**20:.1f} MiB; "
        f"HDF5 files and crashes {run.libhdf5}; {len(run.findings)} findings\n"
    )


if __name__ == "__main__":
    words_given = sys.argv[1:]
    main(
        words_given[0],
        float(words_given[1]),
        *map(int, words_given[2:3]),
        *map(Path, words_given[3:4]),
    )
