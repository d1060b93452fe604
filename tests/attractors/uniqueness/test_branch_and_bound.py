"""Complete lists: all of what is known in closed form, none lost against many Newton starts."""

import mpmath
import numpy as np
import pytest
from uniqueness_maps import QUIET, one_layer, random_chain, random_weights

from fpcheck.attractors.uniqueness import branch_and_bound
from fpcheck.attractors.uniqueness.branching import Single, distinct
from fpcheck.attractors.uniqueness.narrow import turned
from fpcheck.attractors.uniqueness.relaxed import relax, relaxable
from fpcheck.network.enclosure import enclosing
from fpcheck.network.program import forward
from fpcheck.network.recurrent import gru_cell, lstm_cell

TIGHT = 1e-9  # the enclosures of well-separated fixed points are some 1e-14 wide


def listed(network, known=(), effort=1.0):
    return branch_and_bound(network.program, known, effort=effort, monitor=QUIET)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_diagonal_map_has_three_to_the_n_fixed_points(n):
    found = listed(one_layer(2.0 * np.eye(n)))
    assert (found.status, found.count, found.region) == ("proved", 3**n, "R^n")
    outer = 0.9575040240772687  # x = tanh(2 x)
    levels = np.array([-outer, 0.0, outer])
    off = np.abs(found.points[:, :, None] - levels)
    assert (off.min(axis=2) <= found.radii[:, None] + 1e-15).all()
    places = {tuple(row) for row in off.argmin(axis=2)}
    assert len(places) == 3**n
    assert found.radii.max() < TIGHT


@pytest.mark.slow
@pytest.mark.parametrize("n", [6, 8])
def test_wide_diagonal_map_has_three_to_the_n_fixed_points(n):
    assert listed(one_layer(2.0 * np.eye(n)), effort=100.0).count == 3**n


def test_columns_of_v_are_fixed_points_of_atanh_v_v_inverse():
    """W = atanh(V) V^-1: tanh(W v) = v for every column v of V, and for -v and 0."""
    rng = np.random.default_rng(3)
    v = rng.uniform(-0.9, 0.9, (3, 3))
    found = listed(one_layer(np.arctanh(v) @ np.linalg.inv(v)))
    assert found.complete
    for point in (*v.T, *-v.T, np.zeros(3)):
        assert (np.abs(found.points - point).max(axis=1) < 1e-9).sum() == 1


@pytest.mark.parametrize("seed", range(4))
def test_exact_points_lie_within_the_stated_radii(seed):
    """Against roots of 40 digits: with radii of some 1e-15 no rounding may be forgotten."""
    weight = random_weights(3, seed, 3.0)
    bias = 0.1 * np.random.default_rng(seed).standard_normal(3)
    found = listed(one_layer(weight, bias))
    with mpmath.workdps(40):
        w, b = mpmath.matrix(weight.tolist()), mpmath.matrix(bias.tolist())
        for point, radius in zip(found.points, found.radii, strict=True):
            x = mpmath.matrix(point.tolist())
            for _ in range(8):
                y = (w * x + b).apply(mpmath.tanh)
                slopes = mpmath.diag([1 - each**2 for each in y])
                x += mpmath.lu_solve(mpmath.eye(3) - slopes * w, y - x)
            error = max(abs(each - float(p)) for each, p in zip(x, point, strict=True))
            assert 0 < error <= radius < TIGHT


def test_all_solutions_of_a_sine_are_counted():
    """x = 9 sin(x) has 7 solutions: sin x / x = 1/9 three times on either side, or x = 0."""
    grid = np.linspace(1e-9, 9.0, 200001)
    crossings = np.count_nonzero(np.diff(np.sign(9.0 * np.sin(grid) - grid)))
    network = random_chain([1, 1, 1], 0, 1.0, "sin", last="identity", bias=0.0)
    network.parameters["w0"][:], network.parameters["w1"][:] = 1.0, 9.0
    assert listed(network).count == 2 * crossings + 1


