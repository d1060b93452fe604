"""Axes in another order: what counts as a unit decides whether the recursion goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from finite_networks import act, conv, dense, drawn

from fpcheck.network.load import load
from fpcheck.network.network import Network
from fpcheck.network.program import trace
from fpcheck.network.skeleton import Flatten, Input, Pool, Skeleton, Transpose
from fpcheck.signal.input_moments import input_moments
from fpcheck.signal.prediction import predict
from fpcheck.signal.result import TheoryResult
from fpcheck.theory.layer_scales import layer_scales
from fpcheck.theory.propagation import NotKnown, UnitMoments, propagate

KERAS = Path(__file__).parent.parent / "files" / "keras"


def keras_theory(name):
    """Of a file's network with means for maxima, of which there is no map."""
    network = load(KERAS / name).network
    assert network is not None
    nodes = tuple(
        replace(node, kind="mean") if isinstance(node, Pool) else node
        for node in network.skeleton.nodes
    )
    found = predict(
        Network(Skeleton(nodes), network.parameters), UnitMoments(q=1.0, k=0.2), inputs=50
    )
    assert isinstance(found, TheoryResult)
    return found


def test_keras_networks_with_channels_last_have_the_theory_of_those_with_channels_first():
    """The same weights, but that the dense layer meets their flattened values in another order."""
    last, first = keras_theory("cnn_last.keras"), keras_theory("cnn.keras")
    assert last.phase == first.phase == "ordered"
    assert last.chi1 == pytest.approx(first.chi1, rel=1e-12)
    for one, other in zip(last.layers, first.layers, strict=True):
        for key in ("q", "c", "chi1", "q_low", "q_high", "gradient_norm", "gradient_norm_low"):
            assert getattr(one, key) == pytest.approx(getattr(other, key), rel=1e-12), key


def test_channels_that_move_behind_their_positions_keep_their_moments():
    nodes = (Input("x", (7, 7, 3)), Transpose("first", ("x",), (2, 0, 1)),
             conv("a", "first", 400), act("pa", "a", "tanh"),
             Transpose("last", ("pa",), (1, 2, 0)), Flatten("f", ("last",)),
             dense("d", "f", 2000))  # fmt: skip
    rng = np.random.default_rng(1)
    x = rng.standard_normal((4, 7, 7, 3))
    network = drawn(Skeleton(nodes), 1.5, 0.1, rng)
    known = propagate(network, layer_scales(network), input_moments(x))
    values = trace(network.program, x)
    for name in ("a", "last", "d"):
        q = float(np.mean(values[name] ** 2))
        assert known[name].q == pytest.approx(q, rel=0.08), name  # 27 weights a channel


def test_positions_that_become_units_are_not_followed():
    nodes = (Input("x", (5, 16)), dense("d", "x", 12), Transpose("t", ("d",), (1, 0)),
             dense("mixed", "t", 12))  # fmt: skip
    network = drawn(Skeleton(nodes), 1.0, 0.1, np.random.default_rng(0))
    found = propagate(network, layer_scales(network), UnitMoments(q=1.0, k=0.0))
    for name in ("t", "mixed"):
        m = found[name]
        assert isinstance(m, NotKnown)
        assert "'t' exchanges units and positions" in m.reason
