"""Fresh random networks: the spec's laws, measured scales, other widths, the bias correction."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from readout_cases import network

from fpcheck.network.activations import activation
from fpcheck.network.initializers import NAMED_LAWS, Law, draw_network
from fpcheck.network.network import Network
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    Input,
    Scale,
    Skeleton,
)
from fpcheck.readout.initial import Initial, NotPossible, initial, redraw
from fpcheck.theory.layer_scales import layer_scales

HE = dict.fromkeys(("dense0", "dense1", "dense2"), (NAMED_LAWS["he_normal"], None))


def rng(seed=0):
    return np.random.default_rng(seed)


def started(*args, **options) -> Initial:
    found = initial(*args, **options)
    assert isinstance(found, Initial), found
    return found


def convolutional():
    nodes = (
        Input("x", (2, 6, 6)),
        Conv("c", ("x",), 4, (3, 3), "cw", "cb"),
        BatchNorm("n", ("c",), "m", "v", "g", "h"),
        Activation("a", ("n",), activation("relu")),
        Conv("depthwise", ("a",), 4, (3, 3), "dw", groups=4),
        Flatten("f", ("depthwise",)),
        Dense("out", ("f",), 3, "ow", "ob"),
    )
    laws = dict.fromkeys(("c", "depthwise", "out"), (NAMED_LAWS["he_normal"], None))
    return draw_network(Skeleton(nodes), laws, rng(1))


def test_a_specs_laws_draw_what_the_loader_draws():
    net = network([5, 40, 30, 2])
    again, drawn = redraw(net, HE, rng()), draw_network(net.skeleton, HE, rng())
    assert isinstance(again, Network)
    for name, tensor in drawn.parameters.items():
        assert_array_equal(again.parameters[name], tensor)


def test_without_laws_every_layer_keeps_its_measured_scale():
    net = network([50, 400, 300, 2], scale=1.7)
    found = redraw(net, None, rng())
    assert isinstance(found, Network)
    before, after = layer_scales(net), layer_scales(found)
    for name in ("dense0", "dense1"):
        # 20 000 and more entries: a mean square of normals to 1 %, 300 biases to 8 %.
        assert_allclose(after[name].sigma_w2, before[name].sigma_w2, rtol=0.04)
        assert_allclose(after[name].sigma_b2, before[name].sigma_b2, rtol=0.3)
    assert "measured from its own entries" in started(net).law


@pytest.mark.parametrize("law", ["he_normal", "torch_default", "normal", "orthogonal"])
def test_other_widths_keep_sigma_w2_whatever_the_laws_scale(law):
    parameters = {"normal": {"sigma2": 0.01}, "orthogonal": {"gain": 1.3}}
    chosen = NAMED_LAWS.get(law) or Law(law, parameters[law])
    laws = {f"dense{index}": (chosen, Law("normal", {"sigma2": 0.3})) for index in range(3)}
    net = draw_network(network([40, 100, 80, 2]).skeleton, laws, rng())
    wide = redraw(net, laws, rng(), width_factor=4.0)
    assert isinstance(wide, Network)
    assert [wide.skeleton.shapes[f"dense{i}"] for i in range(3)] == [(400,), (320,), (2,)]
    known, found = layer_scales(net, laws), layer_scales(wide)
    for name in ("dense0", "dense1"):
        assert_allclose(found[name].sigma_w2, known[name].sigma_w2, rtol=0.05)
        assert_allclose(found[name].sigma_b2, 0.3, rtol=0.35)


def test_narrower_networks_keep_a_unit():
    narrow = redraw(network([3, 2, 2, 2]), None, rng(), width_factor=0.1)
    assert isinstance(narrow, Network)
    assert narrow.skeleton.shapes["dense1"] == (1,)


def test_convolutions_widen_their_channels_and_norms_start_anew():
    wide = redraw(convolutional(), None, rng(), width_factor=2.0)
    assert isinstance(wide, Network)
    assert wide.skeleton.shapes["depthwise"] == (8, 2, 2)
    assert wide.parameters["dw"].shape == (8, 1, 3, 3)
    assert_array_equal(wide.parameters["v"], np.ones(8))


class TestNotPossible:
    """Skeletons without other widths say why."""

    def why(self, net) -> str:
        found = redraw(net, None, rng(), width_factor=2.0)
        assert isinstance(found, NotPossible)
        return found.reason

    def test_a_sum_with_the_input(self):
        nodes = (
            Input("x", (4,)),
            Dense("d", ("x",), 4, "w"),
            Add("s", ("x", "d")),
            Dense("out", ("s",), 2, "v"),
        )
        net = Network(Skeleton(nodes), {"w": np.ones((4, 4)), "v": np.ones((2, 4))})
        assert "cannot add" in self.why(net)

    def test_constants_of_the_old_width(self):
        nodes = (
            Input("x", (4,)),
            Dense("d", ("x",), 4, "w"),
            Scale("k", ("d",), "c"),
            Dense("out", ("k",), 2, "v"),
        )
        tensors = {"w": np.ones((4, 4)), "v": np.ones((2, 4)), "c": np.ones(4)}
        assert "does not broadcast" in self.why(Network(Skeleton(nodes), tensors))
        scalar = Network(Skeleton(nodes), {**tensors, "c": np.full(1, 3.0)})
        assert isinstance(redraw(scalar, None, rng(), width_factor=2.0), Network)

    def test_no_hidden_layer(self):
        assert "no hidden layer" in self.why(network([4, 2]))


class TestBiasCorrection:
    """Weights' variances times 1 - beta, biases of variance beta."""

    def test_the_scales_and_the_draws(self):
        net = draw_network(network([60, 300, 200, 2]).skeleton, HE, rng())
        start = started(net, HE, bias_share=0.25)
        assert_allclose(start.scales["dense1"].sigma_w2, 1.5, rtol=1e-14)
        assert start.scales["dense1"].sigma_b2 == 0.25
        found = layer_scales(start.draw(rng()))
        assert_allclose(found["dense1"].sigma_w2, 1.5, rtol=0.03)
        assert_allclose(found["dense0"].sigma_b2, 0.25, rtol=0.3)
        assert "variance 0.25" in start.law

    def test_layers_without_biases_get_some(self):
        found = redraw(convolutional(), None, rng(), bias_share=0.5)
        assert isinstance(found, Network)
        assert all(node.bias for node in found.skeleton.nodes if isinstance(node, Conv))

    def test_a_share_of_nothing_takes_the_biases_away(self):
        found = redraw(network([5, 8, 2]), None, rng(), bias_share=0.0)
        assert isinstance(found, Network)
        assert not np.any(found.parameters["b0"])
