"""Orbits and tangents side by side are those of the network and of its Jacobians."""

from threading import Event

import numpy as np
import pytest
from moving_maps import henon, linear, motion_of, normal_starts, one_layer, random_tanh
from numpy.testing import assert_allclose

from fpcheck.attractors.motion.classify import classify
from fpcheck.attractors.motion.clouds import SHADOW_WIDTH, cloud_of, joined, shadow_of
from fpcheck.attractors.motion.distances import nearest
from fpcheck.attractors.motion.walk import CHUNK, orthonormal, stretch, walk
from fpcheck.attractors.selfmap import image, return_jacobian
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.recurrent import gru_cell
from fpcheck.network.skeleton import Activation, Add, Dense, Input, Skeleton


def residual(n, seed=0):
    """x -> x / 2 + tanh(W x): a graph that is no chain."""
    rng = np.random.default_rng(seed)
    nodes = (
        Input("x", (n,)),
        Dense("inner", ("x",), n, "inner"),
        Activation("phi", ("inner",), activation("tanh")),
        Dense("half", ("x",), n, "half"),
        Add("sum", ("phi", "half")),
    )
    weights = {"inner": rng.standard_normal((n, n)), "half": 0.5 * np.eye(n)}
    return Network(Skeleton(nodes), weights)


def two_layers(n, width, seed=0):
    """A chain through a layer of another width, with a kink."""
    rng = np.random.default_rng(seed)
    nodes = (
        Input("x", (n,)),
        Dense("up", ("x",), width, "up", "b"),
        Activation("kink", ("up",), activation("relu")),
        Dense("down", ("kink",), n, "down"),
        Activation("phi", ("down",), activation("tanh")),
    )
    weights = {
        "up": rng.standard_normal((width, n)),
        "b": 0.1 * rng.standard_normal(width),
        "down": rng.standard_normal((n, width)) / np.sqrt(width),
    }
    return Network(Skeleton(nodes), weights)


def gru(n):
    rng = np.random.default_rng(1)
    cell = gru_cell("g", rng.standard_normal((3 * n, n)), rng.standard_normal(3 * n), input_size=2)
    return cell.network


MAPS = {
    "one layer": random_tanh(5, 1.5, 0),
    "two layers": two_layers(5, 9),
    "residual": residual(5),
    "gru": gru(5),
    "function": henon(),
}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("directions", [1, 3])
def test_a_walk_is_the_orbit_and_carries_its_jacobians(name, directions):
    program = MAPS[name].program
    n = program.input_size
    directions = min(directions, n)
    states = 0.1 * normal_starts(n, 4)
    tangents = np.random.default_rng(1).standard_normal((4, directions, n))
    orbit, pushed = [states], tangents
    for now, push in walk(program, states, 5, tangent=True):
        pushed = push(pushed)
        orbit.append(now)
    assert_allclose(orbit[-1], image(program, states, 5), rtol=1e-12)
    for lane in range(4):
        points = np.array([at[lane] for at in orbit[:-1]])
        expected = tangents[lane] @ return_jacobian(program, points).T
        # A function's Jacobians are by central differences along other directions.
        assert_allclose(pushed[lane], expected, rtol=1e-6, atol=1e-8)


def test_a_walk_longer_than_a_chunk_goes_on_where_it_was():
    program = MAPS["one layer"].program
    states = normal_starts(5, 3)
    (*_, (last, _)) = walk(program, states, 2 * CHUNK + 3, tangent=False)
    assert_allclose(last, image(program, states, 2 * CHUNK + 3), rtol=1e-9)


def test_growth_is_what_the_tangents_volume_gains():
    weight = np.diag([2.0, 0.5, 0.25])
    program = linear(weight).program
    tangents = np.eye(3)[None]
    part = stretch(program, np.ones((1, 3)), tangents, steps=8, every=4, shadow=lambda x: x[:, :1])
    assert_allclose(part.growth, np.log([2.0, 0.5, 0.25]) * 4 * np.ones((2, 1, 3)), rtol=1e-12)
    assert part.orbit.shape == (8, 1, 1)
    assert_allclose(part.orbit[:, 0, 0], 2.0 ** np.arange(1, 9))


