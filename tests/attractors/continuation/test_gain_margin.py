"""Gain margins against closed forms, and against the networks with their weights multiplied."""

import json
from pathlib import Path

import many_newton
import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from safetensors.numpy import load_file
from scipy.optimize import brentq
from small_maps import attractors_of, linear, one_layer

from fpcheck.attractors.continuation.margin import gain_margin
from fpcheck.attractors.polish import polish
from fpcheck.attractors.selfmap import image
from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.recurrent import gru_cell
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton

FLIP_FLOP = Path(__file__).parents[3] / "samples" / "flip_flop_rnn.safetensors"
# Events are located to 1e-10 along the curve; at a branch point the curve is looked for up to
# 1e-5 beside it.
LOCATED = 1e-8
# Points of a curve, in units of their size.
ON_THE_CURVE = 1e-10


def polished(network, *seeds):
    """The distinct fixed points that Newton's method finds from the seeds."""
    found = []
    for seed in seeds:
        point = polish(network.program, np.asarray(seed, dtype=np.float64), 1, Monitor())
        assert point is not None
        if all(np.linalg.norm(point.point - other.point) > 1e-6 for other in found):
            found.append(point)
    return found


def margin(network, *seeds, **options):
    return gain_margin(network, polished(network, *seeds), monitor=Monitor(), **options)


def events(result):
    return [(event.kind, event.unstable_before, event.unstable_after) for event in result.events]


@pytest.mark.parametrize("gain", [1.3, 1.9])
def test_two_wells_merge_in_a_pitchfork_where_the_slope_is_one(gain):
    result = margin(one_layer([[gain]]), [0.0], [1.0], [-1.0], names="OPN")
    (event,) = result.events
    assert_allclose(event.gain, 1 / gain, atol=LOCATED)
    assert abs(event.gain - 1 / gain) <= event.gain_error
    assert (event.kind, event.points, event.multiplicity) == ("pitchfork", ("O", "P", "N"), 1)
    assert result.margin_low == result.attractor_low == event.gain
    assert (result.margin_high, result.attractor_high) == (None, None)
    assert (result.reached_low, result.reached_high) == (0.5, 2.0)
    # The two wells are the two ends of one curve through the pitchfork.
    ends = {frozenset((branch.start, branch.end)) for branch in result.branches}
    assert frozenset("PN") in ends


def test_a_single_well_splits_and_the_new_points_are_followed():
    gain = 0.8
    result = margin(one_layer([[gain]]), [0.0])
    assert events(result) == [("pitchfork", 0, 1)]
    assert_allclose(result.margin_high, 1 / gain, atol=LOCATED)
    assert result.margin_low is None
    split = [branch for branch in result.branches if branch.start.startswith("branch point")]
    assert len(split) == 2
    for branch in split:
        for g, x in zip(branch.gains[1:], branch.positions[1:], strict=True):
            assert_allclose(np.tanh(g * gain * x), x, rtol=1e-9)
    assert_allclose(split[0].positions[-1], -split[1].positions[-1], rtol=1e-6)


def test_a_fold_lies_where_the_slope_of_the_biased_tanh_is_one():
    gain, bias = 2.0, -0.36
    result = margin(one_layer([[gain]], [bias]), [-1.0], [0.3], [0.9])
    # x = tanh(u), u = g a x + b, g a (1 - x^2) = 1: one equation for x, with 30 digits.
    with mpmath.workdps(30):
        x = mpmath.findroot(lambda x: mpmath.atanh(x) - x / (1 - x * x) - bias, 0.6)
        fold = float(1 / (gain * (1 - x * x)))
    assert events(result) == [("fold", 0, 1)]
    assert_allclose(result.margin_low, fold, atol=1e-9)
    (event,) = result.events
    assert sorted(event.points) == ["2", "3"]
    assert_allclose(abs(event.position), float(x), atol=1e-5)


