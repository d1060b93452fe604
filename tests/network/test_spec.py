"""Specs: what they build, with the numbers that PyTorch and the laws give."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fpcheck.core.errors import SpecError, UsageError
from fpcheck.network.initializers import NAMED_LAWS, Law, draw_network
from fpcheck.network.layers import layers
from fpcheck.network.load import load
from fpcheck.network.skeleton import Activation, Add, BatchNorm, Conv, LayerNorm, Pool
from fpcheck.network.spec import KINDS, parse_spec, read_spec, template

HEAD = "[network]\ninput = {input}\nlayers = [\n"


def spec(entries: str, size: object = 8, rest: str = ""):
    return parse_spec(f"[network]\ninput = {size}\nlayers = [\n{entries}\n]\n{rest}", "net.toml")


def node(found, name):
    return next(node for node in found.skeleton.nodes if node.name == name)


def test_the_design_s_example_gives_eleven_layers():
    found = parse_spec(
        """
        [network]
        input = 64
        layers = [
          { dense = 48, activation = "tanh", repeat = 10 },
          { dense = 64, activation = { name = "crelu", tau = 1.04, m = 1.17 } },
        ]
        [init]
        weights = { law = "normal", sigma2 = 1.5, scale = "1/sqrt(fan_in)" }
        biases  = { law = "normal", sigma2 = 0.05 }
        [inputs]
        law = "normal"
        """,
        "net.toml",
    )
    chain = layers(found.skeleton)
    assert [layer.name for layer in chain] == [f"dense{i}" for i in range(1, 12)]
    assert [layer.shape for layer in chain] == [(48,)] * 10 + [(64,)]
    assert chain[0].activation.label == "tanh"
    assert chain[-1].activation.label == "crelu(1.04, 1.17)"
    assert found.skeleton.self_map
    weights = Law("normal", {"sigma2": 1.5}, "1/sqrt(fan_in)")
    biases = Law("normal", {"sigma2": 0.05})
    assert dict(found.layer_laws) == {layer.name: (weights, biases) for layer in chain}
    assert (found.name, found.input_law.label, found.notes) == ("net", "N(0, 1)", ())


def test_an_mlp_takes_five_lines():
    text = '[network]\ninput = 4\nlayers = [ { dense = 9, activation = "relu" }, { dense = 2 } ]\n'
    text += '[init]\nweights = "he_normal"\n'
    assert text.count("\n") == 5
    assert parse_spec(text).skeleton.output_shape == (2,)


@pytest.mark.parametrize(
    ("entry", "size", "shape"),
    [
        ("{ conv1d = 6, kernel = 3 }", [2, 10], (6, 8)),
        ('{ conv1d = 6, kernel = 4, padding = "same" }', [2, 10], (6, 10)),
        ("{ conv1d = 6, kernel = 3, stride = 2, padding = 1 }", [2, 9], (6, 5)),
        ('{ conv1d = 6, kernel = 3, stride = 2, padding = "same" }', [2, 10], (6, 5)),
        ("{ conv1d = 6, kernel = [3], dilation = 2, groups = 2 }", [2, 10], (6, 6)),
        ("{ conv2d = 5, kernel = 3 }", [2, 10, 8], (5, 8, 6)),
        ("{ conv2d = 5, kernel = [3, 1], padding = [1, 0] }", [2, 10, 8], (5, 10, 8)),
        ("{ conv2d = 5, kernel = 3, padding = [[0, 1], 2] }", [2, 10, 8], (5, 9, 10)),
        ('{ conv2d = 5, kernel = 3, padding = "valid" }', [2, 10, 8], (5, 8, 6)),
        ('{ pool = "max", size = 2 }', [2, 10, 8], (2, 5, 4)),
        ('{ pool = "mean", size = [2, 4], stride = 1, padding = [1, 0] }', [2, 10, 8], (2, 11, 5)),
        ('{ norm = "batch" }', [2, 10], (2, 10)),
        ('{ norm = "layer", axes = 1 }', [2, 10], (2, 10)),
        ("{ flatten = true }", [2, 10], (20,)),
        ("{ reshape = [4, -1] }", [2, 10], (4, 5)),
        ("{ dense = 3 }", [2, 10], (2, 3)),
        ('{ activation = "relu" }', [2, 10], (2, 10)),
    ],
)
def test_every_kind_of_layer_has_its_output_shape(entry, size, shape):
    found = spec(f'{entry[:-1]}, name = "it" }}', size)
    assert found.skeleton.output_shape == shape
    assert found.skeleton.nodes[-1].name == "it"


@pytest.mark.parametrize(
    ("length", "stride", "kernel"), [(9, 1, 4), (10, 2, 3), (11, 3, 5), (7, 4, 2)]
)
def test_same_padding_gives_one_place_a_stride(length, stride, kernel):
    entry = f'{{ conv1d = 1, kernel = {kernel}, stride = {stride}, padding = "same" }}'
    found = spec(entry, [1, length])
    assert found.skeleton.output_shape == (1, math.ceil(length / stride))
    (pair,) = node(found, "conv1").padding
    assert pair[1] - pair[0] in (0, 1)


def test_a_convolution_keeps_its_settings():
    found = spec(
        "{ conv2d = 4, kernel = [3, 2], stride = [2, 1], padding = [[1, 0], 2], dilation = 2,"
        " groups = 2, biases = false }",
        [2, 12, 12],
    )
    (conv,) = (n for n in found.skeleton.nodes if isinstance(n, Conv))
    assert conv == Conv(
        "conv1",
        ("input",),
        4,
        (3, 2),
        "conv1.weight",
        None,
        stride=(2, 1),
        padding=((1, 0), (2, 2)),
        dilation=(2, 2),
        groups=2,
    )
    assert found.layer_laws["conv1"][1] is None


def test_a_pool_steps_by_its_size_unless_told():
    pool = node(spec('{ pool = "max", size = 3 }', [1, 9]), "pool1")
    assert isinstance(pool, Pool)
    assert pool.stride == (3,)


def test_norms_name_their_parameters_after_the_layer():
    found = spec('{ norm = "batch", epsilon = 0.001 }, { norm = "layer", affine = false }', [2, 4])
    assert node(found, "norm1") == BatchNorm(
        "norm1", ("input",), "norm1.mean", "norm1.variance", "norm1.weight", "norm1.bias", 0.001
    )
    assert node(found, "norm2") == LayerNorm("norm2", ("norm1",))


def test_a_residual_adds_its_input_and_then_activates():
    found = spec(
        '{ residual = [ { dense = 3, activation = "relu" }, { dense = 8 } ],'
        ' activation = "tanh", repeat = 2 }'
    )
    adds = [n for n in found.skeleton.nodes if isinstance(n, Add)]
    assert [n.inputs for n in adds] == [("dense2", "input"), ("dense4", "residual1.activation")]
    last = found.skeleton.nodes[-1]
    assert isinstance(last, Activation)
    assert last.inputs == ("residual2",)


def test_residuals_nest():
    found = spec("{ residual = [ { residual = [ { dense = 8 } ] }, { dense = 8 } ] }")
    assert [n.name for n in found.skeleton.nodes] == [
        "input",
        "dense1",
        "residual2",
        "dense2",
        "residual1",
    ]


def test_repeated_names_are_numbered_by_every_repeat_around_them():
    found = spec(
        '{ residual = [ { dense = 8, name = "w", repeat = 2 } ], name = "block", repeat = 2 }'
    )
    names = [n.name for n in found.skeleton.nodes]
    assert names == ["input", "w1.1", "w1.2", "block1", "w2.1", "w2.2", "block2"]


def test_a_layer_s_own_laws_win_over_init():
    found = spec(
        '{ dense = 8, weights = "he_normal" }, { dense = 8, biases = "zeros" }, { dense = 8 }',
        rest='[init]\nweights = "orthogonal"\nbiases = { law = "cauchy" }',
    )
    orthogonal, cauchy = Law("orthogonal", {"gain": 1.0}), Law("cauchy", {"gamma": 1.0})
    assert dict(found.layer_laws) == {
        "dense1": (NAMED_LAWS["he_normal"], cauchy),
        "dense2": (orthogonal, Law("zeros")),
        "dense3": (orthogonal, cauchy),
    }


def test_without_init_the_laws_are_pytorch_s_and_a_note_says_so():
    found = spec("{ dense = 8 }")
    assert found.layer_laws["dense1"] == (NAMED_LAWS["torch_default"],) * 2
    assert "PyTorch's default" in found.notes[0]


def test_init_weights_alone_leave_biases_at_zero_and_a_note_says_so():
    found = spec("{ dense = 8 }", rest='[init]\nweights = "he_normal"')
    assert found.layer_laws["dense1"] == (NAMED_LAWS["he_normal"], Law("zeros"))
    assert "start at 0" in found.notes[0]


def test_biases_false_removes_them():
    found = spec("{ dense = 8 }", rest='[init]\nweights = "he_normal"\nbiases = false')
    assert found.layer_laws["dense1"][1] is None
    drawn = draw_network(found.skeleton, found.layer_laws, np.random.default_rng(0))
    assert set(drawn.parameters) == {"dense1.weight"}


def test_a_dense_layer_on_an_image_is_noted():
    assert "last axis of [2, 10]" in spec("{ dense = 3 }", [2, 10]).notes[-1]


def test_inputs_give_the_law_and_the_preprocessing():
    found = spec(
        "{ dense = 8 }",
        rest='[inputs]\nlaw = "uniform"\nlow = 0\nscale = 0.0625\ncentre = "mean"\nclip = [-1, 2]',
    )
    assert found.input_law.label == "U(0, 1)"
    steps = found.preprocessing
    assert (steps.scale, steps.centre, steps.clip) == (0.0625, "mean", (-1.0, 2.0))
    assert spec("{ dense = 8 }", rest='[inputs]\nscale = "unit"').preprocessing.scale == "unit"


def test_tensors_are_named_and_biases_derived_from_the_habit_of_the_weight():
    found = spec(
        '{ dense = 8, tensor = "enc.0.weight" }, { dense = 8, tensor = "d/kernel:0" },'
        '{ dense = 8, tensor = "coefs_2" }, { dense = 8, tensor = "W3" },'
        '{ dense = 8, tensor = "a", bias_tensor = "c" }, { dense = 8, tensor = "odd" },'
        '{ norm = "batch", tensor = "bn.weight" }'
    )
    assert dict(found.tensors) == {
        "dense1.weight": "enc.0.weight",
        "dense1.bias": "enc.0.bias",
        "dense2.weight": "d/kernel:0",
        "dense2.bias": "d/bias:0",
        "dense3.weight": "coefs_2",
        "dense3.bias": "intercepts_2",
        "dense4.weight": "W3",
        "dense4.bias": "b3",
        "dense5.weight": "a",
        "dense5.bias": "c",
        "dense6.weight": "odd",
        "norm1.weight": "bn.weight",
        "norm1.bias": "bn.bias",
        "norm1.mean": "bn.running_mean",
        "norm1.variance": "bn.running_var",
    }


GRAPH = """
[network]
name = "two paths"
input = [4, 6]

