from __future__ import annotations

import json
import math

import numpy as np
import pytest

from fpcheck.core.errors import DataError
from fpcheck.core.plain import plain
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.network.activations import parse_activation
from fpcheck.network.initializers import parse_law
from fpcheck.network.network import Network
from fpcheck.network.program import forward, jacobian, trace
from fpcheck.network.skeleton import Activation, Conv, Dense, Flatten, Input, Skeleton
from fpcheck.signal.measure import BLOCK_ROWS, measure
from fpcheck.signal.result import NoVariance, Skipped, TheoryResult


def of(network, x, samples=512, seed=0):
    settings = Settings(samples=samples)
    return measure(network, x, "rows", settings, random_stream(seed, "signal"), Monitor())


def test_every_number_of_a_layer_is_the_plain_average_over_all_inputs(chain):
    network = chain([9, 30, 20, 4], "crelu(0.2,0.8)", 3.0, 0.2)
    x = np.random.default_rng(1).standard_normal((3 * BLOCK_ROWS + 10, 9))
    result = of(network, x)
    values = trace(network.program, x)
    assert result.measured.inputs == len(x)
    for i, layer in enumerate(result.measured.layers):
        h = values[f"l{i}"]
        phi = values[f"a{i}"] if i < 2 else h
        assert layer.mean == pytest.approx(h.mean(), abs=1e-13)
        assert layer.variance == pytest.approx(h.var(), rel=1e-12)
        assert layer.q == pytest.approx(np.mean(h * h), rel=1e-12)
        assert layer.active_fraction == pytest.approx(np.mean(phi != 0.0), rel=1e-12)
        assert layer.dead_units == int(np.sum(~np.any(phi != 0.0, axis=0)))
        about = h - h.mean()
        kurtosis = np.mean(about**4) / np.mean(about**2) ** 2 - 3.0
        assert layer.kurtosis == pytest.approx(kurtosis, rel=1e-9)
        for key in ("mean", "variance", "q", "kurtosis", "c", "dead_share", "gradient_norm"):
            low, found, high = (getattr(layer, key + end) for end in ("_low", "", "_high"))
            assert low <= found <= high, key
        if i < 2:  # the clip is at 0.2 + 0.8
            assert layer.saturated_fraction == pytest.approx(np.mean(h >= 1.0), rel=1e-12)
            assert layer.saturated_units == int(np.sum(np.all(h >= 1.0, axis=0)))
        else:
            assert layer.saturated_fraction is None
            assert layer.saturated_units is None
    assert [layer.hidden for layer in result.measured.layers] == [True, True, False]


def test_the_contrast_of_pairs_keeps_its_digits_when_inputs_are_nearly_equal(chain):
    network = chain([6, 12, 3], "identity", 1.0, 0.0)
    base = np.random.default_rng(2).standard_normal(6)
    x = np.stack([base, base + 1e-9 * np.array([1.0, -1.0, 0, 0, 0, 0])])
    layer = of(network, x).measured.layers[0]
    with np.errstate(all="ignore"):
        a, b = (np.longdouble(v) for v in trace(network.program, x)["l0"])
        cosine = (a @ b) / np.sqrt((a @ a) * (b @ b))
    assert layer.contrast == pytest.approx(float(1 - cosine), rel=0.2)
    assert 0.0 < layer.contrast < 1e-16


def test_gradients_are_those_of_finite_differences(chain):
    """The gradient with respect to the first pre-activation is the one with respect to its bias."""
    network = chain([5, 7, 6, 4], "tanh", 1.5, 0.1)
    x = np.random.default_rng(3).standard_normal((1, 5))
    rng = random_stream(0, "signal")
    rng.permutation(1)
    u = rng.standard_normal((1, 4))
    u /= np.linalg.norm(u)
    gradient = []
    for unit in range(7):
        shifted = []
        for sign in (1.0, -1.0):
            parameters = dict(network.parameters)
            parameters["b0"] = parameters["b0"] + sign * 1e-6 * np.eye(7)[unit]
            moved = Network(network.skeleton, parameters)
            shifted.append(float(np.sum(forward(moved.program, x) * u)))
        gradient.append((shifted[0] - shifted[1]) / 2e-6)
    result = of(network, x)
    expected = math.sqrt(np.mean(np.square(gradient)))
    assert result.measured.layers[0].gradient_norm == pytest.approx(expected, rel=1e-8)
    assert result.measured.layers[-1].gradient_norm == pytest.approx(0.5, rel=1e-14)  # |u|/sqrt(4)


def test_measured_and_predicted_variances_agree_on_wide_random_networks(chain, measured):
    ratios = []
    for seed in range(5):
        network = chain([100, *[400] * 8, 10], "tanh", 1.8, 0.05, seed=seed)
        result = measured(network, inputs=128, seed=seed)
        assert isinstance(result.theory, TheoryResult)
        pairs = zip(result.measured.layers[:-1], result.theory.layers[:-1], strict=True)
        ratios.append([m.q / t.q for m, t in pairs])
    # Finite width scatters q of a layer by sqrt(2/400) and a little more with depth.
    np.testing.assert_allclose(np.mean(ratios, axis=0), 1.0, atol=0.12)


