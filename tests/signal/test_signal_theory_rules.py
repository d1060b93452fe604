"""Findings that hold the network beside infinite width: FP110 to FP113."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fpcheck.network.network import Network


def correlated(network, name):
    """The same entries with half of their mean square in one direction: trained, as it were."""
    w = network.parameters[name]
    rank_one = np.outer(np.sign(w[:, 0]), np.ones(w.shape[1]))
    mixed = w / w.std() + 1.0 * rank_one
    mixed *= math.sqrt(float(np.mean(w**2)) / float(np.mean(mixed**2)))
    return Network(network.skeleton, {**network.parameters, name: mixed})


@pytest.mark.parametrize(
    ("function", "sigma_w2", "sigma_b2"),
    [("relu", 2.0, 0.0), ("tanh", 1.76095464, 0.05), ("gelu", 2.0, 0.2)],
)
def test_fresh_networks_stay_within_their_band(
    chain, section, findings, function, sigma_w2, sigma_b2
):
    for seed in range(4):
        report = section(chain([64, *[96] * 12, 10], function, sigma_w2, sigma_b2, seed=seed))
        found = findings(report)["FP110"]
        assert found.outcome == "pass", found.message


def test_weights_that_are_no_independent_draws_leave_the_band(chain, section, findings):
    network = correlated(chain([64, *[128] * 8, 10], "tanh", 1.76095464, 0.05), "w4")
    found = findings(section(network))["FP110"]
    assert (found.outcome, found.severity) == ("fail", "info")
    assert found.where in {f"layer l{i}" for i in range(9)}
    assert "of a random network" in found.message


def test_a_report_without_bands_is_not_judged_against_them(chain, section, findings):
    report = section(chain([16, 32, 32, 4], "tanh", 1.5, 0.05))
    for row in report["theory"]["layers"]:
        for key in [key for key in row if key.endswith(("_low", "_high"))]:
            row[key] = None
    assert findings(report)["FP110"].outcome == "skipped"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "sigma_w2", "sigma_b2"),
    [("relu", 2.0, 0.0), ("tanh", 1.76095464, 0.05), ("gelu", 1.9568, 0.2844)],
)
def test_width_4096_is_within_its_band_and_near_infinite_width(
    chain, section, findings, function, sigma_w2, sigma_b2
):
    report = section(chain([256, *[4096] * 4, 10], function, sigma_w2, sigma_b2), inputs=64)
    assert findings(report)["FP110"].outcome == "pass"
    pairs = zip(report["measured"]["layers"][:-1], report["theory"]["layers"][:-1], strict=True)
    for measured, predicted in pairs:
        assert predicted["q_low"] <= measured["q"] <= predicted["q_high"]
        assert measured["q"] == pytest.approx(predicted["q"], rel=0.1)


def test_isometry_is_kept_by_orthogonal_weights_and_lost_by_gaussian_ones(chain, section, findings):
    gaussian = chain([48] * 22, "tanh", 1.0, 0.0)
    parameters = {
        key: np.linalg.qr(value)[0] if key.startswith("w") else value
        for key, value in gaussian.parameters.items()
    }
    orthogonal = Network(gaussian.skeleton, parameters)
    lost, kept = (findings(section(each))["FP111"] for each in (gaussian, orthogonal))
    assert (lost.outcome, kept.outcome) == ("fail", "pass")
    assert lost.severity == "info"
    assert kept.found < 0.6 * kept.limit < lost.found


@pytest.mark.parametrize(("m", "sigma_w2", "sigma_b2", "outcome"), [
    (1.7395, 6.79128, 0.55080, "fail"), (1.1704, 7.33482, 0.59534, "pass"),
])  # fmt: skip
def test_high_clips_at_85_percent_sparsity_are_untrainable_at_width_300_and_depth_100(
    chain, section, findings, m, sigma_w2, sigma_b2, outcome
):
    network = chain([300] * 101 + [10], f"crelu(1.0364,{m})", sigma_w2, sigma_b2)
    from fpcheck.network.initializers import parse_law

    law = (
        parse_law({"law": "normal", "sigma2": sigma_w2, "scale": "1/sqrt(fan_in)"}),
        parse_law({"law": "normal", "sigma2": sigma_b2}),
    )
    report = section(network, inputs=8, laws={f"l{i}": law for i in range(101)})
    found = findings(report)["FP112"]
    assert found.outcome == outcome
    assert report["theory"]["survival"]["width"] == 300


def test_only_sparse_activations_have_their_survival_judged(chain, section, findings):
    report = section(chain([16, 32, 32, 4], "tanh", 1.5, 0.05))
    assert report["theory"]["survival"] is None
    assert findings(report)["FP112"].outcome == "skipped"


@pytest.mark.parametrize(("function", "sigma_w2", "sigma_b2", "outcome", "edge"), [
    ("tanh", 2.0, 0.0, "fail", 1.0),  # He's law on tanh
    ("relu", 1.0 / 3.0, 1.0 / 384.0, "fail", 2.0),  # PyTorch's default on ReLU
    ("relu", 2.0, 0.0, "pass", 2.0),
    ("tanh", 1.0, 0.0, "pass", 1.0),
    ("tanh", 1.76095464, 0.05, "pass", 1.76),
])  # fmt: skip
def test_a_gain_is_wrong_for_one_activation_and_right_for_another(
    chain, section, findings, function, sigma_w2, sigma_b2, outcome, edge
):
    report = section(chain([64, *[256] * 20, 10], function, sigma_w2, sigma_b2))
    found = findings(report)["FP113"]
    assert (found.outcome, found.severity) == (outcome, "info")
    (gain,) = report["theory"]["gains"]
    assert gain["edge_sigma_w2"] == pytest.approx(edge, rel=0.01)
    assert gain["sigma_w2"] == pytest.approx(sigma_w2, rel=0.01)


def test_a_wrong_gain_over_few_layers_does_not_matter(chain, section, findings):
    found = findings(section(chain([64, 64, 64, 10], "tanh", 2.0, 0.0)))["FP113"]
    assert found.outcome == "pass"


def test_a_wrong_gain_that_the_measured_gradients_do_not_show_is_left_alone(
    chain, section, findings
):
    """The weights' scale says one thing, their product another, as after training."""
    report = section(chain([64, *[128] * 20, 10], "relu", 1.0, 0.0))
    for row in report["measured"]["layers"]:
        row["gradient_norm"] = 1.0 / math.sqrt(row["units"])
    assert findings(report)["FP113"].outcome == "pass"


def test_dead_units_are_judged_by_their_interval(chain, section, findings):
    """Of 10 units one is alive: 90 % with an interval around the limit of 80 %."""
    network = chain([8, 10, 4], "relu", 2.0, 0.0)
    bias = np.full(10, -1e3)
    bias[0] = 0.0
    found = findings(section(Network(network.skeleton, {**network.parameters, "b0": bias})))
    assert found["FP106"].outcome == "inconclusive"
    assert found["FP106"].low < found["FP106"].limit < found["FP106"].high
