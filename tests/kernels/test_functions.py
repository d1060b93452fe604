"""The scalar functions against 200-bit arithmetic: the bounds that their docstrings state."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from fpcheck.kernels import functions, periodic

U = 2.0**-53
TINIEST_NORMAL = 2.0**-1022
# Below the normal numbers a rounding is up to 2^-1075, and these multiply one by |x|.
SUBNORMAL_SLACK = {"gelu": 40 * 2.0**-1074, "silu": 750 * 2.0**-1074}


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def bell(x):
    return mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi)


def normal_cdf(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def gelu_tanh_inner(x):
    return 2 * mpmath.mpf(SCALE) * (x + mpmath.mpf(CUBIC) * x**3)


SCALE, CUBIC = math.sqrt(2.0 / math.pi), 0.044715

# name -> (ours, exact, bound in u)
BOUNDS = {
    "expm1_negative": (
        lambda x: functions.expm1_negative(-abs(x)),
        lambda x: mpmath.expm1(-abs(x)),
        2.8,
    ),
    "exp_negative": (
        lambda x: functions.exp_negative(-abs(x), 0.0),
        lambda x: mpmath.exp(-abs(x)),
        2.6,
    ),
    "tanh": (functions.tanh, mpmath.tanh, 6.2),
    "tanh_slope": (functions.tanh_slope, lambda x: mpmath.sech(x) ** 2, 8),
    "sigmoid": (functions.sigmoid, sigmoid, 4.7),
    "sigmoid_slope": (functions.sigmoid_slope, lambda x: sigmoid(x) * sigmoid(-x), 8),
    "silu": (functions.silu, lambda x: x * sigmoid(x), 5.7),
    "elu": (lambda x: functions.elu(x, 1.0), lambda x: x if x > 0 else mpmath.expm1(x), 3.8),
    "elu_slope": (
        lambda x: functions.elu_slope(x, 1.0),
        lambda x: 1 if x > 0 else mpmath.exp(x),
        3.6,
    ),
    "softplus": (functions.softplus, lambda x: mpmath.log1p(mpmath.exp(x)), 8),
    "erf": (functions.erf, mpmath.erf, 8),
    "erf_slope": (
        functions.erf_slope,
        lambda x: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-x * x),
        5,
    ),
    "gelu": (functions.gelu, lambda x: x * normal_cdf(x), 12),
    "near_sin": (periodic.near_sin, mpmath.sin, 2.5),
    "near_cos": (periodic.near_cos, mpmath.cos, 2.5),
}


def dense_points():
    rng = np.random.default_rng(20)
    return np.concatenate(
        [
            np.linspace(-6.0, 6.0, 601),
            np.linspace(-40.0, 40.0, 161),
            rng.normal(0.0, 2.0, 500),
            # Around the multiples of ln 2 / 2 and pi / 4, where the reductions change sides.
            np.nextafter(np.arange(-60, 61) * (math.log(2.0) / 2), rng.choice([-9.0, 9.0], 121)),
            np.nextafter(np.arange(-60, 61) * (math.pi / 4), rng.choice([-9.0, 9.0], 121)),
            np.array([0.4999999999999999, 0.5, -0.8813735870195429, 0.8813735870195429]),
        ]
    )


def special_points():
    ends = [
        5e-324,
        1e-310,
        TINIEST_NORMAL,
        1e-30,
        1e-8,
        27.0,
        38.0,
        700.0,
        709.0,
        745.0,
        750.0,
        1e3,
    ]
    return np.array([0.0, *ends, *(-end for end in ends)])


@pytest.fixture(autouse=True)
def _precision():
    # Interpreted kernels warn where compiled ones do not.
    with mpmath.workprec(200), np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("name", BOUNDS)
def test_function_keeps_its_stated_bound(name):
    ours, exact, bound = BOUNDS[name]
    slack = SUBNORMAL_SLACK.get(name, 2.0**-1074)
    for x in [*dense_points(), *special_points()]:
        truth = mpmath.mpf(exact(mpmath.mpf(float(x))))
        error = abs(mpmath.mpf(float(ours(float(x)))) - truth)
        assert error <= bound * U * abs(truth) + (slack if abs(truth) < TINIEST_NORMAL else 0), x


# Sums with a zero: their bound is relative to the sizes of the terms. (ours, exact, sizes, bound)
SUMS = {
    "silu_slope": (
        functions.silu_slope,
        lambda x: sigmoid(x) + x * sigmoid(x) * sigmoid(-x),
        lambda x: sigmoid(x) + abs(x) * sigmoid(x) * sigmoid(-x),
        lambda x: 11,
    ),
    "gelu_slope": (
        functions.gelu_slope,
        lambda x: normal_cdf(x) + x * bell(x),
        lambda x: normal_cdf(x) + abs(x) * bell(x),
        lambda x: 14,
    ),
    "gelu_tanh": (
        lambda x: functions.gelu_tanh(x, SCALE, CUBIC),
        lambda x: x * sigmoid(gelu_tanh_inner(x)),
        lambda x: abs(x) * sigmoid(gelu_tanh_inner(x)),
        lambda x: 6 + 4 * abs(gelu_tanh_inner(x)) * sigmoid(-gelu_tanh_inner(x)),
    ),
    "gelu_tanh_slope": (
        lambda x: functions.gelu_tanh_slope(x, SCALE, CUBIC),
        lambda x: sigmoid(gelu_tanh_inner(x)) + _gelu_tanh_second(x),
        lambda x: sigmoid(gelu_tanh_inner(x)) + abs(_gelu_tanh_second(x)),
        lambda x: 14 + 4 * abs(gelu_tanh_inner(x)),
    ),
}


def _gelu_tanh_second(x):
    v = gelu_tanh_inner(x)
    slope = 2 * mpmath.mpf(SCALE) * (1 + 3 * mpmath.mpf(CUBIC) * x * x)
    return x * slope * sigmoid(v) * sigmoid(-v)


@pytest.mark.parametrize("name", SUMS)
def test_sum_keeps_its_stated_bound_relative_to_its_terms(name):
    ours, exact, sizes, bound = SUMS[name]
    for x in dense_points():
        if abs(x) > 20:  # the tails underflow; the elementwise tests hold them to the definition
            continue
        exactly = mpmath.mpf(float(x))
        error = abs(mpmath.mpf(float(ours(float(x)))) - exact(exactly))
        slack = 40 * 2.0**-1074
        assert error <= bound(exactly) * U * sizes(exactly) + slack, x


@pytest.mark.parametrize("name", [*BOUNDS, *SUMS])
def test_nan_stays_nan(name):
    ours = {**BOUNDS, **SUMS}[name][0]
    assert math.isnan(ours(math.nan))


@pytest.mark.parametrize(
    ("ours", "low", "high"),
    [
        (functions.tanh, -1.0, 1.0),
        (functions.sigmoid, 0.0, 1.0),
        (functions.erf, -1.0, 1.0),
        (functions.softplus, 0.0, math.inf),
        (lambda x: functions.elu(x, 2.0), -2.0, math.inf),
    ],
)
def test_infinity_goes_to_the_limit(ours, low, high):
    assert ours(-math.inf) == low
    assert ours(math.inf) == high


@pytest.mark.parametrize("ours", [functions.tanh, functions.erf, periodic.near_sin])
def test_odd_function_is_odd_to_the_bit(ours):
    points = dense_points()
    assert [ours(-x) for x in points] == [-ours(x) for x in points]
    assert ours(0.0) == 0.0


def test_sine_of_large_arguments_keeps_its_bound_up_to_a_million():
    rng = np.random.default_rng(3)
    # Nearest to a multiple of pi all leading digits of the reduced argument cancel.
    near = [float(mpmath.nint(k) * mpmath.pi) for k in rng.integers(1, 318_000, 200)]
    for x in [*rng.uniform(-periodic.NEAR, periodic.NEAR, 500), *near]:
        truth = mpmath.sin(mpmath.mpf(x))
        assert abs(mpmath.mpf(periodic.near_sin(x)) - truth) <= 2.5 * U * abs(truth), x


def test_sine_beyond_a_million_is_the_library_s():
    assert periodic.far_sin(1e22) == pytest.approx(-0.8522008497671888, rel=1e-15)
    assert periodic.far_cos(3e6) == pytest.approx(math.cos(3e6), rel=1e-15)
