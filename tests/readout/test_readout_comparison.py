"""The comparison on the same splits: scores that a person gets with scikit-learn by hand."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from readout_cases import SETTINGS, answered, classes, network, numbers, run

from fpcheck.core.plain import plain
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.network.activations import activation
from fpcheck.network.initializers import NAMED_LAWS, draw_network
from fpcheck.network.skeleton import Activation, Conv, Dense, Flatten, Input, Pool, Skeleton
from fpcheck.readout.comparison import ORDER
from fpcheck.readout.infinite import KERNEL_ROWS, no_kernels
from fpcheck.readout.initial import redraw
from fpcheck.readout.result import InfiniteModel, InfiniteWidth, Skipped
from fpcheck.readout.splits import random_split
from fpcheck.theory.layer_scales import layer_scales

FEW = Settings(splits=4, threads=2, readout_draws=3)
DIFFERENT_GRIDS = 0.02  # points between two ways of choosing a penalty, k or bandwidth


def signals(rows=240, length=24, seed=0):
    """Two frequencies at random phases under noise: no linear model tells them apart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 2
    phase = rng.uniform(0.0, 2 * np.pi, (rows, 1))
    waves = np.sin(np.where(labels, 5, 3)[:, None] * 2 * np.pi * np.arange(length) / length + phase)
    return waves + 0.3 * rng.standard_normal((rows, length)), labels


def signal_network(length=24):
    nodes = (
        Input("x", (1, length)),
        Conv("c", ("x",), 32, (5,), "cw", "cb"),
        Activation("a", ("c",), activation("relu")),
        Pool("p", ("a",), "mean", (length - 4,)),
        Flatten("f", ("p",)),
        Dense("out", ("f",), 2, "ow", "ob"),
    )
    laws = dict.fromkeys(("c", "out"), (NAMED_LAWS["he_normal"], None))
    return draw_network(Skeleton(nodes), laws, np.random.default_rng(0)), laws


def table(name):
    datasets = pytest.importorskip("sklearn.datasets")
    inputs, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
    keep = np.random.default_rng(0).permutation(len(inputs))[:400]
    inputs = inputs[keep]
    spread = inputs.std(axis=0)
    return (inputs - inputs.mean(axis=0)) / np.where(spread > 0, spread, 1.0), labels[keep]


def split_rows(labels, count=4):
    return [
        random_split(len(labels), 0.25, child, labels.astype(np.int64))
        for child in random_stream(0, "readout").spawn(count)
    ]


def by_name(result):
    return {model.name: model for model in result.models}


def right(predict, labels):
    return float(np.mean(predict == labels))


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "signals"])
def test_the_baselines_are_what_scikit_learn_gives_by_hand(name):
    neighbors = pytest.importorskip("sklearn.neighbors")
    selection = pytest.importorskip("sklearn.model_selection")
    svm = pytest.importorskip("sklearn.svm")
    inputs, labels = signals() if name == "signals" else table(name)
    count = int(labels.max()) + 1
    result = answered(network([inputs.shape[1], 40, count]), classes(inputs, labels, count), FEW)
    found = by_name(result)
    near, smooth = [], []
    for split in split_rows(labels):
        train, test = split.train, split.test
        search = selection.GridSearchCV(
            neighbors.KNeighborsClassifier(), {"n_neighbors": [1, 3, 5, 9, 15, 25, 41]}, cv=8
        ).fit(inputs[train], labels[train])
        near.append(right(search.predict(inputs[test]), labels[test]))
        grid = {"C": [1, 10, 100], "gamma": np.array([0.1, 0.5, 2.0]) / inputs.shape[1]}
        search = selection.GridSearchCV(svm.SVC(), grid, cv=4).fit(inputs[train], labels[train])
        smooth.append(right(search.predict(inputs[test]), labels[test]))
    assert_allclose(found["neighbours"].score, np.mean(near), atol=DIFFERENT_GRIDS)
    # Another loss, so further apart: both are smooth in the same kernel.
    assert_allclose(found["rbf"].score, np.mean(smooth), atol=0.05)


