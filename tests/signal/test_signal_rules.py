"""What fires on sick networks, and that nothing fires on healthy ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fpcheck.core.limits import effective_limits
from fpcheck.network.network import Network
from fpcheck.signal.rules import CODES, judge

DEEP = [64, *[128] * 20, 10]


def failed(findings):
    """The codes of warnings and errors; infos have tests of their own."""
    return sorted(
        code
        for code, each in findings.items()
        if each.outcome == "fail" and each.severity != "info"
    )


@pytest.mark.parametrize(
    ("function", "sigma_w2", "sigma_b2", "codes"),
    [
        ("relu", 0.25, 0.0, ["FP101", "FP104"]),  # vanishing
        ("relu", 9.0, 0.0, ["FP102", "FP105"]),  # exploding
        ("tanh", 16.0, 0.0, ["FP103", "FP105"]),  # chaotic
        ("tanh", 0.25, 0.01, ["FP103", "FP104"]),  # ordered by its biases
        ("relu", 1.0 / 3.0, 1.0 / 384.0, ["FP103", "FP104"]),  # torch's default with ReLU
        ("silu", 1.718**2, 0.2**2, ["FP108"]),  # a published pair without a fixed point
        ("tanh", 400.0, 0.0, ["FP103", "FP105", "FP107"]),
        ("crelu(4,1)", 1.0, 0.0, ["FP101", "FP104", "FP106"]),  # a threshold nobody reaches
    ],
)
def test_a_sick_network_is_told_what_ails_it(
    chain, section, findings, function, sigma_w2, sigma_b2, codes
):
    found = findings(section(chain(DEEP, function, sigma_w2, sigma_b2)))
    assert failed(found) == codes
    assert sorted(found) == list(CODES)


HEALTHY = [
    (DEEP, "relu", 2.0, 0.0),
    ([64, *[64] * 100, 10], "relu", 2.0, 0.0),
    (DEEP, "tanh", 1.76095464, 0.05),
    ([64, *[128] * 30, 10], "crelu(1.0364,0.8095)", 8.50694, 0.66049),
    ([64, 48, 32, 48, 64], "tanh", 1.0, 0.05),
    ([20, 30, 3], "sigmoid", 1.0, 0.0),
    (DEEP, "gelu", 1.7, 0.3),
    (DEEP, "identity", 1.0, 0.0),
]


@pytest.mark.parametrize(("widths", "function", "sigma_w2", "sigma_b2"), HEALTHY)
def test_a_healthy_network_is_left_alone(
    chain, section, findings, widths, function, sigma_w2, sigma_b2
):
    found = findings(section(chain(widths, function, sigma_w2, sigma_b2)))
    assert failed(found) == []


def test_he_networks_raise_no_false_alarm_in_fifty_draws(chain, section, findings):
    """Each rule's stated rate is at most 5 % at its limit; a He network is orders away from it."""
    alarms = 0
    for seed in range(50):
        found = findings(
            section(chain([16, *[32] * 15, 4], "relu", 2.0, 0.0, seed=seed), inputs=64)
        )
        alarms += bool(failed(found))
    assert alarms == 0


def test_a_dead_layer_ends_the_signal_and_is_named(chain, section, findings):
    network = chain(DEEP, "relu", 2.0, 0.0)
    parameters = {**network.parameters, "b5": np.full(128, -1e3)}
    found = findings(section(Network(network.skeleton, parameters)))
    assert found["FP106"].where == "layer l5"
    assert found["FP106"].outcome == "fail"
    assert found["FP101"].where == "layer l6"
    assert found["FP101"].severity == "error"
    assert "same for every input" in found["FP101"].message


def test_a_layer_with_most_of_its_units_dead_is_named(chain, section, findings):
    network = chain(DEEP, "relu", 2.0, 0.0)
    bias = np.zeros(128)
    bias[:115] = -1e3
    network = Network(network.skeleton, {**network.parameters, "b3": bias})
    found = findings(section(network))
    assert found["FP106"].outcome == "fail"
    assert found["FP106"].where == "layer l3"
    assert found["FP106"].found == pytest.approx(115 / 128, abs=0.03)


def test_vanishing_names_the_layer_where_the_limit_is_crossed(chain, section, findings):
    found = findings(section(chain(DEEP, "relu", 0.25, 0.0)))["FP101"]
    # (1/8)^k below 1e-3 / exp(3 sqrt(5 k / 128)), what chance may take, from k = 4 on
    assert found.where == "layer l4"
    assert "worst in layer l19" in found.message
    assert found.high < found.limit


