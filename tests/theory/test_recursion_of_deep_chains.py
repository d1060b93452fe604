"""Deep chains, whose q settles or creeps, against the recursion by single pair moments."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from finite_networks import act, chain, drawn, laws

from fpcheck.network.activations import parse_activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton
from fpcheck.theory import moments
from fpcheck.theory.layer_scales import layer_scales
from fpcheck.theory.pair_curve import pair_curve
from fpcheck.theory.pairs import pair_moment, pair_slope_moment
from fpcheck.theory.propagation import UnitMoments, propagate

RESTED = 1e-10  # of E phi^2: what a layer may be off by where q has settled


def propagated(function, sigma, depth, start):
    skeleton = chain(function, 16, depth)
    network = drawn(skeleton, *sigma, np.random.default_rng(0))
    return propagate(network, layer_scales(network, laws(skeleton, *sigma)), start)


@pytest.mark.parametrize(
    ("function", "sigma", "q"),
    [
        ("tanh", (1.76, 0.05), 0.4),
        ("silu", (1.9677, 1.2154), 56.2),
        ("gelu_tanh", (1.95653, 0.38091), 13.3),
        ("relu", (2.0, 0.0), 1.0),
    ],
)
def test_every_layer_follows_from_the_one_before(function, sigma, q):
    f, (w2, b2) = parse_activation(function), sigma
    known = propagated(function, sigma, 120, UnitMoments(q=q, k=0.97 * q))
    rows = [known[f"d{i}"] for i in range(119)]
    for before, after in list(pairwise(rows))[::9]:
        c = before.correlation
        assert after.q == pytest.approx(w2 * moments.second_moment(f, before.q) + b2, rel=1e-12)
        k = w2 * pair_moment(f, before.q, before.q, c) + b2
        assert after.k == pytest.approx(k, rel=RESTED)
        slope = w2 * pair_slope_moment(f, before.q, before.q, c)
        assert np.exp(after.contrast - before.contrast) == pytest.approx(slope, rel=10 * RESTED)


@pytest.mark.parametrize("function", ["tanh", "silu"])
def test_a_curve_that_is_asked_once_is_the_one_that_is_asked_often(function):
    f, q, c = parse_activation(function), 12.0, 0.9995
    once, often = pair_curve(f, q, reused=False), pair_curve(f, q)
    assert once(c) == pytest.approx(often(c), rel=1e-12)
    assert once.slope(c) == pytest.approx(often.slope(c), rel=1e-12)


def test_a_step_has_no_growth():
    nodes = (Input("x", (8,)), Dense("d", ("x",), 8, "w", None), act("a", "d", "step"))
    assert isinstance(nodes[-1], Activation)
    network = Network(Skeleton(nodes), {"w": np.eye(8)})
    found = propagate(network, layer_scales(network), UnitMoments(q=1.0, k=0.5))["a"]
    assert found.growth is None
    assert found.q == pytest.approx(0.5)
    assert found.k == pytest.approx(1.0 / 3.0, rel=1e-12)
