"""What does not settle is told apart: cycles, slow approach, quasi-periodic motion, chaos."""

import numpy as np
import pytest
from moving_maps import (
    function,
    henon,
    linear,
    logistic,
    motion_of,
    normal_starts,
    one_layer,
    random_tanh,
    rings,
    rotation,
    share_of,
    unresolved_motion,
)

from fpcheck.attractors.motion import NO_SET
from fpcheck.attractors.polish import polish
from fpcheck.core.progress import Monitor

GOLDEN = 2.0 * np.pi * (np.sqrt(5.0) - 1.0) / 2.0


def test_nothing_unresolved_needs_no_work():
    motion = motion_of(linear(np.eye(2)), np.empty((0, 2)))
    assert (motion.kinds, motion.sets, motion.found, motion.shares) == ((), (), (), ())


def test_the_logistic_map_at_3_9_is_chaotic_on_one_set():
    motion = unresolved_motion(logistic(3.9), np.random.default_rng(0).random((64, 1)))
    (one,) = motion.sets
    assert (one.kind, one.states) == ("chaotic", 64)
    assert one.lyapunov_low < 0.4963 < one.lyapunov_high  # 200 million steps by NumPy
    assert one.average_digits < 4.0


def test_the_henon_map_is_chaotic():
    motion = unresolved_motion(henon(), np.random.default_rng(0).uniform(-0.1, 0.1, (48, 2)))
    (one,) = motion.sets
    assert one.kind == "chaotic"
    assert one.lyapunov_low < 0.41922 < one.lyapunov_high


