"""Where a network has no infinite-width kernel, and what is said instead of a number."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from finite_networks import act, conv, dense
from numpy.testing import assert_allclose
from wide_random_networks import scales_of

from fpcheck.network.initializers import parse_law
from fpcheck.network.network import Network
from fpcheck.network.skeleton import (
    Add,
    BatchNorm,
    Concat,
    Dense,
    Flatten,
    GroupNorm,
    Input,
    LayerNorm,
    MatMul,
    Multiply,
    Pool,
    Reshape,
    Scale,
    Skeleton,
    Slice,
    Softmax,
    Transpose,
)
from fpcheck.theory.dual_kernel import DualKernel, dual_kernel
from fpcheck.theory.layer_scales import LayerScale, layer_scales
from fpcheck.theory.recursion_state import NotKnown

FLAT = [Input("x", (6,)), dense("a", "x", 8), act("pa", "a", "relu")]
PICTURE = [Input("x", (2, 4, 4)), conv("a", "x", 8, (3, 3)), act("pa", "a", "relu")]
TOKENS = [Input("x", (4, 6)), dense("a", "x", 8), act("pa", "a", "relu")]

NO_LIMIT = {
    "max pooling": ([*PICTURE, Pool("p", ("pa",), "max", (2, 2))], "maximum over positions"),
    "products": ([*FLAT, dense("b", "x", 8), Multiply("p", ("pa", "b"))], "multiplies two signals"),
    "attention": ([*TOKENS, Transpose("t", ("pa",), (1, 0)), MatMul("p", ("pa", "t"))],
                  "multiplies two signals"),
    "softmax": ([*FLAT, Softmax("p", ("pa",))], "softmax"),
    "no weights between activations": ([*FLAT, act("p", "pa", "tanh")], "not Gaussian"),
    "the same term twice": ([*FLAT, Add("p", ("a", "pa"))], "not independent"),
    "one term over all positions": (
        [*TOKENS, Slice("s", ("pa",), 0, 0, 1), Add("p", ("pa", "s"))], "repeats one of its terms"),
    "weights along positions": ([*PICTURE, dense("p", "pa", 8)], "along positions"),
    "channels alone": ([*PICTURE, conv("p", "pa", 8, (2, 2), groups=8)], "every channel alone"),
    "instance norm": ([*PICTURE, GroupNorm("p", ("pa",), 8)], "every channel alone"),
    "norm along positions": ([*PICTURE, LayerNorm("p", ("pa",), axes=1)], "not over the units"),
    "units become positions": ([*PICTURE, Reshape("p", ("pa",), (4, 8))], "units and positions"),
    "joined along positions": ([*TOKENS, Concat("p", ("pa", "a"), 0)], "joins along positions"),
    "inputs twice in a sum": (
        [*FLAT, dense("b", "pa", 6), Add("p", ("x", "b", "x"))], "adds the inputs"),
    "a factor by position": ([*PICTURE, Scale("p", ("pa",), "f")], "which was not given"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_LIMIT)
def test_what_has_no_limit_says_why(name):
    nodes, reason = NO_LIMIT[name]
    skeleton = Skeleton((*nodes,))
    x = np.ones((2, *skeleton.input_shape))
    found = dual_kernel(skeleton, scales_of(skeleton), x, node="p")
    assert isinstance(found, NotKnown)
    assert reason in found.reason
    # What comes before it has its kernel all the same.
    assert not isinstance(dual_kernel(skeleton, scales_of(skeleton), x, node="pa"), NotKnown)


def test_a_step_has_no_tangent_kernel():
    skeleton = Skeleton((Input("x", (6,)), dense("a", "x", 8), act("pa", "a", "step")))
    x = np.ones((2, 6))
    found = dual_kernel(skeleton, scales_of(skeleton), x, node="pa", ntk=True)
    assert isinstance(found, NotKnown)
    assert "step" in found.reason
    assert not isinstance(dual_kernel(skeleton, scales_of(skeleton), x, node="pa"), NotKnown)


def test_laws_without_a_second_moment_have_no_kernel():
    skeleton = Skeleton((*FLAT, dense("p", "pa", 8)))
    network = Network(skeleton, {"a.w": np.ones((8, 6)), "a.b": np.ones(8),
                                 "p.w": np.ones((8, 8)), "p.b": np.ones(8)})  # fmt: skip
    cauchy = parse_law({"law": "cauchy", "gamma": 1.0, "scale": "1/fan_in"})
    scales = layer_scales(network, {"p": (cauchy, None)})
    assert math.isinf(scales["p"].sigma_w2)
    found = dual_kernel(skeleton, scales, np.ones((2, 6)), node="p")
    assert isinstance(found, NotKnown)
    assert "second moment" in found.reason


def test_layers_that_share_their_weights_are_not_taken_for_independent():
    skeleton = Skeleton(
        (Input("x", (6,)), Dense("a", ("x",), 6, "w"), act("pa", "a", "relu"),
         Dense("b", ("pa",), 6, "w"))
    )  # fmt: skip
    found = dual_kernel(skeleton, scales_of(skeleton), np.ones((2, 6)), node="b")
    assert isinstance(found, NotKnown)
    assert "share their weights" in found.reason


def test_what_is_not_finite_or_leaves_the_numbers_is_told():
    skeleton = Skeleton((*FLAT, dense("b", "pa", 8), act("p", "b", "relu")))
    scales = scales_of(skeleton)
    x = np.ones((2, 6))
    x[1, 2] = np.nan
    assert "not finite" in dual_kernel(skeleton, scales, x, node="p").reason
    assert "overflows" in dual_kernel(skeleton, scales, 1e80 * np.ones((2, 6)), node="p").reason
    assert "not finite" in dual_kernel(skeleton, scales, 1e200 * np.ones((2, 6)), node="p").reason
    last = dual_kernel(skeleton, scales, 1e200 * np.ones((2, 6)), node="a").reason
    assert "overflows" in last
    tiny = {name: replace(scale, sigma_b2=0.0) for name, scale in scales.items()}
    assert "underflows" in dual_kernel(skeleton, tiny, 1e-110 * np.ones((2, 6)), node="p").reason
    constant = Skeleton((Input("x", (6,)), dense("a", "x", 8), LayerNorm("p", ("a",), epsilon=0.0)))
    found = dual_kernel(constant, scales_of(constant, (0.0, 0.0)), np.ones((2, 6)), node="p")
    assert "normalises a constant" in found.reason


def test_anything_may_happen_to_the_inputs_before_the_first_weights():
    """What no weights have touched is worked out as it is: max pools, products, softmax."""
    nodes = (Input("x", (2, 4)), Pool("m", ("x",), "max", (2,)), Softmax("s", ("m",), -1),
             Multiply("q", ("m", "s")), BatchNorm("n", ("q",), "n.m", "n.v"),
             act("t", "n", "tanh"), Flatten("f", ("t",)), dense("a", "f", 8))  # fmt: skip
    skeleton = Skeleton(nodes)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 2, 4))
    constants = {"n.m": np.array([0.3, -0.2]), "n.v": np.array([2.0, 0.5])}
    found = dual_kernel(skeleton, scales_of(skeleton, (1.5, 0.2)), x, node="a",
                        parameters=constants)  # fmt: skip
    m = x.reshape(3, 2, 2, 2).max(axis=3)
    s = np.exp(m) / np.exp(m).sum(axis=2, keepdims=True)
    n = (m * s - constants["n.m"][:, None]) / np.sqrt(constants["n.v"][:, None] + 1e-5)
    t = np.tanh(n).reshape(3, -1)
    assert_allclose(found.nngp, 1.5 * t @ t.T / 4 + 0.2, rtol=1e-12)


def test_batch_norms_are_a_factor_at_their_start_and_the_datas_trace_later():
    nodes = (Input("x", (6,)), dense("a", "x", 8), BatchNorm("n", ("a",), "n.m", "n.v", "n.w"),
             act("pa", "n", "relu"))  # fmt: skip
    skeleton = Skeleton(nodes)
    x, scales = np.eye(2, 6) + 0.3, scales_of(skeleton, (2.0, 0.0))
    fresh = dual_kernel(skeleton, scales, x, node="pa").nngp
    assert_allclose(np.diag(fresh), np.mean(x * x, axis=1) / (1.0 + 1e-5), rtol=1e-12)
    ones, zeros = np.ones(8), np.zeros(8)
    given = {"n.m": zeros, "n.v": 3.0 * ones, "n.w": 2.0 * ones}
    found = dual_kernel(skeleton, scales, x, node="pa", parameters=given).nngp
    assert_allclose(found, fresh * (1.0 + 1e-5) * 4.0 / (3.0 + 1e-5), rtol=1e-12)
    trained = {**given, "n.m": np.arange(8.0)}
    found = dual_kernel(skeleton, scales, x, node="pa", parameters=trained)
    assert "statistics of the training data" in found.reason


def test_large_rows_of_many_sizes_are_refused_where_tables_would_take_minutes():
    rows = (
        np.random.default_rng(0).uniform(0.9, 1.0, (60, 30)) * np.geomspace(60, 4000, 60)[:, None]
    )
    for name, refused in (("silu", True), ("tanh", False), ("relu", False)):
        skeleton = Skeleton((Input("x", (30,)), dense("a", "x", 8), act("pa", "a", name)))
        scales = {"a": LayerScale("a", 2.0, 0.0, 0, 0)}
        for factor, known in ((1.0, not refused), (1e-3, True)):
            found = dual_kernel(skeleton, scales, factor * rows, node="pa", ntk=True, longest=60.0)
            assert isinstance(found, DualKernel) == known, (name, factor)
            if not known:
                assert "bring the columns to one scale" in found.reason
