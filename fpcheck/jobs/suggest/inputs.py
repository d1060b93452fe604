"""The rows that a suggestion is tried on: the user's, or draws from the stated law."""

from __future__ import annotations

import math
from pathlib import Path

from fpcheck.core.memory import require_memory
from fpcheck.core.streams import random_stream
from fpcheck.jobs.suggest.fresh import Array
from fpcheck.network.data import Data, fit_to, load_data
from fpcheck.network.inputs import InputLaw, draw_inputs, second_moment
from fpcheck.network.network import Network
from fpcheck.network.preprocessing import Preprocessing
from fpcheck.network.subject import Subject

ROWS = 128  # inputs of the trial start


def data_rows(subject: Subject, network: Network, data: str | Path, target: str | None) -> Data:
    """The data's rows, as the network takes them."""
    steps = subject.preprocessing or Preprocessing()
    return fit_to(load_data(data, target=target, preprocessing=steps), network.skeleton.input_shape)


def trial_inputs(
    subject: Subject, network: Network, rows: Data | None, seed: int
) -> tuple[Array, str, float | None]:
    """(inputs, where they come from, their second moment if a law gives it)."""
    rng = random_stream(seed, "inputs")
    shape = network.skeleton.input_shape
    if rows is not None:
        chosen = rng.permutation(len(rows.inputs))[:ROWS]
        return rows.inputs[chosen], f"{len(chosen)} rows of {rows.name}", None
    law = subject.input_law or InputLaw()
    entries = sum(math.prod(each) for each in network.skeleton.shapes.values())
    require_memory(8.0 * ROWS * entries, "the trial start")
    drawn = draw_inputs(law, ROWS, shape, rng)
    return drawn, f"{ROWS} draws from {law.label}", second_moment(law, math.prod(shape))
