"""Rows, targets, weights and rates with which the probe cannot do much: it says so, and why."""

from dataclasses import replace

import numpy as np
import pytest
from probed_networks import classes, mlp, numbers

from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.escape.measure import measure
from fpcheck.network.data import Data
from fpcheck.network.network import Network


def ask(network, data, **settings):
    settings = Settings(**{"probe_steps": 30, **settings})
    return measure(network, data, settings, random_stream(0, "escape"), Monitor())


def without_weights(widths):
    network = mlp(widths, bias=True)
    zeros = {name: np.zeros_like(tensor) for name, tensor in network.parameters.items()}
    return Network(network.skeleton, zeros)


def test_targets_whose_squares_overflow_are_refused():
    huge = replace(numbers(), targets=numbers().targets * 1e200)
    assert "squares overflow" in ask(mlp((6, 4, 3)), huge).skipped
    rows = Data(numbers().inputs * 1e200, None, None, (), "rows")
    assert "squares overflow" in ask(mlp((6, 4, 6)), rows).skipped


def test_rows_that_are_all_the_same_are_named_as_such():
    same = replace(classes(), inputs=np.ones_like(classes().inputs))
    found = ask(mlp((6, 4, 3)), same)
    assert any("all rows of clouds are the same" in note for note in found.notes)
    assert not any("the same" in note for note in ask(mlp((6, 4, 3)), classes()).notes)


@pytest.mark.parametrize("widths", [(6, 3), (6, 4, 3), (6, 5, 4, 3)])
@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_the_norm_adaptive_rate_of_zero_weights_is_none(widths, rate):
    found = ask(
        without_weights(widths), classes(), probe_optimiser="norm-adaptive", probe_rate=rate
    )
    assert "has no value" in found.skipped


def test_zero_weights_are_a_dead_start_by_any_other_optimiser():
    for name in ("sgd", "momentum", "adam"):
        found = ask(without_weights((6, 5, 4, 3)), classes(), probe_optimiser=name)
        assert found.verdict.answer == "dead start"


def test_a_rate_that_was_given_is_the_first_suspect():
    slow = ask(mlp((6, 20, 3)), classes(), probe_rate=1e-9, probe_steps=200)
    assert slow.verdict.answer == "waits on a plateau"
    assert slow.verdict.next_step.startswith("a larger --lr (without it the curvature chooses)")
    fast = ask(mlp((6, 20, 20, 3)), numbers(), probe_rate=30.0)
    assert fast.verdict.next_step.endswith("or none, so that the curvature chooses it")


def test_a_scan_of_rows_that_overflow_warns_of_nothing():
    huge = replace(classes(), inputs=classes().inputs * 1e200)
    section = as_section(ask(mlp((6, 4, 3)), huge, escape_scan=True, probe_steps=5, threads=1))
    kinds = {cell["kind"] for row in section["scan"]["cells"] for cell in row}
    assert kinds <= {"diverges", "never starts"}
