"""What is noted on the models: ends of grids, fewer splits, probabilities of neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from readout_section import infinite

from fpcheck.core.progress import Monitor
from fpcheck.readout.comparison import ORDER
from fpcheck.readout.models import Asked, Scored, baselines, without
from fpcheck.readout.neighbours import nearest_trials
from fpcheck.readout.notes import edge_notes, fewer_splits
from fpcheck.readout.problem import Problem
from fpcheck.readout.result import Skipped
from fpcheck.readout.scores import one_hot
from fpcheck.readout.splits import random_split


def at(penalty, freedom):
    found = infinite()
    nngp = replace(found.nngp, relative_penalty=penalty, degrees_of_freedom=freedom)
    return replace(found, nngp=nngp, ntk=Skipped("none"))


class TestEdges:
    """Penalties of the dual kernels at an end of their grid."""

    def test_the_least_one_of_a_fit_through_all_rows_leaves_nothing_open(self):
        (note,) = edge_notes(at(1e-6, 99.0), 100)
        assert note.startswith("infinite, NNGP: the least penalty that was tried, 1e-06")
        assert "smaller ones change next to nothing" in note

    def test_the_least_one_of_another_fit_leaves_a_better_one_open(self):
        (note,) = edge_notes(at(1e-6, 40.0), 100)
        assert note.endswith("a smaller one may do better")

    def test_the_largest_one_leaves_the_mean(self):
        (note,) = edge_notes(at(1e4, 1.2), 100)
        assert "little but the mean" in note

    def test_within_the_grid_there_is_nothing_to_note(self):
        assert edge_notes(at(1e-2, 99.0), 100) == ()
        assert edge_notes(Skipped("no kernel"), 100) == ()


def test_models_of_fewer_splits_are_called_by_the_names_of_the_table():
    compared = {name: without(name, "not asked") for name in ORDER}
    compared["infinite_nngp"] = Scored("infinite_nngp", np.ones(6))
    compared["rbf"] = Scored("rbf", np.ones(6))
    compared["last_layer"] = Scored("last_layer", np.ones(20))
    (note,) = fewer_splits(compared, 20)
    assert note == "scored on the first 6 of the 20 splits: RBF ridge; infinite, NNGP"


def test_neighbours_that_all_agree_are_as_sure_as_their_number_allows():
    """Laplace's rule: k of k neighbours make a probability of (k + 1) / (k + classes)."""
    labels = np.repeat([0, 1, 2], 60)
    inputs = 100.0 * np.eye(3)[labels] + np.random.default_rng(0).standard_normal((180, 3))
    problem = Problem("accuracy", one_hot(labels, 3), labels, ("a", "b", "c"), "")
    splits = [random_split(180, 0.2, np.random.default_rng(seed), labels) for seed in range(3)]
    near, _ = baselines(Asked(inputs, problem, splits, 1, Monitor()), 1, "no kernels")
    counts = [trial.neighbours for trial in nearest_trials(inputs, problem, splits)]
    assert near.losses == pytest.approx([-np.log((k + 1) / (k + 3)) for k in counts])


def test_one_neighbour_that_is_wrong_does_not_cost_what_cannot_be():
    """A row whose neighbours are all wrong costs log(k + classes), not the 36 nats of a 0."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 60)
    problem = Problem("accuracy", one_hot(labels, 2), labels, ("a", "b"), "")
    splits = [random_split(60, 0.25, np.random.default_rng(seed), labels) for seed in range(3)]
    asked = Asked(rng.standard_normal((60, 2)), problem, splits, 1, Monitor())
    near, _ = baselines(asked, 1, "no kernels")
    assert max(near.losses) < np.log(3.0)
