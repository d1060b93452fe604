"""Shapes are inferred when a skeleton is built, and what does not chain is refused by name."""

import numpy as np
import pytest

from fpcheck.core.errors import ModelFileError, SpecError
from fpcheck.network.activations import activation
from fpcheck.network.layers import layers, weight_matrix
from fpcheck.network.network import Network, needed_parameters
from fpcheck.network.program import dense_chain
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GroupNorm,
    Input,
    LayerNorm,
    Pool,
    Reshape,
    RMSNorm,
    Scale,
    Skeleton,
    fan_in,
    fan_out,
)

TANH = activation("tanh")


def dense(name, source, units, bias="b"):
    return Dense(name, (source,), units, f"{name}.weight", f"{name}.{bias}")


def test_shapes_follow_the_graph():
    skeleton = Skeleton(
        (
            Input("x", (3, 32, 32)),
            Conv("c", ("x",), 8, (3, 3), "w", padding=((1, 1), (1, 1)), stride=(2, 2)),
            Pool("p", ("c",), "max", (2, 2)),
            Flatten("f", ("p",)),
            Reshape("r", ("f",), (-1, 64)),
            dense("d", "r", 5),
        )
    )
    assert [skeleton.shapes[name] for name in "cpfrd"] == [
        (8, 16, 16),
        (8, 8, 8),
        (512,),
        (8, 64),
        (8, 5),
    ]
    assert not skeleton.self_map


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ((dense("d", "y", 3),), "'d' takes its input from 'y'"),
        ((dense("d", "x", 3), Add("s", ("x", "d"))), r"cannot add shapes \[4\] and \[3\]"),
        ((dense("d", "x", 3), Add("s", ("d",))), "adds two inputs or more"),
        ((dense("x", "x", 3),), "two nodes"),
        ((dense("d", "x", 0),), "at least one unit"),
        ((Reshape("r", ("x",), (3, -1)),), r"cannot reshape \[4\] to \[3, -1\]"),
        ((Reshape("r", ("x",), (-1, -1)),), "cannot reshape"),
        ((Conv("c", ("x",), 3, (3,), "w"),), r"works on \[channels, length\], got \[4\]"),
        ((LayerNorm("n", ("x",), axes=2),), "normalises 2 axes"),
    ],
)
def test_what_does_not_chain_is_refused_by_name(nodes, message):
    with pytest.raises(SpecError, match=message):
        Skeleton((Input("x", (4,)), *nodes))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": (9,)}, "does not fit"),
        ({"kernel": (3,), "groups": 2}, "groups do not divide"),
    ],
)
def test_a_convolution_that_does_not_fit_is_refused(options, message):
    with pytest.raises(SpecError, match=message):
        Skeleton((Input("x", (3, 8)), Conv("c", ("x",), 4, weight="w", **options)))


def test_fan_in_and_fan_out_count_the_kernel_and_the_groups():
    conv = Conv("c", ("x",), 8, (3, 5), "w", groups=2)
    assert fan_in(conv, (6, 20, 20)) == 6 * 15 // 2
    assert fan_out(conv) == 8 * 15 // 2


def residual():
    return Skeleton(
        (
            Input("x", (6,)),
            dense("first", "x", 6),
            BatchNorm("norm", ("first",), "m", "v"),
            Activation("act", ("norm",), TANH),
            dense("second", "act", 6),
            Add("sum", ("second", "act")),
            Activation("out", ("sum",), activation("relu")),
            dense("third", "out", 6),
        )
    )


def test_a_layer_is_a_linear_map_with_the_activation_behind_its_norms_and_sums():
    found = layers(residual())
    assert [(x.name, x.preactivation, x.postactivation, x.activation.name) for x in found] == [
        ("first", "norm", "act", "tanh"),
        ("second", "sum", "out", "relu"),
        ("third", "third", "third", "identity"),
    ]


def test_other_norms_and_scalings_by_constants_belong_to_their_layer_as_well():
    nodes = (
        Input("x", (4, 9)),
        Conv("a", ("x",), 6, (3,), "a.w"),
        GroupNorm("group", ("a",), 3),
        Activation("pa", ("group",), TANH),
        Conv("b", ("pa",), 6, (3,), "b.w"),
        Scale("by_channel", ("b",), "factor"),
        RMSNorm("rms", ("by_channel",)),
        Activation("pb", ("rms",), TANH),
        Conv("c", ("pb",), 6, (3,), "c.w"),
        Scale("last", ("c",), "factor"),
    )
    found = layers(Skeleton(nodes))
    assert [(x.preactivation, x.postactivation, x.activation.name) for x in found] == [
        ("group", "pa", "tanh"),
        ("rms", "pb", "tanh"),
        ("last", "last", "identity"),
    ]


def test_equal_skeletons_are_one_key():
    one, other = residual(), residual()
    assert one == other
    assert hash(one) == hash(other)
    assert layers(one) == layers(other)


def test_weight_matrix_is_units_by_fan_in_for_every_layout():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(8, 4, 3, 2))  # (out, in, *kernel)
    node = Conv("c", ("x",), 8, (3, 2), "w")
    swapped = Conv("c", ("x",), 8, (3, 2), "w", layout="in_out")
    stored = np.moveaxis(kernel, (0, 1), (-1, -2))
    np.testing.assert_array_equal(weight_matrix(node, kernel), kernel.reshape(8, -1))
    np.testing.assert_array_equal(weight_matrix(swapped, stored), kernel.reshape(8, -1))
    matrix = rng.normal(size=(3, 5))
    np.testing.assert_array_equal(
        weight_matrix(Dense("d", ("x",), 5, "w", layout="in_out"), matrix), matrix.T
    )


def test_a_network_names_the_tensor_that_is_missing_or_misshapen():
    skeleton = Skeleton((Input("x", (4,)), dense("d", "x", 3)))
    with pytest.raises(ModelFileError, match=r"needs the tensor 'd\.weight'"):
        Network(skeleton, {})
    with pytest.raises(ModelFileError, match=r"'d\.weight' is \[4, 3\], expected \[3, 4\]") as e:
        Network(skeleton, {"d.weight": np.ones((4, 3)), "d.b": np.ones(3)})
    assert "transposed" in e.value.hint


def test_needed_parameters_lists_norms_too():
    names = [name for _, name, _ in needed_parameters(residual())]
    assert names == [
        "first.weight",
        "first.b",
        "m",
        "v",
        "second.weight",
        "second.b",
        "third.weight",
        "third.b",
    ]


def test_only_a_plain_chain_of_dense_layers_is_a_dense_chain():
    rng = np.random.default_rng(0)
    chain = Skeleton(
        (
            Input("x", (2, 3)),
            Flatten("f", ("x",)),
            dense("a", "f", 5),
            Activation("t", ("a",), TANH),
            dense("b", "t", 2),
            dense("c", "b", 6),
        )
    )
    parameters = {name: rng.normal(size=shape) for _, name, shape in needed_parameters(chain)}
    found = dense_chain(Network(chain, parameters).program)
    assert found is not None
    assert [(x.weight_t.shape, x.opcode) for x in found] == [((6, 5), 1), ((5, 2), 0), ((2, 6), 0)]
    np.testing.assert_array_equal(found[0].weight_t, parameters["a.weight"].T)
    parameters = {name: rng.normal(size=shape) for _, name, shape in needed_parameters(residual())}
    parameters["v"] = np.abs(parameters["v"])
    assert dense_chain(Network(residual(), parameters).program) is None
