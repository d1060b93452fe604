"""The races of the escape question: three ways down the same slope."""

from __future__ import annotations

import numpy as np
import pytest

from fpcheck.jobs.bench.escape import QUICK_STEPS, escape_races
from fpcheck.jobs.bench.race import OURS


def test_the_probe_descends_as_the_same_loops_in_numpy_and_pytorch():
    one, two = escape_races(quick=True)
    answers = {name: way() for name, way in one.ways.items()}
    assert {OURS, "numpy"} <= set(answers)
    for theirs in answers.values():
        one.agree(answers[OURS], theirs)
    losses = answers[OURS]
    assert len(losses) == QUICK_STEPS + 1
    assert losses[-1] < 0.9 * losses[0]  # there is something to learn
    assert (two.ways[OURS]() == losses).all()  # whatever the threads


def test_losses_that_differ_are_told_apart():
    race = next(iter(escape_races(quick=True)))
    with pytest.raises(AssertionError, match="losses differ"):
        race.agree(np.ones(3), np.array([1.0, 1.0, 1.001]))
