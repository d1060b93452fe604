"""The training probe, beside the same full-batch descent in PyTorch and in NumPy; a trace."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.plain import Section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.escape.probe import run_probe
from fpcheck.escape.problem import Problem
from fpcheck.jobs.bench.chains import torch_module
from fpcheck.jobs.bench.race import OURS, Race
from fpcheck.jobs.trace.run import trace
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Node, Skeleton
from fpcheck.network.training import CROSS_ENTROPY, Recipe

Array = NDArray[np.float64]

WIDTHS = (64, 64, 64, 64, 10)
ROWS = 1797
STEPS, QUICK_STEPS = 300, 20
RATE = 0.05
CHECKPOINTS, QUICK_CHECKPOINTS = 20, 3
SPACING = 10  # steps from one checkpoint to the next
BLOCK = 450
# Of the loss: rounding grows along a descent, by far less than this over some hundred steps.
SAME = 1e-6


def escape_races(quick: bool) -> Iterator[Race[Any]]:
    """The probe on one core and on two, all ways agreeing step by step; and a whole trace."""
    steps = QUICK_STEPS if quick else STEPS
    problem = bench_problem()
    shape = "-".join(map(str, WIDTHS))
    torch = torch_module()
    for threads, where in ((1, "one core"), (2, "two cores")):
        ways = {OURS: partial(_ours, problem, steps, threads)}
        if threads == 1:
            ways["numpy"] = partial(_numpy, problem, steps)
            if torch is not None:
                ways["torch"] = partial(_torch, torch, problem, steps)
        yield Race(
            group="escape",
            case=f"probe: {steps} full-batch steps {shape}, {ROWS} rows, {where}",
            ways=ways,
            agree=_agree,
            rounds=1 if quick else 3,
            slow=True,
        )
    with TemporaryDirectory() as name:
        count = QUICK_CHECKPOINTS if quick else CHECKPOINTS
        save_run(Path(name), problem, count)
        yield Race(
            group="escape",
            case=f"trace: {count} checkpoints {shape}, {ROWS} rows, all cores",
            ways={OURS: partial(_trace, Path(name))},
            rounds=1 if quick else 3,
            slow=True,
        )


def save_run(folder: Path, problem: Problem, count: int) -> None:
    """`count` checkpoints of the probe's own run, every tenth step, and the rows beside them."""
    recipe = Recipe(loss=CROSS_ENTROPY, rate=RATE, steps=SPACING * (count - 1))
    run = run_probe(problem, recipe, random_stream(0, "bench", BLOCK + 2), Monitor())
    (folder / "run").mkdir()
    for step in range(0, run.steps + 1, SPACING):
        tensors = run.network_at(step).parameters
        np.savez(folder / "run" / f"step{step}.npz", allow_pickle=False, **tensors)
    np.savez(folder / "rows.npz", allow_pickle=False, X=problem.inputs, y=problem.targets)


def _trace(folder: Path) -> Section:
    return trace(
        folder / "run", activation="relu", data=folder / "rows.npz",
        attractors=False, settings=Settings(),
    )  # fmt: skip


def bench_problem() -> Problem:
    """Normal rows, each of the class that a random linear map gives it, and He's weights."""
    rng = random_stream(0, "bench", BLOCK)
    rows = rng.normal(size=(ROWS, WIDTHS[0]))
    labels = (rows @ rng.normal(size=(WIDTHS[0], WIDTHS[-1]))).argmax(axis=1)
    shares = np.bincount(labels) / ROWS
    return Problem(
        _network(rng), rows, labels, CROSS_ENTROPY, WIDTHS[-1],
        float(-np.sum(shares * np.log(shares))), f"{WIDTHS[-1]} classes", np.arange(ROWS),
    )  # fmt: skip


def _network(rng: np.random.Generator) -> Network:
    nodes: list[Node] = [Input("x", (WIDTHS[0],))]
    parameters: dict[str, Array] = {}
    for layer, (n_in, n_out) in enumerate(pairwise(WIDTHS)):
        if layer:
            nodes.append(Activation(f"relu {layer}", (nodes[-1].name,), activation("relu")))
        weight, bias = f"{layer}.weight", f"{layer}.bias"
        nodes.append(Dense(f"dense {layer}", (nodes[-1].name,), n_out, weight, bias))
        parameters[weight] = rng.normal(size=(n_out, n_in)) * np.sqrt(2.0 / n_in)
        parameters[bias] = np.zeros(n_out)
    return Network(Skeleton(tuple(nodes)), parameters)


def _ours(problem: Problem, steps: int, threads: int) -> Array:
    recipe = Recipe(loss=CROSS_ENTROPY, rate=RATE, steps=steps)
    rng = random_stream(0, "bench", BLOCK + 1)
    return run_probe(problem, recipe, rng, Monitor(), threads=threads).loss


def _layers(problem: Problem) -> list[tuple[Array, Array]]:
    stored = problem.network.parameters
    return [
        (np.array(stored[f"{layer}.weight"]), np.array(stored[f"{layer}.bias"]))
        for layer in range(len(WIDTHS) - 1)
    ]


def _numpy(problem: Problem, steps: int) -> Array:
    """The chain rule layer by layer, whole arrays."""
    layers, losses = _layers(problem), np.empty(steps + 1)
    every = np.arange(ROWS)
    for step in range(steps + 1):
        values = [problem.inputs]
        for weight, bias in layers[:-1]:
            values.append(np.maximum(values[-1] @ weight.T + bias, 0.0))
        logits = values[-1] @ layers[-1][0].T + layers[-1][1]
        logits -= logits.max(axis=1, keepdims=True)
        chances = np.exp(logits)
        total = chances.sum(axis=1, keepdims=True)
        losses[step] = float(np.mean(np.log(total[:, 0]) - logits[every, problem.targets]))
        slope = chances / total
        slope[every, problem.targets] -= 1.0
        slope /= ROWS
        for layer in range(len(layers) - 1, -1, -1):
            weight, bias = layers[layer]
            down = (slope @ weight) * (values[layer] > 0.0) if layer else slope
            weight -= RATE * (slope.T @ values[layer])
            bias -= RATE * slope.sum(axis=0)
            slope = down
    return losses


def _torch(torch: ModuleType, problem: Problem, steps: int) -> Array:
    """torch.optim.SGD and autograd on one thread, in double precision."""
    rows, labels = torch.from_numpy(problem.inputs), torch.from_numpy(problem.targets)
    modules: list[Any] = []
    for weight, bias in _layers(problem):
        dense = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
        with torch.no_grad():
            dense.weight.copy_(torch.from_numpy(weight))
            dense.bias.copy_(torch.from_numpy(bias))
        modules += [dense, torch.nn.ReLU()]
    model = torch.nn.Sequential(*modules[:-1])
    descent, losses = torch.optim.SGD(model.parameters(), lr=RATE), np.empty(steps + 1)
    for step in range(steps + 1):
        loss = torch.nn.functional.cross_entropy(model(rows), labels)
        losses[step] = loss.item()
        descent.zero_grad()
        loss.backward()
        descent.step()
    return losses


def _agree(ours: Array, theirs: Array) -> None:
    if not np.allclose(ours, theirs, rtol=SAME, atol=0.0):
        raise AssertionError(f"losses differ by up to {np.abs(ours / theirs - 1.0).max():.2e}")
