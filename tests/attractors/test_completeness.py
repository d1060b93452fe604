"""The index sum on lists that are right, wrong and out of the theorem's reach; coverage of both
estimates of what a search has not found."""

import numpy as np
import pytest

from fpcheck.attractors.completeness import (
    AGREES,
    DISAGREES,
    UNKNOWN,
    chao1,
    completeness,
    good_turing,
    index_sum,
)
from fpcheck.attractors.uniqueness import branch_and_bound, invariant_ball
from fpcheck.core.progress import Monitor
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton


def tanh_map(weight, bias=None):
    n = len(weight)
    nodes = (
        Input("x", (n,)),
        Dense("layer", ("x",), n, "weight", "bias"),
        Activation("phi", ("layer",), activation("tanh")),
    )
    bias = np.zeros(n) if bias is None else bias
    return Network(Skeleton(nodes), {"weight": np.asarray(weight, dtype=float), "bias": bias})


def signs_at(weight, points):
    slopes = 1.0 - points**2
    jacobians = slopes[:, :, None] * weight
    return [int(np.sign(np.linalg.det(np.eye(len(weight)) - jac))) for jac in jacobians]


@pytest.mark.parametrize("seed", range(12))
def test_signs_of_a_proved_complete_list_add_up_to_one(seed):
    """[Brouwer]: on lists that interval branch and bound proves to be complete."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    weight, bias = 3.0 * rng.standard_normal((n, n)) / np.sqrt(n), 0.2 * rng.standard_normal(n)
    network = tanh_map(weight, bias)
    found = branch_and_bound(network.program, [], effort=1.0, monitor=Monitor())
    assert found.complete
    region = invariant_ball(network.program)
    signs = signs_at(weight, found.points)
    whole = index_sum(region, found.points, signs, proved=True)
    assert (whole.total, whole.verdict, whole.points) == (1, AGREES, found.count)
    for gone in range(found.count):
        rest = np.delete(found.points, gone, axis=0)
        less = index_sum(region, rest, signs[:gone] + signs[gone + 1 :], proved=True)
        assert (less.verdict, less.status) == (DISAGREES, "proved")


def test_a_missing_pair_of_opposite_signs_goes_unnoticed():
    """Why a right sum proves nothing: 0 and +-x of tanh(2 x) have signs -1, 1, 1."""
    weight = np.array([[2.0]])
    region = invariant_ball(tanh_map(weight).program)
    points = np.array([[0.9575040240772687]])
    alone = index_sum(region, points, signs_at(weight, points), proved=True)
    assert alone.verdict == AGREES
    assert "proves nothing" in alone.verdict


def test_without_proofs_the_verdict_is_numerical():
    region = invariant_ball(tanh_map(np.eye(1)).program)
    said = index_sum(region, np.zeros((1, 1)), [-1], proved=False)
    assert (said.verdict, said.status) == (DISAGREES, "numerical")


@pytest.mark.parametrize("sign", [None, 0])
def test_a_point_of_unknown_sign_leaves_the_sum_open(sign):
    region = invariant_ball(tanh_map(np.eye(1)).program)
    said = index_sum(region, np.zeros((1, 1)), [sign], proved=True)
    assert (said.total, said.verdict) == (None, UNKNOWN)


def test_where_no_ball_is_known_the_sum_says_nothing():
    said = completeness("its values are not bounded", np.zeros((1, 2)), [1], [3], proved=True)
    assert (said.index_sum, said.index_expected, said.index_verdict) == (1, None, UNKNOWN)
    assert "not bounded" in said.index_note


def test_points_outside_of_the_ball_are_not_counted():
    region = invariant_ball(tanh_map(0.5 * np.eye(1)).program)
    said = index_sum(region, np.array([[0.0], [9.0]]), [1, -1], proved=True)
    assert (said.total, said.points) == (1, 1)


def test_an_empty_list_misses_at_least_one():
    region = invariant_ball(tanh_map(np.eye(2)).program)
    said = index_sum(region, np.empty((0, 2)), [], proved=True)
    assert (said.total, said.verdict) == (0, DISAGREES)


def test_estimates_in_closed_form():
    """Counts 1, 1, 1, 2, 5: f1 = 3, f2 = 1, N = 10."""
    counts = np.array([1, 1, 1, 2, 5])
    assert good_turing(counts).value == pytest.approx(0.3)
    assert chao1(counts).value == pytest.approx(5 + 0.9 * 3 * 2 / 4)


def test_no_finds_give_no_estimate():
    nothing = np.array([], dtype=np.int64)
    assert good_turing(nothing) is None
    assert chao1(nothing) is None
    said = completeness("none", np.empty((0, 1)), [], [], proved=False)
    assert (said.good_turing, said.chao1, said.hits) == (None, None, 0)


def test_no_singletons_still_leave_what_n_finds_can_miss():
    estimate = good_turing(np.array([100, 100]))
    assert estimate.value == 0.0
    assert estimate.high == pytest.approx(1.0 - 0.05 ** (1.0 / 200.0))


@pytest.mark.parametrize("shape", [0.3, 1.0, 5.0])
def test_intervals_of_the_missing_mass_cover_it(shape):
    """At least 90 % of draws where 95 % are aimed at: the interval is that of a normal limit."""
    rng = np.random.default_rng(1)
    inside, trials = 0, 400
    for _ in range(trials):
        masses = rng.gamma(shape, size=60)
        masses /= masses.sum()
        counts = rng.multinomial(200, masses)
        missing = masses[counts == 0].sum()
        estimate = good_turing(counts[counts > 0])
        inside += estimate.low <= missing <= estimate.high
    assert inside >= 0.90 * trials


def test_number_of_points_is_estimated_from_below_and_close_where_all_are_alike():
    rng = np.random.default_rng(2)
    estimates, covered = [], 0
    for _ in range(300):
        counts = rng.multinomial(150, np.full(80, 1.0 / 80))
        estimate = chao1(counts[counts > 0])
        estimates.append(estimate.value)
        covered += estimate.low <= 80 <= estimate.high
        assert estimate.low <= estimate.value <= estimate.high
    assert np.mean(estimates) == pytest.approx(80, rel=0.05)
    assert covered >= 0.90 * 300
