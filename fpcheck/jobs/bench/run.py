"""The bench itself: every section's races in order, against this machine's measured peak."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from fpcheck.core.progress import Monitor
from fpcheck.core.workers import available_cores
from fpcheck.jobs.bench.dual_kernels import dual_kernel_races
from fpcheck.jobs.bench.escape import escape_races
from fpcheck.jobs.bench.fixed_points import fixed_point_rows
from fpcheck.jobs.bench.iteration import iteration_races
from fpcheck.jobs.bench.jacobians import jacobian_races
from fpcheck.jobs.bench.loading import loading_races
from fpcheck.jobs.bench.memories import memory_races
from fpcheck.jobs.bench.race import BenchRow, Race, run_race
from fpcheck.jobs.bench.readout import readout_races
from fpcheck.jobs.bench.simplicity import simplicity_races
from fpcheck.jobs.bench.starting import starting_races

# A part that adds rows adds its races here. quick -> races; a race's answers are its own matter.
SECTIONS: dict[str, Callable[[bool], Iterator[Race[Any]]]] = {
    "iterate": iteration_races,
    "jacobian": jacobian_races,
    "load": loading_races,
    "attractors": memory_races,
    "dual kernel": dual_kernel_races,
    "readout": readout_races,
    "simplicity": simplicity_races,
    "escape": escape_races,
    "start": starting_races,
}
# Sections whose ways do not give one answer and so make their rows themselves.
COMPARISONS: dict[str, Callable[[bool, Monitor], Iterator[BenchRow]]] = {
    "fixed points": fixed_point_rows,
}
PEAK_SIZE = 1024
PEAK_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class BenchResult:
    """The rows, and the machine they were measured on.

    peak_gflops: the rate of a float64 matrix product on one core, the limit of dense layers.
    """

    rows: tuple[BenchRow, ...]
    peak_gflops: float
    processor: str
    cores: int
    versions: dict[str, str]
    quick: bool


def run_bench(monitor: Monitor, quick: bool = False) -> BenchResult:
    """Our kernels against their peers on this machine, on one core each unless a row says more.

    Args:
        monitor: told of every race; asked before each measurement.
        quick: smaller sizes and fewer rounds.

    Raises:
        AssertionError: two ways of one race give different answers.
        KeyboardInterrupt: the monitor asked to stop.
    """
    rows: list[BenchRow] = []
    with threadpool_limits(1, user_api="blas"):
        sections = len(SECTIONS) + len(COMPARISONS)
        monitor.report("measuring the product rate", 0, sections)
        peak = gemm_peak()
        for done, (name, races) in enumerate(SECTIONS.items()):
            monitor.report(f"bench: {name}", done, sections)
            rows += [run_race(race, peak, monitor) for race in races(quick)]
        for compare in COMPARISONS.values():
            rows += compare(quick, monitor)
    monitor.report("bench", sections, sections)
    return BenchResult(tuple(rows), peak, _processor(), available_cores(), _versions(), quick)


def gemm_peak() -> float:
    """GFLOP/s of a square float64 product, the best of several rounds."""
    a = np.ones((PEAK_SIZE, PEAK_SIZE))
    out = np.empty_like(a)
    np.matmul(a, a, out=out)
    best = np.inf
    for _ in range(PEAK_ROUNDS):
        begin = time.perf_counter()
        np.matmul(a, a, out=out)
        best = min(best, time.perf_counter() - begin)
    return float(2.0 * PEAK_SIZE**3 / best / 1e9)


def _processor() -> str:
    """The processor's model, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    from importlib import metadata

    found = {"python": platform.python_version()}
    for package in ("fpcheck", "numpy", "numba", "torch"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
