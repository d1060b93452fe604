"""The rows on which every checkpoint of a run is measured: chosen once, the same for all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.escape.problem import INPUT_ROW, choose_rows, pose_problem
from fpcheck.escape.problem import Problem as Learnt
from fpcheck.network.data import Data, Task, fit_to, load_data
from fpcheck.network.inputs import InputLaw, draw_inputs
from fpcheck.network.network import Network
from fpcheck.network.preprocessing import Preprocessing
from fpcheck.network.skeleton import Skeleton
from fpcheck.network.subject import Subject
from fpcheck.network.training.losses import CROSS_ENTROPY
from fpcheck.readout.problem import Problem, choose_problem
from fpcheck.readout.splits import Split, random_split

Array = NDArray[np.float64]

SIGNAL_ROWS = 256
READOUT_ROWS = 600
READOUT_SPLITS = 5
FEWEST_ROWS = 20  # as the readout question asks
NO_DATA = "there are no data; pass --data FILE"


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What the loss is taken on: targets in their own unit, whatever the weights are.

    constant: the loss of the best answer that is the same for all rows. notes: what is to be known
    of the targets.
    """

    inputs: Array
    targets: NDArray[np.float64] | NDArray[np.int64]
    loss: str
    constant: float
    notes: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        """accuracy or r2."""
        return "accuracy" if self.loss == CROSS_ENTROPY else "r2"


@dataclass(frozen=True, slots=True, eq=False)
class Readout:
    """What is read out of every layer, and the splits on which that is scored."""

    inputs: Array
    problem: Problem
    splits: tuple[Split, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """All that is fed to the checkpoints. A text says why there is none.

    signal: (n, *input shape); source: where it comes from. starts: (k, n) of the self-map.
    law: of starts and inputs, in words.
    """

    data: Data | None
    scored: Scored | str
    readout: Readout | str
    signal: Array
    source: str
    starts: Array | str
    law: str


def load_rows(
    path: str | Path | None,
    subject: Subject,
    target: str | None,
    task: Task | None,
    preprocessing: Preprocessing | None,
) -> Data | None:
    """The user's data as the run's networks see them; None where none are given."""
    if path is None:
        return None
    steps = preprocessing or subject.preprocessing or Preprocessing()
    data = load_data(path, target=target, preprocessing=steps, task=task)
    return data if subject.network is None else fit_to(data, subject.network.skeleton.input_shape)


def choose(
    network: Network, law: InputLaw, data: Data | None, settings: Settings, starts: int | str
) -> Rows:
    """The rows for all checkpoints of one architecture.

    starts: how many of the self-map, or why there are none.
    """
    skeleton = network.skeleton
    rng = random_stream(settings.seed, "inputs")
    if data is None:
        signal = draw_inputs(law, SIGNAL_ROWS, skeleton.input_shape, rng)
        source = f"{SIGNAL_ROWS} draws from {law.label}"
    else:
        chosen = np.sort(rng.permutation(data.rows)[:SIGNAL_ROWS])
        signal, source = data.inputs[chosen], f"{len(chosen)} rows of {data.name}"
    drawn: Array | str = str(starts)
    if isinstance(starts, int):
        rng = random_stream(settings.seed, "attractors")
        drawn = draw_inputs(law, starts, skeleton.input_shape, rng).reshape(starts, -1)
    return Rows(
        data,
        _scored(network, data, settings),
        _readout(skeleton, data, settings),
        signal, source, drawn, law.label,
    )  # fmt: skip


def _scored(network: Network, data: Data | None, settings: Settings) -> Scored | str:
    if data is None:
        return NO_DATA
    rng = random_stream(settings.seed, "escape")
    posed = pose_problem(network, data, rng, self_map=settings.self_map)
    if not isinstance(posed, Learnt):
        return posed
    if posed.loss == CROSS_ENTROPY:
        return Scored(posed.inputs, posed.targets, posed.loss, posed.constant_loss)
    given = None if posed.target == INPUT_ROW else data.targets
    raw = data.inputs if given is None else given
    targets = raw[posed.chosen].astype(np.float64).reshape(len(posed.chosen), -1)
    note = "the loss is of giving the input back: the targets do not fit the outputs"
    notes = () if given is data.targets else (note,)
    return Scored(posed.inputs, targets, posed.loss, float(np.mean(targets.var(axis=0))), notes)


def _readout(skeleton: Skeleton, data: Data | None, settings: Settings) -> Readout | str:
    if data is None:
        return NO_DATA
    chosen = choose_rows(data, READOUT_ROWS, random_stream(settings.seed, "readout", 1))
    targets = None if data.targets is None else data.targets[chosen]
    some = replace(data, inputs=data.inputs[chosen], targets=targets)
    problem = choose_problem(some, skeleton, settings.self_map)
    if isinstance(problem, str):
        return problem
    if len(chosen) < FEWEST_ROWS:
        return f"{len(chosen)} rows; a held-out score needs {FEWEST_ROWS}"
    rng = random_stream(settings.seed, "readout")
    splits = tuple(
        random_split(len(chosen), settings.test_share, child, problem.labels)
        for child in rng.spawn(READOUT_SPLITS)
    )
    return Readout(some.inputs, problem, splits)
