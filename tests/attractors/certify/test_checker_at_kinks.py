"""The checker at kinks: it grants what is true there, and refuses what is not."""

from __future__ import annotations

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from certificate_checker import faults
from exact_points import exact_point, only_one, sided_jacobians
from flint import arb, fmpq, fmpq_mat
from random_maps import random_network, random_points

from fpcheck.attractors.certify import AttractingBall, Certificate, certify
from fpcheck.attractors.discover import polished
from fpcheck.core.progress import Monitor
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Add, Dense, Input, Skeleton

# x + phi(z) with phi(z) = 0 at z = 0 alone: every fixed point lies on the kink of phi.
SELU_ON_THE_KINK, LEAKY_RELU_ON_THE_KINK = 6198, 8922
DIGITS = 45


def two_point_map(leak=0.01):
    """f(x) = x + leaky_relu(1/2 - |x|): fixed points -1/2 and 1/2 only, both on its kink.

    f' is 0 and 1 - leak on the two sides of 1/2, and 2 and 1 + leak on those of -1/2.
    """
    nodes = (
        Input("x", (1,)),
        Dense("sides", ("x",), 2, "w"),
        Activation("parts", ("sides",), activation("relu")),
        Dense("tent", ("parts",), 1, "v", "b"),
        Activation("leaky", ("tent",), activation("leaky_relu", {"negative_slope": leak})),
        Add("sum", ("x", "leaky")),
    )
    parameters = {
        "w": np.array([[1.0], [-1.0]]),
        "v": np.array([[-1.0, -1.0]]),
        "b": np.array([0.5]),
    }
    return Network(Skeleton(nodes), parameters)


def at_a_half():
    """What is true of the map above at 1/2, by hand."""
    return Certificate(
        status="proved",
        reason="",
        orbit=np.array([[0.5]]),
        orbit_error=np.array([1e-12]),
        error=1e-12,
        radius=0.9,
        unstable_directions=0,
        index_sign=1,
        spectral_radius_low=0.0,
        spectral_radius_high=0.99 + 1e-15,
        kind="stable",
        attracting=AttractingBall(np.ones(1), radius=0.4, rate=0.991, inner_radius=0.39),
    )


