"""The search finds the escape directions that are known, and says which networks have none."""

import numpy as np
import pytest
from bias_free import alternating_circle, bias_free, drawn, place_of

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.escape.ascent import rank_one
from fpcheck.escape.direction import best_direction, escape_direction
from fpcheck.escape.origin import gain_and_gradient, origin
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton
from fpcheck.network.training import CROSS_ENTROPY, MEAN_SQUARED_ERROR, loss_and_gradient

ON_KINKS = 5e-3  # the optimum sits on kinks, about which an ascent beats
SMOOTH = 1e-6  # between kinks the last steps of rank one are power steps


def search(place, seed=0, threads=1):
    return best_direction(place, Settings(threads=threads), np.random.default_rng(seed), Monitor())


def nothing():
    """No stop flag."""


@pytest.mark.parametrize("width", [4, 12, 40])
def test_a_first_layer_of_rank_two_beats_all_layers_of_rank_one(width):
    x, pull = alternating_circle()
    direction, weights = search(place_of(x, pull, (2, width, width, 1)))
    assert abs(direction.rank_one_speed - (np.sqrt(2.0) - 1.0)) < SMOOTH
    assert abs(direction.speed - 0.5) < ON_KINKS
    assert direction.speed <= 0.5 + 1e-12
    first, *later = direction.layers
    assert abs(first.rest - 0.5) < 0.05
    assert all(layer.rest < 1e-3 for layer in later)
    for weight in weights:
        assert np.linalg.norm(weight) == pytest.approx(1.0)


def test_the_worked_example_has_the_speed_one_half():
    x, pull = alternating_circle()
    weights = [
        0.5 * np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]),
        0.5 * np.array([[1.0, -1.0, 1.0, -1.0]]),
        np.ones((1, 1)),
    ]
    gain, _ = gain_and_gradient(place_of(x, pull, (2, 4, 1, 1)), weights, nothing)
    assert gain == pytest.approx(0.5, abs=1e-15)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_a_linear_network_escapes_at_the_moments_top_singular_value(depth):
    rng = np.random.default_rng(depth)
    x, pull = rng.normal(size=(40, 6)), rng.normal(size=(40, 3))
    moment = pull.T @ x
    top = np.linalg.svd(moment, compute_uv=False)[0]
    direction, weights = search(place_of(x, pull, (6, *[7] * (depth - 1), 3), (1.0, 1.0)))
    if depth == 1:  # one layer is no product: it grows along the moment itself
        assert direction.speed == pytest.approx(np.linalg.norm(moment), rel=SMOOTH)
        return
    assert direction.speed == pytest.approx(top, rel=SMOOTH)
    assert max(layer.rest for layer in direction.layers) < SMOOTH
    product = np.linalg.multi_dot(weights[::-1])
    assert np.sum(product * moment) == pytest.approx(direction.speed)


@pytest.mark.parametrize("depth", [2, 3, 6])
def test_a_chain_of_single_units_has_one_of_two_speeds(depth):
    rng = np.random.default_rng(7)
    x, pull = rng.normal(size=(30, 1)), rng.normal(size=(30, 1))
    sides = [abs(float(np.sum(pull * np.maximum(side * x, 0.0)))) for side in (1.0, -1.0)]
    direction, _ = search(place_of(x, pull, (1, *[1] * depth)))
    assert direction.speed == pytest.approx(max(sides), rel=1e-9)


def test_one_hidden_layer_has_no_better_direction_than_its_best_unit():
    """In two layers F is a sum over units; the best one alone is the optimum. By a fine grid."""
    rng = np.random.default_rng(3)
    x, pull = rng.normal(size=(50, 2)), rng.normal(size=(50, 3))
    angles = np.linspace(0.0, 2.0 * np.pi, 20001)
    ways = np.array([np.cos(angles), np.sin(angles)])
    best = np.linalg.norm(pull.T @ np.maximum(x @ ways, 0.0), axis=0).max()
    direction, _ = search(place_of(x, pull, (2, 10, 3)))
    assert direction.speed == pytest.approx(best, rel=SMOOTH)
    assert direction.layers[0].rest < 1e-3


def test_leaky_slopes_multiply_along_a_lone_unit():
    rng = np.random.default_rng(5)
    x, pull = rng.normal(size=(20, 1)), rng.normal(size=(20, 1))
    place = place_of(x, pull, (1, 1, 1, 1), (1.0, 0.1))
    speed, points = rank_one(place, np.array([[1.0], [-1.0]]), nothing)
    by_hand = [
        abs(float(np.sum(pull * np.where(side * x > 0.0, side * x, 0.01 * side * x))))
        for side in (1.0, -1.0)
    ]
    assert speed == pytest.approx(max(by_hand), rel=1e-12)
    assert gain_and_gradient(place, points[0], nothing)[0] == pytest.approx(speed, rel=1e-12)


