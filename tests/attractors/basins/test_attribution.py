from __future__ import annotations

from dataclasses import replace
from threading import Event

import numpy as np
import pytest
from basin_maps import (
    MONITOR,
    SETTINGS,
    cube_root_traps,
    cube_roots,
    tanh_map,
    trap_at,
    wells,
)

from fpcheck.attractors.basins.attribute import attribute
from fpcheck.attractors.basins.traps import ELSEWHERE
from fpcheck.attractors.basins.widening import widened
from fpcheck.attractors.discover import DIVERGED, UNRESOLVED
from fpcheck.attractors.iterate import iterate_starts
from fpcheck.core.intervals import wilson
from fpcheck.core.progress import Monitor


def starts(n, count=400, seed=0, spread=1.5):
    return spread * np.random.default_rng(seed).standard_normal((count, n))


def quadrant(states, traps):
    """The trap whose signs the state has: independent wells keep their signs."""
    signs = [np.sign(trap.found.point) for trap in traps]
    return np.array([next(i for i, s in enumerate(signs) if (np.sign(x) == s).all())
                     for x in states])  # fmt: skip


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("n", [1, 3])
def test_independent_wells_keep_the_signs_of_their_start(n, wide):
    program, traps, _ = wells(n, 1.6)
    used = widened(program, traps) if wide else traps
    begins = starts(n)
    ends = attribute(program, used, begins, SETTINGS, MONITOR)
    assert (ends.labels == quadrant(begins, traps)).all()
    assert ends.absorbed.all()


def test_two_wells_share_symmetric_starts_half_and_half():
    program, traps, _ = wells(1, 2.0)
    labels = attribute(program, traps, starts(1, 1000, seed=4), SETTINGS, MONITOR).labels
    interval = wilson(int(np.count_nonzero(labels == 0)), len(labels))
    assert interval.low <= 0.5 <= interval.high


@pytest.mark.parametrize("wide", [False, True])
def test_the_newton_map_of_the_cube_roots_ends_where_a_plain_loop_ends(wide):
    program, traps = cube_root_traps()
    used = widened(program, traps) if wide else traps
    begins = starts(2, 600, seed=1)
    labels = attribute(program, used, begins, SETTINGS, MONITOR).labels
    ends = begins
    for _ in range(200):
        ends = cube_roots(ends)
    points = np.array([trap.found.point for trap in traps])
    nearest = np.argmin(np.linalg.norm(ends[:, None] - points, axis=2), axis=1)
    assert (labels == nearest).all()


def random_map(seed, n=12, gain=2.2):
    rng = np.random.default_rng(seed)
    return tanh_map(gain * rng.standard_normal((n, n)) / np.sqrt(n), 0.1 * rng.standard_normal(n))


@pytest.mark.parametrize("seed", range(6))
def test_a_start_is_attributed_to_where_it_would_have_come_to_rest_and_no_later(seed):
    program = random_map(seed)
    begins = starts(12, 200, seed)
    ended = iterate_starts(program, begins, SETTINGS, MONITOR)
    resting = ended.states[ended.periods == 1]
    traps = []
    for state in resting:
        if all(np.linalg.norm(state - trap.found.point) > 1e-6 for trap in traps):
            traps.append(trap_at(program, f"T{len(traps)}", state))
    ends = attribute(program, traps, begins, SETTINGS, MONITOR)
    for label, state, period in zip(ends.labels, ended.states, ended.periods, strict=True):
        if period == 1:
            assert np.linalg.norm(traps[label].found.point - state) < 1e-6
        elif period > 1:
            assert label < 0
        # One that was not done after max_steps may be in a ball by then.
    settled = ended.periods == 1
    assert (ends.steps[settled] <= ended.steps[settled]).all()


def test_without_a_ball_a_start_is_attributed_where_it_comes_to_rest():
    program, traps, _ = wells(2, 1.4)
    bare = [replace(trap, ball=None) for trap in traps]
    begins = starts(2, 100)
    ends = attribute(program, bare, begins, SETTINGS, MONITOR)
    assert (ends.labels == quadrant(begins, traps)).all()
    assert not ends.absorbed.any()


