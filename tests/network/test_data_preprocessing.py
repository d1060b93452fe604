"""Centre, then scale, then clip: in that order, and told to the report."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fpcheck.core.errors import DataError, UsageError
from fpcheck.network.data import load_data
from fpcheck.network.preprocessing import Preprocessing, parse_preprocessing, preprocess

ROUNDING = 1e-14  # relative; a few operations in float64
ROWS = np.random.default_rng(1).uniform(0.0, 16.0, (40, 3, 2))


def test_the_default_does_nothing():
    inputs, notes = preprocess(ROWS, Preprocessing())
    assert_array_equal(inputs, ROWS)
    assert notes == ()


def test_centre_mean_leaves_every_entry_with_mean_zero():
    inputs, _ = preprocess(ROWS, Preprocessing(centre="mean"))
    assert_allclose(inputs.mean(axis=0), 0.0, atol=16 * ROUNDING)


@pytest.mark.parametrize("magnitude", [1e-200, 1.0, 1e200])
def test_unit_scale_leaves_second_moment_one(magnitude):
    inputs, _ = preprocess(magnitude * ROWS, Preprocessing(scale="unit"))
    assert_allclose(np.mean(inputs**2), 1.0, rtol=ROUNDING)


def test_the_order_is_centre_then_scale_then_clip():
    steps = Preprocessing(scale=0.25, centre=8.0, clip=(-1.0, 1.0))
    inputs, notes = preprocess(ROWS, steps)
    assert_array_equal(inputs, np.clip((ROWS - 8.0) * 0.25, -1.0, 1.0))
    assert [note.split(":")[0] for note in notes[:2]] == ["inputs centred", "inputs scaled"]
    assert notes[2].startswith("inputs clipped to [-1, 1]")


def test_the_file_is_preprocessed_and_the_report_told(tmp_path):
    np.savez(tmp_path / "d.npz", X=ROWS)
    data = load_data(tmp_path / "d.npz", preprocessing=Preprocessing(scale=0.0625))
    assert_array_equal(data.inputs, ROWS / 16)
    assert data.notes == ("inputs scaled: multiplied by 0.0625",)


def test_flags_become_steps():
    assert parse_preprocessing() == Preprocessing()
    steps = parse_preprocessing("0.0625", "mean", "-1,1")
    assert steps == Preprocessing(scale=0.0625, centre="mean", clip=(-1.0, 1.0))
    assert parse_preprocessing("unit", "0.5").centre == 0.5


@pytest.mark.parametrize(
    "flags", [{"scale": "half"}, {"centre": "median"}, {"clip": "1"}, {"clip": "a,b"}]
)
def test_flags_that_are_no_numbers_are_refused(flags):
    with pytest.raises(UsageError, match=f"--{next(iter(flags))}"):
        parse_preprocessing(**flags)


@pytest.mark.parametrize(
    "steps",
    [
        {"scale": 0.0},
        {"scale": math.nan},
        {"centre": math.inf},
        {"clip": (1.0, -1.0)},
        {"clip": (0.0, math.nan)},
    ],
)
def test_steps_that_cannot_be_done_are_refused(steps):
    with pytest.raises(DataError, match="cannot be used"):
        Preprocessing(**steps)


def test_unit_of_nothing_is_refused():
    with pytest.raises(DataError, match="all inputs are 0"):
        preprocess(np.ones((3, 2)), Preprocessing(scale="unit", centre="mean"))


def test_overflow_is_refused():
    with pytest.raises(DataError, match="beyond the range"):
        preprocess(np.full((2, 2), 1e200), Preprocessing(scale=1e200))
