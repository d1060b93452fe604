"""Fixed points of random tanh maps: our search, gradient descent on the speed, Newton's method.

What is compared is not one answer but how much of it each finds, so these are rows of their own:
our list with its certificates, what Adam on |f(x) - x|^2 from 1024 starts calls distinct and how
many of those are fixed points, and what Newton's method finds in the time that Adam took.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.polish import Polished, polish
from fpcheck.attractors.proving import certify_all
from fpcheck.attractors.search import Seeds, find_all
from fpcheck.core.progress import Monitor
from fpcheck.core.streams import random_stream
from fpcheck.core.workers import available_cores
from fpcheck.jobs.bench.chains import tanh_network, torch_module
from fpcheck.jobs.bench.race import OURS, BenchRow
from fpcheck.network.program import Program

Array = NDArray[np.float64]

SIZES, QUICK_SIZES = (10, 64, 256), (10,)
GAINS = (0.9, 1.5, 3.0)
BIAS = 0.1
FIRST_BLOCK = 300
STARTS = 1024
# Adam's rule: up to so many steps, or until the mean of |f(x) - x|^2 / 2 is below the tolerance.
ADAM_STEPS, QUICK_ADAM_STEPS = 5000, 500
ADAM_RATE = 0.01
ADAM_TOLERANCE = 1e-12
ADAM_DISTANCE = 1e-3  # its ends that are nearer are one
ADAM_RESIDUAL = 1e-5  # its ends below it count as fixed points
ADAM = "torch Adam"
# Two points are one if they are nearer than this, in the comparison of lists.
SAME = 1e-5
NEWTON_STEPS = 60


@dataclass(frozen=True, slots=True)
class _Map:
    """A random map x -> tanh(W x + b), and starts from N(0, 1)."""

    weight: Array
    bias: Array
    program: Program
    starts: Array


def fixed_point_rows(quick: bool, monitor: Monitor) -> Iterator[BenchRow]:
    """A row for every size and gain."""
    torch = torch_module()
    block = FIRST_BLOCK
    for n in QUICK_SIZES if quick else SIZES:
        for gain in GAINS:
            block += 1
            monitor.report(f"bench: fixed points, n = {n}, gain {gain:g}", 0, 0)
            yield _row(_draw(n, gain, block), f"n={n}, gain={gain:g}", torch, quick, monitor)


def _draw(n: int, gain: float, block: int) -> _Map:
    rng = random_stream(0, "bench", block)
    weight = rng.normal(size=(n, n))
    weight *= gain / np.abs(np.linalg.eigvals(weight)).max()
    bias = BIAS * rng.normal(size=n)
    starts = rng.normal(size=(STARTS, n))
    return _Map(weight, bias, tanh_network(((weight, bias),)).program, starts)


def _row(
    drawn: _Map, case: str, torch: ModuleType | None, quick: bool, monitor: Monitor
) -> BenchRow:
    begin = time.perf_counter()
    found = _ours(drawn, monitor)
    searched = time.perf_counter() - begin
    proofs = certify_all(drawn.program, found, 0, monitor)
    ours = time.perf_counter() - begin
    signs = [_index(point, drawn) for point in found]
    counts = {
        "found": f"{len(found)}",
        "proved": f"{sum(proof.proved for proof in proofs)}",
        "index sum": f"{round(float(sum(signs)))}",
    }
    seconds = {OURS: ours}
    allowed = searched
    if torch is not None:
        begin = time.perf_counter()
        ends = _adam(torch, drawn, QUICK_ADAM_STEPS if quick else ADAM_STEPS, monitor)
        seconds[ADAM] = allowed = time.perf_counter() - begin
        reported, real = _judged(ends, drawn)
        counts["Adam ends, real"] = f"{reported}, {real}"
    newton = _newton(drawn, allowed, monitor)
    ours_too = sum(_near(point, found) for point in newton)
    counts["Newton finds, ours too"] = f"{len(newton)}, {ours_too}"
    ratios = {name: each / ours for name, each in seconds.items() if name != OURS}
    return BenchRow("fixed points", case, seconds, ratios, rounds=1, counts=counts)


def _index(point: Polished, drawn: _Map) -> float:
    """sign det(I - J), by the formula of the one layer."""
    slopes = 1.0 - np.tanh(drawn.weight @ point.point + drawn.bias) ** 2
    return float(np.linalg.slogdet(np.eye(len(slopes)) - slopes[:, None] * drawn.weight)[0])


def _ours(drawn: _Map, monitor: Monitor) -> tuple[Polished, ...]:
    n = len(drawn.bias)
    none = np.empty((0, n))
    seeds = Seeds(np.zeros((1, n)), none, none, drawn.starts, none)
    rng = random_stream(0, "bench", FIRST_BLOCK)
    result = find_all(drawn.program, (), seeds, effort=1.0, atol=1e-12, rng=rng, monitor=monitor)
    return result.found


def _adam(torch: ModuleType, drawn: _Map, steps: int, monitor: Monitor) -> Array:
    """Where Adam ends from every start, on all cores as our search is. -> (k, n)."""
    torch.set_num_threads(available_cores())
    weight, bias = torch.from_numpy(drawn.weight), torch.from_numpy(drawn.bias)
    x = torch.from_numpy(drawn.starts.copy()).requires_grad_(True)
    optimiser = torch.optim.Adam([x], lr=ADAM_RATE)
    for step in range(steps):
        optimiser.zero_grad()
        gap = torch.tanh(torch.nn.functional.linear(x, weight, bias)) - x
        speed = 0.5 * (gap * gap).sum(dim=1)
        speed.sum().backward()
        optimiser.step()
        if step % 100 == 0:
            monitor.check()
            if float(speed.mean().detach()) < ADAM_TOLERANCE:
                break
    torch.set_num_threads(1)
    ends: Array = x.detach().numpy()
    return ends


def _judged(ends: Array, drawn: _Map) -> tuple[int, int]:
    """How many ends are distinct, and how many of those are at a fixed point."""
    distinct = _distinct(ends, ADAM_DISTANCE)
    residuals = np.abs(np.tanh(distinct @ drawn.weight.T + drawn.bias) - distinct).max(axis=1)
    return len(distinct), int(np.count_nonzero(residuals < ADAM_RESIDUAL))


def _newton(drawn: _Map, seconds: float, monitor: Monitor) -> list[Array]:
    """The distinct points of damped Newton runs from the starts, and more, for so long."""
    rng = random_stream(0, "bench", FIRST_BLOCK)
    found: list[Array] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = np.tanh(rng.normal(size=len(drawn.bias)))
        point = polish(drawn.program, start, 1, monitor, NEWTON_STEPS)
        if point is not None and all(np.abs(point.point - x).max() > SAME for x in found):
            found.append(point.point)
    return found


def _near(x: Array, found: tuple[Polished, ...]) -> bool:
    return any(np.abs(point.point - x).max() <= SAME for point in found)


def _distinct(rows: Array, distance: float) -> Array:
    """The rows that are not within `distance` of an earlier one that was kept."""
    kept: list[Array] = []
    for row in rows:
        if not kept or np.linalg.norm(np.array(kept) - row, axis=1).min() > distance:
            kept.append(row)
    return np.array(kept)