[[network.nodes]]
name = "a"
op = "conv1d"
channels = 4
kernel = 3
padding = "same"
activation = "relu"

[[network.nodes]]
name = "b"
op = "conv1d"
channels = 4
kernel = 1
inputs = "input"

[[network.nodes]]
name = "sum"
op = "add"
inputs = ["a", "b", "input"]
activation = "tanh"

[[network.nodes]]
name = "normed"
op = "norm"
kind = "layer"

[[network.nodes]]
name = "pooled"
op = "pool"
kind = "mean"
size = 2

[[network.nodes]]
name = "flat"
op = "flatten"

[[network.nodes]]
name = "shaped"
op = "reshape"
shape = [3, 4]

[[network.nodes]]
name = "phi"
op = "activation"
activation = "crelu(0.5, 1.0)"

[[network.nodes]]
name = "out"
op = "dense"
units = 2
"""


def test_a_graph_of_nodes_takes_the_activated_value_of_a_named_node():
    found = parse_spec(GRAPH)
    assert found.name == "two paths"
    assert node(found, "sum").inputs == ("a.activation", "b", "input")
    assert node(found, "b").inputs == ("input",)
    assert node(found, "normed").inputs == ("sum.activation",)
    assert found.skeleton.shapes["flat"] == (12,)
    assert found.skeleton.output_shape == (3, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_reads_draws_and_runs_without_a_note(kind, tmp_path):
    path = tmp_path / f"{kind}.toml"
    path.write_text(template(kind), "utf-8")
    found = read_spec(path)
    assert found.notes == ()
    assert found.name == kind
    drawn = load(path)
    assert all(np.isfinite(tensor).all() for tensor in drawn.tensors.values())
    if kind == "rnn":
        assert len(drawn.cells) == 1
    else:
        assert found.skeleton.self_map == (kind == "autoencoder")
    comments = sum(
        line.lstrip().startswith("#") or "  # " in line for line in template(kind).split("\n")
    )
    assert comments >= 4


def test_an_unknown_template_is_refused_with_the_nearest():
    with pytest.raises(UsageError) as caught:
        template("cnn")
    assert "cnn1d" in caught.value.hint


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "net.toml"
    text = "\ufeff[network]\r\ninput = 4\r\nlayers = [\r\n  { dens = 3 },\r\n]\r\n"
    path.write_bytes(text.encode("utf-8"))
    with pytest.raises(SpecError) as caught:
        read_spec(path)
    assert caught.value.where == "net.toml, line 4"
