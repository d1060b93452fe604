"""Plain guess and check, beside the same in batched float32 NumPy; and a search of some 50 bits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.core.workers import in_order
from fpcheck.jobs.bench.race import OURS, Race
from fpcheck.network.activations import activation
from fpcheck.network.skeleton import Activation, Dense, Input, Node, Skeleton
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.prior import Prior, make_prior
from fpcheck.simplicity.rare import Rare, estimate_rare
from fpcheck.simplicity.sampling import sample

Single = NDArray[np.float32]

WIDTHS = (2, 20, 20, 1)
POINTS = 16
NETWORKS, QUICK_NETWORKS = 2**16, 2**12
BLOCK = 425
# Class 1 is where x + y exceeds it: 11 of the points, and p is about 1.6 %.
OFFSET = -1.0
TEACHER_ROWS, TEACHER_INPUTS = 80, 10
REPETITIONS = 8
# What was fastest for the peer: networks that stay in the second cache, a quarter of the rows
# before the first are given up.
BATCH = 512
FIRST_ROWS = 4


@dataclass(frozen=True, slots=True)
class Count:
    """How many networks were accepted of how many."""

    accepted: int
    tried: int


def simplicity_races(quick: bool) -> Iterator[Race[Any]]:
    """Guess and check on one core and on two; a rare event, for which there is no peer."""
    networks = QUICK_NETWORKS if quick else NETWORKS
    labelling = plane_labels()
    prior = bench_prior(WIDTHS, labelling)
    shape = "-".join(map(str, WIDTHS))
    for threads, where in ((1, "one core"), (2, "two cores")):
        yield Race(
            group="simplicity",
            case=f"{networks} random networks {shape}, {POINTS} rows, {where}",
            ways={
                OURS: partial(_ours, prior, labelling, networks, threads),
                "numpy, float32": partial(_numpy, labelling, networks, threads),
            },
            agree=_agree,
            rounds=3,
        )
    labelling = teacher_labels()
    yield Race(
        group="simplicity",
        case=f"rare: width-2 teacher, {TEACHER_ROWS} rows, 10-16-1, {REPETITIONS} runs, all cores",
        ways={OURS: partial(_rare, bench_prior((TEACHER_INPUTS, 16, 1), labelling), labelling)},
        rounds=1 if quick else 3,
        slow=True,
    )


def plane_labels() -> Labelling:
    """16 normal points of the plane, split by a line."""
    points = random_stream(0, "bench", BLOCK).normal(size=(POINTS, 2))
    labels = (points.sum(axis=1) > OFFSET).astype(np.int64)
    return Labelling(points, "sign", labels, classes=("0", "1"))


def teacher_labels() -> Labelling:
    """Normal rows in 10 dimensions, labelled by two hidden ReLU units with normal weights."""
    rng = random_stream(0, "bench", BLOCK + 1)
    rows = rng.normal(size=(TEACHER_ROWS, TEACHER_INPUTS))
    hidden = np.maximum(rows @ rng.normal(size=(TEACHER_INPUTS, 2)), 0.0)
    f = hidden @ np.array([1.0, -1.0])
    return Labelling(rows, "sign", (f > 0.0).astype(np.int64), classes=("0", "1"))


def bench_prior(widths: tuple[int, ...], labelling: Labelling) -> Prior:
    """ReLU layers of these widths, all weights and biases uniform on [-1, 1]."""
    nodes: list[Node] = [Input("x", (widths[0],))]
    for layer, units in enumerate(widths[1:]):
        name = f"dense {layer}"
        if layer:
            nodes.append(Activation(f"relu {layer}", (nodes[-1].name,), activation("relu")))
        nodes.append(Dense(name, (nodes[-1].name,), units, f"{name}.weight", f"{name}.bias"))
    prior = make_prior(Skeleton(tuple(nodes)), None, Settings(), labelling)
    if not isinstance(prior, Prior):
        raise AssertionError(prior)
    return prior


def _ours(prior: Prior, labelling: Labelling, networks: int, threads: int) -> Count:
    settings = Settings(threads=threads)
    found = sample(prior, labelling, settings, BLOCK, successes=networks + 1, most=networks)
    return Count(found.accepted, found.tried)


def _rare(prior: Prior, labelling: Labelling) -> Rare:
    rng = random_stream(0, "bench", BLOCK + 2)
    return estimate_rare(prior, labelling, Settings(), rng, repetitions=REPETITIONS)


def _numpy(labelling: Labelling, networks: int, threads: int) -> Count:
    """Batches of networks drawn and run together; few rows first, the rest for those that stand."""
    batches = range(networks // BATCH)
    found = in_order(partial(_batch, labelling), batches, threads, Monitor())
    return Count(sum(found), networks)


def _batch(labelling: Labelling, number: int) -> int:
    rng = np.random.Generator(np.random.SFC64([BLOCK, number]))
    sizes = [n * m + m for n, m in pairwise(WIDTHS)]
    weights = rng.random((BATCH, sum(sizes)), dtype=np.float32)
    weights *= 2.0
    weights -= 1.0
    x = labelling.rows.astype(np.float32)
    assert labelling.labels is not None
    wanted: NDArray[np.bool_] = np.equal(labelling.labels, 1)
    right = (_forward(weights, x[:FIRST_ROWS]) == wanted[:FIRST_ROWS]).all(axis=1)
    rest = _forward(weights[right], x[FIRST_ROWS:]) == wanted[FIRST_ROWS:]
    return int(np.count_nonzero(rest.all(axis=1)))


def _forward(weights: Single, x: Single) -> NDArray[np.bool_]:
    """(networks, rows): whether f is positive."""
    h, at = x.T[None], 0
    for layer, (n, m) in enumerate(pairwise(WIDTHS)):
        matrix = weights[:, at : at + n * m].reshape(-1, m, n)
        at += n * m + m
        h = matrix @ h
        h += weights[:, at - m : at, None]
        if layer < len(WIDTHS) - 2:
            np.maximum(h, 0.0, out=h)
    positive: NDArray[np.bool_] = h[:, 0] > 0.0
    return positive


def _agree(ours: Count, theirs: Count) -> None:
    """Two independent samples of one share: within five standard deviations."""
    shares = [each.accepted / each.tried for each in (ours, theirs)]
    both = (ours.accepted + theirs.accepted) / (ours.tried + theirs.tried)
    spread = math.sqrt(both * (1.0 - both) * (1.0 / ours.tried + 1.0 / theirs.tried))
    if abs(shares[0] - shares[1]) > 5.0 * spread:
        raise AssertionError(f"shares {shares[0]:.4%} and {shares[1]:.4%}")