@pytest.mark.parametrize("function", ["relu", "leaky_relu", "identity"])
def test_the_gradient_is_the_difference_quotient(function):
    rng = np.random.default_rng(11)
    network = drawn((5, 6, 4, 3), 1.0, rng, function)
    place, weights = origin(network, rng.normal(size=(25, 5)), rng.integers(0, 3, 25),
                            CROSS_ENTROPY)  # fmt: skip
    gain, slopes = gain_and_gradient(place, weights, nothing)
    way = [rng.normal(size=weight.shape) for weight in weights]
    step = 1e-6
    ends = [
        gain_and_gradient(
            place, [w + sign * step * v for w, v in zip(weights, way, strict=True)], nothing
        )[0]
        for sign in (1.0, -1.0)
    ]
    along = sum(float(np.sum(s * v)) for s, v in zip(slopes, way, strict=True))
    assert (ends[0] - ends[1]) / (2.0 * step) == pytest.approx(along, rel=1e-6)
    # Euler: F is linear in every layer, and of degree 3 in all.
    for slope, weight in zip(slopes, weights, strict=True):
        assert np.sum(slope * weight) == pytest.approx(gain, rel=1e-10)


@pytest.mark.parametrize("loss", [CROSS_ENTROPY, MEAN_SQUARED_ERROR])
def test_near_zero_the_loss_falls_by_the_gain(loss):
    rng = np.random.default_rng(13)
    network = drawn((5, 6, 3), 1e-4, rng)
    x = rng.normal(size=(30, 5))
    targets = rng.integers(0, 3, 30) if loss == CROSS_ENTROPY else rng.normal(size=(30, 3))
    place, weights = origin(network, x, targets, loss)
    gain, slopes = gain_and_gradient(place, weights, nothing)
    silent = bias_free([0.0 * weight for weight in weights])
    at_zero, _ = loss_and_gradient(silent, x, targets, loss)
    here, gradient = loss_and_gradient(network, x, targets, loss)
    # The second order is smaller by |f|, 1e-8; beside a loss of 1 it keeps 1e-16 / 1e-8 of it.
    assert at_zero - here == pytest.approx(gain, rel=1e-6, abs=1e-14)
    for index, slope in enumerate(slopes):
        np.testing.assert_allclose(-gradient[f"w{index}"], slope, rtol=1e-4, atol=1e-11)


def test_threads_change_no_bit_and_wider_layers_lose_nothing():
    rng = np.random.default_rng(17)
    x, pull = rng.normal(size=(300, 4)), rng.normal(size=(300, 2))
    place = place_of(x, pull, (4, 6, 6, 2))
    one, two = (search(place, threads=threads)[0] for threads in (1, 2))
    assert one == two
    assert one.coarse_rows == 256
    assert one.rows == 300
    assert one.speed >= one.rank_one_speed


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (Dense("d", ("x",), 3, "w", "b"), "biases"),
        (Activation("t", ("d",), activation("tanh")), "not linear beside zero"),
        (Activation("t", ("d",), activation("crelu", {"tau": 0.0, "m": 1.0})), "not linear"),
        (Activation("t", ("d",), activation("relu")), "closes the network"),
    ],
)
def test_networks_that_are_not_homogeneous_are_named(node, why):
    first = node if isinstance(node, Dense) else Dense("d", ("x",), 3, "w")
    nodes = [Input("x", (2,)), first, *([] if isinstance(node, Dense) else [node])]
    if why.startswith("not linear"):
        nodes.append(Dense("y", ("t",), 3, "v"))
    network = Network(
        Skeleton(tuple(nodes)), {"w": np.ones((3, 2)), "b": np.ones(3), "v": np.ones((3, 3))}
    )
    found = escape_direction(
        network, np.ones((4, 2)), np.ones((4, 3)), MEAN_SQUARED_ERROR, Settings(),
        np.random.default_rng(0), Monitor(),
    )  # fmt: skip
    assert isinstance(found, str)
    assert why in found


def test_targets_of_zero_pull_nowhere():
    network = drawn((2, 3, 1), 1.0, np.random.default_rng(0))
    found = origin(network, np.ones((4, 2)), np.zeros((4, 1)), MEAN_SQUARED_ERROR)
    assert isinstance(found, str)
    assert "nowhere" in found


def test_inputs_of_zero_have_no_direction():
    network = drawn((2, 3, 1), 1.0, np.random.default_rng(0))
    found = escape_direction(
        network, np.zeros((4, 2)), np.ones((4, 1)), MEAN_SQUARED_ERROR, Settings(threads=1),
        np.random.default_rng(0), Monitor(),
    )  # fmt: skip
    assert found == "no direction was found that lowers the loss"


def test_a_stop_flag_ends_the_search():
    monitor = Monitor()
    monitor.stop.set()
    x, pull = alternating_circle()
    with pytest.raises(KeyboardInterrupt):
        best_direction(
            place_of(x, pull, (2, 4, 1)), Settings(threads=1), np.random.default_rng(0), monitor
        )