def test_orthonormal_tangents_span_the_same_and_a_vanished_one_is_replaced():
    rng = np.random.default_rng(2)
    tangents = rng.standard_normal((2, 3, 6))
    frame, logs = orthonormal(tangents)
    for one, given, log in zip(frame, tangents, logs, strict=True):
        assert_allclose(one @ one.T, np.eye(3), atol=1e-12)
        assert_allclose(given - given @ one.T @ one, 0.0, atol=1e-12)
        assert_allclose(log.sum(), 0.5 * np.linalg.slogdet(given @ given.T)[1], rtol=1e-10)
    flat = np.zeros((1, 2, 3))
    flat[0, 0, 0] = 1.0
    with np.errstate(divide="ignore"):
        frame, logs = orthonormal(flat)
    assert_allclose(frame[0] @ frame[0].T, np.eye(2), atol=1e-12)
    assert logs[0, 1] == -np.inf


def test_the_nearest_of_many_points_by_brute_force():
    rng = np.random.default_rng(3)
    states, points = rng.standard_normal((700, 5)) + 100.0, rng.standard_normal((90, 5)) + 100.0
    expected = np.linalg.norm(states[:, None] - points, axis=2).min(axis=1)
    assert_allclose(nearest(states, points), expected, rtol=1e-12)
    assert nearest(points[7:8], points)[0] == 0.0


def test_shadows_of_wide_states_keep_distances():
    rng = np.random.default_rng(4)
    shadow = shadow_of(1000, rng)
    states = rng.standard_normal((50, 1000))
    seen = shadow(states)
    assert seen.shape == (50, SHADOW_WIDTH)
    ratio = np.linalg.norm(seen[1:] - seen[0], axis=1) / np.linalg.norm(
        states[1:] - states[0], axis=1
    )
    # A chi-square variable with 64 degrees of freedom: a spread of 9 % about 1.
    assert np.all((ratio > 0.6) & (ratio < 1.4))
    narrow = rng.standard_normal((5, 8))
    assert shadow_of(8, rng)(narrow) is narrow


def test_a_cloud_reaches_as_far_as_its_own_points_lie_apart():
    rng = np.random.default_rng(5)
    angle = rng.uniform(0.0, 2.0 * np.pi, (2, 2000))
    first, second = (np.stack([np.cos(a), np.sin(a)], axis=1) for a in angle)
    cloud, _ = cloud_of(first, rng)
    other, held = cloud_of(second, rng)
    assert np.median(nearest(held, cloud.points)) <= cloud.reach < 0.2
    both = joined(cloud, other)
    assert len(both.points) == len(cloud.points) + len(other.points)
    assert np.median(nearest(1.5 * held, both.points)) > both.reach


def test_the_answer_does_not_depend_on_the_order_and_the_signs_of_the_units():
    network = random_tanh(8, 1.5, 4)
    weight = np.asarray(network.parameters["weight"])
    bias = np.asarray(network.parameters["bias"])
    rng = np.random.default_rng(6)
    order, signs = rng.permutation(8), rng.choice([-1.0, 1.0], 8)
    moved = one_layer(
        (signs[:, None] * weight * signs)[np.ix_(order, order)], (signs * bias)[order]
    )
    starts = image(network.program, normal_starts(8, 24), 500)
    one = motion_of(network, starts)
    other = motion_of(moved, (starts * signs)[:, order])
    assert one.kinds == other.kinds


def test_a_wish_to_stop_ends_it_at_once():
    stop = Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        classify(
            henon().program,
            np.zeros((3, 2)),
            Settings(),
            np.random.default_rng(0),
            Monitor(stop=stop),
        )
