"""Kernel ridge over all splits at once against plain solves, refitting and scikit-learn."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fpcheck.core.progress import Monitor
from fpcheck.readout.bordered import bordered_inverse, centred_kernel
from fpcheck.readout.kernel_curve import kernel_curve, spread_rows
from fpcheck.readout.kernel_ridge import KERNEL_PENALTIES, kernel_trials
from fpcheck.readout.ridge import fit_ridge
from fpcheck.readout.splits import Split, random_split
from fpcheck.readout.triangle import (
    LAPACK_ROWS,
    block_solver,
    factorise,
    gram_of_triangle,
    invert_triangle,
)

PEER = 1e-8  # relative, against another way to the same closed form
FEW = 10  # training rows above which all rows' inverse is used: every case here, or none
ALL = 10_000
WAYS = pytest.mark.parametrize("start_rows", [FEW, ALL], ids=["inverse", "eigenbasis"])


def problem(rows=80, width=4, outputs=2, seed=0, noise=0.3):
    """A Gaussian kernel of random rows, and noisy smooth targets."""
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((rows, width))
    squares = np.square(inputs[:, None] - inputs[None]).sum(axis=2)
    smooth = np.sin(inputs @ rng.standard_normal((width, outputs)))
    return np.exp(-squares / width), smooth + noise * rng.standard_normal((rows, outputs)) + 5.0


def splits_of(rows, count=4, share=0.25):
    return [random_split(rows, share, np.random.default_rng(seed)) for seed in range(count)]


def solved(kernel, targets, train, penalty):
    """alpha and the intercept, from the bordered system of the training rows alone."""
    rows = len(train)
    system = np.zeros((rows + 1, rows + 1))
    system[:rows, :rows] = kernel[np.ix_(train, train)] + penalty * np.eye(rows)
    system[rows, :rows] = system[:rows, rows] = 1.0
    both = np.linalg.solve(system, np.vstack([targets[train], np.zeros(targets.shape[1])]))
    return both[:-1], both[-1]


def refitted(kernel, targets, split, penalty):
    alpha, intercept = solved(kernel, targets, split.train, penalty)
    return kernel[np.ix_(split.test, split.train)] @ alpha + intercept


def explicit_loo(kernel, targets, train, penalty):
    """Every training row predicted by a fit to the others."""
    errors = []
    for row in train:
        split = Split(train[train != row], np.array([row]))
        errors.append(targets[row] - refitted(kernel, targets, split, penalty)[0])
    return float(np.mean(np.square(errors)))


@WAYS
@pytest.mark.parametrize("relative", [1e-5, 1e-2, 10.0])
def test_held_out_predictions_are_those_of_a_fit_to_the_training_rows(start_rows, relative):
    kernel, targets = problem()
    splits = splits_of(80)
    trials = kernel_trials(kernel, targets, splits, np.array([relative]), start_rows=start_rows)
    for trial, split in zip(trials, splits, strict=True):
        expected = refitted(kernel, targets, split, trial.penalty)
        assert_allclose(trial.held_out, expected, rtol=PEER)
        itself = Split(split.train, split.train)
        expected = refitted(kernel, targets, itself, trial.penalty)
        assert_allclose(trial.fitted, expected, rtol=PEER)


@WAYS
def test_they_are_scikit_learns_on_the_centred_kernel(start_rows):
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    kernel_ridge = pytest.importorskip("sklearn.kernel_ridge")
    kernel, targets = problem(rows=120, outputs=3)
    splits = splits_of(120, share=0.4)
    trials = kernel_trials(kernel, targets, splits, start_rows=start_rows)
    for trial, split in zip(trials, splits, strict=True):
        centre = preprocessing.KernelCenterer()
        within = centre.fit_transform(kernel[np.ix_(split.train, split.train)])
        across = centre.transform(kernel[np.ix_(split.test, split.train)])
        mean = targets[split.train].mean(axis=0)
        peer = kernel_ridge.KernelRidge(alpha=trial.penalty, kernel="precomputed")
        peer.fit(within, targets[split.train] - mean)
        assert_allclose(trial.held_out, peer.predict(across) + mean, rtol=PEER)


@WAYS
def test_a_linear_kernel_is_ridge(start_rows):
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(1)
    features = rng.standard_normal((90, 6)) + 2.0
    targets = features @ rng.standard_normal((6, 2)) + rng.standard_normal((90, 2))
    splits = splits_of(90)
    trials = kernel_trials(features @ features.T, targets, splits, start_rows=start_rows)
    for trial, split in zip(trials, splits, strict=True):
        peer = linear_model.Ridge(alpha=trial.penalty).fit(
            features[split.train], targets[split.train]
        )
        assert_allclose(trial.held_out, peer.predict(features[split.test]), rtol=PEER)
        unit = fit_ridge(features[split.train], targets[split.train]).penalties[0] / 1e-8
        ours = fit_ridge(
            features[split.train], targets[split.train], np.array([trial.penalty / unit])
        )
        assert_allclose(trial.loo_error, ours.loo_errors[0], rtol=PEER)
        assert_allclose(trial.degrees_of_freedom, ours.degrees_of_freedom, rtol=PEER)


@WAYS
@pytest.mark.parametrize("relative", [1e-4, 1e-1])
def test_the_leave_one_out_error_is_that_of_leaving_one_out(start_rows, relative):
    kernel, targets = problem(rows=40)
    splits = splits_of(40, count=2)
    trials = kernel_trials(kernel, targets, splits, np.array([relative]), start_rows=start_rows)
    for trial, split in zip(trials, splits, strict=True):
        expected = explicit_loo(kernel, targets, split.train, trial.penalty)
        assert_allclose(trial.loo_error, expected, rtol=PEER)


@WAYS
@pytest.mark.parametrize("noise", [0.01, 0.3, 3.0, 100.0])
def test_the_penalty_has_the_least_leave_one_out_error_of_the_grid(start_rows, noise):
    kernel, targets = problem(rows=60, noise=noise)
    splits = splits_of(60, count=3)
    unit = centred_kernel(kernel)[1]
    trials = kernel_trials(kernel, targets, splits, start_rows=start_rows)
    for trial, split in zip(trials, splits, strict=True):
        errors = [explicit_loo(kernel, targets, split.train, unit * r) for r in KERNEL_PENALTIES]
        assert trial.relative_penalty == KERNEL_PENALTIES[int(np.argmin(errors))]
        assert_allclose(trial.loo_error, min(errors), rtol=1e-7)  # 1e-6 in the grid: condition 1e8


def test_both_ways_agree_on_many_rows():
    """Blocks larger than those that are left to LAPACK, in every factorisation."""
    rows = 4 * LAPACK_ROWS
    kernel, targets = problem(rows=rows, width=6, noise=1.0)
    splits = splits_of(rows, count=2, share=0.3)
    some = kernel_trials(kernel, targets, splits)
    every = kernel_trials(kernel, targets, splits, start_rows=ALL)
    for one, other in zip(some, every, strict=True):
        assert one.looked < other.looked == len(KERNEL_PENALTIES)
        assert one.penalty == other.penalty
        assert_allclose(one.loo_error, other.loo_error, rtol=PEER)
        assert_allclose(one.degrees_of_freedom, other.degrees_of_freedom, rtol=PEER)
        assert_allclose(one.held_out, other.held_out, rtol=PEER)
        assert_allclose(one.fitted, other.fitted, rtol=PEER)


@WAYS
def test_the_degrees_of_freedom_are_the_trace_of_the_hat_matrix(start_rows):
    kernel, targets = problem(rows=40)
    split = splits_of(40, count=1)[0]
    (trial,) = kernel_trials(kernel, targets, [split], start_rows=start_rows)
    itself = Split(split.train, split.train)
    units = np.zeros((40, len(split.train)))
    units[split.train] = np.eye(len(split.train))
    hat = refitted(kernel, units, itself, trial.penalty)
    assert_allclose(trial.degrees_of_freedom, np.trace(hat), rtol=PEER)


@WAYS
def test_what_the_intercept_takes_does_not_matter(start_rows):
    kernel, targets = problem()
    shift = np.random.default_rng(3).uniform(-5.0, 5.0, 80)
    moved = kernel + shift[:, None] + shift[None, :]
    splits = splits_of(80)
    before = kernel_trials(kernel, targets, splits, start_rows=start_rows)
    after = kernel_trials(moved, targets - 100.0, splits, start_rows=start_rows)
    for one, other in zip(before, after, strict=True):
        assert_allclose(other.penalty, one.penalty, rtol=1e-10)
        assert_allclose(other.held_out + 100.0, one.held_out, rtol=PEER)


@WAYS
def test_outputs_share_a_penalty_and_nothing_else(start_rows):
    kernel, targets = problem(outputs=3)
    splits, one = splits_of(80), np.array([0.1])
    together = kernel_trials(kernel, targets, splits, one, start_rows=start_rows)
    for output in range(3):
        alone = kernel_trials(kernel, targets[:, [output]], splits, one, start_rows=start_rows)
        for joint, single in zip(together, alone, strict=True):
            assert_allclose(joint.held_out[:, [output]], single.held_out, rtol=1e-12)


@WAYS
def test_a_kernel_of_low_rank_and_rows_given_twice_are_no_obstacle(start_rows):
    rng = np.random.default_rng(4)
    features = np.repeat(rng.standard_normal((30, 3)), 2, axis=0)
    targets = np.repeat(rng.standard_normal((30, 1)), 2, axis=0)
    kernel = features @ features.T
    for trial, split in zip(
        kernel_trials(kernel, targets, splits_of(60), start_rows=start_rows),
        splits_of(60),
        strict=True,
    ):
        expected = refitted(kernel, targets, split, trial.penalty)
        assert_allclose(trial.held_out, expected, rtol=1e-6, atol=1e-6)


def test_a_kernel_in_which_nothing_varies_gives_the_mean():
    targets = np.random.default_rng(5).standard_normal((40, 2))
    splits = splits_of(40)
    for kernel in (np.zeros((40, 40)), np.full((40, 40), 3.7)):
        for trial, split in zip(kernel_trials(kernel, targets, splits), splits, strict=True):
            mean = targets[split.train].mean(axis=0)
            assert_allclose(trial.held_out, np.tile(mean, (len(split.test), 1)), rtol=1e-12)
            left = [
                targets[r] - targets[split.train[split.train != r]].mean(0) for r in split.train
            ]
            assert_allclose(trial.loo_error, np.mean(np.square(left)), rtol=1e-10)
            assert trial.degrees_of_freedom == 1.0


@WAYS
def test_a_kernel_that_is_not_positive_uses_penalties_that_make_it_so(start_rows):
    kernel, targets = problem()
    vector = np.random.default_rng(6).standard_normal(80)
    vector -= vector.mean()
    kernel = kernel - 0.5 * np.outer(vector, vector) / (vector @ vector)
    for trial in kernel_trials(kernel, targets, splits_of(80), start_rows=start_rows):
        assert np.isfinite(trial.held_out).all()
        assert np.isfinite(trial.loo_error)


@pytest.mark.parametrize("train_rows", [1, 2, 3])
def test_few_training_rows_are_enough(train_rows):
    kernel, targets = problem(rows=8)
    split = Split(np.arange(train_rows), np.arange(train_rows, 8))
    (trial,) = kernel_trials(kernel, targets, [split])
    assert trial.held_out.shape == (8 - train_rows, 2)
    if train_rows == 1:
        assert_allclose(trial.held_out, np.tile(targets[0], (7, 1)), rtol=1e-12)
    else:
        expected = refitted(kernel, targets, split, trial.penalty)
        assert_allclose(trial.held_out, expected, rtol=PEER)


def test_no_training_rows_are_refused():
    kernel, targets = problem(rows=8)
    nobody = np.arange(0)
    with pytest.raises(ValueError, match="without training rows"):
        kernel_trials(kernel, targets, [Split(nobody, np.arange(8))])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_kernel_that_is_not_finite_is_refused(bad):
    kernel, targets = problem(rows=30)
    kernel[3, 4] = kernel[4, 3] = bad
    with pytest.raises(ValueError, match="finite"), np.errstate(invalid="ignore"):
        kernel_trials(kernel, targets, splits_of(30))


def test_nothing_held_out_predicts_nothing():
    kernel, targets = problem(rows=30)
    for start_rows in (FEW, ALL):
        (trial,) = kernel_trials(
            kernel, targets, [Split(np.arange(30), np.arange(0))], start_rows=start_rows
        )
        assert trial.held_out.shape == (0, 2)
        assert np.isfinite(trial.loo_error)


def test_no_number_depends_on_the_threads():
    kernel, targets = problem(rows=150)
    runs = [
        kernel_trials(kernel, targets, splits_of(150, count=6), threads=count, start_rows=FEW)
        for count in (1, 2, 5)
    ]
    for other in runs[1:]:
        for one, same in zip(runs[0], other, strict=True):
            assert one.penalty == same.penalty
            assert_array_equal(one.held_out, same.held_out)


def test_the_work_ends_when_it_is_told_to():
    kernel, targets = problem(rows=40)
    stop = threading.Event()
    stop.set()
    for start_rows in (FEW, ALL):
        with pytest.raises(KeyboardInterrupt):
            kernel_trials(
                kernel, targets, splits_of(40), monitor=Monitor(stop=stop), start_rows=start_rows
            )


class TestParts:
    """What the trials are made of."""

    def test_the_inverse_is_the_bordered_systems(self):
        kernel, _ = problem(rows=150)
        centred, unit = centred_kernel(kernel)
        ours = bordered_inverse(centred, 0.01 * unit, unit)
        alpha, _ = solved(kernel, np.eye(150), np.arange(150), 0.01 * unit)
        assert_allclose(ours, alpha, atol=1e-9 * np.abs(alpha).max())
        assert_array_equal(ours, ours.T)
        assert_allclose(ours.sum(axis=0), 0.0, atol=1e-9 * np.abs(alpha).max())

    def test_memory_used_before_changes_nothing(self):
        kernel, _ = problem(rows=150)
        centred, unit = centred_kernel(kernel)
        room = np.full((2, 150, 150), np.nan)
        for penalty in (1.0, 0.01):
            ours = bordered_inverse(centred, penalty * unit, unit, room)
            assert np.shares_memory(ours, room)
            assert_array_equal(ours, bordered_inverse(centred, penalty * unit, unit))

    @pytest.mark.parametrize("size", [1, 63, 128, 129, 300, 2 * LAPACK_ROWS + 7])
    def test_the_product_of_a_triangle_with_itself(self, size):
        lower = np.tril(np.random.default_rng(size).standard_normal((size, size)))
        ours = gram_of_triangle(lower)
        assert_allclose(ours, lower.T @ lower, atol=1e-12 * size)
        assert_array_equal(ours, ours.T)

    @pytest.mark.parametrize("size", [1, 63, 64, 65, 200, 2 * LAPACK_ROWS + 7])
    def test_triangles_are_factorised_inverted_and_solved(self, size):
        rng = np.random.default_rng(size)
        features = rng.standard_normal((size, size + 5))
        matrix = features @ features.T / size + np.eye(size)
        factor = factorise(matrix)
        assert_allclose(factor, np.linalg.cholesky(matrix), atol=1e-12)
        right = rng.standard_normal((size, 3))
        solver = block_solver(factor)
        halfway = solver.solve(right)
        assert_allclose(factor @ halfway, right, atol=1e-11)
        assert_allclose(factor.T @ solver.backward(halfway), halfway, atol=1e-11)
        inverse = factor.copy()
        invert_triangle(inverse)
        assert_allclose(inverse @ factor, np.eye(size), atol=1e-11)
        assert_array_equal(inverse, np.tril(inverse))

    def test_a_matrix_that_is_not_positive_has_no_factor(self):
        matrix = np.eye(1000)
        matrix[900, 900] = -1.0
        with pytest.raises(np.linalg.LinAlgError):
            factorise(matrix)

    def test_spread_rows_reach_everywhere_without_a_period(self):
        some = spread_rows(10_000, 200)
        assert len(some) == 200
        for parts in (10, 7):  # every part of the table, and every place of a period
            counts = np.bincount(some * parts // 10_000, minlength=parts)
            assert counts.min() >= 0.8 * 200 / parts
            assert np.bincount(some % parts, minlength=parts).min() >= 0.4 * 200 / parts
        assert_array_equal(spread_rows(5, 200), np.arange(5))

    def test_the_curve_of_a_kernel_with_a_large_constant_loses_no_digits(self):
        kernel, targets = problem(rows=30)
        before = kernel_curve(kernel, targets).loo_errors(np.array([0.1]))
        after = kernel_curve(kernel + 1e4, targets).loo_errors(np.array([0.1]))
        assert_allclose(after, before, rtol=1e-9)
