"""The short run closes the loop: sparse networks that are foretold not to start do not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch_runs import torch_losses

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.jobs import sections
from fpcheck.jobs.analyze import analyze
from fpcheck.jobs.short_run import short_run
from fpcheck.jobs.suggest import suggest
from fpcheck.jobs.suggest.sparse_tried import tried_activation
from fpcheck.network.data import load_data
from fpcheck.network.load import load
from fpcheck.theory.sparse import recommended

DIGITS = Path(__file__).parents[2] / "samples" / "digits.npz"
ROWS = 160
STEPS = 60
LONGER = 300  # until the sparse network is well below the constant answer
SPARSE = 'activation = { name = "crelu", tau = 1.0364, m = 0.8095 }'
EDGE = ('{ law = "normal", sigma2 = 8.50694, scale = "1/sqrt(fan_in)" }',
        '{ law = "normal", sigma2 = 0.66049 }')  # fmt: skip
USUAL = ('"he_normal"', '"zeros"')


def spec(tmp_path, init, depth=10, activation=SPARSE, width=80):
    path = tmp_path / "net.toml"
    path.write_text(
        f"""
[network]
input = 64
layers = [ {{ dense = {width}, {activation}, repeat = {depth} }}, {{ dense = 10 }} ]
[init]
weights = {init[0]}
biases = {init[1]}
""",
        "utf-8",
    )
    return path


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A file of some of the digits."""
    found = np.load(DIGITS)
    path = tmp_path_factory.mktemp("data") / "few.npz"
    np.savez(path, X=found["X"][:ROWS], y=found["y"][:ROWS])
    return path


def run_of(path, rows, steps=STEPS, **changes):
    settings = replace(Settings(probe_steps=steps, threads=1), **changes)
    network = load(path).network
    return network, short_run(network, load_data(rows), settings, Monitor(), trained=False)


@pytest.mark.parametrize(
    ("init", "steps", "answer"),
    [(USUAL, STEPS, "does not start"), (EDGE, LONGER, "trains")],
    ids=["he", "edge"],
)
def test_sparse_networks_start_or_not_as_in_pytorch(tmp_path, few, init, steps, answer):
    network, found = run_of(spec(tmp_path, init), few, steps=steps)
    assert found["answer"] == answer
    losses = torch_losses(network, load_data(few), found["learning_rate"], steps)
    assert found["start_loss"] == pytest.approx(losses[0], rel=1e-9)
    # Hundreds of steps amplify rounding in a network on the edge of chaos.
    assert found["best_loss"] == pytest.approx(losses.min(), rel=1e-3)
    below = 1.0 - losses.min() / found["constant_loss"]
    assert (below >= 0.05) if answer == "trains" else (below < 0.01)


def test_the_report_says_that_the_signal_foretold_it(tmp_path, few):
    settings = Settings(questions=("signal",), short_run=True, probe_steps=STEPS)
    report = analyze(spec(tmp_path, USUAL), data=few, settings=settings)
    run = report.document["signal"]["short_run"]
    assert (run["answer"], run["agrees"]) == ("does not start", "agrees")
    assert "FP1" in run["predicted"]
    (found,) = [each for each in report.findings if each.code == "FP114"]
    assert found.outcome == "fail"
    assert report.verdict == "fail"


def test_beside_the_escape_question_nothing_runs_twice(tmp_path, few, monkeypatch):
    def twice(*_args, **_kwargs):
        raise AssertionError("the run is there already")

    monkeypatch.setattr(sections, "short_run", twice)
    questions = ("signal", "escape")
    settings = Settings(questions=questions, short_run=True, probe_steps=STEPS)
    document = analyze(spec(tmp_path, EDGE, depth=3), data=few, settings=settings).document
    run, escape = document["signal"]["short_run"], document["escape"]
    assert run["answer"] == escape["trainability"]
    assert run["fall"] == escape["fall"]


def test_both_ways_to_the_run_tell_the_same(tmp_path, few):
    path = spec(tmp_path, EDGE, depth=3)
    base = Settings(probe_steps=STEPS)
    both = replace(base, questions=("signal", "escape"))
    alone = replace(base, questions=("signal",), short_run=True)
    first, second = (
        analyze(path, data=few, settings=each).document["signal"]["short_run"]
        for each in (both, alone)
    )
    assert first == second


def test_it_is_not_run_where_it_was_not_asked_for(tmp_path, few):
    settings = Settings(questions=("signal",))
    run = analyze(spec(tmp_path, EDGE, depth=2), data=few, settings=settings).document["signal"]
    assert run["short_run"]["asked"] is False
    assert "--short-run" in run["short_run"]["skipped"]


def test_networks_that_cannot_be_trained_say_why(tmp_path, few):
    path = spec(tmp_path, EDGE, depth=2, activation='activation = "step"')
    _, found = run_of(path, few)
    assert "derivative" in found["skipped"]
    network = load(spec(tmp_path, EDGE, depth=2)).network
    assert "--data" in short_run(network, None, Settings(), Monitor(), trained=False)["skipped"]
    _, found = run_of(spec(tmp_path, EDGE, depth=400, width=400), few, steps=300)
    assert "minutes" in found["skipped"]


def test_the_suggestion_closes_its_loop(tmp_path, few):
    settings = Settings(probe_steps=LONGER)
    tried = suggest(spec(tmp_path, USUAL), data=few, settings=settings)["short_run"]
    assert tried["present"]["answer"] == "does not start"
    assert tried["suggested"]["answer"] == "trains"
    assert "with the suggestion it trains" in tried["conclusion"]
    assert tried["present"]["rows"] == tried["suggested"]["rows"] == ROWS


def test_a_suggested_sparse_activation_is_tried_in_the_network(tmp_path, few):
    path = spec(tmp_path, USUAL, depth=5, activation='activation = "relu"')
    best = recommended("crelu", 0.7, 80, 6)
    settings = Settings(probe_steps=LONGER)

    def tried(subject):
        return tried_activation(subject, "crelu", best, few, None, 1.0, settings, Monitor())

    found = tried(load(path))
    assert found["activation"] == f"crelu({best.row.tau:g}, {best.row.m:g})"
    assert found["present"]["answer"] == found["suggested"]["answer"] == "trains"
    assert "MODEL" in tried(None)["skipped"]
    unsafe = replace(best, safe=False, why="every clip loses the signal")
    none = tried_activation(load(path), "crelu", unsafe, few, None, 1.0, settings, Monitor())
    assert "every clip" in none["skipped"]


def test_suggestions_without_targets_or_wish_try_nothing(tmp_path, few):
    path = spec(tmp_path, USUAL, depth=2)
    assert "--data" in suggest(path)["short_run"]["skipped"]
    unwanted = suggest(path, data=few, short_run=False)["short_run"]
    assert "skipped" in unwanted
    bare = tmp_path / "bare.npz"
    np.savez(bare, X=np.load(few)["X"])
    assert "targets" in suggest(path, data=bare)["short_run"]["skipped"]
