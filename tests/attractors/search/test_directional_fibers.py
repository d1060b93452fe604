"""The curves {x : x - f(x) = s c}: they are followed, and what they join has opposite index."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from searching import chain, random_map, searched

from fpcheck.attractors.search.fibers import Lane, advance, begin, go_on, new_lanes
from fpcheck.attractors.search.newton import deflation, descend
from fpcheck.attractors.search.space import narrowest_space, whole_space

LENGTH = 4.0


def lanes_from(space, x, count, rng):
    lanes = new_lanes(count, space.size)
    for where in range(count):
        c = rng.standard_normal(space.size)
        side = 1.0 if where % 2 else -1.0
        begin(lanes, where, x=x, s=0.0, direction=c / np.linalg.norm(c), side=side, length=LENGTH)
    return lanes


def test_states_stay_on_their_curves():
    weight, bias = random_map(16, 2.0, 3)
    program = chain([(weight, bias)])
    space = narrowest_space(program)
    (point, *_) = searched(program).found
    lanes = lanes_from(space, point.point, 8, np.random.default_rng(0))
    for _ in range(6):
        advance(space, lanes, 5, LENGTH)
        running = lanes.states == Lane.RUNNING
        x, s = lanes.x[running], lanes.s[running]
        gap = x - np.tanh(x @ weight.T + bias) - s[:, None] * lanes.directions[running]
        # One correction a step leaves at most a small part of a step as residual.
        assert np.abs(gap).max(initial=0.0) < 0.05


def test_an_arc_joins_points_of_opposite_index():
    program = chain([random_map(16, 3.0, 5)])
    space = narrowest_space(program)
    (point, *_) = searched(program).found
    lanes = lanes_from(space, point.point, 12, np.random.default_rng(0))
    advance(space, lanes, 400, LENGTH)
    crossed = np.flatnonzero(lanes.states == Lane.CROSSED)
    assert len(crossed) >= 3

    def index(x):
        _, jacobians = space.linearised(x[None])
        return np.linalg.slogdet(np.eye(16) - jacobians[0])[0]

    opposite = [index(lanes.hits[i]) == -index(point.point) for i in crossed]
    assert np.mean(opposite) >= 0.9  # a step may jump to another curve, seldom


def test_a_curve_goes_on_beyond_a_crossing():
    program = chain([(1.5 * np.eye(1), np.array([0.02]))])
    space = narrowest_space(program)
    lanes = new_lanes(1, 1)
    begin(lanes, 0, x=np.array([-3.0]), s=2.0, direction=np.array([-1.0]), side=1.0, length=1.0)
    met = []
    for _ in range(3):
        advance(space, lanes, 400, 1.0)
        assert lanes.states[0] == Lane.CROSSED
        met.append(lanes.hits[0, 0])
        go_on(lanes, 0)
    assert met == sorted(met)
    assert_allclose(np.tanh(1.5 * np.array(met) + 0.02), met, atol=1e-10)


def test_a_deflated_step_is_the_newton_step_of_the_deflated_residual():
    weight, bias = random_map(4, 2.0, 1)
    space = whole_space(chain([(weight, bias)]))
    rng = np.random.default_rng(2)
    x, avoid = rng.standard_normal((1, 4)), rng.standard_normal((2, 4))

    def deflated(y):
        factor = np.prod(1.0 + 1.0 / ((y - avoid) ** 2).sum(axis=1))
        return factor * (y - np.tanh(weight @ y + bias))

    h = 1e-6
    jac = np.column_stack([(deflated(x[0] + h * e) - deflated(x[0] - h * e)) / (2 * h)
                           for e in np.eye(4)])  # fmt: skip
    values, jacobians = space.linearised(x)
    move = np.linalg.solve(np.eye(4) - jacobians[0], values[0] - x[0])
    expected = -np.linalg.solve(jac, deflated(x[0]))
    assert_allclose(deflation(x, move[None], avoid)[0] * move, expected, rtol=1e-6)


def test_newton_converges_for_each_state_on_its_own():
    space = whole_space(chain([random_map(6, 0.8, 1)]))
    states = np.vstack([np.random.default_rng(0).standard_normal((5, 6)), np.full((1, 6), np.nan)])
    reached = descend(space, states, 30)
    assert reached.converged.tolist() == [True] * 5 + [False]
    assert np.ptp(reached.states[:5], axis=0).max() < 1e-10