@pytest.mark.parametrize("bias", [1e-2, 1e-3, 1e-4])
def test_a_nearly_symmetric_pitchfork_is_a_fold_beside_a_curve_that_goes_on(bias):
    # x = tanh(a g x + b): the well on the bias's side goes on to small gains, the other one meets
    # the point between them where g a (1 - x^2) = 1. The curves pass at a distance of b^(1/3).
    gain = 1.5
    result = margin(one_layer([[gain]], [bias]), [-1.0], [0.0], [1.0], names="NOP")
    with mpmath.workdps(30):
        x = mpmath.findroot(lambda x: mpmath.atanh(x) - x / (1 - x * x) - bias, -(bias ** (1 / 3)))
        fold = float(1 / (gain * (1 - x * x)))
    assert events(result) in ([("fold", 0, 1)], [("fold", 1, 0)])
    assert_allclose(result.margin_low, fold, atol=1e-9)
    assert sorted(result.events[0].points) == ["N", "O"]
    (through,) = [b for b in result.branches if b.start == "P" and b.side == "down"]
    assert through.end == "end of the range"
    assert set(through.unstable) == {0}


def test_scaled_down_a_trained_memory_loses_its_points_in_pairs_until_one_is_left():
    # 27 points of index sum +1: every fold takes one of index +1 and one of -1.
    tensors = {name: tensor.astype(np.float64) for name, tensor in load_file(FLIP_FLOP).items()}
    weight = tensors["rnn.weight_hh_l0"]
    bias = tensors["rnn.bias_ih_l0"] + tensors["rnn.bias_hh_l0"]
    starts = np.random.default_rng(0).uniform(-1, 1, (2000, 16))
    network = one_layer(weight, bias)
    known = polished(network, *many_newton.of_tanh(weight, bias, starts))
    result = gain_margin(network, known, monitor=Monitor(), low=0.5, high=1.1)
    assert len(known) == 27
    assert result.new_points == ()
    folds = [event for event in result.events if event.gain < 1]
    assert [event.kind for event in folds] == ["fold"] * 13
    assert len({name for event in folds for name in event.points}) == 26
    left = [b for b in result.branches if b.side == "down" and b.end == "end of the range"]
    assert [branch.unstable[-1] for branch in left] == [0]


def test_a_partner_that_was_not_given_is_found_on_the_other_side_of_the_fold():
    network = one_layer([[2.0]], [-0.36])
    result = margin(network, [0.9])
    (new,) = result.new_points
    (missing,) = polished(network, [0.3])
    assert_allclose(new, missing.point, rtol=1e-9)


def test_an_eigenvalue_at_minus_one_is_a_flip():
    result = margin(one_layer([[-0.8]], [0.3]), [0.0])

    def slope(g):
        x = brentq(lambda x: np.tanh(-0.8 * g * x + 0.3) - x, -1, 1, xtol=1e-15)
        return -0.8 * g * (1 - x * x) + 1.0

    assert events(result) == [("flip", 0, 1)]
    assert_allclose(result.margin_high, brentq(slope, 1.0, 2.0, xtol=1e-14), atol=LOCATED)
    assert result.events[0].angle == 1.0
    assert not result.events[0].changes_number


def test_a_complex_pair_on_the_unit_circle_is_a_neimark_sacker_point_with_its_angle():
    angle = 2 * np.pi / 5
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    result = margin(one_layer(0.7 * turn), [0.0, 0.0])
    assert events(result) == [("Neimark-Sacker", 0, 2)]
    assert_allclose(result.margin_high, 1 / 0.7, atol=LOCATED)
    assert_allclose(result.events[0].angle, 0.4, atol=1e-9)


def test_a_linear_map_loses_its_point_to_infinity_where_its_eigenvalue_is_one():
    result = margin(linear([[0.7, 0.1], [0.0, 0.4]], [1.0, 1.0]), [0.0, 0.0])
    (event,) = result.events
    assert event.kind == "escape"
    assert abs(event.gain - 1 / 0.7) <= event.gain_error <= 1e-3
    assert result.attractor_high == event.gain