@pytest.mark.parametrize(("n", "gain"), [(1, 3.0), (2, 3.0), (3, 1.5), (3, 4.0), (4, 3.0)])
def test_many_newton_starts_find_nothing_that_is_not_listed(n, gain):
    for seed in range(6):
        network = one_layer(
            random_weights(n, seed, gain), 0.1 * np.random.default_rng(seed).standard_normal(n)
        )
        found = listed(network)
        assert found.complete
        roots = newton_roots(network, 400)
        gaps = np.abs(roots[:, None] - found.points[None]).max(axis=2)
        assert gaps.min(axis=1).max() < TIGHT
        assert set(gaps.argmin(axis=1)) == set(range(found.count))


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_hundred_thousand_newton_starts_find_nothing_that_is_not_listed(n):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        network = one_layer(
            random_weights(n, seed, rng.uniform(1.2, 4.0)), 0.1 * rng.normal(size=n)
        )
        found = listed(network, effort=20.0)
        assert found.complete
        gaps = np.abs(newton_roots(network, 100_000)[:, None] - found.points[None]).max(axis=2)
        assert gaps.min(axis=1).max() < TIGHT


@pytest.mark.parametrize("last", ["tanh", "identity"])
def test_an_autoencoder_is_searched_in_its_code(last):
    network = random_chain([16, 8, 2, 8, 16], 5, 2.5, last=last)
    found = listed(network)
    assert (found.complete, found.dimension) == (True, 2)
    image = forward(network.program, found.points)
    assert np.abs(image - found.points).max() < TIGHT
    roots = newton_roots(network, 300)
    assert np.abs(roots[:, None] - found.points[None]).max(axis=2).min(axis=1).max() < TIGHT


def test_a_turned_chain_has_the_same_fixed_points():
    network = random_chain([6, 5, 2, 7, 6], 1, 2.0)
    narrow = turned(network.program)
    assert narrow.size == 2
    x = newton_roots(network, 50)[:1]
    y = forward(narrow.ahead, x)
    np.testing.assert_allclose(forward(narrow.turned, y), y, atol=1e-10)
    np.testing.assert_allclose(forward(narrow.back, y), x, atol=1e-10)


def test_a_gru_and_an_lstm_have_complete_lists():
    rng = np.random.default_rng(1)
    gru = gru_cell("g", 4.0 * rng.standard_normal((6, 2)), rng.standard_normal(6), input_size=1)
    found = listed(gru.network)
    assert (found.complete, found.region) == (True, "R^n")
    assert np.abs(forward(gru.network.program, found.points) - found.points).max() < TIGHT
    lstm = lstm_cell("l", rng.standard_normal((8, 2)), rng.standard_normal(8), input_size=1)
    found = listed(lstm.network)
    assert (found.complete, found.region) == (True, "the invariant ball")


def test_ten_units_that_barely_curve_need_a_handful_of_boxes():
    found = listed(one_layer(random_weights(10, 0, 0.9)))
    assert found.complete
    assert found.count == 1
    assert found.boxes < 200


def test_a_double_root_is_left_over_and_not_counted():
    """x = tanh(w x + b) touches the diagonal: at the fold of two points nothing is proved."""
    slope = 2.0
    touching = np.sqrt(1.0 - 1.0 / slope)  # w (1 - x^2) = 1
    bias = np.arctanh(touching) - slope * touching
    found = listed(one_layer([[slope]], [bias]))
    assert not found.complete
    assert found.left > 0
    assert found.count == 1  # the other one, far from the fold
    apart = listed(one_layer([[slope]], [bias + 1e-3])), listed(one_layer([[slope]], [bias - 1e-3]))
    assert sorted(each.count for each in apart) == [1, 3]
    assert all(each.complete for each in apart)


