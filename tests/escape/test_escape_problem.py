"""What the probe learns, and the learning rate that it chooses."""

from dataclasses import replace

import numpy as np
import pytest
from probed_networks import classes, mlp, numbers

from fpcheck.core.errors import DataError
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.escape.problem import choose_rows, pose_problem
from fpcheck.escape.rate import MOMENTUM, choose_rate, largest_curvature
from fpcheck.network.data import Data
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Dense, Input, Skeleton, Softmax
from fpcheck.network.training import CROSS_ENTROPY, MEAN_SQUARED_ERROR


def rng():
    return np.random.default_rng(3)


def test_rows_are_drawn_by_class_in_their_shares_and_none_is_lost():
    labels = np.repeat([0, 1, 2], [700, 297, 3])
    data = Data(np.zeros((1000, 2)), labels, "classification", ("a", "b", "c"), "d")
    chosen = choose_rows(data, 100, rng())
    assert len(np.unique(chosen)) == 100
    assert (np.diff(chosen) > 0).all()
    counts = np.bincount(labels[chosen])
    assert abs(counts[0] - 70) <= 1
    assert abs(counts[1] - 30) <= 1
    assert counts[2] >= 1


def test_few_rows_are_all_taken_in_order():
    np.testing.assert_array_equal(choose_rows(classes(), 2000, rng()), np.arange(120))


def test_a_constant_s_loss_is_the_entropy_of_the_classes():
    problem = pose_problem(mlp((6, 4, 3)), classes(), rng())
    shares = np.bincount(classes().targets) / 120
    assert problem.constant_loss == pytest.approx(-np.sum(shares * np.log(shares)))
    assert problem.loss == CROSS_ENTROPY


def test_a_closing_softmax_is_left_to_the_loss():
    nodes = (Input("x", (6,)), Dense("d", ("x",), 3, "w", None), Softmax("s", ("d",)))
    network = Network(Skeleton(nodes), {"w": np.ones((3, 6))})
    assert pose_problem(network, classes(), rng()).network.skeleton.nodes[-1].name == "d"


def test_a_self_map_without_targets_learns_its_input():
    data = Data(numbers().inputs, None, None, (), "rows")
    problem = pose_problem(mlp((6, 4, 6)), data, rng())
    np.testing.assert_array_equal(problem.targets, data.inputs)
    assert problem.loss == MEAN_SQUARED_ERROR
    assert "no targets" in pose_problem(mlp((6, 4, 6)), data, rng(), self_map=False)
    assert "no targets" in pose_problem(mlp((6, 4, 3)), data, rng())


def test_a_self_map_that_the_targets_do_not_fit_learns_its_input():
    data = classes(width=6, count=3)
    problem = pose_problem(mlp((6, 4, 6)), data, np.random.default_rng(0))
    assert problem.target == "the input row itself"
    assert problem.classes == 0
    np.testing.assert_array_equal(problem.targets, data.inputs)
    assert any("do not fit the outputs" in note for note in problem.notes)
    # What is no self-map, or is not to be taken as one, is not asked for it.
    refused = pose_problem(mlp((6, 4, 6)), data, np.random.default_rng(0), self_map=False)
    assert refused == "the network has 6 outputs for 3 classes"
    other = pose_problem(mlp((6, 4, 5)), data, np.random.default_rng(0))
    assert other == "the network has 5 outputs for 3 classes"


def test_trained_weights_keep_the_targets_own_unit():
    data = numbers()
    inputs = np.column_stack([data.inputs, np.ones(120)])
    solution = np.linalg.lstsq(inputs, data.targets, rcond=None)[0].T
    network = Network(
        Skeleton((Input("x", (7,)), Dense("d", ("x",), 3, "w", None))), {"w": solution}
    )
    data = replace(data, inputs=inputs)
    own = pose_problem(network, data, rng(), trained=True)
    np.testing.assert_array_equal(own.targets, data.targets)
    assert abs(pose_problem(network, data, rng()).targets.mean()) < 1e-12


def test_what_cannot_be_learnt_is_said():
    assert "2 outputs for 3 classes" in pose_problem(mlp((6, 4, 2)), classes(), rng())
    one = replace(classes(), targets=np.zeros(120, dtype=np.int64))
    assert "one class" in pose_problem(mlp((6, 4, 3)), one, rng())
    assert "derivative 0" in pose_problem(mlp((6, 4, 3), function="step"), classes(), rng())
    with pytest.raises(DataError, match="do not fit"):
        pose_problem(mlp((5, 4, 3)), classes(), rng())


def test_two_classes_may_have_one_output():
    data = classes(count=2)
    problem = pose_problem(mlp((6, 4, 1)), data, rng())
    assert problem.loss == CROSS_ENTROPY


def test_the_curvature_of_a_linear_map_is_that_of_its_rows():
    """Hessian of mean squares over n rows, k outputs: 2 X^T X / (n k), the same at all weights."""
    data = numbers()
    inputs = data.inputs * np.array([3.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    network = Network(
        Skeleton((Input("x", (6,)), Dense("d", ("x",), 3, "w", None))), {"w": np.ones((3, 6))}
    )
    found, norm = largest_curvature(
        network, inputs, data.targets, MEAN_SQUARED_ERROR, rng(), Monitor()
    )
    exact = np.linalg.eigvalsh(2.0 * inputs.T @ inputs / (120 * 3))[-1]
    assert found == pytest.approx(exact, rel=1e-4)  # power steps towards a gap of 9
    assert norm == pytest.approx(np.sqrt(18.0))


def test_the_rate_is_the_reciprocal_of_the_larger_curvature():
    problem = pose_problem(mlp((6, 20, 20, 3)), classes(), rng())
    plain = choose_rate(problem, Settings(), rng(), Monitor())
    heavy = choose_rate(problem, Settings(probe_optimiser="momentum"), rng(), Monitor())
    assert heavy.recipe.rate == pytest.approx((1.0 - MOMENTUM) * plain.recipe.rate)
    assert "curvature" in plain.rule
    given = choose_rate(problem, Settings(probe_rate=0.3), rng(), Monitor())
    assert given.recipe.rate == 0.3
    assert "as given" in given.rule


def test_a_small_start_does_not_blow_the_rate_up():
    """At a tenth of the weights the loss is flat; the rate is that of layers of size 1."""
    rates = [
        choose_rate(
            pose_problem(mlp((6, 20, 20, 3), scale), classes(), rng()), Settings(), rng(), Monitor()
        ).recipe.rate
        for scale in (0.01, 0.1, 1.0)
    ]
    assert max(rates) <= 4.0 * min(rates)  # the curvature itself goes as scale^4
