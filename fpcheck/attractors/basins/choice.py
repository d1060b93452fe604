"""The plane that a slice was asked for: through attractors, random, principal, or of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fpcheck.attractors.basins.given import read_plane
from fpcheck.attractors.basins.plane import (
    AROUND_ONE,
    NOWHERE,
    RANDOM,
    Plane,
    orthonormal,
    plane_through,
)
from fpcheck.attractors.basins.traps import Trap
from fpcheck.attractors.selfmap import Array
from fpcheck.core.errors import UsageError
from fpcheck.core.settings import Settings, names_plane_file
from fpcheck.core.streams import random_stream

# A picture that is laid through no attractors reaches so much farther than what it is to show.
ROOM = 1.25
# Spread along a principal direction below this, relative to the states, comes of rounding.
NO_SPREAD = 1e-12


@dataclass(frozen=True, slots=True)
class Cloud:
    """The states (m, n) whose principal directions can be asked for, with weights (m,) >= 0.

    words: what they are, as `128 rows of the data`.
    """

    points: Array
    weights: Array
    words: str


def chosen_plane(
    n: int, traps: Sequence[Trap], cloud: Cloud, settings: Settings, rng: np.random.Generator
) -> Plane:
    """The plane of states of n numbers that `settings.slice` names.

    Args:
        n: numbers of a state.
        traps: the attractors, the largest basin first.
        cloud: what principal directions are of.
        settings: slice, and the seed of random directions.
        rng: completes a plane that fewer than three attractors span.

    Raises:
        UsageError: an id that no attractor has, or nothing whose principal directions there are.
        DataError: the file that is named gives no plane of such states.
    """
    asked = settings.slice
    if asked == ("random",):
        return _random_plane(n, traps, random_stream(settings.seed, "slice"))
    if asked == ("principal",):
        return _principal_plane(traps, cloud, random_stream(settings.seed, "slice"))
    if names_plane_file(asked):
        given = read_plane(Path(asked[0]))
        given.check_size(n, "the network")
        return given.plane(*_middle(n, traps))
    return plane_through(traps, asked, rng)


def _middle(n: int, traps: Sequence[Trap]) -> tuple[Array, str]:
    """The mean of the attractors, the origin where there are none, and what it is in words."""
    if not traps:
        return np.zeros(n), "the origin"
    if len(traps) == 1:
        words = f"attractor {traps[0].id}"
    else:
        words = f"the mean of all {len(traps)} attractors"
    middle: Array = np.mean([trap.found.points.mean(axis=0) for trap in traps], axis=0)
    return middle, words


def _random_plane(n: int, traps: Sequence[Trap], rng: np.random.Generator) -> Plane:
    """Two random directions through the middle of the attractors; as far as the farthest is."""
    middle, words = _middle(n, traps)
    first, second = orthonormal([], n, rng)
    away = [np.linalg.norm(trap.found.points - middle, axis=1).max() for trap in traps]
    titles = (RANDOM, "along another, at right angles" if second.any() else NOWHERE)
    reach = _reach(float(max(away, default=0.0)), middle)
    return _square(middle, first, second, reach, titles, "a random plane", words)


def _principal_plane(traps: Sequence[Trap], cloud: Cloud, rng: np.random.Generator) -> Plane:
    """The two leading principal directions; random ones complete what has fewer."""
    total = float(cloud.weights.sum())
    if not total > 0.0:
        raise UsageError(
            "nothing settled, and there are no data whose principal directions could be drawn",
            where="--slice",
            hint="--slice random, or a file of directions",
        )
    middle = cloud.weights @ cloud.points / total
    away = np.sqrt(cloud.weights / total)[:, None] * (cloud.points - middle)
    _, spread, directions = np.linalg.svd(away, full_matrices=False)
    size = float(np.abs(cloud.points).max())
    kept = [i for i in range(min(2, len(spread))) if spread[i] > NO_SPREAD * size]
    wanted = [_pointed(directions[i]) for i in kept]
    first, second = orthonormal(wanted, len(middle), rng)
    shares = spread**2 / max(float(spread @ spread), np.finfo(np.float64).tiny)
    titles = [f"principal direction {i + 1}, {shares[i]:.1%} of the variance" for i in kept]
    titles += [RANDOM if unit.any() else NOWHERE for unit in (first, second)[len(titles) :]]
    shown = np.concatenate([cloud.points, *(trap.found.points for trap in traps)]) - middle
    reach = _reach(float(np.abs(shown @ np.stack([first, second], axis=1)).max()), middle)
    name = f"the principal plane of {cloud.words}"
    return _square(middle, first, second, reach, (titles[0], titles[1]), name, "their mean")


def _pointed(direction: Array) -> Array:
    """A principal direction has no sign of its own: its largest entry is made positive."""
    turned: Array = direction * (1.0 if direction[np.abs(direction).argmax()] > 0.0 else -1.0)
    return turned


def _reach(farthest: float, middle: Array) -> float:
    """Half the width of a picture that is to show what lies so far from its middle."""
    size = float(np.linalg.norm(middle))
    if farthest <= NO_SPREAD * size or farthest == 0.0:
        return 0.5 * ROOM * AROUND_ONE * (size or 1.0)
    return ROOM * farthest


def _square(
    middle: Array,
    first: Array,
    second: Array,
    reach: float,
    titles: tuple[str, str],
    name: str,
    centre: str,
) -> Plane:
    return Plane(middle, first, second, -reach, reach, -reach, reach, *titles, name, centre)
