"""The section "weights": moments, orientation, non-finite entries, notes."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from fpcheck.core.plain import plain
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.initializers import draw_network
from fpcheck.network.network import Network
from fpcheck.network.spec import parse_spec
from fpcheck.weights.measure import measure

SPEC = """
[network]
input = 6
layers = [
  { dense = 8, activation = "tanh" },
  { norm = "batch" },
  { dense = 4 },
]
"""
RTOL = 1e-12  # sums of some hundred terms


def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def small() -> Network:
    spec = parse_spec(SPEC)
    return draw_network(spec.skeleton, spec.layer_laws, rng())


def measured(tensors, network=None):
    result = measure(tensors, network, Settings(), Monitor())
    return result, {layer.name: layer for layer in result.layers}


def test_moments_agree_with_scipy():
    weight = rng().standard_t(5, (30, 20)) + 0.4
    _, found = measured({"a.weight": weight})
    layer = found["a.weight"]
    assert_allclose(layer.mean, weight.mean(), rtol=RTOL)
    assert_allclose(layer.std, weight.std(), rtol=RTOL)
    assert_allclose(layer.excess_kurtosis, stats.kurtosis(weight.ravel()), rtol=1e-10)
    assert_allclose(layer.sigma_w2, 20 * np.mean(weight**2), rtol=RTOL)
    assert layer.zero_share == 0.0
    assert (layer.units, layer.dead_units, layer.duplicate_units) == (30, 0, 0)
    assert layer.singular_values_status == "numerical, full"


def test_constant_entries_have_no_kurtosis():
    _, found = measured({"a.bias": np.full(7, 0.1), "b.bias": np.zeros(3)})
    assert (found["a.bias"].excess_kurtosis, found["b.bias"].excess_kurtosis) == (None, None)
    assert found["b.bias"].zero_share == 1.0
    assert found["a.bias"].spectral_norm is None


def test_every_parameter_of_a_network_has_its_layer_and_role():
    network = small()
    result, found = measured(network.parameters, network)
    assert {name: (layer.layer, layer.role) for name, layer in found.items()} == {
        "dense1.weight": ("dense1", "weight"),
        "dense1.bias": ("dense1", "bias"),
        "norm1.mean": ("norm1", "norm"),
        "norm1.variance": ("norm1", "norm"),
        "norm1.weight": ("norm1", "norm"),
        "norm1.bias": ("norm1", "norm"),
        "dense2.weight": ("dense2", "weight"),
        "dense2.bias": ("dense2", "bias"),
    }
    assert found["dense1.weight"].units == 8
    assert found["dense1.weight"].dead_without_outputs == 0
    assert found["dense2.weight"].dead_without_outputs is None
    assert result.unused == ()
    assert result.parameters == 8 * 6 + 8 + 4 * 8 + 8 * 4 + 4
    assert result.notes == ()


def test_dead_units_of_both_sides_are_counted_once_each():
    network = small()
    tensors = {name: tensor.copy() for name, tensor in network.parameters.items()}
    tensors["dense1.weight"][[0, 3]] = 0.0
    tensors["dense2.weight"][:, [3, 5]] = 0.0
    _, found = measured(tensors, Network(network.skeleton, tensors))
    layer = found["dense1.weight"]
    assert (layer.dead_units, layer.dead_without_inputs, layer.dead_without_outputs) == (3, 2, 2)


def test_tensors_that_no_layer_uses_are_named():
    network = small()
    tensors = {**network.parameters, "old.weight": np.ones((3, 3)), "steps": np.arange(4)}
    result, _ = measured(tensors, network)
    assert result.unused == ("old.weight",)
    assert result.notes[-1].endswith("no floating-point numbers: steps")


def test_without_a_network_orientation_comes_from_the_name():
    weight = rng().standard_normal((5, 9))
    result, found = measured({"a.weight": weight, "b/kernel": weight, "m": weight})
    assert result.unused is None
    assert "as stored" in result.notes[0]
    assert [found[name].units for name in ("a.weight", "b/kernel", "m")] == [5, 9, 5]
    assert_allclose(found["a.weight"].spectral_norm, found["b/kernel"].spectral_norm, rtol=RTOL)
    assert_allclose(found["b/kernel"].sigma_w2, 5 * np.mean(weight**2), rtol=RTOL)


def test_a_keras_kernel_of_a_convolution_is_unfolded_as_pytorch_s():
    ours = rng().standard_normal((6, 3, 5, 5))
    theirs = ours.transpose(2, 3, 1, 0)
    result, found = measured({"a.weight": ours, "b/kernel": theirs})
    assert_allclose(found["a.weight"].singular_values, found["b/kernel"].singular_values, rtol=RTOL)
    assert found["b/kernel"].units == 6
    assert "unfolded kernel" in result.notes[1]


def test_a_bias_beside_its_weight_tells_units_apart():
    weight = np.tile(rng().standard_normal(5), (4, 1))
    tensors = {"a.weight": weight, "b.weight": weight, "b.bias": np.arange(4.0)}
    _, found = measured(tensors)
    assert found["a.weight"].duplicate_units == 3
    assert found["b.weight"].duplicate_units == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_entries_are_counted_and_nothing_is_computed_from_them(value):
    network = small()
    tensors = {name: tensor.copy() for name, tensor in network.parameters.items()}
    tensors["dense2.weight"][1, 2:4] = value
    result, found = measured(tensors, Network(network.skeleton, tensors))
    assert result.nonfinite == 2
    section = plain(result)
    json.dumps(section, allow_nan=False)
    layer = next(entry for entry in section["layers"] if entry["name"] == "dense2.weight")
    assert layer["nonfinite"] == 2
    for key in ("mean", "std", "sigma_w2", "spectral_norm", "frobenius_norm", "stable_rank"):
        assert layer[key] is None
        assert layer[f"{key}_status"] == "nan"
    assert layer["singular_values"] is None
    assert layer["singular_values_status"] == "non-finite weights"
    assert layer["dead_units"] is None
    assert found["dense1.weight"].dead_units == 0
    assert found["dense1.weight"].dead_without_outputs is None  # what reads them is not finite
    assert found["dense1.weight"].nonfinite == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_stored_types_are_measured_in_float64(dtype):
    weight = np.full((300, 300), 250.0, dtype=dtype)  # its sum of squares overflows float16
    _, found = measured({"a.weight": weight})
    assert_allclose(found["a.weight"].spectral_norm, 300 * 250.0, rtol=RTOL)


def test_entries_near_the_end_of_the_range_do_not_overflow():
    weight = 1e300 * rng().standard_normal((5, 4))
    _, found = measured({"a.weight": weight})
    assert_allclose(found["a.weight"].std, 1e300 * (weight / 1e300).std(), rtol=RTOL)
    section = plain(measured({"a.weight": weight})[0])
    assert section["layers"][0]["sigma_w2"] is None
    assert section["layers"][0]["sigma_w2_status"] == "inf"


def test_numbers_and_empty_tensors_do_no_harm():
    tensors = {"scale": np.array(0.5), "none": np.zeros((0, 3)), "z": np.ones((2, 2), complex)}
    result, found = measured(tensors)
    assert list(found) == ["scale"]
    assert found["scale"].shape == ()
    assert "none, z" in result.notes[-1]


def test_the_section_does_not_depend_on_the_seed():
    network = small()
    first = measure(network.parameters, network, Settings(seed=1), Monitor())
    assert first == measure(network.parameters, network, Settings(seed=2), Monitor())


def test_measuring_stops_when_it_is_told():
    stop = threading.Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        measure({"a.weight": np.ones((2, 2))}, None, Settings(), Monitor(stop=stop))


def test_the_scale_and_shift_of_a_norm_over_several_axes_have_no_units_to_be_dead_or_equal():
    layers = '{ conv1d = 4, kernel = 3 }, { norm = "layer" }, { flatten = true }, { dense = 3 }'
    text = f"[network]\ninput = [2, 8]\nlayers = [ {layers} ]\n"
    spec = parse_spec(text)
    network = draw_network(spec.skeleton, spec.layer_laws, np.random.default_rng(0))
    result = measure(network.parameters, network, Settings(), Monitor())
    norms = [layer for layer in result.layers if layer.role == "norm"]
    assert [len(layer.shape) for layer in norms] == [2, 2]  # (channels, length): not a matrix
    assert all(layer.units is None and layer.duplicate_units is None for layer in norms)