def test_a_start_inside_a_ball_takes_no_step():
    program, traps, _ = wells(2, 1.4)
    centre = traps[0].found.point
    inside = centre + 0.5 * traps[0].ball.inner_radius * np.array([[1.0, 0.0], [0.0, -1.0]])
    ends = attribute(program, traps, inside, SETTINGS, MONITOR)
    assert ends.labels.tolist() == [0, 0]
    assert ends.steps.tolist() == [0, 0]


@pytest.mark.parametrize("bare", [False, True])
def test_both_phases_of_a_cycle_are_its_basin(bare):
    program = tanh_map(-2.0 * np.eye(1))  # x -> tanh(-2 x): a cycle of period 2 takes all but 0
    trap = trap_at(program, "c1", [0.9], period=2)
    assert trap.found.period == 2
    begins = np.array([[0.3], [-0.3], [1.1], [-1.1]])
    used = [replace(trap, ball=None)] if bare else [trap]
    ends = attribute(program, used, begins, SETTINGS, MONITOR)
    assert ends.labels.tolist() == [0, 0, 0, 0]
    assert ends.absorbed.all() != bare


def test_what_is_no_listed_attractor_is_told_apart():
    program, traps, _ = wells(1, 2.0)
    begins = np.array([[0.5], [-0.5]])
    assert attribute(program, traps[:1], begins, SETTINGS, MONITOR).labels.tolist() == [
        0, ELSEWHERE,
    ]  # fmt: skip
    brief = replace(SETTINGS, max_steps=2)
    bare = [replace(trap, ball=None) for trap in traps]
    labels = attribute(program, bare, begins, brief, MONITOR).labels
    assert labels.tolist() == [UNRESOLVED, UNRESOLVED]
    growing = tanh_map(3.0 * np.eye(1), name="identity")
    assert attribute(growing, [], begins, SETTINGS, MONITOR).labels.tolist() == [DIVERGED] * 2


def test_a_narrow_ball_without_a_trap_nearby_changes_nothing():
    program, traps, _ = wells(1, 2.0)
    begins = starts(1, 64)
    few = attribute(program, [traps[1], traps[0]], begins, SETTINGS, MONITOR).labels
    assert (few == 1 - attribute(program, traps, begins, SETTINGS, MONITOR).labels).all()


def test_the_number_of_threads_changes_no_label_and_no_step():
    program, traps = cube_root_traps()
    begins = starts(2, 700, seed=7)
    one = attribute(program, traps, begins, replace(SETTINGS, threads=1), MONITOR)
    four = attribute(program, traps, begins, replace(SETTINGS, threads=4), MONITOR)
    assert (one.labels == four.labels).all()
    assert (one.steps == four.steps).all()


def test_a_wish_to_stop_is_heard():
    program, traps, _ = wells(2, 1.4)
    stop = Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        attribute(program, traps, starts(2), SETTINGS, Monitor(stop=stop))


@pytest.mark.parametrize("seed", range(4))
def test_a_widened_ball_contracts_wherever_it_is_tried(seed):
    program = random_map(seed, n=8, gain=0.8)
    ended = iterate_starts(program, starts(8, 100, seed), SETTINGS, MONITOR)
    resting = ended.states[ended.periods == 1]
    (trap,) = widened(program, [trap_at(program, "A", resting[0])])
    if trap.near is None:  # nothing larger than the proved ball was found
        assert trap.ball is not None
        return
    ball, centre = trap.near, trap.found.point
    assert ball.inner_radius >= trap.inner_radius
    rng = np.random.default_rng(seed)
    units = rng.standard_normal((4000, 8))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    reach = ball.radius * rng.random((4000, 1)) ** (1.0 / 8.0)
    states = centre + (reach * units) @ np.linalg.inv(ball.transform).T
    before = np.linalg.norm((states - centre) @ ball.transform.T, axis=1)
    images = iterate_starts(program, states, replace(SETTINGS, max_steps=1), MONITOR).states
    after = np.linalg.norm((images - centre) @ ball.transform.T, axis=1)
    assert (after <= ball.rate * (1.0 + 1e-6) * before + 1e-12).all()
