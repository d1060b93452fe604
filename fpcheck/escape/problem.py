"""What the probe learns: the rows, their targets, the loss, and what a constant scores."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.data import Data, fit_to
from fpcheck.network.network import Network
from fpcheck.network.program import forward
from fpcheck.network.skeleton import Activation, BatchNorm, Scale, Skeleton
from fpcheck.network.training import CROSS_ENTROPY, MEAN_SQUARED_ERROR, logits, trained_names

Array = NDArray[np.float64]

# Rows of the probe: more would slow every step and tell little of its first ones.
INPUT_ROW = "the input row itself"  # the target of a self-map without others
MAX_ROWS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is to be learnt.

    network: as it is trained, for the cross-entropy without a closing softmax. inputs:
    (n, *input shape). targets: (n,) class indices or (n, *output shape) numbers. classes: how
    many, 0 for numbers. constant_loss: of the best answer that is the same for all rows.
    target: in words. chosen: which of the data's rows.
    """

    network: Network
    inputs: Array
    targets: NDArray[np.float64] | NDArray[np.int64]
    loss: str
    classes: int
    constant_loss: float
    target: str
    chosen: NDArray[np.intp]
    notes: tuple[str, ...] = ()


def pose_problem(
    network: Network,
    data: Data,
    rng: np.random.Generator,
    *,
    self_map: bool | None = None,
    trained: bool = False,
    most: int = MAX_ROWS,
) -> Problem | str:
    """The problem that the data pose to the network, or why there is none.

    Without targets a self-map learns to give its input back. Numbers are standardised by column,
    unless the weights are trained and already predict them in their own unit. Beyond `most` rows
    `rng` chooses, each class in its share.

    Raises:
        DataError: the rows do not fit the network's input.
    """
    skeleton = network.skeleton
    data = fit_to(data, skeleton.input_shape)
    notes = [*data.notes, *_untrained(network)]
    if _gives_back(data, network, self_map):
        data = replace(data, targets=None, task=None, classes=())
        notes.append("the targets do not fit the outputs: trained to give its input back instead")
    if why := _obstacle(data, network, self_map):
        return why
    chosen = choose_rows(data, most, rng)
    inputs = data.inputs[chosen]
    if (inputs == inputs[:1]).all():
        notes.append(f"all rows of {data.name} are the same: nothing can be told apart by them")
    if len(chosen) < data.rows:
        how = ", each class in its share" if data.task == "classification" else ""
        notes.append(f"{len(chosen)} of {data.rows} rows, drawn without replacement{how}")
    if data.targets is not None and data.task == "classification":
        labels = data.targets[chosen].astype(np.int64)
        return Problem(
            logits(network), inputs, labels, CROSS_ENTROPY, len(data.classes),
            _entropy(labels), f"{len(data.classes)} classes", chosen, tuple(notes),
        )  # fmt: skip
    if data.targets is None:
        targets, target = inputs.reshape(len(inputs), -1), INPUT_ROW
    else:
        raw = data.targets[chosen].astype(np.float64).reshape(len(chosen), -1)
        targets, note = _scaled(network, inputs, raw, trained=trained)
        notes.append(note)
        target = f"{raw.shape[1]} number{'s' * (raw.shape[1] > 1)} a row"
    constant = _mean_squares(targets)
    if constant == 0.0:
        return f"the targets of the chosen rows of {data.name} do not vary"
    if not np.isfinite(constant):
        return f"the targets of {data.name} are too large: their squares overflow; scale them"
    return Problem(
        network, inputs, targets.reshape(-1, *skeleton.output_shape), MEAN_SQUARED_ERROR, 0,
        constant, target, chosen, tuple(notes),
    )  # fmt: skip


