"""The sample runs hold what they are said to hold: by NumPy's own decomposition of the files."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.escape.measure import measure
from fpcheck.network.data import load_data
from fpcheck.network.load import load

SAMPLES = Path(__file__).parents[2] / "samples"
RUNS = {"small": SAMPLES / "run_small_init", "standard": SAMPLES / "run_standard_init"}
LAYERS = [f"{index}.weight" for index in range(0, 12, 2)]
LEVEL = 0.02  # of the start's loss: so much a plateau may move
LEADS = 2.0  # sigma_1 / sigma_2 where one direction leads
FLAT = 1.5  # and below it none does: a Gaussian matrix of 24 x 24 has 1.0 to 1.3


def digits():
    with np.load(SAMPLES / "digits.npz") as stored:
        return stored["X"].astype(np.float64), stored["y"].astype(np.int64)


def checkpoints(run):
    """[(step, the six matrices)] in the order of their steps."""
    found = []
    for path in RUNS[run].glob("*.safetensors"):
        with safe_open(path, "np") as stored:
            step = int(stored.metadata()["step"])
            found.append((step, [stored.get_tensor(name).astype(np.float64) for name in LAYERS]))
    return sorted(found, key=lambda one: one[0])


def loss_of(matrices):
    """The mean cross-entropy of the digits, written out."""
    hidden, labels = digits()
    for matrix in matrices[:-1]:
        hidden = np.maximum(hidden @ matrix.T, 0.0)
    logits = hidden @ matrices[-1].T
    logits = logits - logits.max(axis=1, keepdims=True)
    chances = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -float(chances[np.arange(len(labels)), labels].mean())


def leads(matrices):
    """sigma_1 / sigma_2 by layer."""
    values = [np.linalg.svd(matrix, compute_uv=False) for matrix in matrices]
    return np.array([each[0] / each[1] for each in values])


@pytest.mark.parametrize("run", RUNS)
def test_a_run_is_twenty_checkpoints_of_a_network_without_biases(run):
    found = checkpoints(run)
    assert len(found) == 20
    for _, matrices in found:
        assert [m.shape for m in matrices] == [(24, 64), *[(24, 24)] * 4, (10, 24)]


def test_both_runs_together_are_small():
    files = [path for folder in RUNS.values() for path in folder.iterdir()]
    assert sum(path.stat().st_size for path in files) < 1_000_000


def test_from_small_weights_the_loss_stays_put_and_then_leaves_for_a_second_level():
    found = checkpoints("small")
    losses = {step: loss_of(matrices) for step, matrices in found}
    start = losses[0]
    assert start == pytest.approx(np.log(10), abs=1e-4)  # the outputs are next to zero
    assert all(abs(losses[step] - start) < LEVEL * start for step in losses if step <= 4090)
    assert losses[4140] < (1.0 - 4 * LEVEL) * start  # 50 steps later it has left,
    late = [losses[step] for step in losses if step >= 4700]
    assert max(late) - min(late) < LEVEL * start  # and rests again, far above what can be learnt
    assert min(late) > 0.5 * start


def test_behind_the_first_escape_one_singular_value_dominates_most_in_later_layers():
    ratios = {step: leads(matrices) for step, matrices in checkpoints("small")}
    assert ratios[0].max() < FLAT
    for step, each in ratios.items():
        if step >= 4140:
            assert each.min() > LEADS
            assert each[3:].mean() > each[:3].mean()  # and the last layer most of all
            assert each.argmax() == 5


def test_from_the_standard_initialisation_the_loss_falls_at_once_and_no_direction_leads():
    found = checkpoints("standard")
    losses = [loss_of(matrices) for _, matrices in found]
    assert all(later < earlier for earlier, later in itertools.pairwise(losses))
    assert losses[4] < (1.0 - LEVEL) * losses[0]  # within 60 steps
    assert losses[-1] < 0.1 * losses[0]
    assert max(leads(matrices).max() for _, matrices in found) < FLAT


def test_the_spec_sample_s_probe_shows_plateau_escape_and_low_rank():
    settings = Settings(probe_optimiser="norm-adaptive", probe_rate=700.0)
    subject = load(SAMPLES / "digits_small_init.toml")
    assert subject.network is not None
    data = load_data(SAMPLES / "digits.npz")
    rng = random_stream(0, "escape")
    found = measure(subject.network, data, settings, rng, Monitor())
    assert found.trainability == "trains"
    assert found.plateau["from"] == 0
    assert found.plateau["to"] < found.escaped_at < 200
    assert found.from_zero
    assert found.low_rank_layers == tuple(one.name for one in found.low_rank)
    assert max(found.low_rank, key=lambda one: one.ratio).depth == 6
    # At the escape itself the lead has only begun to grow: the power 1/4 is in a wide interval.
    assert found.law.exponent_low < 0.25 < found.law.exponent_high
