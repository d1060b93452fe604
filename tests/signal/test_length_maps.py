"""Stable weights: the length map along a chain against drawn networks, and where there is none."""

import math

import numpy as np
import pytest

from fpcheck.core.settings import Settings
from fpcheck.network.initializers import draw_network
from fpcheck.network.program import trace
from fpcheck.network.spec import parse_spec
from fpcheck.signal.length import length_map
from fpcheck.theory.heavy_tails import cauchy_fixed_scales

SIGNAL = Settings(questions=("signal",))


def spec(weights, biases='"zeros"', width=400, depth=4, name="tanh"):
    return parse_spec(
        f"""
[network]
input = {width}
layers = [ {{ dense = {width}, activation = "{name}", repeat = {depth} }}, {{ dense = {width} }} ]
[init]
weights = {weights}
biases = {biases}
"""
    )


def lengths(held, inputs):
    rng = np.random.default_rng(1)
    network = draw_network(held.skeleton, held.layer_laws, rng)
    return network, length_map(network, inputs, held.layer_laws)


LAWS = {
    "cauchy": ('{ law = "cauchy", gamma = 1.0, scale = "1/fan_in" }', '"zeros"'),
    "stable": (
        '{ law = "alpha_stable", alpha = 1.5, sigma = 1.3, scale = "fan_in^(-1/alpha)" }',
        '{ law = "alpha_stable", alpha = 1.5, sigma = 0.4 }',
    ),
    "another scale": (
        '{ law = "alpha_stable", alpha = 1.2, sigma = 0.1, scale = "1/sqrt(fan_in)" }', '"zeros"'
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_quantiles_of_drawn_networks_are_those_of_the_length_map(name):
    """The median of |h| is q^(1/alpha) times that of |z|, layer by layer."""
    weights, biases = LAWS[name]
    held = spec(weights, biases, width=600, depth=3)
    inputs = np.random.default_rng(0).standard_normal((8, 600))
    alpha = {"cauchy": 1.0, "stable": 1.5, "another scale": 1.2}[name]
    medians = []
    for seed in range(12):
        network = draw_network(held.skeleton, held.layer_laws, np.random.default_rng(seed))
        values = trace(network.program, inputs[:1])
        medians.append([np.median(np.abs(values[f"dense{i}"])) for i in range(1, 5)])
    _, found = lengths(held, inputs[:1])
    unit = stable_median(alpha)
    expected = [row.q ** (1.0 / alpha) * unit for row in found.layers]
    # 12 networks of 600 units; layers of one network share what the largest weights did.
    assert np.mean(medians, axis=0) == pytest.approx(expected, rel=0.15)


def stable_median(alpha):
    """The median of |z|, E exp(itz) = exp(-|t|^alpha / 2), from a large sample."""
    rng = np.random.default_rng(5)
    angle, waiting = rng.uniform(-np.pi / 2, np.pi / 2, 400_000), rng.exponential(size=400_000)
    first = np.sin(alpha * angle) / np.cos(angle) ** (1 / alpha)
    z = first * (np.cos(angle - alpha * angle) / waiting) ** ((1 - alpha) / alpha)
    return 0.5 ** (1 / alpha) * float(np.median(np.abs(z)))


def test_a_deep_cauchy_network_settles_at_the_published_scale():
    held = spec('{ law = "cauchy", gamma = 1.0, scale = "1/fan_in" }', depth=60, width=20)
    _, found = lengths(held, np.ones((2, 20)))
    # q is twice the scale of a Cauchy law. gamma = 1: S = 0.51206999 (papers: 8 digits).
    (scale,) = cauchy_fixed_scales(held.skeleton.nodes[2].function, 1.0)
    assert scale == pytest.approx(0.51206999, abs=5e-9)
    assert found.layers[-1].q == pytest.approx(2.0 * 0.51206999, rel=1e-6)
    assert [q for q in found.fixed_points if q > 0.0] == pytest.approx([2.0 * 0.51206999], rel=1e-7)
    assert found.alpha == 1.0


@pytest.mark.parametrize(
    ("weights", "biases", "name"),
    [
        ('"he_normal"', '"zeros"', "tanh"),
        ('{ law = "cauchy", scale = "1/fan_in" }', '{ law = "normal", sigma2 = 1.0 }', "tanh"),
        ('{ law = "cauchy", scale = "1/fan_in" }', '"zeros"', "relu"),
        ('{ law = "alpha_stable", alpha = 2.0, scale = "1/sqrt(fan_in)" }', '"zeros"', "tanh"),
        ('{ law = "student_t", df = 1.5, scale = "1/fan_in" }', '"zeros"', "tanh"),
    ],
)
def test_other_laws_have_no_length_map(weights, biases, name):
    _, found = lengths(spec(weights, biases, width=20, name=name), np.ones((2, 20)))
    assert found is None


def test_the_report_has_the_length_map_and_no_chi_1(tmp_path):
    from fpcheck.jobs.analyze import analyze
    from fpcheck.report.schema import violations

    path = tmp_path / "net.toml"
    path.write_text(
        """
[network]
input = 64
layers = [ { dense = 64, activation = "tanh", repeat = 3 } ]
[init]
weights = { law = "cauchy", gamma = 1.0, scale = "1/fan_in" }
""",
        "utf-8",
    )
    document = analyze(path, settings=SIGNAL).document
    theory = document["signal"]["theory"]
    assert "chi_1 is not defined" in theory["skipped"]
    assert theory["length"]["alpha"] == 1.0
    assert all(math.isfinite(row["q"]) for row in theory["length"]["layers"])
    assert violations(document) == []


def test_a_checkpoint_with_cauchy_weights_has_no_chi_1_either(tmp_path):
    from fpcheck.jobs.analyze import analyze

    def signal_of(path):
        return analyze(path, activation="tanh", settings=SIGNAL).document["signal"]

    rng = np.random.default_rng(0)
    arrays = {f"layers.{i}.weight": rng.standard_cauchy((96, 96)) / 96 for i in range(3)}
    np.savez(tmp_path / "net.npz", **arrays)
    theory = signal_of(tmp_path / "net.npz")["theory"]
    assert "tail index" in theory["skipped"]
    arrays = {f"layers.{i}.weight": rng.standard_normal((96, 96)) / 10 for i in range(3)}
    np.savez(tmp_path / "net.npz", **arrays)
    theory = signal_of(tmp_path / "net.npz")["theory"]
    assert "skipped" not in theory
