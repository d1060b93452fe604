"""Balls that a map sends into their interior: sampled points stay inside, and why there is none."""

import numpy as np
import pytest
from uniqueness_maps import one_layer, random_chain, random_weights, residual

from fpcheck.attractors.uniqueness import InvariantBall, inside, invariant_ball
from fpcheck.network.gates import HardSigmoid
from fpcheck.network.program import forward
from fpcheck.network.recurrent import gru_cell, lstm_cell


def cell(kind, n, size, seed, **options):
    rng = np.random.default_rng(seed)
    gates = 3 if kind is gru_cell else 4
    weight = size * rng.standard_normal((gates * n, n))
    return kind("cell", weight, rng.standard_normal(gates * n), input_size=1, **options).network


NETWORKS = {
    "bounded": one_layer(random_weights(4, 0, 5.0), np.ones(4)),
    "linear last layer": random_chain([3, 8, 3], 1, 4.0, last="identity"),
    "sigmoid": one_layer(random_weights(4, 1, 9.0), name="sigmoid"),
    "contracting ReLU": one_layer(0.2 * random_weights(5, 2, 1.0), np.arange(5.0), "relu"),
    "half of itself": residual(random_weights(3, 3, 4.0), random_weights(3, 4, 2.0), np.ones(3)),
    "GRU": cell(gru_cell, 4, 0.8, 5),
    "GRU, reset before": cell(gru_cell, 4, 0.8, 6, linear_before_reset=False),
    "LSTM": cell(lstm_cell, 3, 0.7, 7),
}
# There a box of stated size is shown to be mapped inside, and none of every larger size.
NOT_WHOLE = ("LSTM", "half of itself")


@pytest.mark.parametrize("name", NETWORKS)
def test_points_of_the_ball_are_mapped_into_its_interior(name):
    network = NETWORKS[name]
    ball = invariant_ball(network.program)
    assert isinstance(ball, InvariantBall)
    n = network.program.input_size
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.0, (4000, n))
    edge = rng.random((4000, n)) < 0.5
    x[edge] = np.sign(x[edge])  # corners and faces
    if ball.norm == "2":
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    x = ball.centre + ball.radii * x
    assert inside(ball, forward(network.program, x)).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_ball_that_holds_all_fixed_points_attracts_from_far(name):
    """An end of iteration from far away lies in a ball that is said to hold all."""
    network = NETWORKS[name]
    ball = invariant_ball(network.program)
    assert ball.whole == (name not in NOT_WHOLE)
    n = network.program.input_size
    # Not so far that a gate of 1 - 1e-17 stands still in double precision.
    x = 4.0 * np.random.default_rng(1).standard_normal((200, n))
    for _ in range(3000):
        y = forward(network.program, x)
        x = 0.5 * x + 0.5 * y
    settled = np.abs(forward(network.program, x) - x).max(axis=1) < 1e-9
    assert inside(ball, x[settled]).all()


@pytest.mark.parametrize(
    ("network", "word"),
    [
        (one_layer(3.0 * np.eye(2), name="relu"), "bounded"),
        (one_layer(np.eye(2), name="identity"), "bounded"),
        (one_layer(np.eye(2), name="step"), "jumps"),
        (cell(gru_cell, 2, 1.0, 0, gate=HardSigmoid(0.2)), "bounded"),
    ],
)
def test_maps_without_a_ball_say_why(network, word):
    reason = invariant_ball(network.program)
    assert isinstance(reason, str)
    assert word in reason


def test_a_gate_that_is_not_one_minus_the_other_makes_no_ball():
    network = cell(gru_cell, 3, 1.0, 2)
    network.parameters["cell.one"][:] = 1.5
    assert isinstance(invariant_ball(network.program), str)


def test_a_point_on_the_edge_is_not_inside():
    ball = invariant_ball(one_layer(np.eye(2)).program)
    edge = ball.centre + ball.radii
    assert not inside(ball, edge[None])[0]
    assert inside(ball, ball.centre[None])[0]
