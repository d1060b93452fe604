"""The readout question: what a last layer finds in frozen features, with honest intervals."""

from __future__ import annotations

import dataclasses
from threading import Event

import numpy as np
import pytest
from numpy.testing import assert_allclose
from readout_cases import (
    PEER,
    RING,
    RING_LABELS,
    RNG,
    SETTINGS,
    answered,
    classes,
    fits,
    gains,
    network,
    numbers,
    rows_only,
    run,
)

from fpcheck.core.errors import DataError, UsageError
from fpcheck.core.plain import plain
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Add, Conv, Input, Pool, Skeleton
from fpcheck.readout.measure import measure
from fpcheck.readout.result import Skipped
from fpcheck.readout.scores import r_squared
from fpcheck.readout.splits import random_split


def test_features_that_bend_the_plane_beat_a_linear_model_on_a_ring():
    result = answered(network([2, 64, 2], scale=2.0), classes(RING, RING_LABELS))
    assert result.last_layer_low > result.linear_on_input_high
    assert gains(result)["linear_on_input"].low > 0.2
    assert result.verdict == "enough"
    assert "+0." in result.verdict_because


def test_the_scores_are_those_of_scikit_learn_on_the_same_splits():
    linear_model = pytest.importorskip("sklearn.linear_model")
    targets = RING @ [[1.0, 2.0], [0.5, -1.0]] + 0.3 * RNG.standard_normal((300, 2))
    net = network([2, 16, 2])
    result = answered(net, numbers(RING, targets))
    features = np.tanh(RING @ net.parameters["w0"].T + net.parameters["b0"])
    scores, penalties = [], []
    for child in random_stream(0, "readout").spawn(10):
        split = random_split(300, 0.25, child)
        train = features[split.train]
        spread = np.sum((train - train.mean(axis=0)) ** 2) / 16
        peer = linear_model.RidgeCV(
            alphas=spread * 10.0 ** np.arange(-8.0, 4.25, 0.5), alpha_per_target=False
        ).fit(train, targets[split.train])
        scores.append(r_squared(peer.predict(features[split.test]), targets[split.test]))
        penalties.append(peer.alpha_)
    assert_allclose(result.last_layer, np.mean(scores), rtol=PEER)
    assert_allclose(fits(result)["last_layer"].penalty, np.median(penalties), rtol=PEER)


def test_the_spectrum_is_that_of_the_centred_features():
    net = network([2, 16, 2])
    result = answered(net, classes(RING, RING_LABELS))
    features = np.tanh(RING @ net.parameters["w0"].T + net.parameters["b0"])
    values = np.linalg.svd(features - features.mean(axis=0), compute_uv=False)
    shares = values / values.sum()
    fit = fits(result)["last_layer"]
    assert_allclose(fit.condition, values[0] / values[-1], rtol=1e-6)  # of a condition near 1e4
    assert_allclose(fit.effective_rank, np.exp(-np.sum(shares * np.log(shares))), rtol=1e-10)
    assert fit.rank == 16


def test_a_dead_feature_makes_the_condition_infinite_and_the_report_says_so():
    net = network([2, 16, 2])
    weights = {**net.parameters, "w0": net.parameters["w0"].copy()}
    weights["w0"][3] = 0.0
    section = plain(answered(Network(net.skeleton, weights), classes(RING, RING_LABELS)))
    fit = section["fits"][0]
    assert fit["condition"] is None
    assert fit["condition_status"] == "inf"
    assert fit["rank"] == 15


class TestInvariance:
    """What must not change a score."""

    data = classes(RING, RING_LABELS)

    def test_the_number_of_threads(self):
        many = dataclasses.replace(SETTINGS, threads=4)
        net = network([2, 32, 2])
        assert plain(run(net, self.data)) == plain(run(net, self.data, many))

    def test_the_same_seed_gives_the_same_and_another_seed_another_answer(self):
        net = network([2, 32, 2])
        first, again = run(net, self.data), run(net, self.data)
        assert plain(first) == plain(again)
        other = answered(net, self.data, dataclasses.replace(SETTINGS, seed=1))
        assert other.last_layer != answered(net, self.data).last_layer

    @pytest.mark.parametrize("power", [-700, -40, 40, 700])
    def test_the_size_of_the_features_even_where_their_squares_leave_float64(self, power):
        net = network([2, 16, 2], "relu")
        scaled = {
            name: value * 2.0**power if name in ("w0", "b0") else value
            for name, value in net.parameters.items()
        }
        before = answered(net, self.data, trained=False)
        after = answered(Network(net.skeleton, scaled), self.data, trained=False)
        assert after.last_layer == before.last_layer
        assert fits(after)["last_layer"].condition == fits(before)["last_layer"].condition

    @pytest.mark.parametrize("factor", [2.0**-600, 2.0**600])
    def test_the_size_of_the_targets(self, factor):
        targets = np.sin(RING)
        before = answered(network([2, 16, 2]), numbers(RING, targets), trained=False)
        after = answered(network([2, 16, 2]), numbers(RING, factor * targets), trained=False)
        assert after.last_layer == before.last_layer

    def test_more_splits_keep_the_first_ones(self):
        children = random_stream(0, "readout").spawn(3)
        more = random_stream(0, "readout").spawn(5)
        for one, other in zip(children, more, strict=False):
            assert one.random() == other.random()