@pytest.mark.parametrize("name", ["digits", "breast_cancer"])
def test_the_logistic_readout_is_what_scikit_learn_gives_by_hand(name):
    linear_model = pytest.importorskip("sklearn.linear_model")
    metrics = pytest.importorskip("sklearn.metrics")
    selection = pytest.importorskip("sklearn.model_selection")
    inputs, labels = table(name)
    count = int(labels.max()) + 1
    net = network([inputs.shape[1], 40, count])
    found = by_name(answered(net, classes(inputs, labels, count), FEW))["last_layer"]
    features = np.tanh(inputs @ net.parameters["w0"].T + net.parameters["b0"])
    losses, scores = [], []
    for split in split_rows(labels):
        model = linear_model.LogisticRegression(max_iter=2000)
        search = selection.GridSearchCV(
            model, {"C": 10.0 ** np.arange(-3, 4)}, cv=4, scoring="neg_log_loss"
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search.fit(features[split.train], labels[split.train])
        shares = search.predict_proba(features[split.test])
        losses.append(metrics.log_loss(labels[split.test], shares, labels=np.arange(count)))
        scores.append(right(shares.argmax(axis=1), labels[split.test]))
    assert found.log_loss_splits == 4
    # A decade between penalties on both sides, chosen on other inner rows.
    assert_allclose(found.log_loss, np.mean(losses), atol=0.05)
    assert_allclose(found.logistic, np.mean(scores), atol=0.03)


def test_infinite_width_is_kernel_ridge_on_the_closed_form():
    kernel_ridge = pytest.importorskip("sklearn.kernel_ridge")
    inputs, labels = table("digits")
    net = network([64, 40, 10], "relu")
    result = answered(net, classes(inputs, labels, 10), FEW)
    assert isinstance(result.infinite_width, InfiniteWidth)
    nngp = result.infinite_width.nngp
    assert isinstance(nngp, InfiniteModel)
    scale = layer_scales(net)["dense0"]
    before = scale.sigma_w2 * inputs @ inputs.T / 64 + scale.sigma_b2
    size = np.sqrt(np.diagonal(before))
    angle = np.arccos(np.clip(before / np.outer(size, size), -1.0, 1.0))
    kernel = np.outer(size, size) * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    centred = kernel - kernel.mean(0) - kernel.mean(1)[:, None] + kernel.mean()
    penalty = nngp.relative_penalty * np.trace(centred) / (len(kernel) - 1)
    scores = []
    for split in split_rows(labels):
        train = split.train
        mean = np.eye(10)[labels[train]].mean(axis=0)
        within = kernel[np.ix_(train, train)]
        across = kernel[np.ix_(split.test, train)]
        column = within.mean(axis=0)
        within = within - column - column[:, None] + column.mean()
        across = across - column - across.mean(axis=1)[:, None] + column.mean()
        peer = kernel_ridge.KernelRidge(alpha=penalty, kernel="precomputed")
        peer.fit(within, np.eye(10)[labels[train]] - mean)
        scores.append(right((peer.predict(across) + mean).argmax(axis=1), labels[split.test]))
    # The median of four splits' penalties stands for all of them here.
    assert_allclose(nngp.score, np.mean(scores), atol=0.01)


def test_the_score_at_initialisation_is_the_mean_over_fresh_networks():
    linear_model = pytest.importorskip("sklearn.linear_model")
    inputs, labels = table("breast_cancer")
    net = network([30, 40, 2])
    found = by_name(answered(net, classes(inputs, labels), FEW))["last_layer_at_init"]
    scores = []
    for rng in random_stream(0, "readout", 1).spawn(3):
        drawn = redraw(net, None, rng)
        features = np.tanh(inputs @ drawn.parameters["w0"].T + drawn.parameters["b0"])
        for split in split_rows(labels):
            rows = features[split.train]
            spread = np.sum((rows - rows.mean(axis=0)) ** 2) / 40
            peer = linear_model.RidgeCV(
                alphas=spread * 10.0 ** np.arange(-8.0, 4.25, 0.5), alpha_per_target=False
            ).fit(rows, np.eye(2)[labels[split.train]])
            predicted = peer.predict(features[split.test]).argmax(axis=1)
            scores.append(right(predicted, labels[split.test]))
    assert found.draws == 3
    assert found.splits == 4
    assert_allclose(found.score, np.mean(scores), atol=0.01)


class TestSignals:
    """Signals at random phases: convolution and pooling see what a linear model cannot."""

    inputs, labels = signals()

    def test_a_random_convolution_is_enough(self):
        net, laws = signal_network()
        result = answered(net, classes(self.inputs, self.labels), laws=laws, trained=False)
        found = by_name(result)
        assert result.verdict == "enough"
        assert found["last_layer"].score > 0.9
        assert found["linear_on_input"].score < 0.7
        assert found["infinite_nngp"].score > 0.9
        assert result.initial == "drawn by the spec's laws"


class TestStructure:
    """What every answer holds."""

    inputs, labels = signals(120)
    data = classes(inputs, labels)

    def test_models_come_in_their_order_and_pairs_are_differences_of_means(self):
        result = answered(network([24, 20, 2]), self.data)
        assert tuple(model.name for model in result.models) == ORDER
        found = by_name(result)
        for one in result.paired:
            if found[one.model].splits == found[one.over].splits:
                difference = found[one.model].score - found[one.over].score
                assert_allclose(one.gain, difference, atol=1e-12)
            assert one.low <= one.gain <= one.high
            assert one.splits == min(found[one.model].splits, found[one.over].splits)

    def test_the_report_says_on_how_many_splits_the_costly_models_were_scored(self):
        settings = dataclasses.replace(SETTINGS, splits=12)
        result = answered(network([24, 20, 2]), self.data, settings)
        assert any(
            note.startswith("scored on the first 6 of the 12 splits: RBF ridge")
            for note in result.notes
        )
        assert by_name(result)["neighbours"].splits == 12

    @pytest.mark.parametrize("threads", [2, 5])
    def test_no_number_depends_on_the_threads(self, threads):
        net = network([24, 20, 2])
        many = dataclasses.replace(SETTINGS, threads=threads, splits=4)
        alone = dataclasses.replace(SETTINGS, threads=1, splits=4)
        assert plain(run(net, self.data, alone)) == plain(run(net, self.data, many))

    def test_without_fresh_networks_the_rest_is_the_same(self):
        net = network([24, 20, 2])
        full, rest = answered(net, self.data), answered(net, self.data, initial=False)
        assert isinstance(rest.infinite_width, Skipped)
        assert rest.last_layer == full.last_layer
        assert rest.learning_curve == full.learning_curve
        assert by_name(rest)["rbf"] == by_name(full)["rbf"]
        assert "not asked for" in by_name(rest)["last_layer_at_init"].skipped

    def test_numbers_have_a_root_mean_squared_error_in_their_own_unit(self):
        targets = 1e3 * np.sin(self.inputs[:, :2])
        found = by_name(answered(network([24, 20, 2]), numbers(self.inputs, targets)))
        spread = float(np.std(targets))
        assert 0.9 * spread < found["majority"].rmse < 1.15 * spread
        assert found["last_layer"].log_loss is None

    def test_what_kernels_of_many_rows_would_take_is_said(self):
        assert no_kernels(KERNEL_ROWS) == ""
        assert "10000 rows would take about 160 s" in no_kernels(10_000)

    def test_learning_curves_rise_to_the_full_score(self):
        curve = answered(network([24, 20, 2]), self.data).learning_curve
        assert not isinstance(curve, Skipped)
        assert curve.points[-1].rows == 90
        full = by_name(answered(network([24, 20, 2]), self.data))["last_layer"].score
        assert curve.points[-1].score == full


class TestBadInput:
    """One clear sentence each."""

    inputs = np.random.default_rng(1).standard_normal((60, 4))
    net = network([4, 8, 3])

    def why(self, data) -> str:
        result = run(self.net, data)
        assert isinstance(result, Skipped)
        return result.skipped

    def test_one_class_only(self):
        data = classes(self.inputs, np.zeros(60), 3)
        assert "of one class, '0'" in self.why(data)

    def test_a_constant_target(self):
        assert "have one value" in self.why(numbers(self.inputs, np.full((60, 1), 3.0)))

    def test_values_that_are_not_finite(self):
        broken = self.inputs.copy()
        broken[3, 1] = np.nan
        assert "NaN or Inf" in self.why(classes(broken, np.arange(60) % 3, 3))

    def test_fewer_rows_than_classes(self):
        assert "60 rows for 70 classes" in self.why(classes(self.inputs, np.arange(60), 70))

    def test_too_few_rows(self):
        assert "needs 20" in self.why(classes(self.inputs[:19], np.arange(19) % 3, 3))

    def test_a_class_that_splits_miss_is_told(self):
        labels = np.where(np.arange(60) < 1, 2, np.arange(60) % 2)  # one row is always trained on
        result = answered(self.net, classes(self.inputs, labels, 3))
        assert any("missing from the held-out rows" in note for note in result.notes)
        assert result.class_sizes == (29, 30, 1)

    def test_a_class_without_rows_is_told(self):
        result = answered(self.net, classes(self.inputs, np.arange(60) % 2, 3))
        assert any("class '2' without any row" in note for note in result.notes)

    def test_duplicated_rows_are_counted_across_splits(self):
        labels = np.arange(60) % 3
        rows = np.concatenate([self.inputs, self.inputs[:30]])
        result = answered(self.net, classes(rows, np.concatenate([labels, labels[:30]]), 3))
        assert result.duplicates.rows == 30
        # Two in three rows have an equal one, trained on three times in four: about a half.
        assert 0.35 < result.duplicates.held_out < 0.65
        assert result.duplicates.contradicting == 0
        result = answered(self.net, classes(rows, np.concatenate([labels, 2 - labels[:30]]), 3))
        assert result.duplicates.contradicting == 20
