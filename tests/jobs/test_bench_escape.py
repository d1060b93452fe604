"""The races of the escape question: three ways down the same slope."""

from __future__ import annotations

import numpy as np
import pytest

from fpcheck.jobs.bench.escape import QUICK_STEPS, SPACING, escape_races
from fpcheck.jobs.bench.race import OURS


def test_the_probe_descends_as_the_same_loops_in_numpy_and_pytorch():
    one, two, _ = escape_races(quick=True)
    answers = {name: way() for name, way in one.ways.items()}
    assert {OURS, "numpy"} <= set(answers)
    for theirs in answers.values():
        one.agree(answers[OURS], theirs)
    losses = answers[OURS]
    assert len(losses) == QUICK_STEPS + 1
    assert losses[-1] < 0.9 * losses[0]  # there is something to learn
    assert (two.ways[OURS]() == losses).all()  # whatever the threads


def test_the_trace_of_the_bench_sees_the_run_s_own_losses():
    races = escape_races(quick=True)
    losses = next(races).ways[OURS]()
    next(races)
    found = next(races).ways[OURS]()  # its files are there as long as the iteration stands
    seen = [entry["loss"] for entry in found["checkpoints"]]
    assert found["run"]["skipped"] == []
    assert seen == pytest.approx(losses[::SPACING][: len(seen)], rel=1e-6)


def test_losses_that_differ_are_told_apart():
    race = next(iter(escape_races(quick=True)))
    with pytest.raises(AssertionError, match="losses differ"):
        race.agree(np.ones(3), np.array([1.0, 1.0, 1.001]))
