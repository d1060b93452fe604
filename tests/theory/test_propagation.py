"""The recursion through a skeleton, against averages over many wide random networks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fpcheck.network.activations import parse_activation
from fpcheck.network.initializers import parse_law
from fpcheck.network.network import Network
from fpcheck.network.program import trace
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
    Multiply,
    Pool,
    Skeleton,
    Softmax,
)
from fpcheck.theory.layer_scales import layer_scales
from fpcheck.theory.propagation import NotKnown, UnitMoments, propagate

WIDTH = 800


def weights(rng, units, fan_in, sigma_w2):
    return rng.standard_normal((units, fan_in)) * math.sqrt(sigma_w2 / fan_in)


def dense(name, source, units=WIDTH):
    return Dense(name, (source,), units, f"{name}.w", f"{name}.b")


def network(nodes, seed, sigma_w2=1.6, sigma_b2=0.2):
    rng = np.random.default_rng(seed)
    skeleton = Skeleton(tuple(nodes))
    parameters = {}
    for node in nodes:
        if isinstance(node, Dense):
            fan_in = skeleton.shapes[node.inputs[0]][-1]
            parameters[node.weight] = weights(rng, node.units, fan_in, sigma_w2)
            parameters[node.bias] = rng.standard_normal(node.units) * math.sqrt(sigma_b2)
    return Network(skeleton, parameters)


def act(name, source, function="tanh"):
    return Activation(name, (source,), parse_activation(function))


def two_inputs(seed=7, n=WIDTH, c=0.4):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((2, n))
    return np.stack([z[0], c * z[0] + math.sqrt(1 - c * c) * z[1]])


def of_inputs(x):
    return UnitMoments(
        q=float(np.mean(x * x)), k=float(np.mean(x[0] * x[1])), mean=float(np.mean(x))
    )


def check(nodes, names, draws=4):
    """Predicted q and k of every named node against the mean over drawn networks."""
    x = two_inputs()
    found = {name: [] for name in names}
    for seed in range(draws):
        net = network(nodes, seed)
        values = trace(net.program, x)
        for name in names:
            v = values[name].reshape(2, -1)
            found[name].append((np.mean(v * v), np.mean(v[0] * v[1])))
        known = propagate(net, layer_scales(net), of_inputs(x))
        for name in names:
            moments = known[name]
            assert isinstance(moments, UnitMoments), moments
            found[name][-1] += (moments.q, moments.k)
    for rows in found.values():
        q, k, q_theory, k_theory = np.mean(rows, axis=0)
        # At width 800 and a few draws a second moment scatters by some per cent.
        assert q == pytest.approx(q_theory, rel=0.08)
        assert k == pytest.approx(k_theory, rel=0.1, abs=0.04)


@pytest.mark.parametrize("function", ["tanh", "relu", "crelu(0.5,1)", "step", "silu"])
def test_a_chain_follows_the_variance_and_correlation_maps(function):
    nodes = [Input("x", (WIDTH,)), dense("a", "x"), act("pa", "a", function), dense("b", "pa"),
             act("pb", "b", function), dense("c", "pb")]  # fmt: skip
    check(nodes, ["a", "pa", "b", "pb", "c"])


def test_skips_around_fresh_layers_and_layer_norms_are_followed():
    nodes = [Input("x", (WIDTH,)), dense("a", "x"), act("pa", "a"), dense("b", "pa"),
             Add("sum", ("a", "b")), LayerNorm("norm", ("sum",)), act("pn", "norm", "relu"),
             LayerNorm("again", ("pn",)), dense("c", "again")]  # fmt: skip
    check(nodes, ["sum", "norm", "pn", "again", "c"])


def test_growth_is_the_growth_of_small_differences():
    nodes = [Input("x", (WIDTH,)), dense("a", "x"), act("pa", "a"), dense("b", "pa"),
             act("pb", "b"), dense("c", "pb")]  # fmt: skip
    net = network(nodes, 0, sigma_w2=2.5)
    rng = np.random.default_rng(1)
    x = rng.standard_normal(WIDTH)
    step = rng.standard_normal(WIDTH)
    step -= x * (x @ step) / (x @ x)  # at equal norm
    step *= 1e-6 / np.linalg.norm(step)
    values = trace(net.program, np.stack([x, x + step]))
    known = propagate(net, layer_scales(net), UnitMoments(q=float(np.mean(x * x)), k=0.0))
    for name in ("a", "b", "c"):
        change = values[name][1] - values[name][0]
        moments = known[name]
        assert isinstance(moments, UnitMoments)
        assert moments.growth is not None
        assert float(change @ change) / 1e-12 == pytest.approx(math.exp(moments.growth), rel=0.25)


def reason(nodes, name, parameters=None):
    skeleton = Skeleton(tuple(nodes))
    rng = np.random.default_rng(0)
    from fpcheck.network.skeleton import stored_shape

    drawn = dict(parameters or {})
    for node in nodes:
        if isinstance(node, Dense | Conv):
            shape = stored_shape(node, skeleton.shapes[node.inputs[0]])
            drawn.setdefault(node.weight, rng.standard_normal(shape))
            if node.bias:
                drawn.setdefault(node.bias, np.zeros(shape[0]))
    net = Network(skeleton, drawn)
    moments = propagate(net, layer_scales(net), UnitMoments(q=1.0, k=0.2))[name]
    return moments.reason if isinstance(moments, NotKnown) else ""


def test_what_is_not_gaussian_or_not_independent_is_not_guessed():
    start = [Input("x", (4, 8)), Conv("c", ("x",), 4, (3,), "c.w", padding=((1, 1),))]
    pooled = [*start, Pool("p", ("c",), "max", (2,)), Flatten("f", ("p",)), dense("d", "f", 3)]
    assert "maximum over positions" in reason(pooled, "d")
    same = [*start, act("pc", "c", "relu"), Add("s", ("c", "pc")), act("q", "s")]
    assert "not independent" in reason(same, "q")
    after = [Input("x", (5,)), dense("a", "x", 5), act("pa", "a", "relu"), dense("b", "pa", 5),
             Add("s", ("pa", "b")), act("q", "s", "relu")]  # fmt: skip
    assert "not Gaussian" in reason(after, "q")
    assert reason(after, "s") == ""
    by_channel = [Input("x", (6, 9)), Conv("c", ("x",), 6, (3,), "c.w", groups=6)]
    assert "every channel alone" in reason(by_channel, "c")
    inner = [*start, LayerNorm("n", ("c",), axes=1)]
    assert "not over the units" in reason(inner, "n")
    one_each = [*start, GroupNorm("n", ("c",), groups=4)]
    assert "every channel alone" in reason(one_each, "n")
    product = [*start, act("g", "c", "sigmoid"), Multiply("m", ("c", "g"))]
    assert "multiplies two signals" in reason(product, "m")
    assert "softmax" in reason([*start, Softmax("s", ("c",))], "s")


def test_batch_norm_is_followed_when_fresh_and_not_when_it_holds_statistics():
    nodes = [Input("x", (5,)), dense("a", "x", 5), BatchNorm("bn", ("a",), "m", "v", epsilon=0.0)]
    fresh = {"m": np.zeros(5), "v": np.full(5, 4.0)}
    assert reason(nodes, "bn", fresh) == ""
    assert "statistics" in reason(nodes, "bn", {"m": np.ones(5), "v": np.ones(5)})


def test_a_variance_out_of_range_is_said_to_be():
    nodes = [Input("x", (5,)), dense("a", "x", 5)]
    assert "overflows" in reason(nodes, "a", {"a.w": np.full((5, 5), 1e80)})
    assert "underflows" in reason(nodes, "a", {"a.w": np.full((5, 5), 1e-120)})


def test_scales_come_from_laws_where_they_are_known_and_else_from_the_entries():
    nodes = [Input("x", (50,)), dense("a", "x", 40), act("p", "a"), dense("b", "p", 30)]
    net = network(nodes, 0, sigma_w2=1.6, sigma_b2=0.2)
    by_law = (parse_law({"law": "normal", "sigma2": 1.5, "scale": "1/sqrt(fan_in)"}),
              parse_law({"law": "normal", "sigma2": 0.05}))  # fmt: skip
    scales = layer_scales(net, {"a": by_law})
    assert scales["a"].sigma_w2 == pytest.approx(1.5, rel=1e-14)
    assert scales["a"].sigma_b2 == pytest.approx(0.05, rel=1e-14)
    assert scales["a"].weights == 0
    w, b = net.parameters["b.w"], net.parameters["b.b"]
    assert scales["b"].sigma_w2 == pytest.approx(40 * float(np.mean(w * w)), rel=1e-12)
    assert scales["b"].sigma_b2 == pytest.approx(float(np.mean(b * b)), rel=1e-12)
    cauchy = (parse_law({"law": "cauchy", "gamma": 1.0, "scale": "1/fan_in"}), None)
    assert layer_scales(net, {"a": cauchy})["a"].sigma_w2 == math.inf