def test_all_directions_of_a_diagonal_map_split_at_once():
    n, gain = 3, 1.6
    seeds = np.tri(n + 1, n, -1)  # the centre, the middles of a face and of an edge, a corner
    result = margin(one_layer(gain * np.eye(n)), *seeds)
    assert result.followed == n + 1
    (event,) = result.events
    assert_allclose(event.gain, 1 / gain, atol=LOCATED)
    assert (event.multiplicity, event.unstable_before, event.unstable_after) == (n, n, 0)
    assert len(event.points) == n + 1
    # Each other point's curve comes back to g = 1 at its mirror image.
    mirrored = {tuple(np.round(state, 6)) for state in result.new_points}
    assert mirrored == {tuple(np.round(-point.point, 6)) for point in
                        polished(one_layer(gain * np.eye(n)), *seeds[1:])}  # fmt: skip


def test_a_relu_that_switches_on_is_a_border_collision():
    # x <- -g relu(g x - 1.5) + 1: silent until g = 1.5, and there its slope jumps from 0 to -g^2.
    nodes = (
        Input("x", (1,)),
        Dense("in", ("x",), 1, "w", "b"),
        Activation("phi", ("in",), activation("relu")),
        Dense("out", ("phi",), 1, "v", "c"),
    )
    parameters = {name: np.array(value) for name, value in
                  {"w": [[1.0]], "b": [-1.5], "v": [[-1.0]], "c": [1.0]}.items()}  # fmt: skip
    result = margin(Network(Skeleton(nodes), parameters), [1.0])
    (event,) = result.events
    assert (event.kind, event.unstable_before, event.unstable_after) == ("border collision", 0, 1)
    assert_allclose(event.gain, 1.5, atol=LOCATED)


def test_a_double_root_is_at_its_bifurcation_already():
    x = np.sqrt(0.5)
    network = one_layer([[2.0]], [np.arctanh(x) - 2 * x])
    result = margin(network, [x], [-1.0])
    assert (result.margin_low, result.margin_high) == (1.0, 1.0)
    assert result.events[0].kind == "degenerate"
    assert (result.followed, result.left_out) == (1, 1)


def test_the_identity_has_no_point_to_follow_and_says_so():
    result = margin(linear(np.eye(2)), [0.3, -0.2])
    assert (result.followed, result.margin_low, result.margin_high) == (0, 1.0, 1.0)


def random_network(seed, n=6, gain=1.8):
    rng = np.random.default_rng(seed)
    return gain * rng.standard_normal((n, n)) / np.sqrt(n), 0.3 * rng.standard_normal(n)


def everything(network, count=128):
    """All fixed points that an analysis lists."""
    found = attractors_of(network, count=count, max_steps=500).fixed_points
    return polished(network, *(point.point for point in found))


@pytest.mark.parametrize("seed", range(6))
def test_the_network_changes_at_the_margin_and_not_before(seed):
    # Independently: Newton's method on the network whose weights are multiplied by hand, gain by
    # gain, keeps every point, its index and whether it is stable inside, and not all outside.
    weight, bias = random_network(seed)
    known = everything(one_layer(weight, bias))
    result = gain_margin(one_layer(weight, bias), known, monitor=Monitor(), low=0.3, high=2.5)
    low, high = result.margin_low or 0.3, result.margin_high or 2.5
    for gain in np.linspace(low + 1e-4, high - 1e-4, 9):
        assert unchanged(weight, bias, known, gain)
    if result.margin_low:
        assert not unchanged(weight, bias, known, low - 1e-3)
    if result.margin_high:
        assert not unchanged(weight, bias, known, high + 1e-3)


def unchanged(weight, bias, known, gain):
    """Whether every point is still there at this gain, as stable and with the same index."""
    for point in known:
        state = followed_by_hand(weight, bias, point.point, gain)
        if state is None:
            return False
        value = np.tanh(gain * weight @ state + bias)
        jac = (1 - value**2)[:, None] * gain * weight
        if nature(jac) != nature(point.jacobian):
            return False
    return True


def followed_by_hand(weight, bias, state, gain):
    """The point at `gain` by Newton's method at 400 gains on the way, None where it is lost."""
    for g in np.linspace(1.0, gain, 401):
        before = state
        for _ in range(5):
            value = np.tanh(g * weight @ state + bias)
            slope = (1 - value**2)[:, None] * g * weight
            state = state + np.linalg.solve(np.eye(len(state)) - slope, value - state)
        residual = np.abs(np.tanh(g * weight @ state + bias) - state).max()
        # Behind a fold Newton's method wanders, or jumps to another point.
        if not residual < 1e-12 or np.linalg.norm(state - before) > 0.2:
            return None
    return state