def test_an_irrational_rotation_is_quasi_periodic_and_every_start_has_a_circle_of_its_own():
    motion = motion_of(linear(rotation(GOLDEN)), [[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [-1.0, 0.0]])
    assert set(motion.kinds) == {"quasi-periodic"}
    assert motion.members[0] == motion.members[3]  # two phases of one circle
    assert len(set(motion.members.tolist())) == 3
    for one in motion.sets:
        assert one.lyapunov_low <= 0.0 <= one.lyapunov_high
        assert one.average_digits > 10.0


def test_an_invariant_circle_beyond_a_neimark_sacker_bifurcation_is_quasi_periodic():
    # A fixed point at zero whose pair of eigenvalues 1.05 exp(i) has just left the unit circle.
    motion = unresolved_motion(one_layer(rotation(1.0, 1.05)), normal_starts(2, 64))
    assert share_of(motion, "quasi-periodic") == 1.0
    (one,) = motion.sets
    assert one.lyapunov_low <= 0.0 <= one.lyapunov_high


@pytest.mark.parametrize("rate", [0.9999, 0.99999])
def test_a_slow_spiral_into_a_fixed_point_is_slow_and_says_which(rate):
    motion = motion_of(linear(rotation(0.3, rate)), normal_starts(2, 40))
    assert set(motion.kinds) == {"slow"}
    (one,) = motion.sets
    assert one.period == 1
    np.testing.assert_allclose(motion.found[motion.targets[0]].point, 0.0, atol=1e-12)
    np.testing.assert_allclose(one.lyapunov, np.log(rate), rtol=1e-6)


def test_an_algebraic_approach_to_a_triple_root_is_slow():
    network = function(lambda x: x - x**3, 1)
    motion = unresolved_motion(network, np.linspace(-0.5, 0.5, 20)[:, None])
    assert set(motion.kinds) == {"slow"}
    assert len(motion.sets) == 1
    assert abs(float(motion.found[motion.targets[0]].point[0])) < 1e-4


def test_a_known_fixed_point_is_named_by_its_index():
    network = linear(rotation(0.3, 0.9999))
    known = polish(network.program, np.array([1.0, 0.0]), 1, Monitor())
    motion = motion_of(network, normal_starts(2, 8), known=(known,))
    assert set(motion.targets) == {0}
    assert motion.found == ()


def test_a_passage_where_there_is_no_fixed_point_is_left_unresolved():
    # x + x^2 + 1e-10 has no fixed point, but below zero it crawls for 10^5 steps.
    network = function(lambda x: x + np.minimum(x * x, 1.0) + 1e-10, 1)
    motion = motion_of(network, np.linspace(-1e-3, -9e-4, 10)[:, None])
    assert set(motion.kinds) == {"unresolved"}
    assert "slow passage" in motion.sets[0].note


def test_a_shear_grows_by_a_power_of_time_and_is_not_called_chaos():
    motion = motion_of(linear([[1.0, 1.0], [0.0, 1.0]]), normal_starts(2, 16))
    assert "chaotic" not in motion.kinds


def test_a_start_on_a_repelling_invariant_line_is_not_held_there():
    # On the diagonal x = y the motion of two like units is period 2; off it one of them wins.
    weight = np.array([[-1.5, -1.0], [-1.0, -1.5]])
    motion = motion_of(one_layer(weight), np.array([[0.9, 0.9], [0.2, 0.2]]), max_period=1)
    assert set(motion.kinds) == {"cycle"}


def test_states_that_run_away_have_diverged():
    motion = motion_of(linear([[1.1]]), normal_starts(1, 8))
    assert set(motion.kinds) == {"diverged"}
    assert motion.sets[0].lyapunov is None


def test_a_map_without_derivative_has_no_exponent_but_still_has_cycles():
    steps = one_layer(np.roll(np.eye(5), 1, axis=0), -0.5 * np.ones(5), "step")
    states = (np.random.default_rng(0).random((12, 5)) > 0.5).astype(float)
    motion = motion_of(steps, states, max_period=4)
    assert set(motion.kinds) <= {"cycle", "slow"}
    assert {one.period for one in motion.sets} <= {1, 5}
    assert all(one.lyapunov is None for one in motion.sets)


def test_two_mirrored_chaotic_sets_are_told_apart():
    # Two copies of one chaotic interval, around +1 and -1, which no orbit leaves.
    def twins(x):
        away = np.abs(x) - 0.5
        return np.sign(x) * (0.5 + 3.9 * away * (1.0 - away))

    starts = np.random.default_rng(0).uniform(0.55, 1.45, (200, 1))
    starts[::2] *= -1.0
    motion = motion_of(function(twins, 1), starts)
    assert [one.kind for one in motion.sets] == ["chaotic", "chaotic"]
    assert sorted(one.states for one in motion.sets) == [100, 100]
    sides = np.sign(starts[:, 0])
    assert len({(int(m), float(s)) for m, s in zip(motion.members, sides, strict=True)}) == 2


def test_a_wide_random_map_of_high_gain_is_chaotic():
    motion = unresolved_motion(random_tanh(64, 3.0, 0), normal_starts(64, 64))
    assert share_of(motion, "chaotic") == 1.0
    (one,) = motion.sets
    assert 0.2 < one.lyapunov_low < one.lyapunov_high < 0.35


def test_every_state_is_accounted_for():
    motion = motion_of(rings(3, 4, 5, 7), normal_starts(19, 100), max_period=8)
    assert len(motion.kinds) == len(motion.members) == 100
    counts = np.bincount(motion.members[motion.members != NO_SET], minlength=len(motion.sets))
    assert counts.tolist() == [one.states for one in motion.sets]
    for index, kind in zip(motion.members, motion.kinds, strict=True):
        assert kind == ("unresolved" if index == NO_SET else motion.sets[index].kind)
    assert motion.followed.sum() <= 36
    assert all(0.0 <= s.share_low <= s.share <= s.share_high <= 1.0 for s in motion.shares)


def test_the_same_call_gives_the_same_answer():
    network, starts = random_tanh(16, 2.0, 3), normal_starts(16, 40)
    first, again = (unresolved_motion(network, starts, seed=4) for _ in range(2))
    assert first.kinds == again.kinds
    assert [one.lyapunov for one in first.sets] == [one.lyapunov for one in again.sets]
