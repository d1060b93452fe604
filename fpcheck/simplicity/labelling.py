"""The rows and labels that random networks are to hit, and when an answer counts as right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpcheck.kernels import answers

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Rule = Literal["sign", "argmax", "band"]

# The rules as the kernels have them.
RULE_CODES: dict[Rule, int] = {"sign": answers.SIGN, "argmax": answers.ARGMAX, "band": answers.BAND}


@dataclass(frozen=True, slots=True, eq=False)
class Labelling:
    """Rows and the answers that are right for them.

    rule: "sign" (class 1 where the one output is positive, else class 0), "argmax" (the class of
    the largest output, of equal ones the first), "band" (every output within `tolerance` of its
    target). rows: (n, *input shape); labels: (n,) class indices, None for "band"; targets: (n, k),
    standardised, None for classes.
    """

    rows: Array
    rule: Rule
    labels: Labels | None
    targets: Array | None = None
    tolerance: float = 0.0
    classes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.rows)

    @property
    def outputs_wanted(self) -> int:
        """How many outputs a network needs to answer."""
        if self.rule == "sign":
            return 1
        if self.targets is not None:
            return int(self.targets.shape[1])
        return len(self.classes)

    @property
    def class_counts(self) -> Labels | None:
        """How many rows each class has, None where there are no classes."""
        if self.labels is None:
            return None
        counts: Labels = np.bincount(self.labels, minlength=len(self.classes))
        return counts

    def subset(self, index: NDArray[np.intp] | slice) -> Labelling:
        """The rows of `index`, with their answers, in its order."""
        return replace(
            self,
            rows=np.ascontiguousarray(self.rows[index]),
            labels=None if self.labels is None else np.ascontiguousarray(self.labels[index]),
            targets=None if self.targets is None else np.ascontiguousarray(self.targets[index]),
        )

    def shuffled(self, rng: np.random.Generator) -> Labelling:
        """The same rows with the answers permuted, so that each stays as frequent as it is."""
        order = rng.permutation(self.count)
        return replace(
            self,
            labels=None if self.labels is None else self.labels[order],
            targets=None if self.targets is None else self.targets[order],
        )

    def constant(self, label: int) -> Labelling:
        """The same rows, all of class `label`; of a band, all with the mean target, which is 0."""
        if self.targets is not None:
            return replace(self, targets=np.zeros_like(self.targets))
        return replace(self, labels=np.full(self.count, label, dtype=np.int64))


def contradictions(labelling: Labelling) -> list[tuple[int, int]]:
    """Pairs of equal rows that no one answer can serve: other classes, or bands that do not meet.

    Every row that contradicts the first one of its kind is named once, with it (of a band: the
    lowest and the highest target of the kind).
    """
    pairs: list[tuple[int, int]] = []
    for group in _equal_rows(labelling.rows):
        if labelling.labels is not None:
            first, labels = group[0], labelling.labels
            pairs += [(int(first), int(row)) for row in group if labels[row] != labels[first]]
        elif labelling.targets is not None:
            targets = labelling.targets[group]
            widths = targets.max(axis=0) - targets.min(axis=0)
            worst = int(widths.argmax())
            if widths[worst] > 2.0 * labelling.tolerance:
                ends = targets[:, worst].argmin(), targets[:, worst].argmax()
                low, high = sorted(int(group[end]) for end in ends)
                pairs.append((low, high))
    return pairs


def least_errors(labelling: Labelling) -> int:
    """How many rows every function gets wrong at least: those that contradict equal rows.

    Exact for classes and for a band of one output; for more outputs the worst output's number.
    """
    errors = 0
    for group in _equal_rows(labelling.rows):
        if labelling.labels is not None:
            errors += len(group) - int(np.bincount(labelling.labels[group]).max())
        elif labelling.targets is not None:
            width = 2.0 * labelling.tolerance
            met = min(_most_within(column, width) for column in labelling.targets[group].T)
            errors += len(group) - met
    return errors


def _most_within(targets: Array, width: float) -> int:
    """The most targets that lie within one interval of this width."""
    ordered = np.sort(targets)
    ends = np.searchsorted(ordered, ordered + width, side="right")
    return int((ends - np.arange(len(ordered))).max())


def _equal_rows(rows: Array) -> list[NDArray[np.intp]]:
    """The groups of two or more equal rows, each in order."""
    flat = rows.reshape(len(rows), -1) + 0.0  # -0.0 equals 0.0
    groups: dict[bytes, list[int]] = {}
    for number, row in enumerate(flat):
        groups.setdefault(row.tobytes(), []).append(number)
    return [np.array(group, dtype=np.intp) for group in groups.values() if len(group) > 1]
