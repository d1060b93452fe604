"""The kernel of a whole skeleton against the same recursion worked out one number at a time."""

from __future__ import annotations

import numpy as np
import pytest
from finite_networks import act, conv, dense
from naive_dual_kernels import naive_kernel
from numpy.testing import assert_allclose

from fpcheck.network.skeleton import Add, Flatten, Input, LayerNorm, Pool, Skeleton
from fpcheck.theory.dual_kernel import dual_kernel
from fpcheck.theory.layer_scales import LayerScale

EXACT = 1e-9  # of a row's own value; the expectations themselves agree to 1e-10


def scales_of(skeleton):
    """Another scale for every layer."""
    named = [node.name for node in skeleton.nodes if hasattr(node, "layout")]
    return {
        name: LayerScale(name, 1.3 + 0.2 * i, 0.05 * (i + 1), 0, 0) for i, name in enumerate(named)
    }


def held(nodes, *, rows=3, ntk=True, seed=0):
    """Every entry of both kernels, for rows of different norms, is the naive one's."""
    skeleton = Skeleton(tuple(nodes))
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, *skeleton.input_shape))
    x *= rng.uniform(0.3, 3.0, (rows, *(1,) * (x.ndim - 1)))
    x[1] = 0.9 * x[0] + 0.1 * x[1]
    scales, name = scales_of(skeleton), skeleton.nodes[-1].name
    kernel = dual_kernel(skeleton, scales, x, node=name, ntk=ntk)
    wanted = np.array([[naive_kernel(skeleton, scales, a, b) for b in x] for a in x])
    size = np.sqrt(np.diag(wanted[:, :, 0]))
    assert_allclose(kernel.nngp / np.outer(size, size), wanted[:, :, 0] / np.outer(size, size),
                    rtol=0, atol=EXACT)  # fmt: skip
    if ntk:
        size = np.sqrt(np.diag(wanted[:, :, 1]))
        assert_allclose(kernel.ntk / np.outer(size, size), wanted[:, :, 1] / np.outer(size, size),
                        rtol=0, atol=10 * EXACT)  # fmt: skip
    return kernel


@pytest.mark.parametrize(
    "function",
    ["relu", "leaky_relu(0.2)", "tanh", "gelu", "silu", "erf", "sin", "elu", "softplus",
     "hardtanh(-1, 1)", "crelu(0.5, 1.2)", "sigmoid", "identity"],
)  # fmt: skip
def test_a_chain_is_composed_pair_by_pair(function):
    held([Input("x", (5,)), dense("a", "x", 9), act("pa", "a", function), dense("b", "pa", 9),
          act("pb", "b", function), dense("c", "pb", 2)])  # fmt: skip


def test_a_step_has_a_kernel_but_no_tangent_one():
    nodes = [Input("x", (5,)), dense("a", "x", 9), act("pa", "a", "step"), dense("b", "pa", 9)]
    held(nodes, ntk=False)


def test_residual_branches_add_and_their_means_meet():
    held([Input("x", (5,)), dense("s", "x", 9), act("ps", "s", "relu"), dense("a", "ps", 9),
          act("pa", "a", "gelu"), Add("sum", ("ps", "pa")), dense("b", "sum", 9)])  # fmt: skip
    held([Input("x", (5,)), dense("s", "x", 9), act("ps", "s", "relu"), dense("a", "ps", 9),
          Add("t", ("s", "a")), act("pt", "t", "tanh"), dense("b", "pt", 9),
          Add("u", ("t", "b")), dense("c", "u", 3)])  # fmt: skip


def test_layer_norms_centre_what_has_a_mean():
    held([Input("x", (5,)), dense("s", "x", 9), LayerNorm("n", ("s",)), act("ps", "n", "relu"),
          LayerNorm("m", ("ps",)), dense("a", "m", 9), act("pa", "a", "gelu"),
          LayerNorm("l", ("pa",), epsilon=0.1)])  # fmt: skip


@pytest.mark.parametrize("tail", ["flatten", "pool"])
def test_convolutions_of_one_dimension(tail):
    nodes = [Input("x", (2, 9)), conv("a", "x", 9, (3,), padding=((1, 0),)),
             act("pa", "a", "relu"), conv("b", "pa", 9, (2,), stride=(2,), dilation=(2,),
             padding=((0, 2),)), act("pb", "b", "tanh")]  # fmt: skip
    if tail == "pool":
        nodes.append(Pool("p", ("pb",), "mean", (4,)))
    held([*nodes, Flatten("f", (nodes[-1].name,)), dense("o", "f", 2)], rows=2)


def test_convolutions_of_two_dimensions_with_pools_between_and_a_norm():
    held([Input("x", (2, 4, 5)), conv("a", "x", 9, (2, 3), padding=((1, 0), (1, 1))),
          act("pa", "a", "relu"), Pool("p", ("pa",), "mean", (2, 2), (2, 1)),
          LayerNorm("n", ("p",)), conv("b", "n", 9, (1, 2), padding=((0, 0), (0, 1))),
          act("pb", "b", "relu"), Pool("q", ("pb",), "mean", (2, 2), (1, 2), ((0, 0), (1, 1))),
          Flatten("flat", ("q",)), dense("o", "flat", 2)], rows=2)  # fmt: skip


def test_pools_leave_their_padding_out_where_asked_to():
    held([Input("x", (2, 6)), conv("a", "x", 9, (3,)), act("pa", "a", "relu"),
          Pool("p", ("pa",), "mean", (3,), (1,), ((1, 1),), count_padding=False),
          conv("b", "p", 9, (2,)), act("pb", "b", "relu"), Flatten("f", ("pb",)),
          dense("o", "f", 2)], rows=2)  # fmt: skip


def test_an_activation_behind_a_flattening_sees_position_by_position():
    held([Input("x", (2, 6)), conv("a", "x", 9, (3,), padding=((1, 1),)), Flatten("f", ("a",)),
          act("pa", "f", "relu"), dense("o", "pa", 9), act("po", "o", "relu")])  # fmt: skip
