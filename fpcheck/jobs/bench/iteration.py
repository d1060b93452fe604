"""Batch iteration to convergence: ours, a NumPy loop that drops converged rows, PyTorch's twin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.iterate import iterate_starts
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.core.workers import available_cores
from fpcheck.jobs.bench.chains import chain_parameters, tanh_network, torch_module
from fpcheck.jobs.bench.race import OURS, Race

Array = NDArray[np.float64]
Ends = tuple[Array, NDArray[np.int64]]  # states (k, n), steps (k,)
Layers = tuple[tuple[Array, Array], ...]

DEPTH = 2
# Starts by width: about the same work, within a second.
STARTS = {8: 1024, 16: 1024, 64: 1024, 256: 512, 1024: 128}
# These draws end on one fixed point each, after about a hundred steps.
FIRST_BLOCK = 80
# Two ways round differently: converged states differ by some tolerances, steps by one.
AGREEMENT = 1e-7


def iteration_races(quick: bool) -> Iterator[Race[Ends]]:
    """A race a width; on one core each, and ours on all cores beside it."""
    torch = torch_module()
    for block, (width, starts) in enumerate(STARTS.items()):
        rng = random_stream(0, "bench", FIRST_BLOCK + block)
        parameters = chain_parameters(width, DEPTH, rng)
        x = rng.normal(size=(starts // 4 if quick else starts, width))
        ways = {OURS: _ours(parameters, x, 1), "numpy": _numpy(parameters, x)}
        if torch is not None:
            ways["torch"] = _torch(torch, parameters, x)
        if available_cores() > 1:
            ways[f"{OURS}, {available_cores()} cores"] = _ours(parameters, x, 0)
        yield Race(
            group="iterate",
            case=f"width {width}, {DEPTH} tanh layers, {len(x)} starts",
            ways=ways,
            agree=_agree,
            work=partial(_operations, width),
            rounds=3 if quick else 5,
        )


def _operations(width: int, ends: Ends) -> float:
    """Multiplications and additions of the products alone."""
    return 2.0 * DEPTH * width * width * float(ends[1].sum())


def _agree(ours: Ends, theirs: Ends) -> None:
    np.testing.assert_allclose(ours[0], theirs[0], rtol=AGREEMENT, atol=AGREEMENT)
    assert np.abs(ours[1] - theirs[1]).max() <= 1, "step counts differ by more than one"


def _ours(parameters: Layers, x: Array, threads: int) -> Callable[[], Ends]:
    program = tanh_network(parameters).program
    settings, monitor = Settings(threads=threads), Monitor()

    def run() -> Ends:
        result = iterate_starts(program, x, settings, monitor)
        return result.states, result.steps.astype(np.int64)

    return run


def _numpy(parameters: Layers, starts: Array) -> Callable[[], Ends]:
    settings = Settings()
    layers = [(np.ascontiguousarray(weight.T), bias) for weight, bias in parameters]

    def run() -> Ends:
        x, ends = starts, np.empty_like(starts)
        steps = np.zeros(len(starts), np.int64)
        running = np.arange(len(starts))
        for step in range(1, settings.max_steps + 1):
            y = x
            for weight_t, bias in layers:
                y = np.tanh(y @ weight_t + bias)
            at_rest = (np.abs(y - x) <= settings.atol + settings.rtol * np.abs(x)).all(axis=1)
            if at_rest.any():
                ends[running[at_rest]] = y[at_rest]
                steps[running[at_rest]] = step
                running, y = running[~at_rest], y[~at_rest]
            x = y
            if not running.size:
                break
        ends[running], steps[running] = x, settings.max_steps
        return ends, steps

    return run


def _torch(torch: ModuleType, parameters: Layers, starts: Array) -> Callable[[], Ends]:
    settings = Settings()
    layers = [(torch.from_numpy(weight), torch.from_numpy(bias)) for weight, bias in parameters]
    begin = torch.from_numpy(starts)

    def run() -> Ends:
        x, ends = begin, torch.empty_like(begin)
        steps = torch.zeros(len(begin), dtype=torch.int64)
        running = torch.arange(len(begin))
        with torch.inference_mode():
            for step in range(1, settings.max_steps + 1):
                y = x
                for weight, bias in layers:
                    y = torch.tanh(torch.nn.functional.linear(y, weight, bias))
                allowed = settings.atol + settings.rtol * x.abs()
                at_rest = ((y - x).abs() <= allowed).all(dim=1)
                if at_rest.any():
                    ends[running[at_rest]] = y[at_rest]
                    steps[running[at_rest]] = step
                    running, y = running[~at_rest], y[~at_rest]
                x = y
                if not len(running):
                    break
            ends[running], steps[running] = x, settings.max_steps
        return ends.numpy(), steps.numpy()

    return run
