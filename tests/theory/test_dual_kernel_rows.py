"""What the kernel of many rows is: known values, symmetry, blocks, threads, memory, time."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from finite_networks import act, conv, dense
from numpy.testing import assert_allclose
from wide_random_networks import scales_of

from fpcheck.core import memory
from fpcheck.core.errors import MemoryLimitError
from fpcheck.core.progress import Monitor
from fpcheck.network.skeleton import Add, Flatten, Input, LayerNorm, Pool, Skeleton
from fpcheck.theory.dual_kernel import compose, cost, dual_kernel, dual_kernels, tiles
from fpcheck.theory.recursion_state import NotKnown


def chain(function, depth, inputs=7):
    nodes, last = [Input("x", (inputs,))], "x"
    for i in range(depth):
        nodes += [dense(f"d{i}", last, 50), act(f"a{i}", f"d{i}", function)]
        last = f"a{i}"
    return Skeleton((*nodes, dense("out", last, 5)))


def pooled(function="relu"):
    return Skeleton(
        (Input("x", (2, 6)), conv("a", "x", 9, (3,), padding=((1, 1),)), act("pa", "a", function),
         Pool("p", ("pa",), "mean", (2,)), conv("b", "p", 9, (2,)), act("pb", "b", function),
         LayerNorm("n", ("pb",)), Flatten("f", ("n",)), dense("out", "f", 5))
    )  # fmt: skip


def rows_of(skeleton, count, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, *skeleton.input_shape))
    return x * rng.uniform(0.2, 3.0, (count, *(1,) * len(skeleton.input_shape)))


# From correlation 0 through depth layers of normalised ReLU.
RELU_CHAIN = {1: 0.31830989, 2: 0.49373109, 5: 0.73594635, 10: 0.87153552}


@pytest.mark.parametrize("depth", RELU_CHAIN)
def test_the_relu_chain_has_its_known_correlations(depth):
    skeleton = chain("relu", depth, inputs=2)
    x = np.array([[3.0, 0.0], [0.0, 0.5]])  # homogeneous: norms do not matter
    kernel = dual_kernel(skeleton, scales_of(skeleton, (2.0, 0.0)), x, node=f"a{depth - 1}").nngp
    c = kernel[0, 1] / math.sqrt(kernel[0, 0] * kernel[1, 1])
    assert c == pytest.approx(RELU_CHAIN[depth], abs=5e-9)


def test_the_tangent_kernel_of_relu_at_equal_rows_counts_the_layers():
    # sigma_w^2 = 2, no bias: K and every layer's part keep the row's mean square.
    skeleton = chain("relu", 6)
    x = rows_of(skeleton, 4)
    kernel = dual_kernel(skeleton, scales_of(skeleton, (2.0, 0.0)), x, node="out", ntk=True)
    squares = 2.0 * np.mean(x * x, axis=1)
    assert_allclose(np.diag(kernel.nngp), squares, rtol=1e-13)
    assert_allclose(np.diag(kernel.ntk), 7.0 * squares, rtol=1e-13)


def test_a_linear_network_has_the_kernel_of_its_inputs():
    skeleton = Skeleton((Input("x", (7,)), dense("a", "x", 9), dense("b", "a", 9)))
    x = rows_of(skeleton, 5)
    kernel = dual_kernel(skeleton, scales_of(skeleton, (1.5, 0.0)), x, node="b", ntk=True)
    assert_allclose(kernel.nngp, 1.5**2 * x @ x.T / 7, rtol=1e-13)
    assert_allclose(kernel.ntk, 2.0 * kernel.nngp, rtol=1e-13)
    inputs = dual_kernel(skeleton, scales_of(skeleton), x, node="x", ntk=True)
    assert_allclose(inputs.nngp, x @ x.T / 7, rtol=1e-13)
    assert not inputs.ntk.any()


@pytest.mark.parametrize("function", ["relu", "tanh", "hardtanh(-1, 1)", "step"])
@pytest.mark.parametrize("make", [lambda f: chain(f, 3), pooled])
def test_a_symmetric_kernel_is_the_two_sided_one_of_equal_rows(function, make):
    skeleton = make(function)
    x, ntk = rows_of(skeleton, 130), function != "step"
    scales = scales_of(skeleton)
    one = dual_kernel(skeleton, scales, x, node="out", ntk=ntk)
    two = dual_kernel(skeleton, scales, x, x[::-1].copy(), node="out", ntk=ntk)
    size = np.abs(one.nngp).max()
    assert (one.nngp == one.nngp.T).all()
    # Between different positions of one row a correlation is nearly 1 by chance, and the angle of a
    # bend knows it to the root of a rounding.
    assert_allclose(two.nngp[:, ::-1], one.nngp, rtol=0, atol=1e-12 * size)
    if ntk:
        assert (one.ntk == one.ntk.T).all()
        assert_allclose(two.ntk[:, ::-1], one.ntk, rtol=0, atol=1e-9 * np.abs(one.ntk).max())
    assert np.linalg.eigvalsh(one.nngp)[0] >= -1e-12 * len(x) * size


@pytest.mark.parametrize("make", [lambda: chain("relu", 3), pooled])
def test_neither_blocks_nor_threads_change_the_kernel(make, monkeypatch):
    skeleton = make()
    x, y = rows_of(skeleton, 61), rows_of(skeleton, 37, seed=1)
    scales = scales_of(skeleton)

    def found(**more):
        return dual_kernel(skeleton, scales, x, y, node="out", ntk=True, **more)

    one = found(threads=1)
    for threads in (2, 5):
        many = found(threads=threads)
        assert (one.nngp == many.nngp).all()
        assert (one.ntk == many.ntk).all()
    monkeypatch.setattr(tiles, "ROWS", 7)
    monkeypatch.setattr(compose, "ROWS_ALONE", 40)
    small = found()
    assert_allclose(small.nngp, one.nngp, rtol=1e-13)
    assert_allclose(small.ntk, one.ntk, rtol=1e-11)


def test_tiles_cover_every_pair_once():
    for left, right, most in ((5, 9, 4), (1, 1, 1), (300, None, 64), (7, None, 2), (97, None, 200)):
        met = np.zeros((left, right or left), dtype=int)
        for block in tiles.tiles(left, right, most):
            assert block.left.stop - block.left.start <= most
            met[block.left, block.right] += 1
            if right is None and not block.diagonal:
                met[block.right, block.left] += 1
        assert (met == 1).all()


def test_equal_rows_keep_correlation_one_through_a_deep_network():
    skeleton = chain("relu", 40)
    x = rows_of(skeleton, 6)
    x[3] = x[0]
    x[4] = -x[1]
    y = x[[0, 1, 2]]
    kernel = dual_kernel(skeleton, scales_of(skeleton, (2.0, 0.0)), x, y, node="out", ntk=True)
    for i, j in ((0, 0), (3, 0), (1, 1), (2, 2)):
        squares = 2.0 * np.mean(x[i] ** 2)
        assert kernel.nngp[i, j] == pytest.approx(squares, rel=1e-12)
        assert kernel.ntk[i, j] == pytest.approx(41.0 * squares, rel=1e-12)


def test_rows_of_zeros_are_rows():
    skeleton = chain("relu", 2)
    x = rows_of(skeleton, 3)
    x[1] = 0.0
    bare = dual_kernel(skeleton, scales_of(skeleton, (2.0, 0.0)), x, node="out", ntk=True)
    assert (bare.nngp[1] == 0.0).all()
    assert np.isfinite(bare.ntk).all()
    with_bias = dual_kernel(skeleton, scales_of(skeleton), x, node="out", ntk=True)
    assert (np.diag(with_bias.nngp) > 0.0).all()
    empty = dual_kernel(skeleton, scales_of(skeleton), x[:0], x, node="out", ntk=True)
    assert empty.nngp.shape == empty.ntk.shape == (0, 3)


def test_several_nodes_come_from_one_pass():
    skeleton = pooled()
    x, scales = rows_of(skeleton, 9), scales_of(skeleton)
    names = ["x", "pa", "p", "n", "out"]
    together = dual_kernels(skeleton, scales, x, nodes=names, ntk=True)
    for name in names:
        alone = dual_kernel(skeleton, scales, x, node=name, ntk=True)
        assert_allclose(together[name].nngp, alone.nngp, rtol=1e-13)
        assert_allclose(together[name].ntk, alone.ntk, rtol=1e-11)


def test_the_last_layer_alone_is_the_tangent_kernel_without_what_lies_below():
    skeleton = chain("gelu", 2)
    x, scales = rows_of(skeleton, 5), scales_of(skeleton)
    features = dual_kernel(skeleton, scales, x, node="a1", ntk=True)
    out = dual_kernel(skeleton, scales, x, node="out", ntk=True)
    w2, b2 = scales["out"].sigma_w2, scales["out"].sigma_b2
    assert_allclose(out.nngp, w2 * features.nngp + b2, rtol=1e-13)
    assert_allclose(out.ntk, out.nngp + w2 * features.ntk, rtol=1e-13)


def test_a_branch_that_is_cut_off_leaves_the_other():
    nodes = (Input("x", (7,)), dense("a", "x", 9), act("pa", "a", "relu"), dense("b", "pa", 9),
             Add("s", ("a", "b")), dense("out", "s", 9))  # fmt: skip
    skeleton = Skeleton(nodes)
    x, scales = rows_of(skeleton, 4), scales_of(skeleton, (1.0, 0.0))
    cut = {**scales, "b": replace(scales["b"], sigma_w2=0.0)}
    kernel = dual_kernel(skeleton, cut, x, node="s").nngp
    assert_allclose(kernel, x @ x.T / 7, rtol=1e-13)


def test_a_kernel_that_does_not_fit_is_refused_before_it_is_begun(monkeypatch):
    skeleton = chain("relu", 2)
    x = rows_of(skeleton, 1500)
    monkeypatch.setattr(memory, "available_memory", lambda: 2 * 10**7)
    with pytest.raises(MemoryLimitError, match="1500 x 1500 rows"):
        dual_kernel(skeleton, scales_of(skeleton), x, node="out")


def test_a_kernel_of_10000_rows_is_asked_for_within_the_result_and_a_few_blocks(monkeypatch):
    asked = []

    def stop(needed, what):
        asked.append(needed)
        raise MemoryLimitError(what)

    monkeypatch.setattr(compose, "require_memory", stop)
    skeleton = chain("relu", 10)
    x = rows_of(skeleton, 10_000)
    for ntk in (False, True):
        with pytest.raises(MemoryLimitError):
            dual_kernel(skeleton, scales_of(skeleton), x, node="out", ntk=ntk)
    result = 8.0 * 10_000**2
    assert result < asked[0] < 1.2 * result
    assert 2 * result < asked[1] < 2.4 * result


def test_what_would_take_hours_is_refused_with_figures():
    shape = (3, 32, 32)
    pad = ((1, 1), (1, 1))
    skeleton = Skeleton(
        (Input("x", shape), conv("a", "x", 9, (3, 3), padding=pad), act("pa", "a", "tanh"),
         Pool("p", ("pa",), "mean", (32, 32)), Flatten("f", ("p",)), dense("out", "f", 5))
    )  # fmt: skip
    x = np.zeros((2000, *shape))
    found = dual_kernel(skeleton, scales_of(skeleton), x, node="out")
    assert isinstance(found, NotKnown)
    assert "2000 x 2000 rows" in found.reason
    assert f"{1024 * 1024} pairs of positions" in found.reason
    assert "hours" in found.reason


def test_what_needs_too_many_pairs_of_positions_is_refused_before_they_are_listed():
    shape = (1, 96, 96)
    skeleton = Skeleton(
        (Input("x", shape), conv("a", "x", 9, (3, 3)), act("pa", "a", "tanh"),
         Pool("p", ("pa",), "mean", (94, 94)), Flatten("f", ("p",)), dense("out", "f", 5))
    )  # fmt: skip
    found = dual_kernel(skeleton, scales_of(skeleton), np.zeros((2, *shape)), node="out")
    assert isinstance(found, NotKnown)
    assert "pairs of positions" in found.reason


def test_spans_are_told_in_a_readers_units():
    told = [cost.too_long(s, "n x n", 1, "").reason for s in (1000.0, 86400.0)]
    assert "17 minutes" in told[0]
    assert "24.0 hours" in told[1]


def test_long_work_stops_when_it_is_told_to():
    monitor = Monitor()
    monitor.stop.set()
    skeleton = chain("relu", 2)
    with pytest.raises(KeyboardInterrupt):
        dual_kernel(skeleton, scales_of(skeleton), rows_of(skeleton, 9), node="out",
                    monitor=monitor)  # fmt: skip
