"""Ridge and its leave-one-out error against closed forms, brute force and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fpcheck.readout.ridge import RELATIVE_PENALTIES, fit_ridge

PEER = 1e-8  # relative, against another implementation of the same closed form
SHAPES = [(60, 5, 1), (60, 59, 3), (60, 60, 2), (40, 90, 3), (30, 200, 1)]


def problem(rows, width, outputs, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((rows, width)) * rng.uniform(0.5, 2.0, width) + 3.0
    weights = rng.standard_normal((width, outputs)) / np.sqrt(width)
    return features, features @ weights + 0.5 * rng.standard_normal((rows, outputs)) - 7.0


def one_penalty(features, targets, relative):
    return fit_ridge(features, targets, np.array([relative]))


def brute_force_loo(features, targets, penalty):
    """Every row predicted by the ridge fit to the others, solved as normal equations."""
    rows, width = features.shape
    errors = []
    for row in range(rows):
        keep = np.arange(rows) != row
        design = np.column_stack([features[keep], np.ones(rows - 1)])
        damping = penalty * np.diag([1.0] * width + [0.0])
        solved = np.linalg.solve(design.T @ design + damping, design.T @ targets[keep])
        errors.append(targets[row] - np.append(features[row], 1.0) @ solved)
    return float(np.mean(np.square(errors)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("relative", [1e-4, 1e-1, 10.0])
def test_the_fit_is_scikit_learns_ridge(shape, relative):
    linear_model = pytest.importorskip("sklearn.linear_model")
    features, targets = problem(*shape)
    fit = one_penalty(features, targets, relative)
    peer = linear_model.Ridge(alpha=fit.penalty, solver="svd").fit(features, targets)
    assert_allclose(fit.coefficients.T, np.atleast_2d(peer.coef_), rtol=PEER, atol=PEER)
    assert_allclose(fit.intercept, np.ravel(peer.intercept_), rtol=PEER)
    expected = peer.predict(features).reshape(targets.shape)
    assert_allclose(fit.predict(features), expected, rtol=PEER, atol=PEER)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_leave_one_out_error_and_the_chosen_penalty_are_scikit_learns(shape):
    linear_model = pytest.importorskip("sklearn.linear_model")
    features, targets = problem(*shape)
    fit = fit_ridge(features, targets, 10.0 ** np.arange(-4.0, 3.0))
    peer = linear_model.RidgeCV(
        alphas=fit.penalties, alpha_per_target=False, store_cv_results=True
    ).fit(features, targets)
    errors = np.asarray(peer.cv_results_).reshape(-1, len(fit.penalties)).mean(axis=0)
    assert_allclose(fit.loo_errors, errors, rtol=PEER)
    assert_allclose(fit.penalty, peer.alpha_, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("relative", [1e-3, 1.0])
def test_the_leave_one_out_error_is_that_of_leaving_one_out(shape, relative):
    features, targets = problem(*shape)
    fit = one_penalty(features, targets, relative)
    expected = brute_force_loo(features, targets, fit.penalty)
    assert_allclose(fit.loo_errors, [expected], rtol=PEER)


def test_leave_one_out_stays_exact_where_the_fit_interpolates():
    """At a penalty of 1e-8 residuals and 1 - leverage are both tiny; their ratio is not."""
    features, targets = problem(25, 80, 2)
    fit = one_penalty(features, targets, 1e-8)
    # The brute force solves systems of condition 1e8 or so, and is the less exact of the two.
    expected = brute_force_loo(features, targets, fit.penalty)
    assert_allclose(fit.loo_errors, [expected], rtol=1e-5)


def test_orthogonal_features_shrink_by_one_over_one_plus_the_penalty():
    rng = np.random.default_rng(3)
    columns = rng.standard_normal((50, 6))
    orthogonal, _ = np.linalg.qr(columns - columns.mean(axis=0))
    targets = rng.standard_normal((50, 2))
    fit = one_penalty(orthogonal, targets, 0.7)  # mean eigenvalue 1
    assert_allclose(fit.penalty, 0.7, rtol=1e-12)
    assert_allclose(fit.coefficients, orthogonal.T @ targets / 1.7, atol=1e-12)
    assert_allclose(fit.degrees_of_freedom, 1.0 + 6 / 1.7, rtol=1e-12)


@pytest.mark.parametrize("shape", [(60, 5, 2), (40, 90, 2)])
def test_shifting_features_and_targets_changes_the_intercept_only(shape):
    features, targets = problem(*shape)
    fit, moved = fit_ridge(features, targets), fit_ridge(features + 100.0, targets - 5.0)
    assert_allclose(moved.coefficients, fit.coefficients, atol=1e-9)
    assert_allclose(moved.predict(features + 100.0), fit.predict(features) - 5.0, atol=1e-8)


def test_primal_and_dual_agree():
    features, targets = problem(50, 30, 2)
    padded = np.column_stack([features, np.zeros((50, 40))])  # the same problem, wider than long
    relative = RELATIVE_PENALTIES[4:]
    wide = fit_ridge(padded, targets, relative)
    narrow = fit_ridge(features, targets, relative * 30 / 49)  # its mean eigenvalue is larger
    assert_allclose(wide.penalties, narrow.penalties, rtol=1e-12)
    assert_allclose(wide.loo_errors, narrow.loo_errors, rtol=PEER)
    assert_allclose(wide.coefficients[:30], narrow.coefficients, rtol=PEER, atol=PEER)


def test_pure_noise_takes_the_largest_penalties():
    rng = np.random.default_rng(5)
    fit = fit_ridge(rng.standard_normal((100, 50)), rng.standard_normal((100, 1)))
    assert fit.relative_penalty >= 10.0


def test_constant_features_give_the_mean():
    targets = np.arange(10.0).reshape(5, 2)
    fit = fit_ridge(np.full((5, 3), 0.25), targets)
    assert_allclose(fit.predict(np.ones((1, 3))), [targets.mean(axis=0)], rtol=1e-15)
    left_out = [targets[row] - np.delete(targets, row, 0).mean(0) for row in range(5)]
    assert_allclose(fit.loo_errors[0], np.mean(np.square(left_out)), rtol=1e-12)


def test_duplicate_and_dead_features_are_no_obstacle():
    features, targets = problem(40, 6, 1)
    redundant = np.column_stack([features, features, np.zeros((40, 5))])
    fit = fit_ridge(redundant, targets)
    assert np.isfinite(fit.loo_errors).all()
    assert_allclose(fit.coefficients[:6], fit.coefficients[6:12], atol=1e-9)
    assert_allclose(fit.coefficients[12:], 0.0, atol=0)
