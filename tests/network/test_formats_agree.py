"""The two reference networks give one report, whatever format they come in."""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest
from files.reference import CNN_INPUT, FOLDER, MLP_INPUT, cnn_outputs, mlp_outputs

from fpcheck.core.settings import Settings
from fpcheck.jobs.analyze import analyze
from fpcheck.network.load import load
from fpcheck.network.network import Network

# Formats store the same float32 numbers; their reports differ by the order of sums alone, which a
# few hundred iterations of a contraction do not amplify.
TOLERANCE = 1e-9
OUTPUTS = 1e-12  # the same sums in another order
QUESTIONS = Settings(questions=("weights", "signal", "attractors"), starts=64, samples=256)
# What a format is free to choose: names, shapes as stored, and the file's own facts.
FREE = frozenset(("name", "layer", "shape", "notes", "where", "unused", "file", "source"))

TANH = {"activation": "tanh"}
CNN_SPEC = {"spec": FOLDER / "cnn.toml"}

# (file, what `load` needs beside it, package without which the loader cannot read it)
MLP_FILES = [
    ("npz/mlp_w0_b0.npz", TANH, ""),
    ("npz/mlp_W1_slash_b1.npz", TANH, ""),
    ("npz/mlp_coefs.npz", TANH, ""),
    ("npz/mlp_arr.npz", TANH, ""),
    ("flax/mlp.npz", TANH, ""),
    ("flax/mlp.safetensors", TANH, ""),
    ("pytorch/mlp.pt", TANH, ""),
    ("pytorch/mlp_legacy.pt", TANH, ""),
    ("pytorch/mlp_script.pt", TANH, ""),
    ("pytorch/mlp_trace.jit", TANH, ""),
    ("pytorch/mlp_frozen.pt", TANH, ""),
    ("pytorch/mlp_sharded", TANH, ""),
    ("pytorch/mlp_sharded/pytorch_model.bin.index.json", TANH, ""),
    ("safetensors/mlp.safetensors", TANH, ""),
    ("safetensors/mlp_sharded", TANH, ""),
    ("safetensors/mlp_sharded/model.safetensors.index.json", TANH, ""),
    ("skops/mlp.skops", {}, ""),
    ("skops/pipeline.skops", {}, ""),
    ("onnx/mlp.onnx", {}, "onnx"),
    ("onnx/mlp_matmul.onnx", {}, "onnx"),
    ("onnx/mlp_external.onnx", {}, "onnx"),
    ("keras/mlp.keras", {}, "h5py"),
    ("keras/mlp.h5", {}, "h5py"),
]
CNN_FILES = [
    ("flax/cnn.npz", CNN_SPEC, ""),
    ("pytorch/cnn.pt", CNN_SPEC, ""),
    ("pytorch/cnn_legacy.pt", CNN_SPEC, ""),
    ("pytorch/cnn_script.pt", CNN_SPEC, ""),
    ("pytorch/cnn_trace.jit", CNN_SPEC, ""),
    ("pytorch/cnn_sharded", CNN_SPEC, ""),
    ("safetensors/cnn.safetensors", CNN_SPEC, ""),
    ("safetensors/cnn_sharded", CNN_SPEC, ""),
    ("onnx/cnn.onnx", {}, "onnx"),
    ("keras/cnn.keras", {}, "h5py"),
    ("keras/cnn.h5", {}, "h5py"),
]


def needs(file: str, package: str):
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    if not (FOLDER / file).exists():
        pytest.skip(f"{file} is not there")
    return FOLDER / file


def assert_agree(found, expected, place):
    """Two values of a report are equal: numbers within TOLERANCE, the rest exactly."""
    if isinstance(expected, dict):
        for key in (expected.keys() | found.keys()) - FREE:
            assert_agree(found.get(key), expected.get(key), f"{place}.{key}")
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), place
        if place.endswith(".layers") and expected and isinstance(expected[0], str):
            return  # names of layers
        for i, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_agree(one, other, f"{place}[{i}]")
    elif isinstance(expected, float) and isinstance(found, int | float):
        if not (math.isnan(expected) and math.isnan(found)):
            # Absolute below 1: an excess kurtosis or a mean may be a difference of larger numbers.
            assert abs(found - expected) <= TOLERANCE * max(1.0, abs(expected)), place
    else:
        assert found == expected, place


def sections(path, options):
    document = analyze(path, settings=QUESTIONS, **options).document
    return {name: document[name] for name in ("weights", "signal", "attractors")}


@pytest.fixture(scope="module")
def mlp_sections():
    return sections(FOLDER / "npz/mlp_layers.npz", TANH)


@pytest.fixture(scope="module")
def cnn_sections():
    return sections(FOLDER / "npz/cnn.npz", CNN_SPEC)


def test_the_reference_report_has_all_sections(mlp_sections, cnn_sections):
    assert not any("skipped" in section for section in mlp_sections.values())
    assert len(mlp_sections["weights"]["layers"]) == 6
    assert not any("skipped" in cnn_sections[name] for name in ("weights", "signal"))
    assert "not a self-map" in cnn_sections["attractors"]["skipped"]


@pytest.mark.parametrize(("file", "options", "package"), MLP_FILES)
def test_the_mlp_has_one_report_in_every_format(file, options, package, mlp_sections):
    assert_agree(sections(needs(file, package), options), mlp_sections, file)


@pytest.mark.parametrize(("file", "options", "package"), CNN_FILES)
def test_the_cnn_has_one_report_in_every_format(file, options, package, cnn_sections):
    assert_agree(sections(needs(file, package), options), cnn_sections, file)


def outputs(network: Network, rows):
    from fpcheck.network.program import forward

    return forward(network.program, rows)


@pytest.mark.parametrize(("file", "options", "package"), MLP_FILES)
def test_the_mlp_computes_what_numpy_computes(file, options, package):
    network = load(needs(file, package), **options).network
    rows = np.random.default_rng(1).standard_normal((8, *MLP_INPUT))
    np.testing.assert_allclose(outputs(network, rows), mlp_outputs(rows), atol=OUTPUTS, rtol=0)


@pytest.mark.parametrize(("file", "options", "package"), CNN_FILES)
def test_the_cnn_computes_what_numpy_computes(file, options, package):
    network = load(needs(file, package), **options).network
    rows = np.random.default_rng(1).standard_normal((8, *CNN_INPUT))
    np.testing.assert_allclose(outputs(network, rows), cnn_outputs(rows), atol=OUTPUTS, rtol=0)
