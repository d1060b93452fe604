"""Labels of end states against the naive twin."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fpcheck.kernels.labelling import FULL, label_states

ATOL, RTOL = 1e-6, 1e-6


def labelled(states, given, room):
    buffer = np.zeros((room, states.shape[1]))
    if len(given):
        buffer[: len(given)] = given
    labels = np.full(len(states), -7, np.int64)
    known = label_states(states, buffer, len(given), ATOL, RTOL, labels)
    return known, labels, buffer


@pytest.mark.parametrize("given", [0, 2])
def test_labels_agree_with_the_naive_twin(given):
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(5, 3))
    states = centres[rng.integers(0, 5, 200)] + 4e-7 * rng.normal(size=(200, 3))
    known, labels, buffer = labelled(states, centres[:given], 300)
    expected, representatives = naive.label(states, centres[:given], ATOL, RTOL)
    assert_array_equal(labels, expected)
    assert_array_equal(buffer[:known], representatives)


def test_a_state_that_differs_in_the_last_coordinate_alone_gets_its_own_label():
    states = np.zeros((2, 50))
    states[1, -1] = 1.0
    assert labelled(states, [], 2)[1].tolist() == [0, 1]


def test_nan_is_near_nothing_not_even_itself():
    states = np.full((3, 2), np.nan)
    assert labelled(states, [], 3)[1].tolist() == [0, 1, 2]


def test_too_little_room_is_said():
    states = np.arange(3.0)[:, None]
    assert labelled(states, [], 2)[0] == FULL