def nature(jac):
    """(whether the point is stable, the sign of det(I - J))."""
    stable = bool(np.all(np.abs(np.linalg.eigvals(jac)) < 1))
    return stable, round(np.linalg.slogdet(np.eye(len(jac)) - jac)[0])


def test_what_curves_lead_to_are_fixed_points_of_the_network_itself():
    network = one_layer(*random_network(7, n=10, gain=3.0))
    known = everything(network)[:2]
    result = gain_margin(network, known, monitor=Monitor())
    for state in result.new_points:
        assert_allclose(image(network.program, state[None])[0], state, atol=ON_THE_CURVE)
        assert all(np.linalg.norm(state - point.point) > 1e-6 for point in known)


def test_relabelled_and_mirrored_units_have_the_same_margin():
    weight, bias = random_network(1)
    order, flip = np.random.default_rng(0).permutation(6), np.array([1, -1, 1, 1, -1, -1.0])
    plain = one_layer(weight, bias)
    moved = one_layer((flip[:, None] * weight * flip)[np.ix_(order, order)], (flip * bias)[order])
    first, second = (
        gain_margin(network, everything(network), monitor=Monitor()) for network in (plain, moved)
    )
    assert_allclose([e.gain for e in first.events], [e.gain for e in second.events], atol=1e-7)
    assert sorted(events(first)) == sorted(events(second))


def test_a_change_of_basis_of_a_two_layer_network_keeps_the_margin():
    # x <- V tanh(W x + b) and z = T x: z <- (T V) tanh((W T^-1) z + b).
    rng = np.random.default_rng(5)
    w, v, b = rng.standard_normal((4, 3)), rng.standard_normal((3, 4)), rng.standard_normal(4)
    basis = rng.standard_normal((3, 3)) + 2 * np.eye(3)
    results = []
    for inner, outer in ((w, v), (w @ np.linalg.inv(basis), basis @ v)):
        nodes = (
            Input("x", (3,)),
            Dense("in", ("x",), 4, "w", "b"),
            Activation("phi", ("in",), activation("tanh")),
            Dense("out", ("phi",), 3, "v"),
        )
        network = Network(Skeleton(nodes), {"w": inner, "b": b, "v": outer})
        results.append(gain_margin(network, everything(network), monitor=Monitor()))
    gains = [[event.gain for event in result.events] for result in results]
    assert gains[0]
    assert_allclose(gains[0], gains[1], atol=1e-7)


def test_a_gru_that_halves_its_state_keeps_its_point_at_every_gain():
    # All recurrent weights are zero, so nothing is scaled: h* = tanh(a), eigenvalue 1/2.
    drive = np.concatenate([np.zeros(6), np.linspace(-1, 1, 3)])
    cell = gru_cell("g", np.zeros((9, 3)), drive, input_size=1)
    result = margin(cell.network, np.zeros(3))
    assert result.events == ()
    assert (result.margin_low, result.margin_high) == (None, None)


def test_the_number_of_threads_changes_nothing():
    network = one_layer(*random_network(2))
    known = everything(network)
    one, two = (
        gain_margin(network, known, monitor=Monitor(), threads=threads) for threads in (1, 2)
    )
    assert one.events == two.events
    assert one.branches == two.branches


def test_the_result_is_plain_data():
    section = as_section(margin(one_layer([[1.5]], [0.1]), [1.0], [-1.0], names="AB"))
    assert json.loads(json.dumps(section, allow_nan=False)) == section
    assert section["status"] == "numerical"
    assert {event["kind"] for event in section["events"]} == {"fold"}


def test_a_range_without_one_is_refused():
    network = one_layer([[0.5]])
    with pytest.raises(ValueError, match="does not hold 1"):
        margin(network, [0.0], low=1.1)


def test_cycles_alone_give_no_margin():
    network = one_layer([[-3.0]])
    cycle = polish(network.program, np.array([0.99]), 2, Monitor())
    assert gain_margin(network, [cycle], monitor=Monitor()) == "there is no fixed point to follow"
