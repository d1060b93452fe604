"""tanh and sigmoid as scale mixtures of erf: pairs of saturated rows that are all but parallel."""

from __future__ import annotations

import math
import time

import mpmath as mp
import numpy as np
import pytest

from fpcheck.network.activations import activation
from fpcheck.theory import moments
from fpcheck.theory.dual_kernel.elementwise import dual_moments
from fpcheck.theory.dual_kernel.mixed import mixed_moments, scales
from fpcheck.theory.pairs import pair_moment, pair_slope_moment


def test_the_scales_are_a_law_that_mixes_erf_to_tanh():
    squares, weights = scales()
    assert abs(weights.sum() - 1.0) < 1e-14
    for x in (1e-3, 0.1, 0.7, 2.0, 5.0):
        mixed = sum(
            w * math.erf(x / math.sqrt(2.0 * d2)) for d2, w in zip(squares, weights, strict=True)
        )
        assert abs(mixed - math.tanh(x)) < 1e-14


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
@pytest.mark.parametrize("slope", [False, True])
def test_pairs_are_those_of_quadrature_in_the_plane(name, slope):
    f, rng = activation(name), np.random.default_rng(5)
    exact = pair_slope_moment if slope else pair_moment
    whole = moments.slope_moment if slope else moments.second_moment
    for _ in range(60):
        q1, q2 = 10.0 ** rng.uniform(-3.0, 6.0, 2)
        c = float(rng.choice([-1.0, 1.0]) * (1.0 - 10.0 ** rng.uniform(-13.0, 0.0)))
        found = mixed_moments(f, np.array([q1]), np.array([q2]), np.array([c]), slope=slope)[0]
        largest = math.sqrt(whole(f, q1) * whole(f, q2))
        assert abs(found - exact(f, q1, q2, c)) < 1e-12 * largest


def test_a_slope_is_the_integral_over_the_strip_where_it_is_not_zero():
    q1, q2, c = 1e6, 1.5e6, 0.99999
    found = mixed_moments(
        activation("tanh"), np.array([q1]), np.array([q2]), np.array([c]), slope=True
    )[0]
    with mp.workdps(25):
        det, step = (1 - mp.mpf(c)) * (1 + mp.mpf(c)), mp.mpf("0.25")
        places = [step * i for i in range(-80, 81)]
        narrow = [mp.sech(x) ** 2 for x in places]
        cross = 2 * mp.mpf(c) / mp.sqrt(q1 * q2)
        total = mp.fsum(
            gx * gy * mp.exp(-(x * x / q1 + y * y / q2 - cross * x * y) / (2 * det))
            for x, gx in zip(places, narrow, strict=True)
            for y, gy in zip(places, narrow, strict=True)
        )
        exact = step**2 * total / (2 * mp.pi * mp.sqrt(q1 * q2 * det))
    assert abs(found / float(exact) - 1.0) < 1e-9  # the coarse strip's own error is 3e-11


def test_rows_of_many_sizes_that_are_all_but_parallel_are_quick():
    # As raw columns in their own units make them: one by one they took 2 ms each.
    rng = np.random.default_rng(1)
    rows = np.exp(rng.normal(0.0, 1.0, 200))[:, None] * (
        np.array([800.0, 120.0, 30.0]) * (1.0 + 0.02 * rng.normal(size=(200, 3)))
    )
    cov = rows @ rows.T
    q = np.diagonal(cov).copy()
    f = activation("tanh")
    dual_moments(f, q[:4], q[:4], cov[:4, :4], slope=True)
    start = time.process_time()
    moment, slope = dual_moments(f, q, q, cov, slope=True)
    assert time.process_time() - start < 5.0  # 0.4 s; 90 s before
    c = float(cov[3, 8] / math.sqrt(q[3] * q[8]))
    assert abs(moment[3, 8] - pair_moment(f, q[3], q[8], c)) < 1e-11
    assert slope is not None
    assert abs(slope[3, 8] / pair_slope_moment(f, q[3], q[8], c) - 1.0) < 1e-9
