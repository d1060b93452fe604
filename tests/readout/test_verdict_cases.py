"""Every verdict from a planted case, and what it says to do next."""

from __future__ import annotations

import numpy as np
import pytest
from readout_cases import answered, classes, network, numbers

from fpcheck.network.network import Network
from fpcheck.readout.result import LearningCurve, Paired
from fpcheck.readout.verdict import Best, Evidence, decide

RNG = np.random.default_rng(3)
INPUTS = RNG.standard_normal((400, 6))


def pair(over, low, high, model="last_layer"):
    return Paired(model, over, (low + high) / 2, low, high, 10)


def curve(low, high):
    return LearningCurve(
        model="last_layer",
        splits=10,
        points=(),
        asymptote=0.9,
        asymptote_low=0.8,
        asymptote_high=1.0,
        exponent=0.5,
        gap=(low + high) / 2,
        gap_low=low,
        gap_high=high,
        distance=0.01,
        reached="no" if low > 0.01 else "yes",
        misfit=1.0,
        asymptote_skipped="",
    )


SURE = pair("majority", 0.3, 0.4)
TIE = pair("linear_on_input", -0.01, 0.01)
AHEAD = pair("linear_on_input", 0.05, 0.1)
IDLE = pair("last_layer", -0.01, 0.01, "last_2_layers")
OPEN = pair("last_layer", -0.02, 0.1, "last_3_layers")


@pytest.mark.parametrize(
    ("seen", "verdict", "by", "step"),
    [
        (Evidence(SURE, AHEAD), "enough", "linear_on_input", "last layer alone"),
        (
            Evidence(SURE, AHEAD, over_best=pair("rbf", -0.01, 0.03)),
            "enough",
            "linear_on_input",
            "RBF ridge on the input may do as well",
        ),
        (
            Evidence(SURE, AHEAD, over_best=pair("rbf", -0.1, -0.03)),
            "not suited",
            "last_layer over rbf",
            "use RBF ridge",
        ),
        (
            Evidence(SURE, AHEAD, curve=curve(0.03, 0.09)),
            "enough",
            "linear_on_input",
            "more rows would still bring about +0.060",
        ),
        (
            Evidence(SURE, AHEAD, stage=pair("last_layer", 0.03, 0.1, "last_3_layers")),
            "promising: tune inner layers",
            "last_3_layers over last_layer",
            "train the last 3 layers",
        ),
        (
            Evidence(SURE, AHEAD, infinite=pair("last_layer", 0.03, 0.1, "infinite_nngp")),
            "promising: tune inner layers",
            "infinite_nngp over last_layer",
            "widen the hidden layers",
        ),
        (
            Evidence(SURE, TIE, infinite=pair("last_layer", 0.03, 0.1, "infinite_ntk")),
            "promising: tune inner layers",
            "infinite_ntk over last_layer",
            "train all layers",
        ),
        (Evidence(SURE, TIE), "promising: tune inner layers", "linear_on_input", "inner layers"),
        (
            Evidence(SURE, TIE, stage=IDLE, widest_stage=IDLE),
            "enough",
            "last_2_layers",
            "the linear model",
        ),
        (
            Evidence(SURE, TIE, stage=IDLE, widest_stage=OPEN),
            "promising: tune inner layers",
            "linear_on_input",
            "inner layers",
        ),
        (
            Evidence(SURE, AHEAD, trained=True),
            "enough",
            "linear_on_input",
            "with rows that it did not see",
        ),
        (
            Evidence(SURE, TIE, stage=IDLE, widest_stage=IDLE, curve=curve(0.03, 0.09)),
            "more data needed",
            "learning_curve.gap",
            "collect more rows",
        ),
        (
            Evidence(pair("majority", -0.01, 0.01), AHEAD),
            "not suited",
            "majority",
            "look at the data first",
        ),
        (
            Evidence(
                pair("majority", -0.01, 0.01),
                AHEAD,
                best_over_majority=pair("majority", 0.3, 0.4, "rbf"),
            ),
            "not suited",
            "majority",
            "compare other architectures",
        ),
        (
            Evidence(pair("majority", -0.02, 0.12), AHEAD, rows=100),
            "more data needed",
            "majority",
            "about 500 would decide it",  # 0.07 wide to each side, 0.03 from its limit: x 5.4
        ),
        (
            Evidence(
                pair("majority", -0.02, 0.12),
                TIE,
                over_best=Best("last_layer", "neighbours", -0.2, -0.3, -0.1, 3),
            ),
            "not suited",
            "last_layer over neighbours",
            "use the nearest neighbours",
        ),
        (
            Evidence(SURE, pair("linear_on_input", -np.inf, np.inf), rows=100),
            "more data needed",
            "linear_on_input",
            "collect more rows and ask again",
        ),
    ],
)
def test_the_rule(seen, verdict, by, step):
    found = decide(seen)
    assert found.verdict == verdict
    assert by in found.decided_by
    assert step in found.next_step
    assert any(character.isdigit() for character in found.because)


def test_what_was_chosen_among_several_says_so():
    best = Best("infinite_ntk", "last_layer", 0.06, 0.03, 0.09, 2)
    because = decide(Evidence(SURE, TIE, infinite=best)).because
    assert "95 % interval, as the best of 2 tried, [+0.0300, +0.0900]" in because


class TestPlanted:
    """Data made for each of the verdicts."""

    def test_enough_where_the_last_layer_sees_the_features_that_made_the_target(self):
        net = network([6, 60, 2], "relu", scale=1.4)
        wide = np.maximum(INPUTS @ net.parameters["w0"].T + net.parameters["b0"], 0.0)
        targets = wide @ np.random.default_rng(1).standard_normal((60, 1))
        result = answered(net, numbers(INPUTS, targets))
        assert result.verdict == "enough"
        assert result.last_layer > 0.999

    def test_promising_where_a_wider_layer_finds_what_these_units_miss(self):
        labels = (np.abs(INPUTS[:, 0]) > 0.67).astype(int)
        result = answered(network([6, 6, 2], "relu", scale=1.4), classes(INPUTS, labels))
        assert result.verdict == "promising: tune inner layers"

    def test_not_suited_where_the_units_are_dead_though_the_rows_hold_something(self):
        net = network([6, 30, 2], "relu")
        dead = Network(net.skeleton, {**net.parameters, "b0": np.full(30, -1e3)})
        result = answered(dead, classes(INPUTS, INPUTS[:, 0] > 0.0), initial=False)
        assert result.verdict == "not suited"
        assert "the rows do hold something" in result.next_step

    def test_more_data_where_thirty_rows_decide_nothing(self):
        labels = np.random.default_rng(5).integers(0, 2, 30)
        result = answered(network([6, 30, 2]), classes(INPUTS[:30], labels))
        assert result.verdict == "more data needed"
        assert "collect more rows" in result.next_step
