"""Where the ascents of the gain begin: structured random weights, of full rank up to some layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fpcheck.escape.ascent import Peak, ascend, rank_one, unit
from fpcheck.escape.origin import Origin, Weights

# Directions that the search for layers of rank one begins at.
LONE_STARTS = 32
# Noise that takes a start of rank one off the saddle that it may be, of each layer's norm.
NOISE = 0.05
COARSE_STEPS, COARSE_STEP = 100, 0.2


def lone_peaks(
    place: Origin, rng: np.random.Generator, check: Callable[[], None]
) -> tuple[float, list[Weights]]:
    """The best speed of layers of rank one, and those points, best first."""
    rows = rng.permutation(len(place.x))[: LONE_STARTS // 2]
    directions = [*rng.standard_normal((LONE_STARTS - len(rows), place.widths[0])), *place.x[rows]]
    found = np.array([d for d in directions if np.any(d)])
    return rank_one(place, found, check)


def structured_start(place: Origin, rng: np.random.Generator) -> Weights:
    """Random weights of full rank before a random layer, and of one unit from there on.

    Wholly random weights of a deep network pull on nothing, and in a shallow one they end at the
    nearest point of rank one nine times in ten; a layer that adds and subtracts the units before
    it is where more than one of them pays.
    The first layer's units are of equal norm, in half of the starts in pairs of opposite ones.
    """
    pairs = zip(place.widths, place.widths[1:], strict=False)
    weights = [rng.standard_normal((n_out, n_in)) for n_in, n_out in pairs]
    first = weights[0]
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    half = len(first) // 2
    if half and place.depth > 1 and rng.random() < 0.5:
        first[half : 2 * half] = -first[:half]
    split = int(rng.integers(1, place.depth)) if place.depth > 1 else 0
    if split < place.depth - 1:
        weights[split][0] = np.sign(weights[split][0])
        weights[split][1:] = 0.0
        for weight in weights[split + 1 : -1]:
            weight[...] = 0.0
            weight[0, 0] = 1.0
        weights[-1][:, 1:] = 0.0
    return weights


def nudged(weights: Weights, rng: np.random.Generator) -> Weights:
    """The weights with a little noise in every entry."""
    return [unit(w) + NOISE * unit(rng.standard_normal(w.shape)) for w in weights]


def coarse_peak(place: Origin, seed: int, check: Callable[[], None]) -> Peak:
    """The best point of a short ascent from the start number `seed`."""
    rng = np.random.default_rng(seed)
    return ascend(place, structured_start(place, rng), COARSE_STEPS, check, COARSE_STEP)
