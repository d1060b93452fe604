"""The multinomial logistic readout against scikit-learn, its own conditions and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fpcheck.readout.logistic import fit_logistic, log_loss
from fpcheck.readout.logistic_choice import (
    LOGISTIC_PENALTIES,
    choose_logistic_penalty,
    inner_splits,
    logistic_trials,
    mean_eigenvalue,
)
from fpcheck.readout.softmax import Loss, probabilities
from fpcheck.readout.splits import Split, random_split

PEER = 1e-5  # of coefficients and probabilities, which both sides find by iterating


def problem(rows=200, width=6, classes=4, seed=0, noise=0.5):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((rows, width)) * rng.uniform(0.5, 3.0, width) + 2.0
    scores = (features - 2.0) @ rng.standard_normal((width, classes)) / np.sqrt(width)
    labels = (scores + noise * rng.standard_normal((rows, classes))).argmax(axis=1)
    labels[:classes] = np.arange(classes)
    return features, labels


def peer_of(features, labels, c):
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LogisticRegression(C=c, tol=1e-10, max_iter=10_000, solver="newton-cg")
    return model.fit(features, labels)


@pytest.mark.parametrize("penalty", [1e-2, 1.0, 100.0])
@pytest.mark.parametrize("shape", [(200, 6, 4), (60, 100, 3), (500, 20, 10)])
def test_coefficients_and_probabilities_are_scikit_learns(shape, penalty):
    features, labels = problem(*shape)
    fit = fit_logistic(features, labels, shape[2], penalty)
    peer = peer_of(features, labels, 1.0 / penalty)
    assert fit.converged
    assert_allclose(fit.coefficients.T, peer.coef_, atol=PEER)
    assert_allclose(fit.intercept, peer.intercept_, atol=10 * PEER)  # the means times the former
    assert_allclose(fit.predict_proba(features), peer.predict_proba(features), atol=PEER)


def test_two_classes_are_scikit_learns_single_vector():
    features, labels = problem(classes=2)
    fit = fit_logistic(features, labels, 2, 0.6)
    peer = peer_of(features, labels, 2.0 / 0.6)
    assert_allclose(fit.coefficients[:, 1] - fit.coefficients[:, 0], peer.coef_[0], atol=PEER)
    assert_allclose(fit.predict_proba(features), peer.predict_proba(features), atol=PEER)


@pytest.mark.parametrize("penalty", [1e-3, 1.0])
def test_the_gradient_is_zero_at_the_fit(penalty):
    features, labels = problem(classes=5)
    fit = fit_logistic(features, labels, 5, penalty)
    left = fit.predict_proba(features) - np.eye(5)[labels]
    assert_allclose(left.sum(axis=0), 0.0, atol=1e-6)
    assert_allclose(features.T @ left, -penalty * fit.coefficients, atol=1e-5)


def test_slopes_and_curvature_are_those_of_the_loss():
    features, labels = problem(rows=30, classes=3)
    loss = Loss(features, labels, 3, 0.7)
    rng = np.random.default_rng(1)
    point, direction = (rng.standard_normal((3, 7)) for _ in range(2))
    point, direction = point - point.mean(axis=0), direction - direction.mean(axis=0)

    def slope(at):
        return loss.gradient(at, probabilities(loss.scores(at)))

    step = 1e-5
    ahead, behind = point + step * direction, point - step * direction
    rise = loss.value(ahead, loss.scores(ahead)) - loss.value(behind, loss.scores(behind))
    assert_allclose(np.sum(slope(point) * direction), rise / (2 * step), rtol=1e-7)
    curved = loss.curved(probabilities(loss.scores(point)), direction)
    assert_allclose(curved, (slope(ahead) - slope(behind)) / (2 * step), atol=1e-6)


def test_features_without_information_give_the_classes_shares():
    labels = np.repeat([0, 1, 2], [5, 3, 2])
    fit = fit_logistic(np.full((10, 4), 7.0), labels, 3, 1.0)
    assert_allclose(fit.coefficients, 0.0, atol=1e-12)
    assert_allclose(fit.predict_proba(np.zeros((2, 4))), [[0.5, 0.3, 0.2]] * 2, atol=1e-8)


def test_a_constant_column_changes_nothing():
    features, labels = problem()
    fit = fit_logistic(features, labels, 4, 1.0)
    more = fit_logistic(np.column_stack([features, np.full(200, 1e3)]), labels, 4, 1.0)
    assert_allclose(more.coefficients[:-1], fit.coefficients, atol=1e-6)
    assert_allclose(more.coefficients[-1], 0.0, atol=1e-12)


def test_rows_given_twice_are_half_the_penalty():
    features, labels = problem()
    twice = fit_logistic(np.repeat(features, 2, axis=0), np.repeat(labels, 2), 4, 2.0)
    once = fit_logistic(features, labels, 4, 1.0)
    assert_allclose(twice.coefficients, once.coefficients, atol=1e-6)


@pytest.mark.parametrize("penalty", [1e-6, 1e-2])
def test_separable_classes_have_finite_coefficients(penalty):
    features = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    labels = np.array([0, 0, 1, 1])
    fit = fit_logistic(features, labels, 2, penalty)
    assert fit.converged
    assert np.isfinite(fit.coefficients).all()
    assert_array_equal(fit.predict_proba(features).argmax(axis=1), labels)
    # By symmetry w = (-u, u) and no intercept: the loss in u alone has to be at its minimum.
    u = fit.coefficients[0, 1]
    slope = 2 * penalty * u - sum(4 * x / (1 + np.exp(2 * u * x)) for x in (1.0, 2.0))
    assert_allclose(slope, 0.0, atol=1e-5 * 2 * penalty * u)
    assert_allclose(fit.intercept, 0.0, atol=1e-6)


def test_a_class_without_rows_gets_no_probability():
    features, labels = problem(classes=3)
    gap = np.array([0, 2, 3])[labels]  # class 1 of 4 is missing
    fit = fit_logistic(features, gap, 4, 1.0)
    shares = fit.predict_proba(features)
    assert_array_equal(shares[:, 1], 0.0)
    expected = fit_logistic(features, labels, 3, 1.0).predict_proba(features)
    assert_allclose(shares[:, [0, 2, 3]], expected, rtol=1e-10)
    assert np.isfinite(log_loss(shares, np.ones(200, dtype=np.int64)))


def test_one_class_is_certain():
    features, _ = problem()
    fit = fit_logistic(features, np.full(200, 2), 4, 1.0)
    assert_array_equal(fit.predict_proba(features), np.eye(4)[[2] * 200])


def test_fewer_rows_than_classes_and_one_row():
    features, _ = problem()
    fit = fit_logistic(features[:3], np.array([0, 5, 9]), 10, 0.1)
    assert_array_equal(fit.predict_proba(features[:3]).argmax(axis=1), [0, 5, 9])
    assert_array_equal(fit_logistic(features[:1], np.array([1]), 2, 1.0).intercept, [-np.inf, 0.0])


def test_a_start_changes_nothing_but_the_way():
    features, labels = problem()
    fit = fit_logistic(features, labels, 4, 0.1)
    for start in (
        fit_logistic(features, labels, 4, 100.0),
        fit_logistic(features, labels % 2, 4, 9),
    ):
        again = fit_logistic(features, labels, 4, 0.1, start)
        assert_allclose(again.coefficients, fit.coefficients, atol=1e-6)
        assert_allclose(again.intercept, fit.intercept, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_of_the_features_are_units_of_the_coefficients(scale):
    features, labels = problem()
    fit = fit_logistic(features, labels, 4, 1.0)
    scaled = fit_logistic(scale * features, labels, 4, scale * scale)
    assert_allclose(scale * scaled.coefficients, fit.coefficients, atol=1e-6)


@pytest.mark.parametrize("penalty", [0.0, -1.0, np.nan])
def test_no_penalty_is_refused(penalty):
    features, labels = problem()
    with pytest.raises(ValueError, match="penalty"):
        fit_logistic(features, labels, 4, penalty)


def test_the_log_loss_is_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    shares = rng.dirichlet(np.ones(5), 100)
    labels = rng.integers(0, 5, 100)
    assert_allclose(log_loss(shares, labels), metrics.log_loss(labels, shares), rtol=1e-12)
    shares[0] = np.eye(5)[(labels[0] + 1) % 5]  # certain, and wrong
    assert_allclose(log_loss(shares, labels), metrics.log_loss(labels, shares), rtol=1e-6)


class TestChoice:
    """The penalty by splits within the training rows."""

    def test_it_has_the_least_held_out_loss_of_those_looked_at(self):
        features, labels = problem(rows=300, width=30, noise=2.0)
        choice = choose_logistic_penalty(features, labels, 4, np.random.default_rng(0))
        inner = [
            random_split(300, 0.25, child, labels)
            for child in np.random.default_rng(0).spawn(inner_splits(300))
        ]
        losses = []
        for relative in LOGISTIC_PENALTIES:
            penalty = relative * mean_eigenvalue(features)
            total = 0.0
            for split in inner:
                fit = fit_logistic(features[split.train], labels[split.train], 4, penalty)
                total += log_loss(fit.predict_proba(features[split.test]), labels[split.test])
            losses.append(total / len(inner))
        assert choice.relative_penalty == LOGISTIC_PENALTIES[int(np.argmin(losses))]
        seen = np.isfinite(choice.losses)
        assert_allclose(choice.losses[seen], np.array(losses)[seen], rtol=1e-3)

    def test_noise_takes_a_large_penalty_and_clear_classes_a_small_one(self):
        rng = np.random.default_rng(3)
        features = rng.standard_normal((400, 20))
        chance = choose_logistic_penalty(features, rng.integers(0, 2, 400), 2, rng)
        clear = choose_logistic_penalty(features, (features[:, 0] > 0).astype(int), 2, rng)
        assert chance.relative_penalty >= 1.0
        assert clear.relative_penalty <= 1e-2

    def test_trials_are_fits_to_the_training_rows(self):
        features, labels = problem(rows=120)
        splits = [random_split(120, 0.25, np.random.default_rng(i), labels) for i in range(3)]
        runs = [
            logistic_trials(features, labels, 4, splits, np.random.default_rng(1), threads=threads)
            for threads in (1, 2)
        ]
        for trial, same, split in zip(*runs, splits, strict=True):
            peer = peer_of(features[split.train], labels[split.train], 1.0 / trial.penalty)
            expected = peer.predict_proba(features[split.test])
            assert_allclose(trial.held_out, expected, atol=PEER)
            assert_allclose(trial.log_loss, log_loss(expected, labels[split.test]), rtol=1e-4)
            assert trial.converged
            assert_array_equal(trial.held_out, same.held_out)

    def test_a_class_missing_from_the_training_rows_is_no_obstacle(self):
        features, labels = problem(rows=60, classes=3)
        test = np.flatnonzero(labels == 1)
        split = Split(np.flatnonzero(labels != 1), test)
        (trial,) = logistic_trials(features, labels, 3, [split], np.random.default_rng(0))
        assert_array_equal(trial.held_out[:, 1], 0.0)
        assert_allclose(trial.log_loss, -np.log(np.finfo(float).eps), rtol=1e-12)

    @pytest.mark.parametrize("rows", [1, 2, 3])
    def test_few_rows_are_enough(self, rows):
        features, labels = problem()
        split = Split(np.arange(rows), np.arange(rows, 200))
        (trial,) = logistic_trials(features, labels, 4, [split], np.random.default_rng(0))
        assert trial.held_out.shape == (200 - rows, 4)
        assert_allclose(trial.held_out.sum(axis=1), 1.0, rtol=1e-12)
