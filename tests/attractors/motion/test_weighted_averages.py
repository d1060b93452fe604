"""Weighted averages converge fast on regular motion and slowly on chaos."""

import numpy as np
import pytest

from fpcheck.attractors.motion.averages import REGULAR_DIGITS, average_digits

STEPS = 4096


def circle(frequency, steps=STEPS):
    """A closed curve that is not a circle, seen at equal steps along it."""
    angle = 2 * np.pi * frequency * np.arange(steps) + 0.3
    return np.stack([np.cos(angle) + 0.3 * np.cos(2 * angle + 1), np.sin(angle)], axis=1)


def chaos(steps=STEPS, r=3.9, x=0.4):
    out = np.empty((steps, 1))
    for row in out:
        x = r * x * (1.0 - x)
        row[0] = x
    return out


def test_a_circle_has_nearly_all_digits():
    assert average_digits(circle((np.sqrt(5.0) - 1.0) / 2.0)) > 12.0


def test_two_frequencies_are_regular_too():
    t = np.arange(2 * STEPS)
    one, other = 2 * np.pi * np.sqrt(2.0) * t, 2 * np.pi * np.sqrt(3.0) * t
    orbit = np.stack([np.cos(one) + 0.3 * np.cos(one + other), np.sin(other)], axis=1)
    assert average_digits(orbit) > REGULAR_DIGITS


def test_a_cycle_is_regular():
    assert average_digits(np.tile([[0.1], [0.5], [0.9]], (STEPS // 3, 1))) > 12.0


@pytest.mark.parametrize("runs", [40, pytest.param(2000, marks=pytest.mark.slow)])
def test_chaos_never_looks_regular(runs):
    rng = np.random.default_rng(0)
    digits = [average_digits(chaos(x=x)) for x in rng.uniform(0.1, 0.9, runs)]
    assert max(digits) < REGULAR_DIGITS
    assert np.median(digits) < 2.5  # half of log10 of the number of steps, or so


def test_independent_numbers_never_look_regular():
    rng = np.random.default_rng(1)
    digits = [average_digits(rng.standard_normal((512, 4))) for _ in range(500)]
    assert max(digits) < REGULAR_DIGITS


def test_a_drift_is_not_regular():
    assert average_digits(np.linspace(0.0, 1.0, STEPS)[:, None]) < 1.0


def test_an_orbit_at_rest_says_nothing():
    assert np.isnan(average_digits(np.ones((STEPS, 3))))
    moving = np.column_stack([circle(0.2360679), np.full(STEPS, 7.0)])
    assert average_digits(moving) > 12.0
