"""Attractors of a network that feeds itself: all that were found, what is proved of them, and how
much may be missing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.assemble import Parts, map_result
from fpcheck.attractors.continuation import GainMargin
from fpcheck.attractors.discover import UNRESOLVED
from fpcheck.attractors.listing import Listing, list_attractors
from fpcheck.attractors.long_run import long_run
from fpcheck.attractors.looking import look_for_all, with_later
from fpcheck.attractors.result import AttractorsResult, Skipped
from fpcheck.attractors.search import Seeds
from fpcheck.attractors.selfmap import Array, image
from fpcheck.attractors.settling import Settled, settle
from fpcheck.attractors.surroundings import Basins, look_at_basins
from fpcheck.attractors.uniqueness import prove_unique
from fpcheck.core.errors import NothingToJudgeError, UsageError
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.workers import side_by_side
from fpcheck.network.network import Network
from fpcheck.network.program import Program

# Starts whose way is searched for fixed points that it passes, and the steps after which.
WANDERERS = 16
PASSED = (1, 2, 4, 8, 16, 32)


def measure(
    network: Network,
    starts: Array,
    law: str,
    rows: Array | None,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
    *,
    around: bool = True,
    numbers: NDArray[np.intp] | None = None,
) -> AttractorsResult:
    """The fixed points, cycles and other motion of x <- f(x), with their shares and proofs.

    Args:
        network: a self-map.
        starts: (k, n), drawn from the law; all shares are of these.
        law: the law in words, for the report.
        rows: (r, n), rows of the data as further starts, reported apart.
        settings: steps, tolerances, periods, effort, and what is done on request.
        rng: draws search directions, followed states, damage, and Arnoldi's start.
        monitor: progress, and the wish to stop.
        numbers: (r,), of the rows in the data that they were chosen from; 0, 1, ... if left out.
        around: whether to look at what surrounds the attractors too: borders of basins, damage.

    Raises:
        NothingToJudgeError: the network's input and output sizes differ.
        UsageError: there are no starts, or a slice through what was not found.
    """
    program = network.program
    _check(program, starts)
    flat = _flat(rows, starts)
    # States of diverging starts overflow on the way; a NaN there passes for nothing.
    with np.errstate(all="ignore"):
        # The proof is one thread's work, and the starts leave a core idle now and then.
        settled, proof = side_by_side(
            lambda: settle(program, np.ascontiguousarray(starts), flat, settings, monitor),
            lambda: prove_unique(program, monitor),
            settings.threads,
        )
        seeds = _seeds(program, starts, flat, settled)
        search = look_for_all(
            program, settled, seeds, settings, rng, monitor, unique=proof.status == "proved"
        )
        passed = [found for found, _ in search.extra]
        moving = long_run(program, settled, passed, len(starts), settings, rng, monitor)
        ended = list(zip(moving.discovery.found, moving.certificates, strict=True))
        search = with_later(program, search, ended, len(settled.discovery.found))
        listing = list_attractors(
            program,
            moving.discovery,
            moving.certificates,
            search.extra,
            total=len(starts),
            rng=rng,
            threads=settings.threads,
            monitor=monitor,
        )
        labels, bordered = moving.discovery.labels, not proof.contraction
        basins = Basins()
        if around:
            basins = look_at_basins(
                program, flat, labels, listing, settings, rng, monitor,
                bordered=bordered, numbers=numbers,
            )  # fmt: skip
        parts = Parts(
            law=law,
            starts=len(starts),
            iterations=settled.iterations,
            moving=moving,
            listing=listing,
            search=search,
            uniqueness=proof,
            basins=basins,
            continuation=_continuation(network, listing, settings, monitor),
        )
    return AttractorsResult((map_result(parts, settings),))


def _check(program: Program, starts: Array) -> None:
    if program.input_size != program.output_size:
        raise NothingToJudgeError(
            f"the network maps {program.input_size} numbers to {program.output_size}: "
            "it cannot be fed to itself",
            hint="attractors are for networks whose input and output shapes agree",
        )
    if len(starts) == 0:
        raise UsageError("no starts to iterate from", hint="--starts must be at least 1")


def _flat(rows: Array | None, starts: Array) -> Array:
    """The rows as flat states, none where there is no data."""
    if rows is None:
        return np.empty((0, starts.shape[1]))
    return np.ascontiguousarray(rows.reshape(len(rows), -1))


def _seeds(program: Program, starts: Array, rows: Array, settled: Settled) -> Seeds:
    """Where the search for fixed points begins."""
    n = starts.shape[1]
    unresolved = settled.states[settled.discovery.labels == UNRESOLVED]
    states, passed, taken = starts[:WANDERERS], [np.empty((0, n))], 0
    for steps in PASSED:
        states = image(program, states, steps - taken)
        passed.append(states)
        taken = steps
    trajectory = np.concatenate(passed)
    trajectory = trajectory[np.isfinite(trajectory).all(axis=1)]
    unresolved = unresolved[np.isfinite(unresolved).all(axis=1)]
    return Seeds(np.zeros((1, n)), unresolved, trajectory, starts, rows)


def _continuation(
    network: Network, listing: Listing, settings: Settings, monitor: Monitor
) -> GainMargin | Skipped | None:
    """How far the weights can be scaled; None where nobody asked."""
    if not settings.continuation:
        return None
    from fpcheck.attractors.continuation.margin import gain_margin

    points = [entry.found for entry in listing.resting[: len(listing.fixed_points)]]
    names = [point.id for point in listing.fixed_points]
    margin = gain_margin(network, points, monitor=monitor, names=names, threads=settings.threads)
    return Skipped(margin) if isinstance(margin, str) else margin
