"""Certificates of many points, side by side, and the list without those that are proved equal."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from fpcheck.attractors.certify import (
    Certificate,
    blocks,
    certify_block,
    proving,
    same_point,
)
from fpcheck.attractors.polish import Polished, size_of
from fpcheck.core.progress import Monitor
from fpcheck.core.workers import available_cores
from fpcheck.network.program import Program

# Points further apart than this, relative to their size, are not compared by their certificates:
# no enclosure of a point that is found in double precision is that wide.
NEAR = 1e-3


def certify_all(
    program: Program, found: Sequence[Polished], threads: int, monitor: Monitor
) -> tuple[Certificate, ...]:
    """The certificate of every point or cycle, in order."""

    ready = proving(program)
    parts = blocks(ready, found)

    def prove(part: list[int]) -> list[Certificate]:
        monitor.check()
        return certify_block(ready, [found[index] for index in part])

    proofs: dict[int, Certificate] = {}
    with (
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(threads or available_cores()) as pool,
    ):
        for part, proved in zip(parts, pool.map(prove, parts), strict=True):
            proofs.update(zip(part, proved, strict=True))
            monitor.report("proving fixed points", len(proofs), len(found))
    return tuple(proofs[index] for index in range(len(found)))


def distinct(
    known: Sequence[tuple[Polished, Certificate]],
    new: Sequence[tuple[Polished, Certificate]],
) -> list[tuple[Polished, Certificate]]:
    """Those of `new` that are proved equal neither to one of `known` nor to an earlier one; of two
    proved ones that cannot be told apart, the first alone: what is counted is surely different."""
    kept: list[tuple[Polished, Certificate]] = []
    places = [found.point for found, _ in known]
    for found, proof in new:
        others = [*known, *kept]
        if places:
            gaps = np.abs(np.array(places) - found.point).max(axis=1)
            near = np.flatnonzero(gaps <= NEAR * size_of(found.point))
            if any(_may_be_one(others[index][1], proof) for index in near):
                continue
        kept.append((found, proof))
        places.append(found.point)
    return kept


def _may_be_one(known: Certificate, new: Certificate) -> bool:
    if not (known.proved and new.proved):
        return False
    return same_point(known, new) is not False
