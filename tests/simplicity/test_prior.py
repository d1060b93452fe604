"""The law of random networks: what is drawn, and that it is the law that was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from planted import chain, classes, prior_of

from fpcheck.core.errors import UsageError
from fpcheck.core.settings import Settings
from fpcheck.network.initializers import draw_network, parse_law, second_moment
from fpcheck.network.skeleton import (
    BatchNorm,
    BlackBox,
    Conv,
    Dense,
    Flatten,
    Input,
    LayerNorm,
    Scale,
    Skeleton,
)
from fpcheck.simplicity.prior import make_prior

TWO = classes(np.random.default_rng(0).standard_normal((6, 4)), [0, 1] * 3)
NORMAL = parse_law({"law": "normal", "sigma2": 1.0})


def dense(name, source, units, **options):
    return Dense(name, (source,), units, f"{name}.w", f"{name}.b", **options)


def test_the_latent_coordinates_of_a_normal_law_are_the_parameters():
    prior = prior_of(chain(4, 5, 1), TWO)
    assert (prior.latent_size, prior.parameter_size, prior.drawn) == (31, 31, 31)
    z = prior.draw(np.random.default_rng(0), 3)
    np.testing.assert_array_equal(prior.parameters(z), z)


@pytest.mark.parametrize(
    "law", ["uniform", "normal", "lattice", "lattice:4", "he_normal", "glorot_uniform",
            "torch_default", "orthogonal"]
)  # fmt: skip
def test_the_entries_have_the_second_moments_of_their_laws(law):
    prior = prior_of(chain(4, 8, 1), TWO, law)
    parameters = prior.parameters(prior.draw(np.random.default_rng(1), 4000))
    for block in prior.blocks:
        found = np.square(parameters[:, block.place]).mean()
        inputs = 4 if block.layer == "layer1" else 8
        units = 8 if block.layer == "layer1" else 1
        wanted = second_moment(block.law, inputs, units, units)
        assert found == pytest.approx(wanted, rel=0.06, abs=1e-300), block  # five standard errors


def test_the_networks_are_those_that_draw_network_draws():
    # Both draw tensor by tensor, in the order weights, biases, for a plain normal law.
    laws = {"layer1": (NORMAL, NORMAL), "layer2": (NORMAL, NORMAL)}
    skeleton = chain(4, 5, 1)
    prior = prior_of(skeleton, TWO, "", laws)
    drawn = draw_network(skeleton, laws, np.random.default_rng(3))
    z = prior.draw(np.random.default_rng(3), 1)
    ours = prior.network(prior.parameters(z)[0])
    for name, tensor in drawn.parameters.items():
        np.testing.assert_array_equal(ours.parameters[name], tensor)


def test_the_specs_laws_hold_layer_by_layer_and_lists_without_bias_law_are_zero():
    cauchy = parse_law({"law": "cauchy", "scale": "1/fan_in"})
    prior = prior_of(chain(4, 5, 1), TWO, "", {"layer1": (cauchy, None), "layer2": (NORMAL, None)})
    assert prior.latent_size == 25
    parameters = prior.parameters(prior.draw(np.random.default_rng(0), 2))
    assert not parameters[:, 20:25].any()
    assert not parameters[:, 30:].any()
    assert prior.law.startswith("the spec's: weights cauchy(gamma = 1) * 1/fan_in, biases zeros; ")


def test_without_a_spec_and_a_law_everything_is_uniform_and_that_is_said():
    prior = prior_of(chain(4, 5, 1), TWO, "")
    assert (
        prior.law == "every weight and bias uniform on [-1, 1]; there is no spec to say otherwise"
    )
    parameters = prior.parameters(prior.draw(np.random.default_rng(0), 200))
    assert 0.99 < np.abs(parameters).max() < 1


def test_named_schemes_start_biases_at_zero_unless_the_spec_says_otherwise():
    zero = prior_of(chain(4, 5, 1), TWO, "he_normal")
    assert [block.law.name for block in zero.blocks] == ["normal", "zeros", "normal", "zeros"]
    told = prior_of(chain(4, 5, 1), TWO, "he_normal", {"layer1": (NORMAL, NORMAL)})
    assert [block.law.name for block in told.blocks] == ["normal", "normal", "normal", "zeros"]
    torch = prior_of(chain(4, 5, 1), TWO, "torch_default")
    assert [block.law.name for block in torch.blocks] == ["uniform"] * 4
    assert [block.amplitude for block in torch.blocks] == pytest.approx(
        [0.5, 0.5, 5**-0.5, 5**-0.5]
    )


def test_lattice_coordinates_are_levels_equally_likely():
    prior = prior_of(chain(4, 5, 1), TWO, "lattice:5")
    assert prior.discrete.all()
    z = prior.draw(np.random.default_rng(0), 500)
    counts = np.bincount(z.astype(int).ravel())
    assert len(counts) == 5
    np.testing.assert_allclose(counts / z.size, 0.2, atol=0.015)  # 4.7 standard errors
    assert set(np.unique(prior.parameters(z))) == {-1, -0.5, 0, 0.5, 1}


def test_lattice_and_normal_layers_stand_side_by_side():
    lattice = parse_law({"law": "lattice", "levels": 3})
    prior = prior_of(
        chain(4, 2, 1), TWO, "", {"layer1": (lattice, NORMAL), "layer2": (NORMAL,) * 2}
    )
    np.testing.assert_array_equal(prior.discrete, np.arange(13) < 8)
    np.testing.assert_array_equal(prior.levels, np.where(np.arange(13) < 8, 3, 0))
    z = prior.draw(np.random.default_rng(0), 100)
    assert set(np.unique(z[:, :8])) == {0, 1, 2}
    assert len(np.unique(z[:, 8:])) == 500


def test_an_unknown_law_is_a_usage_error_that_names_the_nearest():
    with pytest.raises(UsageError) as caught:
        prior_of(chain(4, 5, 1), TWO, "he_norml")
    assert "he_normal" in caught.value.hint
    for name in ("lattice:1", "lattice:x", "zeros", "uniform:3"):
        with pytest.raises(UsageError):
            prior_of(chain(4, 5, 1), TWO, name)


def test_layouts_store_one_network_in_two_ways():
    plain, turned = (prior_of(chain(4, 5, 1, layout=x), TWO) for x in ("out_in", "in_out"))
    parameters = plain.parameters(plain.draw(np.random.default_rng(0), 1))[0]
    first, second = plain.network(parameters), turned.network(parameters)
    np.testing.assert_array_equal(
        first.parameters["layer1.weight"], second.parameters["layer1.weight"].T
    )


def test_a_tensor_that_two_layers_share_is_drawn_once():
    nodes = (
        Input("x", (4,)), Dense("a", ("x",), 4, "w", "b1"), Dense("b", ("a",), 4, "w", "b2"),
        Dense("c", ("b",), 1, "v"),
    )  # fmt: skip
    prior = prior_of(Skeleton(nodes), TWO)
    assert prior.parameter_size == 16 + 4 + 4 + 4
    prior.network(np.zeros(prior.parameter_size))


class TestScaledNeurons:
    def test_every_hidden_unit_has_a_scale_on_its_weights_and_not_on_its_bias(self):
        prior = prior_of(chain(4, 5, 3, 1), TWO, scaled=True)
        plain = prior_of(chain(4, 5, 3, 1), TWO)
        assert prior.parameter_size == plain.parameter_size
        assert prior.latent_size == plain.latent_size + 8
        z = prior.draw(np.random.default_rng(0), 2)
        parameters = prior.parameters(z)
        weights, gamma, bias = z[:, :20].reshape(2, 5, 4), z[:, 20:25], z[:, 25:30]
        wanted = (weights * gamma[:, :, None]).reshape(2, 20)
        np.testing.assert_array_equal(parameters[:, :20], wanted)
        np.testing.assert_array_equal(parameters[:, 20:25], bias)
        np.testing.assert_array_equal(parameters[:, -4:], z[:, -4:])  # the last layer has none

    def test_their_law_is_the_family_of_the_weights_without_the_fan_in(self):
        prior = prior_of(chain(4, 5, 1), TWO, "he_normal", scaled=True)
        (scales,) = [block for block in prior.blocks if block.kind == "scale"]
        assert (scales.amplitude, scales.law.parameters["sigma2"]) == (1.0, 2.0)

    def test_their_lattice_is_the_weights(self):
        prior = prior_of(chain(4, 5, 1), TWO, "lattice:3", scaled=True)
        z = prior.draw(np.random.default_rng(0), 50)
        assert set(np.unique(prior.parameters(z))) == {-1, 0, 1}
        assert "random scale" in prior.law


class TestWhyNot:
    def why(self, nodes, **options):
        found = make_prior(Skeleton(nodes), None, Settings(label_law="normal"), TWO, **options)
        assert isinstance(found, str)
        return found

    def test_a_black_box(self):
        box = BlackBox("f", ("x",), (4,), lambda x: x, None)
        assert "'f'" in self.why((Input("x", (4,)), box, dense("d", "f", 1)))

    def test_batch_statistics(self):
        nodes = (Input("x", (4,)), BatchNorm("n", ("x",), "m", "v"), dense("d", "n", 1))
        assert "batch" in self.why(nodes)

    def test_no_dense_last_layer_of_another_width(self):
        nodes = (Input("x", (4,)), dense("d", "x", 3), LayerNorm("n", ("d",)))
        assert "need 1 output and the network has 3" in self.why(nodes)

    def test_an_unknown_constant(self):
        nodes = (Input("x", (4,)), Scale("s", ("x",), "f"), dense("d", "s", 1))
        assert "'f'" in self.why(nodes)
        found = make_prior(Skeleton(nodes), None, Settings(), TWO, tensors={"f": np.full(4, 2.0)})
        assert not isinstance(found, str)
        np.testing.assert_array_equal(found.constants["f"], np.full(4, 2.0))

    def test_nothing_that_is_random(self):
        found = make_prior(chain(4, 1), {"layer1": (parse_law("zeros"), None)}, Settings(), TWO)
        assert found == "the network has no random weights"

    def test_a_layer_without_a_law(self):
        found = make_prior(chain(4, 3, 1), {"layer1": (NORMAL, None)}, Settings(), TWO)
        assert "'layer2'" in found


def test_convolutions_and_norms_keep_their_shapes_and_starts():
    nodes = (
        Input("x", (2, 6)), Conv("c", ("x",), 3, (3,), "c.w", "c.b", layout="in_out"),
        LayerNorm("n", ("c",), "n.w", "n.b"), Flatten("f", ("n",)), dense("d", "f", 1),
    )  # fmt: skip
    labelling = classes(np.random.default_rng(0).standard_normal((4, 2, 6)), [0, 1, 0, 1])
    prior = prior_of(Skeleton(nodes), labelling)
    parameters = prior.parameters(prior.draw(np.random.default_rng(0), 1))[0]
    tensors = prior.network(parameters).parameters
    first = parameters[:18].reshape(3, 2, 3)  # (out, in, kernel)
    np.testing.assert_array_equal(tensors["c.w"], first.transpose(2, 1, 0))
    np.testing.assert_array_equal(tensors["n.w"], np.ones((3, 4)))
