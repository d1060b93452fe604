import math

import numpy as np
import pytest

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations import activation
from fpcheck.theory import moments
from fpcheck.theory.unit_moments import unit_moments

GRID = np.exp(np.linspace(-4.6, 4.6, 13))
FUNCTIONS = (
    activation("relu"),
    activation("tanh"),
    activation("gelu"),
    activation("softsign"),
    activation("sin"),
    activation("crelu", {"tau": 0.5, "m": 1.2}),
    activation("cst", {"tau": 1.28, "m": 0.7}),
    activation("soft_threshold", {"tau": 0.9}),
)
# Both ways are quadratures to rounding; the sums have some hundred terms.
ROUNDING = 1e-12


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.label)
def test_moments_over_a_grid_are_those_of_one_variance_at_a_time(f):
    u = unit_moments(f, GRID)
    for i, q in enumerate(GRID.tolist()):
        floor = 1e-15 * q
        assert u.square[i] == pytest.approx(moments.second_moment(f, q), rel=ROUNDING, abs=floor)
        assert u.slope2[i] == pytest.approx(moments.slope_moment(f, q), rel=ROUNDING, abs=1e-15)
        assert u.rise[i] == pytest.approx(moments.second_moment_slope(f, q), abs=1e-12)


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.label)
def test_higher_moments_agree_with_a_plain_average_over_a_million_normals(f):
    q = 1.7
    h = math.sqrt(q) * np.random.default_rng(3).standard_normal(1_000_000)
    u = unit_moments(f, np.array([q]))
    phi2, slope2 = f.phi(h) ** 2, f.derivative(h) ** 2
    for got, sample in (
        (u.fourth, phi2**2),
        (u.sixth, phi2**3),
        (u.slope4, slope2**2),
        (u.slope2_x2, slope2 * h * h / q),
        (u.square_slope2, phi2 * slope2),
        (u.silent, slope2 == 0.0),
    ):
        assert abs(float(got[0]) - sample.mean()) <= 5.0 * sample.std() / 1000.0 + 1e-12


def test_a_step_is_refused():
    with pytest.raises(UnsupportedOperationError, match="step"):
        unit_moments(activation("step"), GRID)
