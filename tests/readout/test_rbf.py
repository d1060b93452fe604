"""Ridge on the Gaussian kernel, its bandwidth chosen within the training rows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fpcheck.readout.rbf import BANDWIDTHS, rbf_trials
from fpcheck.readout.splits import random_split


def splits_of(rows, count=4):
    return [random_split(rows, 0.25, np.random.default_rng(seed)) for seed in range(count)]


def test_a_narrow_function_takes_a_narrow_kernel():
    rng = np.random.default_rng(8)
    inputs = rng.uniform(-3.0, 3.0, (200, 1))
    for frequency, narrow in ((6.0, True), (0.3, False)):
        targets = np.sin(frequency * inputs) + 0.05 * rng.standard_normal((200, 1))
        splits = splits_of(200)
        trials = rbf_trials(inputs, targets, splits)
        for trial, split in zip(trials, splits, strict=True):
            assert (trial.relative_bandwidth == BANDWIDTHS[0]) == narrow
            error = np.mean(np.square(trial.fit.held_out - targets[split.test]))
            assert error < 0.1 * targets.var()


def test_it_is_scikit_learns_with_that_bandwidth():
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    kernel_ridge = pytest.importorskip("sklearn.kernel_ridge")
    rng = np.random.default_rng(9)
    inputs = rng.standard_normal((120, 3)) + 50.0
    targets = np.cos(inputs) + 0.1 * rng.standard_normal((120, 3))
    splits = splits_of(120)
    for trial, split in zip(rbf_trials(inputs, targets, splits), splits, strict=True):
        gamma = 0.5 / trial.bandwidth**2
        kernel = pairwise.rbf_kernel(inputs, gamma=gamma)
        centre = preprocessing.KernelCenterer()
        within = centre.fit_transform(kernel[np.ix_(split.train, split.train)])
        across = centre.transform(kernel[np.ix_(split.test, split.train)])
        mean = targets[split.train].mean(axis=0)
        peer = kernel_ridge.KernelRidge(alpha=trial.fit.penalty, kernel="precomputed")
        expected = peer.fit(within, targets[split.train] - mean).predict(across) + mean
        # Distances of rows that lie 50 from the origin lose four digits on the peer's side.
        assert_allclose(trial.fit.held_out, expected, rtol=1e-6, atol=1e-6)


def test_rows_that_are_all_equal_give_the_mean():
    targets = np.arange(30.0)[:, None]
    splits = splits_of(30)
    for trial, split in zip(rbf_trials(np.ones((30, 2)), targets, splits), splits, strict=True):
        assert_allclose(trial.fit.held_out, targets[split.train].mean(), rtol=1e-12)


def test_rows_given_many_times_do_not_make_the_bandwidth_nothing():
    inputs = np.repeat(np.arange(4.0), 15)[:, None]
    targets = inputs**2
    for trial in rbf_trials(inputs, targets, splits_of(60)):
        assert trial.bandwidth > 0.0
        assert np.isfinite(trial.fit.held_out).all()


@pytest.mark.parametrize("scale", [2.0**-700, 2.0**700])
def test_squares_beyond_the_range_of_doubles_are_no_obstacle(scale):
    inputs = np.random.default_rng(10).standard_normal((60, 2))
    targets, splits = np.sin(inputs), splits_of(60)
    before, after = (rbf_trials(rows, targets, splits) for rows in (inputs, scale * inputs))
    for one, other in zip(before, after, strict=True):
        assert_allclose(other.bandwidth, scale * one.bandwidth, rtol=1e-12)
        assert_allclose(other.fit.held_out, one.fit.held_out, rtol=1e-9)
