"""Rows that occur more than once: held out and trained on at a time, they flatter every score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpcheck.readout.problem import Problem
from fpcheck.readout.result import Duplicates
from fpcheck.readout.splits import Split

Array = NDArray[np.float64]


def duplicates(inputs: Array, problem: Problem, splits: Sequence[Split]) -> Duplicates:
    """How many of the rows (n, d) equal another in every entry, and across how many splits."""
    rows = np.ascontiguousarray(inputs + 0.0)  # -0 and 0 are one number
    whole = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    _, group, sizes = np.unique(whole, return_inverse=True, return_counts=True)
    repeated = int(len(rows) - len(sizes))
    if repeated == 0:
        return Duplicates(0, 0.0, 0)
    shares = [float(np.mean(np.isin(group[split.test], group[split.train]))) for split in splits]
    order = np.argsort(group, kind="stable")
    targets, sorted_group = problem.targets[order], group[order]
    same = sorted_group[1:] == sorted_group[:-1]
    differ = same & (targets[1:] != targets[:-1]).any(axis=1)
    contradicting = len(np.unique(sorted_group[1:][differ]))
    return Duplicates(repeated, float(np.mean(shares)), contradicting)


def class_notes(problem: Problem, splits: Sequence[Split]) -> tuple[str, ...]:
    """What is odd about the classes: without rows, or missing from the held-out rows of splits."""
    if problem.labels is None:
        return ()
    counts = np.bincount(problem.labels, minlength=len(problem.classes))
    empty = [name for name, count in zip(problem.classes, counts, strict=True) if count == 0]
    notes = []
    if empty:
        notes.append(f"{_listed(empty)} without any row, so nothing is said about it")
    missing = np.zeros(len(counts), dtype=int)
    for split in splits:
        held_out = np.bincount(problem.labels[split.test], minlength=len(counts))
        missing += held_out == 0
    rare = [
        f"'{problem.classes[index]}' ({counts[index]} rows) in {missing[index]} of {len(splits)}"
        for index in np.flatnonzero((missing > 0) & (counts > 0))
    ]
    if rare:
        shown = ", ".join(rare[:5]) + (f" and {len(rare) - 5} more" if len(rare) > 5 else "")
        notes.append(
            f"classes missing from the held-out rows of splits: {shown}; their own scores rest on "
            "the other splits"
        )
    return tuple(notes)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{'class' if len(names) == 1 else 'classes'} {shown}{more}"
