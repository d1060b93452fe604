"""Which rows of the data are learned, which ones test what was learned, and what is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.settings import Settings
from fpcheck.network.data import Data
from fpcheck.simplicity.labelling import Labelling, Labels, Rule

Order = NDArray[np.intp]

AUTOMATIC_ROWS = 64  # training rows where none are asked for, at most
AUTOMATIC_SHARE = 0.75  # of the data at most, so that some are left to test on
MOST_TEST_ROWS = 2000  # enough for an error to within 2 points


@dataclass(frozen=True, slots=True, eq=False)
class Posed:
    """The training rows, the test rows if any are left, and where they stand in the data.

    order: the data's row numbers, training rows first; classes are spread evenly over it, so that
    its beginnings are samples of every size.
    """

    train: Labelling
    test: Labelling | None
    order: Order
    notes: tuple[str, ...]


def pose(
    data: Data, settings: Settings, rng: np.random.Generator, *, outputs: int | None = None
) -> Posed | str:
    """A random choice of training rows, of each class its share; or why nothing can be asked.

    Sampled by class shares q_c, (1 - e)^n still bounds the chance that n rows all come out right
    of a network whose error is e = sum q_c e_c: prod (1 - e_c)^(n q_c) is at most that, log(1 - e)
    being concave.

    Args:
        data: rows of the network's input shape, with targets.
        settings: label_rows, label_tolerance.
        rng: draws the rows.
        outputs: of the network; two of them answer two classes by argmax, else one by its sign.
    """
    if why := _obstacle(data):
        return why
    rows = settings.label_rows or min(AUTOMATIC_ROWS, int(AUTOMATIC_SHARE * data.rows))
    notes = []
    if rows > data.rows:
        notes.append(f"{rows} training rows were asked for; {data.name} has {data.rows}")
    count = max(1, min(rows, data.rows))
    if data.task == "classification":
        assert data.targets is not None
        order = _stratified(data.targets.astype(np.int64), count, rng)
        posed: Labelling | str = _classes(data, order, outputs)
    else:
        order = rng.permutation(data.rows)
        posed = _band(data, order, count, settings.label_tolerance)
    if isinstance(posed, str):
        return posed
    test = order[count : count + MOST_TEST_ROWS]
    train = posed.subset(np.arange(count))
    if train.labels is not None and len(np.unique(train.labels)) < 2:
        return f"the {count} training rows are of one class: nothing can be told apart"
    if len(test) == 0:
        notes.append("no rows are left to test on")
    return Posed(
        train=train,
        test=posed.subset(np.arange(count, count + len(test))) if len(test) else None,
        order=order[: count + len(test)],
        notes=tuple(notes),
    )


def _obstacle(data: Data) -> str:
    if data.targets is None or data.task is None:
        return f"{data.name} has no targets; give y in the .npz, or --target COLUMN for a table"
    if data.rows < 2:
        return f"{data.name} has {data.rows} row{'s' * (data.rows != 1)}"
    if not (np.isfinite(data.inputs).all() and np.isfinite(data.targets).all()):
        return f"{data.name} holds NaN or Inf"
    if (data.targets == data.targets[:1]).all():
        return f"all targets of {data.name} are the same: nothing can be told apart"
    return ""


def _stratified(labels: Labels, count: int, rng: np.random.Generator) -> Order:
    """A random order in which the j-th row of a class of m stands at about (j + 1/2) / m.

    Every beginning then has each class's share to within one row. A class that the first `count`
    rows would miss changes places with a row of the commonest one there, if there is room.
    """
    place = np.empty(len(labels))
    present = np.unique(labels)
    for label in present:
        members = rng.permutation(np.flatnonzero(labels == label))
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    order: Order = np.lexsort((rng.random(len(labels)), place))
    for label in present if count >= len(present) else ():
        inside = labels[order[:count]]
        if not (inside == label).any():
            commonest = int(np.bincount(inside).argmax())
            out = int(np.flatnonzero(inside == commonest)[-1])
            into = int(np.flatnonzero(labels[order] == label)[0])
            order[[out, into]] = order[[into, out]]
    return order


def _classes(data: Data, order: Order, outputs: int | None) -> Labelling:
    assert data.targets is not None
    two = len(data.classes) == 2
    rule: Rule = "sign" if two and outputs != 2 else "argmax"
    return Labelling(
        rows=np.ascontiguousarray(data.inputs[order], dtype=np.float64),
        rule=rule,
        labels=data.targets[order].astype(np.int64),
        classes=data.classes,
    )


def _band(data: Data, order: Order, count: int, tolerance: float) -> Labelling | str:
    """Targets in standard deviations of the training rows' from their mean."""
    assert data.targets is not None
    targets = data.targets[order].astype(np.float64).reshape(data.rows, -1)
    centre, spread = targets[:count].mean(axis=0), targets[:count].std(axis=0)
    if not (spread > 0.0).any():
        return f"the {count} training rows have one target: there is nothing to predict"
    return Labelling(
        rows=np.ascontiguousarray(data.inputs[order], dtype=np.float64),
        rule="band",
        labels=None,
        targets=(targets - centre) / np.where(spread > 0.0, spread, 1.0),
        tolerance=tolerance,
    )
