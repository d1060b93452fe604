"""Where the data's own rows go under iteration, and which of them are mapped to themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.discover import DIVERGED, UNRESOLVED, Discovery
from fpcheck.attractors.result import DataFates, End
from fpcheck.attractors.selfmap import Array, image
from fpcheck.network.program import Program

# A row counts as reproduced if the network changes it by at most a tenth of its own length.
REPRODUCED = 0.1


def data_fates(
    program: Program,
    rows: Array,
    labels: NDArray[np.int64],
    *,
    discovery: Discovery,
    ids: dict[int, str],
) -> DataFates:
    """The fates of the data's rows. rows: (r, n); labels: (r,); ids: label -> id where listed."""
    lengths = np.linalg.norm(rows, axis=1)
    changes = np.linalg.norm(image(program, rows) - rows, axis=1)
    periods = np.array([_period(int(label), discovery) for label in labels])
    stored = 0
    for label, found in enumerate(discovery.found):
        if found.period == 1:
            mine = labels == label
            distance = np.linalg.norm(rows[mine] - found.point, axis=1)
            stored += int(np.count_nonzero(distance <= REPRODUCED * lengths[mine]))
    # A row of zeros has no length to compare with: moved at all, it has changed without bound.
    relative = np.divide(
        changes, lengths, out=np.where(changes > 0, np.inf, 0.0), where=lengths > 0
    )
    return DataFates(
        rows=len(rows),
        tolerance=REPRODUCED,
        reproduced=int(np.count_nonzero(changes <= REPRODUCED * lengths)),
        stored=stored,
        median_change=float(np.median(relative)),
        fixed_points=int(np.count_nonzero(periods == 1)),
        cycles=int(np.count_nonzero(periods > 1)),
        unresolved=int(np.count_nonzero(labels == UNRESOLVED)),
        diverged=int(np.count_nonzero(labels == DIVERGED)),
        ends=tuple(
            End(name, count)
            for label, name in ids.items()
            if (count := int(np.count_nonzero(labels == label)))
        ),
    )


def _period(label: int, discovery: Discovery) -> int:
    """The period of what a label stands for; 0 for unresolved and diverged."""
    if label < 0:
        return 0
    if label < len(discovery.found):
        return discovery.found[label].period
    return discovery.other_periods[label]
