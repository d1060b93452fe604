"""Sets of states as clouds of points: which states lie on the same one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.motion.distances import nearest
from fpcheck.attractors.motion.returns import Shadow
from fpcheck.attractors.selfmap import Array, image
from fpcheck.network.program import Program

# What is kept of a state for comparisons: all of it, or so many random projections of a wider one.
SHADOW_WIDTH = 64
# Points of a cloud that one orbit gives, points held back to measure how dense it is, and the most
# that a cloud may have.
POINTS = 256
HELD_BACK = 128
MOST_POINTS = 1024
# A state is compared by so many successive images, and belongs where their median does.
IMAGES = 8
# Points of an orbit are nearer to the rest of it than this quantile nineteen times in twenty.
QUANTILE = 0.95


@dataclass(frozen=True, slots=True)
class Cloud:
    """Points of one set. points: (c, d); reach: the distance within which a state belongs."""

    points: Array
    reach: float


def shadow_of(n: int, rng: np.random.Generator) -> Shadow:
    """The map of states (m, n) to what is kept of them: themselves, or random projections.

    Random projections keep distances to some ten per cent. [Johnson, Lindenstrauss 1984]
    """
    if n <= SHADOW_WIDTH:
        return lambda states: states
    projection = rng.standard_normal((n, SHADOW_WIDTH)) / np.sqrt(SHADOW_WIDTH)
    return lambda states: states @ projection


def cloud_of(orbit: Array, rng: np.random.Generator) -> tuple[Cloud, Array]:
    """The cloud of an orbit, and the points held back. orbit: (steps, d)."""
    picked = rng.permutation(len(orbit))
    held = orbit[picked[:HELD_BACK]]
    points = orbit[picked[HELD_BACK : HELD_BACK + POINTS]]
    return Cloud(points, float(np.quantile(nearest(held, points), QUANTILE))), held


def joined(cloud: Cloud, other: Cloud) -> Cloud:
    """The cloud with the points of another orbit on the same set."""
    room = max(0, MOST_POINTS - len(cloud.points))
    return Cloud(np.concatenate([cloud.points, other.points[:room]]), max(cloud.reach, other.reach))


def typical_distance(looks: Array, cloud: Cloud) -> Array:
    """The median distance of every state's images to the cloud. looks: (images, k, d) -> (k,)."""
    images, k, d = looks.shape
    distances = nearest(looks.reshape(images * k, d), cloud.points).reshape(images, k)
    median: Array = np.median(distances, axis=0)
    return median


def images_of(program: Program, states: Array, shadow: Shadow) -> Array:
    """The shadows of every state's next images. (k, n) -> (IMAGES, k, d)."""
    out = []
    for _ in range(IMAGES):
        states = image(program, states)
        out.append(shadow(states))
    return np.array(out)
