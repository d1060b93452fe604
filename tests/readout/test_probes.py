"""Probes of every layer: the score that ridge gives by hand, the best layer, its honest gain."""

from __future__ import annotations

import math
from threading import Event

import numpy as np
import pytest
from numpy.testing import assert_allclose
from readout_cases import RING, RING_LABELS, classes, network, numbers, rows_only

from fpcheck.core.progress import Monitor
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.program import trace
from fpcheck.network.skeleton import Activation, Add, Conv, Dense, Flatten, Input, Pool, Skeleton
from fpcheck.readout.probes import COORDINATES, MOST_PROBES, PENALTIES, probe_layers, probed_nodes
from fpcheck.readout.problem import choose_problem
from fpcheck.readout.result import Probes, Skipped
from fpcheck.readout.splits import random_split

PEER = 1e-8  # relative, against scikit-learn on the same splits


def splits_of(data, count=8, labels=None):
    return [
        random_split(data.rows, 0.25, child, labels)
        for child in np.random.default_rng(0).spawn(count)
    ]


def probed(net, data, count=8, **options):
    problem = choose_problem(data, net.skeleton, None)
    splits = splits_of(data, count, problem.labels)
    return probe_layers(net, data.inputs, problem, splits, monitor=Monitor(), **options)


def by_node(result):
    assert isinstance(result, Probes), result
    return {probe.node: probe for probe in result.probes}


def test_every_layer_has_the_score_that_scikit_learn_gives_its_values():
    linear_model = pytest.importorskip("sklearn.linear_model")
    net = network([2, 16, 8, 1])
    targets = np.sin(2.0 * RING[:, :1]) + RING[:, 1:] ** 2
    data = numbers(RING, targets)
    result = probed(net, data)
    assert [probe.node for probe in result.probes] == ["x", "act0", "act1"]
    assert [probe.depth for probe in result.probes] == [0, 1, 2]
    values = trace(net.program, RING)
    scores = []
    for split in splits_of(data):
        features, wanted = values["act1"], targets
        train = features[split.train]
        spread = np.sum((train - train.mean(axis=0)) ** 2) / 8
        peer = linear_model.RidgeCV(alphas=spread * PENALTIES, alpha_per_target=False)
        peer.fit(train, wanted[split.train])
        scores.append(peer.score(features[split.test], wanted[split.test]))
    assert_allclose(by_node(result)["act1"].score, np.mean(scores), rtol=PEER)


def test_a_layer_that_destroys_what_the_one_before_knew_is_found_with_its_gain():
    net = network([2, 64, 32, 2], scale=2.0)
    broken = {**net.parameters, "w1": 1e-3 * net.parameters["w1"], "b1": 20.0 + np.zeros(32)}
    result = probed(Network(net.skeleton, broken), classes(RING, RING_LABELS))
    assert (result.best, result.last) == ("act0", "act1")
    assert result.gain_low > 0.1
    assert result.gain == pytest.approx(by_node(result)["act0"].score
                                        - by_node(result)["act1"].score)  # fmt: skip


def test_the_input_is_scored_but_never_called_the_best_layer():
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((200, 5))
    data = classes(rows, (rows @ [1.0, -2.0, 0.5, 0.0, 1.0] > 0).astype(int))
    result = probed(network([5, 2, 2, 2], seed=1), data)
    assert by_node(result)["x"].score > by_node(result)["act1"].score
    assert result.best in ("act0", "act1")


def test_the_last_layer_as_the_best_gains_exactly_nothing():
    net = network([2, 4, 64, 2], scale=3.0)
    result = probed(net, classes(RING, RING_LABELS))
    assert result.best == result.last == "act1"
    assert (result.gain, result.gain_low, result.gain_high) == (0.0, 0.0, 0.0)


def test_the_interval_holds_for_all_layers_at_once():
    """With L other layers it is that of Student's t at 1 - 0.025 / L."""
    special = pytest.importorskip("scipy.special")
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((80, 4))
    data = classes(rows, np.arange(80) % 2)
    net = network([4, 6, 6, 6, 6, 2])
    known = {node: rng.random(6) for node in ("act0", "act1", "act2", "act3")}
    known["act3"] = 0.1 * known["act3"]
    result = probed(net, data, count=6, known=known)
    gain = known[result.best] - known["act3"]
    error = math.sqrt((1 / 6 + 20 / 60) * np.var(gain, ddof=1))
    half = special.stdtrit(5, 1 - 0.025 / 3) * error
    assert_allclose([result.gain_low, result.gain_high], [gain.mean() - half, gain.mean() + half])


def test_scores_that_are_known_are_not_fitted_again():
    known = np.linspace(0.5, 0.9, 20)
    result = probed(network([2, 8, 8, 2]), classes(RING, RING_LABELS), known={"act1": known})
    assert by_node(result)["act1"].score == pytest.approx(known[:8].mean())


def test_no_number_depends_on_the_threads():
    net, data = network([2, 16, 16, 2]), classes(RING, RING_LABELS)
    assert probed(net, data, threads=1) == probed(net, data, threads=3)


def test_a_stop_acts_at_once():
    stop = Event()
    stop.set()
    data = classes(RING, RING_LABELS)
    net = network([2, 8, 8, 2])
    problem = choose_problem(data, net.skeleton, None)
    with pytest.raises(KeyboardInterrupt):
        probe_layers(net, RING, problem, splits_of(data), monitor=Monitor(stop=stop))


