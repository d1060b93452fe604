"""The whole attractors question about an autoencoder that was trained to clean noisy patterns."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import cache, partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.measure import measure
from fpcheck.attractors.result import AttractorsResult
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.jobs.bench.race import OURS, Race
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Node, Skeleton
from fpcheck.network.training import Recipe, train

Array = NDArray[np.float64]

WIDTHS = (64, 48, 32, 48, 64)
STARTS, QUICK_STARTS = 4096, 256
PATTERNS = 24
COPIES = 64  # noisy ones of a pattern
NOISE = 0.3
STEPS = 1500
BLOCK = 430


def memory_races(quick: bool) -> Iterator[Race[AttractorsResult]]:
    """One row: there is no peer that answers all of it."""
    starts = QUICK_STARTS if quick else STARTS
    shape = "-".join(map(str, WIDTHS))
    yield Race(
        group="attractors",
        case=f"whole question, trained {shape}, {starts} starts, all cores",
        ways={OURS: partial(_asked, starts)},
        rounds=1 if quick else 3,
        slow=True,
    )


def _asked(starts: int) -> AttractorsResult:
    network = autoencoder()
    rng = random_stream(0, "bench", BLOCK + 1)
    drawn = rng.normal(size=(starts, WIDTHS[0]))
    settings = Settings(starts=starts)
    return measure(network, drawn, "N(0, 1)", None, settings, rng, Monitor())


@cache
def autoencoder() -> Network:
    """Tanh layers trained by Adam to give the pattern back when it comes with noise."""
    rng = random_stream(0, "bench", BLOCK)
    patterns = rng.uniform(0.0, 1.0, size=(PATTERNS, WIDTHS[0]))
    clean = np.repeat(patterns, COPIES, axis=0)
    noisy = clean + NOISE * rng.normal(size=clean.shape)
    recipe = Recipe(optimiser="adam", rate=2e-3, steps=STEPS, batch=128)
    run = train(_untrained(rng), noisy, clean, recipe, rng=rng)
    return deque(run, maxlen=1)[0].network


def _untrained(rng: np.random.Generator) -> Network:
    nodes: list[Node] = [Input("x", WIDTHS[:1])]
    parameters: dict[str, NDArray[np.generic]] = {}
    for layer, (inputs, units) in enumerate(pairwise(WIDTHS)):
        name = f"dense {layer}"
        nodes.append(Dense(name, (nodes[-1].name,), units, f"{name}.weight", f"{name}.bias"))
        parameters[f"{name}.weight"] = rng.normal(0.0, inputs**-0.5, (units, inputs))
        parameters[f"{name}.bias"] = np.zeros(units)
        if layer < len(WIDTHS) - 2:
            nodes.append(Activation(f"phi {layer}", (name,), activation("tanh", {})))
    return Network(Skeleton(tuple(nodes)), parameters)
