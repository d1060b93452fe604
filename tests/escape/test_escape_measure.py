"""The escape question asked of networks whose first steps are known."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from probed_networks import classes, mlp, numbers

from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.escape.measure import measure, probe
from fpcheck.network.data import Data, load_data
from fpcheck.network.network import Network

DIGITS = Path(__file__).parents[2] / "samples" / "digits.npz"


def ask(network, data, **settings):
    return measure(network, data, Settings(**settings), random_stream(0, "escape"), Monitor())


@pytest.fixture(scope="module")
def digits():
    data = load_data(DIGITS)
    return replace(data, inputs=data.inputs[:600], targets=data.targets[:600])


def test_small_initial_weights_leave_a_plateau_by_a_low_rank_escape(digits):
    network = mlp((64, 32, 32, 32, 10), 0.15)
    found = ask(network, digits, probe_optimiser="norm-adaptive", probe_steps=300)
    assert found.plateau["from"] == 0
    assert 20 < found.plateau["to"] < found.escaped_at < 300
    assert found.from_zero
    assert found.trainability == "trains"
    assert found.verdict.answer == "leaves a plateau"
    assert found.low_rank_layers == ("d0", "d1", "d2", "d3")
    assert found.low_rank[-1].dominated
    assert found.low_rank_ratio == max(one.ratio for one in found.low_rank) > 2.0
    assert all(one.start_ratio < 1.3 for one in found.low_rank)


def test_standard_initial_weights_have_no_plateau(digits):
    found = ask(mlp((64, 32, 32, 32, 10), bias=True), digits, probe_steps=100)
    assert found.plateau is None
    assert found.escaped_at is None
    assert found.low_rank == ()
    assert found.low_rank_ratio is None
    assert found.trainability == "trains"
    assert found.verdict.answer == "trains at once"
    assert "no escape" in found.law.skipped


def test_a_learning_rate_too_large_diverges():
    for data in (classes(), numbers()):
        found = ask(mlp((6, 20, 20, 3)), data, probe_rate=30.0, probe_steps=60)
        assert found.trainability == "diverges"
        assert found.diverged_at is not None
        assert found.verdict.answer == "diverges"
        assert "--lr 3" in found.verdict.next_step


def test_a_section_of_a_run_that_overflows_holds_no_nan():
    section = as_section(ask(mlp((6, 20, 20, 3)), numbers(), probe_rate=1e6, probe_steps=60))
    assert section["trainability"] == "diverges"
    assert section["end_loss"] is None or np.isfinite(section["end_loss"])


@pytest.mark.parametrize("data", [classes(), numbers()], ids=["classes", "numbers"])
@pytest.mark.parametrize("scale", [1e120, 1e-120])
def test_weights_of_any_size_give_a_section_without_nan(data, scale):
    section = as_section(ask(mlp((6, 8, 8, 3), scale), data, probe_steps=30))
    expected = "diverges" if scale > 1.0 else "does not start"
    assert section["trainability"] == expected
    json.dumps(section, allow_nan=False)


def test_dead_layers_are_a_dead_start():
    network = mlp((6, 20, 20, 3), bias=True)
    dead = {**network.parameters, "b1": np.full(20, -1e3)}
    found = ask(Network(network.skeleton, dead), classes(), probe_steps=40)
    assert found.dead_start
    assert found.dead_layer == "d1"
    assert found.trainability == "does not start"
    assert found.verdict.answer == "dead start"


def test_zero_weights_are_a_dead_start():
    found = ask(mlp((6, 20, 3), 0.0), classes(), probe_steps=30)
    assert found.dead_start
    assert found.moved == 0.0


def test_a_last_layer_of_zeros_is_not_dead():
    network = mlp((6, 20, 3))
    start = {**network.parameters, "w1": np.zeros((3, 20))}
    found = ask(Network(network.skeleton, start), classes(), probe_steps=100)
    assert not found.dead_start
    assert found.trainability == "trains"


def test_a_plateau_that_is_not_left_does_not_start(digits):
    found = ask(mlp((64, 16, 16, 16, 10), 0.05), digits, probe_steps=60)
    assert found.trainability == "does not start"
    assert found.plateau == {"from": 0, "to": 60}
    assert not found.dead_start
    assert "norm-adaptive" in found.verdict.next_step


def test_a_network_that_has_learnt_already_cannot_be_told():
    data = classes()
    trained = probe(
        mlp((6, 20, 3)), data, Settings(probe_steps=400, probe_optimiser="momentum"),
        random_stream(0, "escape"), Monitor(),
    )  # fmt: skip
    network = trained.run.network_at(400)
    found = ask(network, data, probe_steps=30, probe_rate=1e-4)
    assert found.start_loss < 0.5 * found.constant_loss
    assert found.trainability == "cannot tell"
    assert "learnt already" in found.trainability_reason


def test_labels_without_relation_to_the_rows_are_no_divergence():
    data = classes()
    shuffled = replace(data, targets=np.random.default_rng(0).permutation(data.targets))
    found = ask(mlp((6, 20, 20, 3)), shuffled, probe_steps=60)
    assert found.trainability in ("trains", "cannot tell", "does not start")
    assert found.fall < 0.3


def test_mini_batches_are_recorded_on_all_rows():
    network, data = mlp((6, 20, 3)), classes()
    found = ask(network, data, probe_batch=30, probe_steps=80, probe_rate=0.1)
    full = ask(network, data, probe_steps=0 + 1, probe_rate=0.1)
    assert found.batch == 30
    assert found.steps[0].loss == pytest.approx(full.steps[0].loss, rel=1e-12)
    assert found.steps[0].gradient_norm == pytest.approx(full.steps[0].gradient_norm, rel=1e-12)
    assert found.trainability == "trains"


def test_no_number_depends_on_the_threads():
    for batch in (0, 50):
        one, two = (
            as_section(ask(mlp((6, 20, 3)), classes(rows=600), probe_batch=batch, probe_steps=40,
                           threads=threads))
            for threads in (1, 2)
        )  # fmt: skip
        assert one == two


def test_a_self_map_is_asked_for_its_input():
    data = Data(numbers().inputs, None, None, (), "rows")
    found = ask(mlp((6, 12, 6), function="tanh"), data, probe_steps=200, probe_optimiser="adam")
    assert found.target == "the input row itself"
    assert found.steps[0].accuracy is None
    assert found.end_loss < found.start_loss


def test_what_cannot_be_asked_is_skipped():
    data = Data(numbers().inputs, None, None, (), "rows")
    assert "no targets" in ask(mlp((6, 12, 3)), data).skipped
    assert "no step" in ask(mlp((6, 12, 3)), classes(), probe_steps=0).skipped
    broken = mlp((6, 12, 3), np.nan)
    assert "NaN" in ask(broken, classes()).skipped


def test_many_steps_are_recorded_by_schedule_and_the_last_is_among_them():
    found = ask(mlp((6, 8, 3)), classes(rows=30), probe_steps=2000)
    steps = [record.step for record in found.steps]
    assert steps[:21] == list(range(21))
    assert steps[-1] == 2000
    assert 100 <= len(steps) <= 170


def test_ranks_of_the_values_are_those_of_numpy():
    found = probe(
        mlp((6, 20, 3)), classes(), Settings(probe_steps=5), random_stream(0, "escape"), Monitor()
    )
    record = found.records[3]
    weights = found.run.network_at(3).parameters
    values = np.maximum(found.problem.inputs @ weights["w0"].T, 0.0)
    singular = np.linalg.svd(values, compute_uv=False)
    assert record.layers[0].activation_rank == int(np.sum(singular > 1e-3 * singular[0]))
    assert record.layers[1].activation_rank == 3


def test_no_memory_for_all_weights_thins_the_records(monkeypatch):
    from fpcheck.escape import probe as module

    network = mlp((6, 8, 3))
    size = 8 * sum(np.size(tensor) for tensor in network.parameters.values())
    monkeypatch.setattr(module, "KEPT_BYTES", 20 * size)
    found = ask(network, classes(), probe_steps=100)
    steps = [record.step for record in found.steps]
    assert len(steps) <= 21
    assert steps[0] == 0
    assert steps[-1] == 100
    assert any("memory" in note for note in found.notes)