def wide_network(channels=24, length=32, rows=150):
    rng = np.random.default_rng(5)
    nodes = (
        Input("x", (1, length)),
        Conv("c1", ("x",), channels, (5,), "w1", "b1", padding=((2, 2),)),
        Activation("a1", ("c1",), activation("relu")),
        Pool("p", ("a1",), "mean", (length,)),
        Flatten("f", ("p",)),
        Dense("out", ("f",), 2, "w2", "b2"),
    )
    weights = {
        "w1": rng.standard_normal((channels, 1, 5)), "b1": rng.standard_normal(channels),
        "w2": rng.standard_normal((2, channels)), "b2": np.zeros(2),
    }  # fmt: skip
    return Network(Skeleton(nodes), weights), rng.standard_normal((rows, 1, length))


def test_a_wide_layer_is_read_through_its_principal_axes():
    net, rows = wide_network()
    labels = (rows[:, 0, :4].sum(axis=1) > 0).astype(int)
    result = probed(net, classes(rows, labels))
    wide = by_node(result)["a1"]
    assert wide.width == 24 * 32
    assert wide.coordinates <= COORDINATES
    assert [probe.node for probe in result.probes] == ["x", "a1", "f"]  # the pool is its own layer


def test_principal_axes_of_fewer_rows_than_coordinates_lose_nothing():
    """150 rows span at most 149 directions: all are kept, and ridge sees what it would in full."""
    net, rows = wide_network()
    labels = (rows[:, 0, :4].sum(axis=1) > 0).astype(int)
    data = classes(rows, labels)
    through_axes = by_node(probed(net, data))["a1"].score
    flat = trace(net.program, rows)["a1"].reshape(150, -1)
    linear_model = pytest.importorskip("sklearn.linear_model")
    right = []
    for split in splits_of(data, 8, labels):
        train = flat[split.train] - flat[split.train].mean(axis=0)
        spread = np.sum(train**2) / (len(train) - 1)
        peer = linear_model.RidgeCV(alphas=spread * PENALTIES, alpha_per_target=False)
        peer.fit(flat[split.train], np.eye(2)[labels[split.train]])
        found = peer.predict(flat[split.test]).argmax(axis=1)
        right.append(np.mean(found == labels[split.test]))
    assert_allclose(through_axes, np.mean(right), rtol=PEER)


def test_a_deep_network_is_probed_at_evenly_spaced_layers_with_both_ends():
    nodes = probed_nodes(network([2] + [4] * 40 + [2]).skeleton)
    assert len(nodes) <= MOST_PROBES
    assert (nodes[0], nodes[-1]) == ("x", "act39")
    places = [int(name[3:]) for name in nodes[1:]]
    assert max(np.diff(places)) <= 5


def test_branches_are_probed_where_they_meet_and_dead_ends_are_not():
    nodes = (
        Input("x", (4,)),
        Dense("d1", ("x",), 4, "w1", "b1"),
        Activation("a1", ("d1",), activation("tanh")),
        Dense("d2", ("a1",), 4, "w2", "b2"),
        Add("sum", ("a1", "d2")),
        Activation("a2", ("sum",), activation("tanh")),
        Dense("out", ("a2",), 2, "w3", "b3"),
    )
    assert probed_nodes(Skeleton(nodes)) == ["x", "a1", "a2"]


def test_a_network_of_one_hidden_layer_has_nothing_to_compare():
    result = probed(network([2, 8, 2]), classes(RING, RING_LABELS))
    assert isinstance(result, Skipped)
    assert "no layer before" in result.skipped


def test_a_reconstruction_does_not_ask_the_input_for_itself():
    rows = np.random.default_rng(0).standard_normal((60, 5))
    result = probed(network([5, 4, 3, 5]), rows_only(rows))
    assert [probe.node for probe in result.probes] == ["act0", "act1"]


def test_values_that_are_not_finite_are_refused_by_name():
    net = network([2, 8, 8, 2], "identity")
    huge = {**net.parameters, "w0": 1e200 * net.parameters["w0"], "w1": 1e200 + np.zeros((8, 8))}
    result = probed(Network(net.skeleton, huge), classes(RING, RING_LABELS))
    assert isinstance(result, Skipped)
    assert "'act1' are not finite" in result.skipped


class TestNoise:
    """Labels that have nothing to do with the rows: no layer is truly better than another."""

    @pytest.mark.parametrize("trials", [80, pytest.param(800, marks=pytest.mark.slow)])
    def test_an_earlier_layer_is_called_better_as_rarely_as_stated(self, trials):
        """True gains are 0: at most 2.5 % of the intervals lie above 0, plus 3 sigma."""
        above = 0
        for seed in range(trials):
            rng = np.random.default_rng(seed)
            labels = rng.permutation(np.arange(60) % 2)
            data = classes(rng.standard_normal((60, 5)), labels)
            result = probed(network([5, 10, 10, 10, 2], seed=seed), data, count=10)
            above += result.gain_low > 0.0
        assert above <= trials * (0.025 + 3 * math.sqrt(0.025 * 0.975 / trials))
