"""What the readout is asked to predict, and how its answer is scored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.activations import ActivationFunction
from fpcheck.network.data import Data
from fpcheck.network.skeleton import Activation, Skeleton, Softmax
from fpcheck.readout.scores import (
    RowLosses,
    accuracy,
    balanced_accuracy,
    class_losses,
    one_hot,
    r_squared,
    squared_losses,
)

Array = NDArray[np.float64]

SQUARABLE = 2.0**480  # sums of squares of up to 2^60 such numbers stay below the largest float64


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """The targets that a linear model is fitted to, (n, k), one-hot where there are classes.

    labels: (n,) class indices, None for numbers. target: what they are, in words. unit: numbers
    are divided by it, a power of two. copies_input: the target is the input row itself.
    """

    metric: Literal["accuracy", "r2"]
    targets: Array
    labels: NDArray[np.int64] | None
    classes: tuple[str, ...]
    target: str
    unit: float = 1.0
    copies_input: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """A model's score on some rows.

    balanced: for classes the mean of the classes' own accuracies. rmse: for numbers the root mean
    squared error over rows and outputs, in the targets' own unit. by_row: what it is made of.
    """

    value: float
    balanced: float | None
    rmse: float | None = None
    by_row: RowLosses | None = None


def choose_problem(data: Data, skeleton: Skeleton, self_map: bool | None) -> Problem | str:
    """The problem that the data pose, or why there is none.

    Without targets a self-map is held against its own input (reconstruction). self_map: as in
    Settings.
    """
    if data.targets is not None:
        if why := _obstacle(data):
            return why
        if data.task == "classification":
            labels = data.targets.astype(np.int64)
            return Problem(
                metric="accuracy",
                targets=one_hot(labels, len(data.classes)),
                labels=labels,
                classes=data.classes,
                target=f"{len(data.classes)} classes",
            )
        targets = data.targets.astype(np.float64).reshape(data.rows, -1)
        width = targets.shape[1]
        return _numbers(targets, f"{width} number{'s' * (width > 1)} a row")
    if not skeleton.self_map or self_map is False:
        return f"{data.name} has no targets; give y in the .npz, or --target COLUMN for a table"
    inputs = data.inputs.reshape(data.rows, -1)
    if (inputs == inputs[:1]).all():
        return f"{data.name} has no targets, and all its rows are equal"
    return _numbers(inputs, "the input row itself", copies_input=True)


def _obstacle(data: Data) -> str:
    """Why nothing can be learned from these targets, "" where something may."""
    assert data.targets is not None
    if not (np.isfinite(data.inputs).all() and np.isfinite(data.targets).all()):
        return f"{data.name} holds NaN or Inf"
    if data.task == "classification":
        present = np.unique(data.targets)
        if len(present) < 2:
            names = f", '{data.classes[int(present[0])]}'" if len(present) else ""
            return f"all targets of {data.name} are of one class{names}: nothing can be told apart"
        if data.rows < len(data.classes):
            return f"{data.name} has {data.rows} rows for {len(data.classes)} classes"
    elif data.rows and (data.targets == data.targets[:1]).all():
        return f"all targets of {data.name} have one value: there is nothing to predict"
    return ""


def score(problem: Problem, predicted: Array, rows: NDArray[np.intp]) -> Score:
    """The score of predictions (m, k) for the given rows of the problem."""
    if problem.labels is None:
        targets = problem.targets[rows]
        error = problem.unit * math.sqrt(float(np.mean(np.square(predicted - targets))))
        by_row = squared_losses(predicted, targets, rows)
        return Score(r_squared(predicted, targets), None, error, by_row)
    classes, labels = predicted.argmax(axis=1), problem.labels[rows]
    return Score(
        accuracy(classes, labels),
        balanced_accuracy(classes, labels),
        by_row=class_losses(classes, labels, rows),
    )


def own_predictions(problem: Problem, skeleton: Skeleton, outputs: Array) -> Array | str:
    """The network's outputs (n, width) as predictions (n, k), or why they are none.

    Outputs are taken as the classes in their order. One output for two classes decides by the
    side of 0, of 1/2 behind a sigmoid.
    """
    if not np.isfinite(outputs).all():
        return "its outputs are not finite"
    width, wanted = outputs.shape[1], problem.targets.shape[1]
    if width == wanted:
        if problem.labels is None and not np.abs(outputs).max() < SQUARABLE * problem.unit:
            return "its outputs are too large beside the targets to be squared"
        return outputs / problem.unit
    function = _last_function(skeleton)
    if problem.labels is not None and wanted == 2 and width == 1:
        if function is None or function.name in ("identity", "sigmoid"):
            threshold = 0.5 if function is not None and function.name == "sigmoid" else 0.0
            return np.column_stack([threshold - outputs, outputs - threshold])
        return f"one output behind {function.label} does not say which of two classes it means"
    return (
        f"it has {width} outputs for {wanted} {'numbers' if problem.labels is None else 'classes'}"
    )


def own_probabilities(problem: Problem, skeleton: Skeleton, outputs: Array) -> Array | None:
    """The network's outputs (n, width) as probabilities of the classes, None where they are none.

    Outputs behind no activation are taken as logits, as losses of classifiers take them.
    """
    if problem.labels is None or not np.isfinite(outputs).all():
        return None
    width, wanted = outputs.shape[1], problem.targets.shape[1]
    function = _last_function(skeleton)
    linear = function is None or function.name == "identity"
    if width == 1 and wanted == 2 and (linear or (function and function.name == "sigmoid")):
        second = 0.5 * (1.0 + np.tanh(0.5 * outputs)) if linear else outputs
        return np.column_stack([1.0 - second, second])
    if width != wanted:
        return None
    if isinstance(skeleton.nodes[-1], Softmax):
        return outputs
    if not linear:
        return None
    shares = np.exp(outputs - outputs.max(axis=1)[:, None])
    normalised: Array = shares / shares.sum(axis=1)[:, None]
    return normalised


def _numbers(targets: Array, target: str, *, copies_input: bool = False) -> Problem:
    """The problem in a unit that brings the largest target to [1, 2), so that no square is lost."""
    largest = float(np.abs(targets).max())
    unit = 2.0 ** math.floor(math.log2(largest)) if largest > 0.0 else 1.0
    return Problem("r2", targets / unit, None, (), target, unit, copies_input)


def _last_function(skeleton: Skeleton) -> ActivationFunction | None:
    last = skeleton.nodes[-1]
    return last.function if isinstance(last, Activation) else None