def test_maps_without_a_bounded_region_have_no_list():
    assert listed(one_layer(2.0 * np.eye(2), name="relu")) is None
    assert listed(one_layer(np.eye(2), name="identity")) is None
    assert listed(one_layer(np.eye(100))) is None
    assert listed(one_layer(2.0 * np.eye(2)), effort=0.0) is None


def test_too_little_work_leaves_boxes_and_says_so():
    found = listed(one_layer(random_weights(4, 0, 3.0)), effort=1e-5)
    assert not found.complete
    assert found.status == "numerical"
    assert found.left > 0
    assert found.reason == "too many boxes"


@pytest.mark.parametrize("name", ["tanh", "gelu", "relu", "sin", "silu", "hardtanh", "softsign"])
def test_relaxations_hold_every_value(name):
    """c + A d + [-rad, rad] holds f(m + d) at points of the boxes, their corners among them."""
    network = random_chain([3, 6, 3], 2, 2.0, name, last=name, bias=1.0)
    rng = np.random.default_rng(0)
    mid = rng.standard_normal((40, 3))
    rad = 10.0 ** rng.uniform(-6.0, 0.5, (40, 3))
    assert relaxable(network.program)
    relaxed = relax(enclosing(network.program), mid, rad)
    for _ in range(60):
        d = rng.uniform(-1.0, 1.0, (40, 3))
        d = np.where(rng.random((40, 3)) < 0.4, np.sign(d), d) * rad
        value = forward(network.program, mid + d)
        linear = np.einsum("kio,ki->ko", relaxed.linear.mid, d)
        off = np.abs(value - relaxed.offset.mid - linear)
        assert (off <= relaxed.offset.rad + 1e-13 * (1.0 + np.abs(value))).all()


def test_rests_of_a_relaxation_fall_with_the_square_of_the_width():
    network = random_chain([2, 5, 2], 3, 2.0)
    mid = np.full((2, 2), 0.3)
    rad = np.array([[1e-2, 1e-2], [1e-3, 1e-3]])
    rest = relax(enclosing(network.program), mid, rad).offset.rad
    assert (rest[1] < 0.02 * rest[0]).all()


def test_points_in_one_another_s_boxes_are_one_and_overlapping_ones_are_undecided():
    def boxes(*rows):
        return Single(
            *(np.array(column, dtype=np.float64)[:, None] for column in zip(*rows, strict=True))
        )

    assert distinct(boxes((0, 4, 1, 2), (0.5, 3, 1.2, 1.8))) == [0]
    assert distinct(boxes((0, 4, 1, 2), (3, 6, 4.5, 5))) == [0, 1]
    assert distinct(boxes((0, 4, 1, 2), (1.5, 6, 1.9, 5))) is None


def newton_roots(network, starts):
    """Distinct ends of Newton's method, Jacobians by differences, from uniform starts."""
    program = network.program
    n = program.input_size
    reach = (
        1.5 * np.abs(forward(program, 9.0 * np.random.default_rng(1).normal(size=(99, n)))).max()
    )
    x = np.random.default_rng(0).uniform(-reach, reach, (starts, n))
    h = 1e-6
    for _ in range(60):
        value = forward(program, x)
        jac = np.stack(
            [(forward(program, x + h * e) - forward(program, x - h * e)) / (2 * h)
             for e in np.eye(n)], axis=2,
        )  # fmt: skip
        step = np.linalg.solve(np.eye(n) - jac + 1e-13 * np.eye(n), (value - x)[:, :, None])
        x = np.clip(x + step[:, :, 0], -2 * reach, 2 * reach)
    good = x[np.abs(forward(program, x) - x).max(axis=1) < 1e-11]
    _, first = np.unique(np.round(good, 5), axis=0, return_index=True)
    roots = []
    for each in good[first]:
        if not any(np.abs(each - other).max() < 1e-6 for other in roots):
            roots.append(each)
    return np.array(roots)
