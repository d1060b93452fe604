"""The naming habits of frameworks and scripts, each told from names and shapes alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from files.reference import FOLDER, mlp
from safetensors.numpy import save_file

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.load import load
from fpcheck.network.load.naming import read_name, read_names
from fpcheck.network.skeleton import BatchNorm, Dense
from fpcheck.weights.measure import measure


@pytest.mark.parametrize(
    ("name", "layer", "role", "layout"),
    [
        ("params/Dense_0/kernel", "Dense_0", "weight", "in_out"),
        ("params.Dense_0.kernel", "Dense_0", "weight", "in_out"),
        ("params/BatchNorm_0/scale", "BatchNorm_0", "weight", None),
        ("batch_stats/BatchNorm_0/mean", "BatchNorm_0", "mean", None),
        ("batch_stats.BatchNorm_0.var", "BatchNorm_0", "variance", None),
        ("bn/gamma:0", "bn", "weight", None),
        ("bn/moving_variance", "bn", "variance", None),
        ("norm.running_var", "norm", "variance", None),
        (
            "model.layers.0.self_attn.q_proj.weight",
            "model.layers.0.self_attn.q_proj",
            "weight",
            "out_in",
        ),
        ("scale", "scale", "unknown", None),
        ("layer.upscale", "layer.upscale", "unknown", None),
    ],
)
def test_a_name_says_layer_role_and_orientation(name, layer, role, layout):
    found = read_name(name)
    assert (found.layer, found.role, found.layout) == (layer, role, layout)


def test_counted_arrays_are_layers_by_order_and_shape():
    arrays = {
        f"arr_{i}": np.zeros(shape) for i, shape in enumerate([(5, 6), (5,), (4, 5), (6, 4), (6,)])
    }
    found = read_names(arrays)
    assert [name.role for name in found.values()] == ["weight", "bias", "weight", "weight", "bias"]
    assert [name.layer for name in found.values()] == ["arr_0", "arr_0", "arr_2", "arr_3", "arr_3"]


def test_twelve_counted_arrays_are_in_the_order_of_their_numbers(tmp_path):
    rng = np.random.default_rng(0)
    sizes = [3, 4, 5, 6, 7, 8, 9]
    parts = [p for a, b in itertools.pairwise(sizes) for p in (rng.random((b, a)), rng.random(b))]
    np.savez(tmp_path / "a.npz", *parts)
    dense = [
        n
        for n in load(tmp_path / "a.npz", activation="relu").network.skeleton.nodes
        if isinstance(n, Dense)
    ]
    assert [node.units for node in dense] == sizes[1:]
    assert [node.weight for node in dense] == [f"arr_{i}" for i in range(0, 12, 2)]


def test_a_vector_that_fits_no_side_is_no_bias():
    found = read_names({"arr_0": np.zeros((5, 6)), "arr_1": np.zeros(7)})
    assert found["arr_1"].role == "unknown"


@pytest.mark.parametrize("name", ["w0_b0", "W1_slash_b1", "coefs", "arr", "layers"])
def test_every_habit_of_npz_gives_the_layers_in_order(name):
    network = load(FOLDER / "npz" / f"mlp_{name}.npz", activation="tanh").network
    dense = [node for node in network.skeleton.nodes if isinstance(node, Dense)]
    for node, (weight, bias) in zip(dense, mlp().values(), strict=True):
        stored = network.parameters[node.weight]
        np.testing.assert_array_equal(stored if node.layout == "out_in" else stored.T, weight)
        np.testing.assert_array_equal(network.parameters[node.bias], bias)


def test_flax_layers_from_ten_on_are_in_the_order_of_their_numbers(tmp_path):
    """jax sorts a dictionary's keys, so that Dense_10 stands before Dense_2 in the file."""
    rng = np.random.default_rng(0)
    flat = {
        f"params/Dense_{i}/{word}": array
        for i in range(12)
        for word, array in (("kernel", rng.random((4, 4))), ("bias", rng.random(4)))
    }
    np.savez(tmp_path / "a.npz", **{name: flat[name] for name in sorted(flat)})
    dense = [
        n
        for n in load(tmp_path / "a.npz", activation="relu").network.skeleton.nodes
        if isinstance(n, Dense)
    ]
    assert [node.weight for node in dense] == [f"params/Dense_{i}/kernel" for i in range(12)]
    assert {node.layout for node in dense} == {"in_out"}


def test_the_value_of_a_parameter_of_flax_nnx_is_the_parameter(tmp_path):
    sizes = (3, 4, 2)
    arrays = {
        f"layers.{i}.{word}.value": np.ones(shape)
        for i in range(2)
        for word, shape in (("kernel", sizes[i : i + 2]), ("bias", sizes[i + 1]))
    }
    np.savez(tmp_path / "a.npz", **arrays)
    network = load(tmp_path / "a.npz", activation="relu").network
    dense = [node for node in network.skeleton.nodes if isinstance(node, Dense)]
    assert [(node.weight, node.layout) for node in dense] == [
        ("layers.0.kernel.value", "in_out"),
        ("layers.1.kernel.value", "in_out"),
    ]
    read_name("a" + ".value" * 10_000)  # is no path of ten thousand values to walk


def test_flax_batch_norm_joins_what_two_collections_hold(tmp_path):
    flat = {
        "params.Dense_0.kernel": np.ones((3, 4)),
        "params.Dense_0.bias": np.zeros(4),
        "params.Dense_1.kernel": np.ones((4, 2)),
        "params.Dense_1.bias": np.zeros(2),
        "params.BatchNorm_0.scale": np.ones(4),
        "params.BatchNorm_0.bias": np.zeros(4),
        "batch_stats.BatchNorm_0.mean": np.zeros(4),
        "batch_stats.BatchNorm_0.var": np.ones(4),
    }
    save_file(flat, tmp_path / "a.safetensors")
    nodes = load(tmp_path / "a.safetensors", activation="relu").network.skeleton.nodes
    (norm,) = [node for node in nodes if isinstance(node, BatchNorm)]
    assert norm.inputs == ("Dense_0",)
    assert norm.variance == "batch_stats.BatchNorm_0.var"


def test_a_checkpoint_of_a_language_model_has_weights_by_layer(tmp_path):
    rng = np.random.default_rng(0)
    head = "model.layers.0"
    arrays = {
        "model.embed_tokens.weight": (50, 8),
        f"{head}.self_attn.q_proj.weight": (8, 8),
        f"{head}.self_attn.q_proj.bias": (8,),
        f"{head}.input_layernorm.weight": (8,),
        "transformer.h.0.attn.c_attn.weight": (8, 24),  # as GPT-2 keeps it: (in, out)
        "transformer.h.0.attn.c_attn.bias": (24,),
    }
    save_file(
        {n: rng.standard_normal(s).astype(np.float32) for n, s in arrays.items()},
        tmp_path / "m.safetensors",
    )
    subject = load(tmp_path / "m.safetensors")
    assert subject.network is None
    found = {
        entry.name: entry for entry in measure(subject.tensors, None, Settings(), Monitor()).layers
    }
    assert found.keys() == arrays.keys()
    assert found[f"{head}.self_attn.q_proj.weight"].layer == f"{head}.self_attn.q_proj"
    assert found["model.embed_tokens.weight"].units == 50
    # The bias has an entry a unit: 24 of them, whatever the axis.
    assert found["transformer.h.0.attn.c_attn.weight"].units == 24
