"""Cycles longer than iteration looks for: their period is exact and minimal."""

import numpy as np
import pytest
from moving_maps import logistic, motion_of, normal_starts, rings, unresolved_motion

from fpcheck.attractors.motion.shooting import shoot
from fpcheck.core.progress import Monitor

# The logistic map doubles its period at r = 3.568759 to 32, at 3.569692 to 64, at 3.569891 to 128
# and at 3.569934 to 256. [Feigenbaum 1978]
DOUBLINGS = ((3.5692, 32), (3.5698, 64), (3.56992, 128))


@pytest.mark.parametrize(("r", "period"), DOUBLINGS)
def test_the_doubling_cascade_of_the_logistic_map(r, period):
    starts = np.random.default_rng(0).random((40, 1))
    motion = unresolved_motion(logistic(r), starts, max_period=16)
    assert set(motion.kinds) == {"cycle"}
    (one,) = motion.sets
    assert one.period == period
    found = motion.found[motion.targets[motion.sets.index(one)]]
    x = float(found.point[0])
    visited = [x]
    for _ in range(period):
        visited.append(r * visited[-1] * (1.0 - visited[-1]))
    assert abs(visited[-1] - x) < 1e-12
    assert min(abs(v - x) for v in visited[1:-1]) > 1e-6
    slopes = [r * (1.0 - 2.0 * v) for v in visited[:-1]]
    multiplier = abs(np.prod(slopes))
    assert multiplier < 1.0
    # The Jacobian of a plain function is by central differences, good to eps^(2/3) a step.
    assert one.lyapunov == pytest.approx(np.log(multiplier) / period, abs=1e-6)


@pytest.mark.parametrize("lengths", [(3, 4, 5, 7), (5, 7, 8)])
def test_rings_of_coprime_lengths_have_cycles_of_their_least_common_multiple(lengths):
    network = rings(*lengths)
    motion = motion_of(network, np.sign(normal_starts(sum(lengths), 24)), max_period=8)
    whole = int(np.lcm.reduce(lengths))
    for one in motion.sets:
        assert one.kind in ("cycle", "slow")
        assert whole % one.period == 0
        signs = np.sign(one.point)
        assert one.period == least_period(signs, lengths)
    assert whole in {one.period for one in motion.sets}


def least_period(signs, lengths):
    """The least common multiple of the rings' own least periods, by shifting."""
    periods, first = [], 0
    for length in lengths:
        ring = signs[first : first + length]
        periods.append(
            next(s for s in range(1, length + 1) if np.array_equal(np.roll(ring, s), ring))
        )
        first += length
    return int(np.lcm.reduce(periods))


def test_shooting_finds_the_cycle_from_nearby_and_its_least_period():
    r = 3.5698
    network = logistic(r)
    x = 0.5
    for _ in range(200_000):
        x = r * x * (1.0 - x)
    found = shoot(network.program, np.array([x + 1e-7]), 128, Monitor())
    assert found.period == 64
    assert found.residual <= 1e-12
    again = float(found.points[-1, 0])
    assert r * again * (1.0 - again) == pytest.approx(float(found.point[0]), abs=1e-12)


def test_a_slow_approach_to_a_short_cycle_is_slow_with_the_cycles_period():
    # Just beyond the doubling at 3.569692 the 64-cycle attracts by a factor e in 800 steps.
    motion = unresolved_motion(logistic(3.5697), np.random.default_rng(1).random((64, 1)))
    assert set(motion.kinds) == {"slow"}
    assert {one.period for one in motion.sets} == {64}