def test_more_features_than_rows_give_what_ridge_gives():
    linear_model = pytest.importorskip("sklearn.linear_model")
    net = network([2, 400, 2])
    rows, labels = RING[:60], RING_LABELS[:60]
    result = answered(net, classes(rows, labels))
    features = np.tanh(rows @ net.parameters["w0"].T + net.parameters["b0"])
    penalty_of = fits(result)["last_layer"].penalty
    right = []
    for child in random_stream(0, "readout").spawn(10):
        split = random_split(60, 0.25, child, labels.astype(np.int64))
        peer = linear_model.RidgeCV(
            alphas=10.0 ** np.arange(-8.0, 4.25, 0.5)
            * (np.sum((features[split.train] - features[split.train].mean(0)) ** 2) / 44),
            alpha_per_target=False,
        ).fit(features[split.train], np.eye(2)[labels[split.train]])
        right.append(np.mean(peer.predict(features[split.test]).argmax(1) == labels[split.test]))
    assert penalty_of > 0.0
    assert_allclose(result.last_layer, np.mean(right), atol=1e-12)


def test_a_single_layer_is_the_linear_model_itself():
    result = answered(network([2, 2]), classes(RING, RING_LABELS))
    assert result.feature_source == "x"
    assert result.linear_on_input is None
    assert "one layer" in result.linear_on_input_skipped


def test_flat_rows_are_given_the_networks_shape():
    net = network([2, 8, 2])
    stacked = classes(RING.reshape(300, 1, 2), RING_LABELS)
    assert answered(net, stacked).last_layer == answered(net, classes(RING, RING_LABELS)).last_layer
    with pytest.raises(DataError, match="do not fit"):
        run(net, classes(np.zeros((300, 3)), RING_LABELS))


class TestSkipped:
    """What cannot be answered says why."""

    def skipped(self, *args, **options) -> str:
        result = run(*args, **options)
        assert isinstance(result, Skipped)
        return result.skipped

    def test_without_targets(self):
        assert "--target" in self.skipped(network([2, 3]), rows_only(RING))

    def test_too_few_rows(self):
        assert "needs 20" in self.skipped(network([2, 3, 2]), classes(RING[:19], RING_LABELS[:19]))

    @pytest.mark.parametrize("ending", ["conv", "pool", "sum"])
    def test_a_network_that_does_not_end_in_a_dense_layer(self, ending):
        nodes = [Input("x", (1, 8)), Conv("c", ("x",), 1, (1,), "w")]
        if ending == "pool":
            nodes.append(Pool("p", ("c",), "mean", (2,)))
        if ending == "sum":
            nodes.append(Add("s", ("x", "c")))
        net = Network(Skeleton(tuple(nodes)), {"w": np.ones((1, 1, 1))})
        data = classes(RNG.standard_normal((40, 8)), np.arange(40) % 2)
        assert "not in a dense layer" in self.skipped(net, data)

    def test_features_that_overflow(self):
        net = network([2, 4, 4, 2], "relu", scale=1e200)
        why = self.skipped(net, classes(RING, RING_LABELS))
        assert "'dense2' are not finite" in why

    def test_held_out_targets_that_do_not_vary(self):
        targets = np.zeros((300, 1))
        targets[0] = 1.0
        assert "do not vary" in self.skipped(network([2, 4, 1]), numbers(RING, targets))


@pytest.mark.parametrize("settings", [{"splits": 1}, {"test_share": 0.0}, {"test_share": 1.0}])
def test_settings_that_give_no_interval_are_refused(settings):
    with pytest.raises(UsageError):
        run(network([2, 3, 2]), classes(RING, RING_LABELS), Settings(**settings))


def test_a_stop_ends_the_work():
    stop = Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        measure(
            network([2, 3, 2]),
            classes(RING, RING_LABELS),
            SETTINGS,
            random_stream(0, "readout"),
            Monitor(stop=stop),
        )


def test_progress_is_reported_split_by_split():
    heard = []
    monitor = Monitor(report=lambda *words: heard.append(words))
    measure(
        network([2, 3, 2]),
        classes(RING, RING_LABELS),
        SETTINGS,
        random_stream(0, "readout"),
        monitor,
    )
    splits = [words[1:] for words in heard if words[0] == "readout, random splits"]
    assert splits == [(done, 10) for done in range(1, 11)]
    assert {"readout, random networks", "readout, kernel ridge"} <= {words[0] for words in heard}