def choose_rows(data: Data, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """At most `most` rows in their own order, every class in its share and at least once."""
    if data.rows <= most:
        return np.arange(data.rows)
    if data.task != "classification" or data.targets is None:
        return np.sort(rng.choice(data.rows, most, replace=False))
    labels = data.targets.astype(np.int64)
    present, counts = np.unique(labels, return_counts=True)
    shares = counts * (most / data.rows)
    takes = np.maximum(np.floor(shares).astype(np.int64), 1)
    spare = most - int(takes.sum())
    if spare > 0:  # the largest remainders get what rounding left over
        takes[np.argsort(takes - shares, kind="stable")[:spare]] += 1
    parts = [
        rng.choice(np.flatnonzero(labels == label), min(take, count), replace=False)
        for label, take, count in zip(present, takes, counts, strict=True)
    ]
    return np.sort(np.concatenate(parts))


def answers(outputs: Array) -> NDArray[np.int64]:
    """The class that every row is given: of the largest logit, or by the sign of a single one."""
    found = outputs.argmax(axis=1) if outputs.shape[1] > 1 else outputs[:, 0] > 0.0
    return found.astype(np.int64)


def accuracy(outputs: Array, labels: NDArray[np.int64]) -> float:
    """The share of rows whose answer is right."""
    return float(np.mean(answers(outputs) == labels))


def _gives_back(data: Data, network: Network, self_map: bool | None) -> bool:
    """Whether the network is a self-map whose outputs are not the targets' but its input's."""
    if data.targets is None or not network.skeleton.self_map or self_map is False:
        return False
    width, wanted = network.program.output_size, _wanted(data)
    by_sign = data.task == "classification" and (width, wanted) == (1, 2)
    return wanted != width and not by_sign


def _wanted(data: Data) -> int:
    """Outputs that the targets ask for."""
    assert data.targets is not None
    if data.task == "classification":
        return len(data.classes)
    return int(np.prod(data.targets.shape[1:]))


def _obstacle(data: Data, network: Network, self_map: bool | None) -> str:
    """Why the network cannot be trained on the data, "" where it can."""
    skeleton, width = network.skeleton, network.program.output_size
    if not trained_names(skeleton):
        return "the network has no parameters to train"
    if steps := _flat_activation(skeleton):
        return f"{steps} has derivative 0 wherever it has one: no gradient gets through it"
    if data.targets is None:
        if not skeleton.self_map or self_map is False:
            return f"{data.name} has no targets; give y in the .npz, or --target COLUMN for a table"
        wanted, words = width, ""
    elif data.task == "classification":
        if len(np.unique(data.targets)) < 2:
            return f"all targets of {data.name} are of one class: nothing can be told apart"
        wanted, words = _wanted(data), "classes"
        if wanted == 2 and width == 1:
            return ""
    else:
        wanted, words = _wanted(data), "numbers"
    return "" if wanted == width else f"the network has {width} outputs for {wanted} {words}"


def _flat_activation(skeleton: Skeleton) -> str:
    """The first activation without a useful derivative, "" where there is none."""
    for node in skeleton.nodes:
        if isinstance(node, Activation) and node.function.name == "step":
            return f"'{node.name}' ({node.function.label})"
    return ""


def _untrained(network: Network) -> list[str]:
    """What of the network's tensors stays as it is, where that is not a matter of course."""
    nodes = network.skeleton.nodes
    notes = []
    if any(isinstance(node, BatchNorm) for node in nodes):
        notes.append(
            "batch norms run as at inference: their means and variances stay, factors and shifts "
            "are trained"
        )
    fixed = [
        f"'{node.name}'"
        for node in nodes
        if isinstance(node, Scale)
        and any(name and network.parameters[name].size > 1 for name in (node.factor, node.shift))
    ]
    if fixed:
        named = fixed[0] if len(fixed) == 1 else f"{fixed[0]} and {len(fixed) - 1} more"
        notes.append(f"the constants by which {named} scales or shifts are not trained")
    return notes


def _mean_squares(targets: Array) -> float:
    """Of the targets about their means: the loss of the best constant; inf where it overflows."""
    with np.errstate(all="ignore"):
        found = float(np.mean(np.square(targets - targets.mean(axis=0))))
    return found if np.isfinite(found) else float("inf")


def _scaled(network: Network, inputs: Array, raw: Array, *, trained: bool) -> tuple[Array, str]:
    """The targets as they are learnt, and how that was decided."""
    with np.errstate(all="ignore"):
        spread = raw.std(axis=0)
    if not np.isfinite(spread).all():
        return raw, "targets in their own unit: they are too large for a standard deviation"
    if trained:
        with np.errstate(all="ignore"):
            gap = forward(network.program, inputs).reshape(raw.shape) - raw
            score = 1.0 - float(np.mean(gap * gap)) / float(np.mean(spread * spread))
        if score > 0.0:
            return raw, f"targets in their own unit: the weights predict them with R^2 {score:.3g}"
    divisor = np.where(spread > 0.0, spread, 1.0)
    return (raw - raw.mean(axis=0)) / divisor, "targets standardised by column"


def _entropy(labels: NDArray[np.int64]) -> float:
    """-sum p log p of the classes' shares: the cross-entropy of the best constant."""
    counts = np.bincount(labels)
    shares = counts[counts > 0] / len(labels)
    return float(-np.sum(shares * np.log(shares)))