def test_gradients_fall_by_chi_1_in_a_wide_network(chain, measured):
    network = chain([200, *[500] * 10, 200], "tanh", 1.2, 0.05)
    result = measured(network, inputs=64)
    norms = [layer.gradient_norm for layer in result.measured.layers[:-1]]
    assert isinstance(result.theory, TheoryResult)
    growth = math.prod(layer.chi1 for layer in result.theory.layers[1:-1])
    assert (norms[0] / norms[-1]) ** 2 == pytest.approx(growth, rel=0.35)  # nine layers' scatter


def test_a_convolution_s_units_are_channels_by_positions():
    rng = np.random.default_rng(0)
    nodes = (Input("x", (2, 10)),
             Conv("c", ("x",), 3, (3,), "w", "b", padding=((1, 1),)),
             Activation("r", ("c",), parse_activation("relu")),
             Flatten("f", ("r",)), Dense("d", ("f",), 4, "v"))  # fmt: skip
    parameters = {"w": rng.standard_normal((3, 2, 3)), "b": np.array([0.0, 0.0, -1e3]),
                  "v": rng.standard_normal((4, 30))}  # fmt: skip
    network = Network(Skeleton(nodes), parameters)
    x = rng.standard_normal((40, 2, 10))
    first = of(network, x).measured.layers[0]
    assert first.units == 30
    assert first.dead_units == 10  # the third channel, at all ten positions
    h = trace(network.program, x)["c"]
    assert first.q == pytest.approx(float(np.mean(h * h)), rel=1e-12)


def test_singular_values_are_those_of_the_jacobian(chain):
    network = chain([6, 10, 4], "tanh", 1.5, 0.1)
    x = np.random.default_rng(4).standard_normal((1, 6))
    result = of(network, x)
    values = np.linalg.svd(jacobian(network.program, x[0]), compute_uv=False)
    found = result.jacobian
    assert not isinstance(found, Skipped)
    assert found.singular_values.max == pytest.approx(values[0], rel=1e-12)
    assert found.singular_values.min == pytest.approx(values[-1], rel=1e-10)
    assert found.condition == pytest.approx(values[0] / values[-1], rel=1e-10)
    assert found.rank == 4.0


def test_a_bottleneck_makes_the_condition_infinite_and_the_rank_small(chain):
    found = of(chain([12, 3, 12], "tanh", 1.0, 0.0), np.ones((2, 12))).jacobian
    assert not isinstance(found, Skipped)
    assert (found.rank, found.condition) == (3.0, math.inf)
    assert plain(found)["condition"] is None


def test_a_jacobian_that_is_too_large_is_skipped_with_its_size(chain):
    found = of(chain([1100, 1, 1100], "tanh", 1.0, 0.0), np.ones((2, 1100))).jacobian
    assert isinstance(found, Skipped)
    assert "1100 x 1100" in found.skipped


def test_a_step_has_signals_and_no_gradients(chain):
    result = of(chain([8, 20, 20, 3], "step", 2.0, 0.1), np.random.default_rng(0).random((40, 8)))
    assert all(layer.gradient_norm is None for layer in result.measured.layers)
    assert "no useful derivative" in result.measured.gradient
    assert isinstance(result.jacobian, Skipped)
    assert isinstance(result.theory, TheoryResult)
    assert result.theory.chi1 is None
    assert result.theory.layers[2].q is not None
    assert "not defined" in result.theory.notes[0]


def test_the_result_is_json_and_the_same_for_the_same_seed(chain, measured):
    network = chain([10, 30, 30, 5], "relu", 2.0, 0.0)
    texts = [json.dumps(plain(measured(network)), allow_nan=False) for _ in range(2)]
    assert texts[0] == texts[1]
    other = json.dumps(plain(measured(network, seed=1)), allow_nan=False)
    assert other != texts[0]


def test_one_input_gives_numbers_with_open_intervals(chain):
    layer = of(chain([5, 8, 2], "tanh", 1.0, 0.0), np.ones((1, 5))).measured.layers[0]
    assert layer.q > 0.0
    assert (layer.q_low, layer.q_high) == (0.0, math.inf)
    assert layer.c is None


def test_no_input_is_refused(chain):
    with pytest.raises(DataError, match="at least one input"):
        of(chain([5, 8, 2], "tanh", 1.0, 0.0), np.ones((0, 5)))


def test_a_network_that_overflows_is_measured_without_a_warning(chain, section):
    report = section(chain([10, *[10] * 400, 2], "relu", 400.0, 0.0), inputs=8)
    last = report["measured"]["layers"][-1]
    assert last["q"] is None
    assert last["q_status"] in ("inf", "nan")


def test_an_interrupt_stops_between_blocks(chain):
    monitor = Monitor()
    monitor.stop.set()
    with pytest.raises(KeyboardInterrupt):
        measure(chain([5, 8, 2], "tanh", 1.0, 0.0), np.ones((3, 5)), "rows", Settings(),
                random_stream(0, "signal"), monitor)  # fmt: skip


def test_heavy_tailed_laws_have_no_theory_and_their_draws_have(chain, measured):
    network = chain([10, 20, 20, 4], "tanh", 1.0, 0.0)
    cauchy = (parse_law({"law": "cauchy", "gamma": 1.0, "scale": "1/fan_in"}), None)
    result = measured(network, laws={f"l{i}": cauchy for i in range(3)})
    assert isinstance(result.theory, NoVariance)
    assert "no finite variance" in result.theory.skipped
    assert result.theory.length.alpha == 1.0
    assert isinstance(measured(network).theory, TheoryResult)