def test_unclipped_sparse_layers_on_the_edge_are_unstable_only_when_deep(chain, section, findings):
    from fpcheck.network.activations import parse_activation
    from fpcheck.network.initializers import parse_law
    from fpcheck.theory.edge_of_chaos import edge_of_chaos

    (edge,) = edge_of_chaos(parse_activation("soft_threshold(1)"), q_star=1.0)
    for layers, outcome in ((12, "fail"), (5, "pass")):
        network = chain([64, *[64] * layers, 10], "soft_threshold(1)", edge.sigma_w2, edge.sigma_b2)
        law = (
            parse_law({"law": "normal", "sigma2": edge.sigma_w2, "scale": "1/sqrt(fan_in)"}),
            parse_law({"law": "normal", "sigma2": edge.sigma_b2}),
        )
        report = section(network, laws={f"l{i}": law for i in range(layers + 1)})
        assert findings(report)["FP108"].outcome == outcome


@pytest.mark.parametrize("stored", [np.float64, np.float32])
def test_critical_tanh_without_biases_comes_down_to_zero_and_is_not_unstable(
    chain, section, findings, stored
):
    """V'(q*) = 1 and q* = 0, both to rounding: orthogonal tanh, which trains at any depth."""
    network = chain([64] * 22, "tanh", 1.0, 0.0)
    for name in network.parameters:
        if name.startswith("w"):
            network.parameters[name][:] = np.linalg.qr(network.parameters[name])[0].astype(stored)
    report = section(network)
    assert report["theory"]["fixed_points"][-1]["slope"] == pytest.approx(1.0, abs=1e-6)
    assert failed(findings(report)) == []


def test_a_first_layer_that_gives_nothing_fails_even_on_one_input(chain, section, findings):
    for scale, inputs in ((0.0, 1), (1e-170, 256)):
        network = chain([8, 8, 8], "tanh", 1.0, 0.0)
        network.parameters["w0"][:] *= scale
        found = findings(section(network, inputs=inputs))["FP101"]
        assert (found.outcome, found.where) == ("fail", "layer l0")


def test_a_network_beyond_its_usable_depth_that_kept_its_contrast_passes(chain, section, findings):
    """Theory alone fails nothing: here it is told a depth scale that the network does not have."""
    report = section(chain(DEEP, "relu", 2.0, 0.0))
    theory = {**report["theory"], "usable_depth": 3.0, "phase": "ordered"}
    theory.pop("usable_depth_status", None)
    found = findings({**report, "theory": theory})["FP103"]
    assert found.outcome == "pass"
    assert found.low > found.limit


def test_an_interval_around_the_limit_is_inconclusive(chain, section):
    report = section(chain([20, *[40] * 4, 5], "relu", 1.0, 0.0), inputs=16)
    first, last = report["measured"]["layers"][0], report["measured"]["layers"][-2]
    chance = math.exp(3.0 * last["q_chance"])
    limits = effective_limits({"min_q_ratio": chance * last["q"] / first["q"]})
    (found,) = [f for f in judge(report, limits) if f.code == "FP101"]
    assert found.outcome == "inconclusive"
    assert chance * found.low < found.limit < chance * found.high


def test_a_step_network_skips_what_needs_gradients(chain, section, findings):
    found = findings(section(chain(DEEP, "step", 2.0, 0.1)))
    assert {code for code, each in found.items() if each.outcome == "skipped"} == {
        "FP103", "FP104", "FP105", "FP107", "FP111", "FP112", "FP113", "FP114",
    }  # fmt: skip


def test_overflow_is_an_explosion(chain, section, findings):
    found = findings(section(chain([10, *[10] * 400, 2], "relu", 400.0, 0.0), inputs=8))
    assert found["FP102"].outcome == "fail"
    assert "overflow" in found["FP102"].message
    assert {found[code].outcome for code in ("FP104", "FP105")} == {"skipped"}


def test_a_skipped_section_skips_every_rule():
    found = judge({"skipped": "no network"}, effective_limits({}))
    assert [each.code for each in found] == list(CODES)
    assert {each.outcome for each in found} == {"skipped"}


def test_a_network_without_weights_skips_every_rule(findings):
    report = {"theory": {"skipped": "x"}, "measured": {"layers": []}, "jacobian": None}
    assert {each.outcome for each in findings(report).values()} == {"skipped"}


def test_many_fails_of_one_rule_are_listed_worst_first_and_counted(chain, section):
    report = section(chain([64, *[128] * 8, 10], "tanh", 400.0, 0.0))
    found = [f for f in judge(report, effective_limits({})) if f.code == "FP107"]
    assert len(found) == 3
    assert found[0].found >= found[1].found >= found[2].found
    assert found[2].message.endswith("and 5 more layers")
