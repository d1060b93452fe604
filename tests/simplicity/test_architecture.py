"""The architecture fitted to the labels: its output, its width, its depth."""

from __future__ import annotations

import numpy as np
import pytest
from planted import chain, classes

from fpcheck.network.activations import activation
from fpcheck.network.skeleton import (
    Activation,
    Conv,
    Dense,
    Flatten,
    Input,
    MatMul,
    Pool,
    Skeleton,
    Softmax,
    Transpose,
)
from fpcheck.network.training import multiply_adds
from fpcheck.simplicity.architecture import Architecture, fit_architecture
from fpcheck.simplicity.labelling import Labelling

ROWS = np.random.default_rng(0).standard_normal((6, 4))
TWO = classes(ROWS, [0, 1] * 3)
THREE = classes(ROWS, [0, 1, 2] * 2, 3)
BAND = Labelling(ROWS, "band", None, np.zeros((6, 1)), 0.5)


def with_end(function, *sizes):
    skeleton = chain(*sizes)
    last = skeleton.nodes[-1].name
    node = (
        Softmax("end", (last,))
        if function == "softmax"
        else Activation("end", (last,), activation(function))
    )
    return Skeleton((*skeleton.nodes, node))


def fitted(skeleton, labelling, **options):
    found = fit_architecture(skeleton, labelling, **options)
    assert isinstance(found, Architecture), found
    return found


def widths(skeleton):
    return [node.units for node in skeleton.nodes if isinstance(node, Dense)]


@pytest.mark.parametrize(
    ("function", "labelling", "cut"),
    [
        ("sigmoid", TWO, True), ("tanh", TWO, True), ("relu", TWO, True), ("sin", TWO, False),
        ("softplus", TWO, False), ("softmax", THREE, True), ("relu", THREE, False),
        ("softplus", THREE, True), ("sigmoid", BAND, True), ("relu", BAND, True),
    ],
)  # fmt: skip
def test_an_output_activation_that_answers_can_do_without_is_cut_off(function, labelling, cut):
    found = fitted(with_end(function, 4, 5, labelling.outputs_wanted), labelling)
    assert (found.skeleton.nodes[-1].name != "end") == cut
    assert bool(found.notes) == cut


@pytest.mark.parametrize("name", ["tanh", "relu", "elu", "selu", "gelu", "silu", "erf", "softsign"])
def test_what_is_cut_off_before_a_sign_keeps_every_sign(name):
    x = np.concatenate([-np.logspace(-3, 1.5, 40), [0.0], np.logspace(-3, 1.5, 40)])
    np.testing.assert_array_equal(activation(name).phi(x) > 0, x > 0)


def test_the_last_layer_is_given_as_many_outputs_as_the_labels_need():
    found = fitted(chain(4, 5, 10), THREE)
    assert widths(found.skeleton) == [5, 3]
    assert found.notes == ("the last layer 'layer2' has 3 instead of 10 outputs",)
    assert fitted(chain(4, 5, 3), THREE).notes == ()


def test_a_softmax_of_ten_classes_becomes_one_output_for_two():
    found = fitted(with_end("softmax", 4, 5, 10), TWO)
    assert widths(found.skeleton) == [5, 1]
    assert len(found.notes) == 2


def test_a_wider_network_keeps_its_input_and_output():
    found = fitted(chain(4, 5, 3, 10), TWO, width_factor=2.0)
    assert widths(found.skeleton) == [10, 6, 1]


def test_deeper_networks_repeat_the_last_hidden_layer_and_shallower_ones_lose_it():
    deeper = fitted(chain(4, 6, 5, 1), TWO, depth=4)
    assert widths(deeper.skeleton) == [6, 5, 5, 5, 1]
    assert deeper.origins == {"layer2 (3)": "layer2", "layer2 (4)": "layer2"}
    assert len({node.weight for node in deeper.skeleton.nodes if isinstance(node, Dense)}) == 5
    functions = [node for node in deeper.skeleton.nodes if isinstance(node, Activation)]
    assert len(functions) == 4
    assert widths(fitted(chain(4, 6, 5, 1), TWO, depth=1).skeleton) == [6, 1]
    assert widths(fitted(chain(4, 6, 5, 1), TWO, depth=0).skeleton) == [1]
    assert fitted(chain(4, 6, 5, 1), TWO, depth=2).skeleton == chain(4, 6, 5, 1)


class TestWhyNot:
    def test_no_hidden_layer_to_widen_or_repeat(self):
        assert "no hidden layer" in fit_architecture(chain(4, 1), TWO, 2.0)
        assert "no hidden layer" in fit_architecture(chain(4, 1), TWO, depth=2)

    def test_no_plain_chain_to_deepen(self):
        nodes = (
            Input("x", (1, 6)), Conv("c", ("x",), 2, (3,), "w"), Flatten("f", ("c",)),
            Dense("d", ("f",), 1, "v"),
        )  # fmt: skip
        assert "'c'" in fit_architecture(Skeleton(nodes), TWO, depth=2)

    def test_an_output_that_no_dense_layer_gives(self):
        nodes = (
            Input("x", (1, 6)), Conv("c", ("x",), 2, (3,), "w"), Pool("p", ("c",), "mean", (4,)),
        )  # fmt: skip
        assert "'p'" in fit_architecture(Skeleton(nodes), TWO)


class TestMultiplyAdds:
    def test_a_dense_chain_counts_its_weights_and_one_for_every_activation(self):
        assert multiply_adds(chain(10, 16, 1)) == 10 * 16 + 16 + 16

    def test_a_convolution_counts_its_weights_at_every_position(self):
        nodes = (Input("x", (2, 5, 5)), Conv("c", ("x",), 3, (3, 3), "w"))
        assert multiply_adds(Skeleton(nodes)) == 3 * 9 * (2 * 9)

    def test_a_matrix_product_counts_its_inner_axis(self):
        nodes = (Input("x", (3, 4)), Transpose("t", ("x",), (1, 0)), MatMul("m", ("x", "t")))
        assert multiply_adds(Skeleton(nodes)) == 12 + 9 * 4
