"""The maps f_g of a scaled network against the network with its weights multiplied by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from small_maps import linear, one_layer

from fpcheck.attractors.continuation.family import Family, scaled_family
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.program import forward, jacobian
from fpcheck.network.recurrent import gru_cell, lstm_cell
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BlackBox,
    Conv,
    Dense,
    Flatten,
    Input,
    LayerNorm,
    Reshape,
    Skeleton,
)

# Two orders of the same sums.
ROUNDING = 1e-13
# A central difference of step 1e-6 is off by some 1e-12 / 1e-6 of rounding.
DIFFERENCE = 1e-8


def deep(rng):
    """8 -> 5 -> 8 beside a skip connection, with a layer norm; biases everywhere."""
    nodes = (
        Input("x", (8,)),
        LayerNorm("norm", ("x",), "gain", "shift"),
        Dense("down", ("norm",), 5, "W1", "b1"),
        Activation("phi", ("down",), activation("gelu")),
        Dense("up", ("phi",), 8, "W2", "b2", layout="in_out"),
        Add("sum", ("up", "x")),
        Activation("out", ("sum",), activation("tanh")),
    )
    parameters = {
        "gain": rng.uniform(0.5, 1.5, 8),
        "shift": rng.standard_normal(8),
        "W1": rng.standard_normal((5, 8)),
        "b1": rng.standard_normal(5),
        "W2": rng.standard_normal((5, 8)),
        "b2": rng.standard_normal(8),
    }
    return Network(Skeleton(nodes), parameters), ("W1", "W2")


def convolutional(rng):
    """Two channels of 3 x 3, a convolution with a bias and one without."""
    nodes = (
        Input("x", (18,)),
        Reshape("image", ("x",), (2, 3, 3)),
        Conv("first", ("image",), 4, (3, 3), "K1", "b1", padding=((1, 1), (1, 1))),
        Activation("phi", ("first",), activation("tanh")),
        Conv("second", ("phi",), 2, (1, 1), "K2"),
        Flatten("flat", ("second",)),
    )
    parameters = {
        "K1": rng.standard_normal((4, 2, 3, 3)),
        "b1": rng.standard_normal(4),
        "K2": rng.standard_normal((2, 4, 1, 1)),
    }
    return Network(Skeleton(nodes), parameters), ("K1", "K2")


def gru(rng):
    cell = gru_cell("g", rng.standard_normal((12, 4)), rng.standard_normal(12), input_size=2)
    return cell.network, ("g.recurrent",)


def lstm(rng):
    cell = lstm_cell("l", rng.standard_normal((12, 3)), rng.standard_normal(12), input_size=2)
    return cell.network, ("l.recurrent",)


@pytest.mark.parametrize("make", [deep, convolutional, gru, lstm])
@pytest.mark.parametrize("gain", [0.0, 1.0, 1.7])
def test_the_family_is_the_network_with_its_weights_multiplied(make, gain):
    rng = np.random.default_rng(3)
    network, weights = make(rng)
    family = scaled_family(network)
    assert isinstance(family, Family)
    assert family.layers == len(weights)
    scaled = {
        name: gain * tensor if name in weights else tensor
        for name, tensor in network.parameters.items()
    }
    by_hand = Network(network.skeleton, scaled).program
    states = rng.standard_normal((5, family.size))
    expected = forward(by_hand, states.reshape(5, *by_hand.skeleton.input_shape)).reshape(5, -1)
    rows = np.column_stack([states, np.full(5, gain)])
    assert_allclose(family.images(rows), expected, rtol=ROUNDING, atol=ROUNDING)
    found = family.jacobian(rows[0])
    inside = jacobian(by_hand, states[0])
    assert_allclose(found[:, :-1], inside, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("make", [deep, convolutional, gru, lstm])
def test_the_derivative_with_respect_to_the_gain_is_the_difference_quotient(make):
    rng = np.random.default_rng(4)
    family = scaled_family(make(rng)[0])
    row = np.append(rng.standard_normal(family.size), 0.8)
    step = np.zeros_like(row)
    step[-1] = 1e-6
    images = family.images(np.array([row + step, row - step]))
    quotient = (images[0] - images[1]) / 2e-6
    assert_allclose(family.jacobian(row)[:, -1], quotient, rtol=DIFFERENCE, atol=DIFFERENCE)


def test_what_has_no_weights_or_no_derivative_is_told():
    box = BlackBox("box", ("x",), (2,), lambda x: 0.5 * x, 1e-5)
    assert "black box" in scaled_family(Network(Skeleton((Input("x", (2,)), box)), {}))
    assert "derivative" in scaled_family(one_layer(np.eye(2), name="step"))
    bare = Activation("phi", ("x",), activation("tanh"))
    assert "no layer" in scaled_family(Network(Skeleton((Input("x", (2,)), bare)), {}))
    assert scaled_family(linear(np.eye(2))).layers == 1
