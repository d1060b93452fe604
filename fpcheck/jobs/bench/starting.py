"""What a command costs from a cold start: fresh processes of this interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.streams import random_stream
from fpcheck.jobs.bench.chains import chain_parameters
from fpcheck.jobs.bench.race import OURS, Race

# What each command is measured against: the interpreter alone, and what any numerical tool imports.
BARE = ("-c", "pass")
NUMERICAL = ("-c", "import numpy, numba")


def starting_races(quick: bool) -> Iterator[Race[int]]:
    """A race a command."""
    rounds = 3 if quick else 7
    with TemporaryDirectory() as name:
        folder = Path(name)
        model = _save_model(folder)
        cache, fresh = folder / "filled", count()
        light = _command(cache, *BARE)
        for flag in ("--version", "--help"):
            yield _race(f"fpcheck {flag}", _command(cache, *_cli(flag)), "python", light, rounds)
        analysis = _cli("analyze", str(model), "--activation", "tanh")
        heavy = _command(cache, *NUMERICAL)
        yield _race(
            "fpcheck analyze, kernels to compile",
            lambda: _run(folder / f"empty{next(fresh)}", analysis),
            "import numba",
            heavy,
            1 if quick else 3,
        )
        yield _race(
            "fpcheck analyze, kernels in the cache",
            _command(cache, *analysis),
            "import numba",
            heavy,
            rounds,
        )


def _race(
    case: str, ours: Callable[[], int], peer: str, theirs: Callable[[], int], rounds: int
) -> Race[int]:
    return Race(group="start", case=case, ways={OURS: ours, peer: theirs}, rounds=rounds, slow=True)


def _save_model(folder: Path) -> Path:
    tensors: dict[str, NDArray[np.float64]] = {}
    for i, (weight, bias) in enumerate(chain_parameters(16, 2, random_stream(0, "bench", 300))):
        tensors |= {f"{i}.weight": weight, f"{i}.bias": bias}
    path = folder / "small.npz"
    np.savez(path, allow_pickle=False, **tensors)
    return path


def _cli(*arguments: str) -> tuple[str, ...]:
    return ("-m", "fpcheck", *arguments)


def _command(cache: Path, *arguments: str) -> Callable[[], int]:
    return lambda: _run(cache, arguments)


def _run(cache: Path, arguments: tuple[str, ...]) -> int:
    """The exit code of a fresh interpreter, 0 or 1 (findings); its report is thrown away.

    Raises:
        RuntimeError: the command failed, with the last line of what it said.
    """
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"FPCHECK_CACHE_DIR": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        said = done.stderr.strip().splitlines() or ["nothing"]
        raise RuntimeError(f"{' '.join(arguments)} exited with {done.returncode}: {said[-1]}")
    return done.returncode