def certified(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    found = [certify(network.program, point) for point in random_points(rng, network)]
    return network, [each for each in found if each.proved]


@pytest.mark.parametrize("seed", [SELU_ON_THE_KINK, LEAKY_RELU_ON_THE_KINK])
def test_a_true_certificate_on_a_kink_is_granted(seed):
    network, found = certified(seed)
    assert found
    assert [faults(network, each) for each in found] == [[]] * len(found)


@pytest.mark.parametrize("seed", [SELU_ON_THE_KINK, LEAKY_RELU_ON_THE_KINK])
def test_a_certificate_on_a_kink_with_too_small_an_error_is_refused(seed):
    network, found = certified(seed)
    for each in found:
        exact = exact_point(network, each.orbit[0], 1)
        off = max(float(abs(a - arb(float(b)))) for a, b in zip(exact, each.orbit[0], strict=True))
        assert faults(network, replace(each, error=1.01 * off)) == []
        assert faults(network, replace(each, error=0.99 * off))
        assert faults(network, replace(each, orbit=each.orbit + 2 * each.error))


def test_the_selu_point_is_where_the_layer_vanishes():
    """x + selu(W x + b) = x where W x = -b, solved in rational numbers."""
    network, found = certified(SELU_ON_THE_KINK)
    weight, bias = (
        [fmpq(*float(each).as_integer_ratio()) for each in network.parameters[name].ravel()]
        for name in ("w0", "b0")
    )
    solved = fmpq_mat(2, 2, weight).solve(fmpq_mat(2, 1, [-each for each in bias]))
    for each in found:
        exact = exact_point(network, each.orbit[0], 1)
        assert all(a.contains(b) for a, b in zip(exact, solved.entries(), strict=True))
        assert len(sided_jacobians(network, exact, 1)) == 4


def test_the_leaky_relu_point_is_where_the_layer_vanishes():
    """x + leaky_relu(g(x)) = x at the root of g, which is increasing: g' is 0.0351 there."""
    network, found = certified(LEAKY_RELU_ON_THE_KINK)
    given = network.parameters
    with mpmath.workdps(DIGITS):
        w, v, b = (
            [mpmath.mpf(float(each)) for each in given[name].ravel()] for name in ("w0", "w1", "b1")
        )

        def g(x):
            lifted = [a * x if a * x > 0 else mpmath.expm1(a * x) for a in w]
            return b[0] + mpmath.fdot(v, lifted)

        root = arb(mpmath.nstr(mpmath.findroot(g, (-33.7, -33.5)), DIGITS))
        slope = float(mpmath.diff(g, mpmath.findroot(g, (-33.7, -33.5))))
    for each in found:
        (exact,) = exact_point(network, each.orbit[0], 1)
        assert exact.overlaps(root)
        sides = sorted(float(j[0, 0]) for j in sided_jacobians(network, [exact], 1))
        np.testing.assert_allclose(sides, [1 + 0.01 * slope, 1 + slope], rtol=1e-12)
        assert each.spectral_radius_low <= sides[0]
        assert each.spectral_radius_high >= sides[1]


def test_what_is_true_by_hand_is_granted():
    assert faults(two_point_map(), at_a_half()) == []
    network = two_point_map(0.6)
    proved = [
        certify(network.program, polished(network.program, np.array([x]), 1, Monitor()))
        for x in (-0.5, 0.5)
    ]
    assert [each.proved for each in proved] == [True, True]
    assert [each.index_sign for each in proved] == [-1, 1]
    assert [faults(network, each) for each in proved] == [[], []]


SMALL_BALL = AttractingBall(np.ones(1), radius=0.4, rate=0.9, inner_radius=0.39)
LARGE_BALL = AttractingBall(np.ones(1), radius=1.2, rate=0.999, inner_radius=1.1)


@pytest.mark.parametrize(
    ("false", "fault"),
    [
        ({"orbit": np.array([[0.5 + 1e-9]])}, "further off"),  # 1e-9 off, its error 1e-12
        ({"orbit": np.array([[0.5 - 1e-9]])}, "further off"),
        ({"radius": 1.0 + 1e-9}, "another point"),  # the one at -1/2
        ({"radius": 3.0}, "another point"),
        ({"unstable_directions": 1, "kind": None}, "unstable directions"),
        ({"index_sign": -1}, "index sign"),
        ({"spectral_radius_high": 0.5}, "radius is larger"),  # 0.99 on one side
        ({"spectral_radius_low": 0.5}, "radius is smaller"),  # 0 on the other
        ({"kind": "repelling"}, "repelling"),
        ({"attracting": SMALL_BALL}, "does not contract"),  # by 0.9: by 0.99 on one side
        ({"attracting": LARGE_BALL}, "does not contract"),  # holds -1/2
    ],
)
def test_what_is_false_at_a_kink_is_refused(false, fault):
    (found,) = faults(two_point_map(), replace(at_a_half(), **false))
    assert fault in found


def test_the_box_may_be_as_large_as_the_other_point_lets_it():
    network = two_point_map()
    (exact,) = exact_point(network, np.array([0.5]), 1)
    assert only_one(network, np.array([0.5]), [exact], 1.0 - 1e-3, 1)
    assert not only_one(network, np.array([0.5]), [exact], 1.0, 1)


@pytest.mark.parametrize("gap", [1e-12, 0.0])
def test_a_kink_that_only_comes_near_is_refused(gap):
    """x - |x| - gap has no fixed point, and at gap 0 one that the smallest change undoes."""
    nodes = (
        Input("x", (1,)),
        Dense("sides", ("x",), 2, "w"),
        Activation("parts", ("sides",), activation("relu")),
        Dense("tent", ("parts",), 1, "v", "b"),
        Add("sum", ("x", "tent")),
    )
    parameters = {
        "w": np.array([[1.0], [-1.0]]),
        "v": np.array([[-1.0, -1.0]]),
        "b": np.array([-gap]),
    }
    near = replace(at_a_half(), orbit=np.array([[0.0]]), error=1e-9, radius=1e-8)
    assert faults(Network(Skeleton(nodes), parameters), near)
