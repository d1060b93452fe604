"""d/dq and d2/dq2 of E phi^2 against 60-digit integrals, from q = 1e-12 to 1e12.

The references differentiate the density, E[phi^2 He_2(z)] / (2 q) and E[phi^2 He_4(z)] / (4 q^2):
no derivative of phi is shared with what is tested, and 60 digits outlast the cancellation.
"""

from __future__ import annotations

from itertools import pairwise

import mpmath as mp
import pytest

from fpcheck.network.activations import parse_activation
from fpcheck.theory import moments

RELATIVE = 1e-12
GELU_TANH = mp.sqrt(2 / mp.pi)


def logistic(x):
    return 1 / (1 + mp.exp(-x))


PHI = {
    "tanh": mp.tanh,
    "sigmoid": logistic,
    "elu(0.5)": lambda x: x if x > 0 else mp.expm1(x) / 2,
    "gelu": lambda x: x * mp.ncdf(x),
    "gelu_tanh": lambda x: x * logistic(2 * GELU_TANH * (x + mp.mpf("0.044715") * x**3)),
    "silu": lambda x: x * logistic(x),
    "softplus": lambda x: max(x, 0) + mp.log1p(mp.exp(-abs(x))),
    "softsign": lambda x: x / (1 + abs(x)),
    "erf": mp.erf,
    "crelu(1,1.25)": lambda x: min(max(x - 1, 0), mp.mpf("1.25")),
    "crelu(-0.5,1)": lambda x: min(max(x + mp.mpf("0.5"), 0), 1),
    "soft_threshold(0.75)": lambda x: mp.sign(x) * max(abs(x) - mp.mpf("0.75"), 0),
}
QUICK = [(name, q) for name in ("tanh", "softplus", "crelu(1,1.25)") for q in (1e-12, 0.3, 1e12)]
SLOW = [(name, q) for name in PHI for q in (1e-12, 1e-8, 1e-4, 0.01, 0.3, 30.0, 1e4, 1e8, 1e12)]


def references(name, q):
    """Both derivatives, by panels that resolve the function, the Gaussian and the kinks."""
    f, phi = parse_activation(name), PHI[name]
    with mp.workdps(60):
        q = mp.mpf(q)
        spread = mp.sqrt(q)
        edges = {mp.mpf(k) for k in range(-16, 17)} | {mp.mpf(t) / spread for t in f.kinks}
        edges |= {s * mp.mpf(2) ** k / spread for k in range(-4, 76, 2) for s in (1, -1)}
        edges = sorted(e for e in edges if abs(e) <= 16)

        def integral(weight):
            return mp.fsum(
                mp.quad(
                    lambda z: phi(spread * z) ** 2 * weight(z) * mp.npdf(z),
                    [a, b],
                    maxdegree=4,
                    method="gauss-legendre",
                )
                for a, b in pairwise(edges)
            )

        first = integral(lambda z: z * z - 1) / (2 * q)
        return first, integral(lambda z: z**4 - 6 * z * z + 3) / (4 * q * q)


def check(name, q):
    f = parse_activation(name)
    first, second = references(name, q)
    # What the references lose by ending at 16 standard deviations, where all else is nothing.
    cut = 1e-50 / q
    assert abs(moments.second_moment_slope(f, q) - first) <= RELATIVE * abs(first) + cut
    assert abs(moments.second_moment_curvature(f, q) - second) <= RELATIVE * abs(second) + cut / q


@pytest.mark.parametrize(("name", "q"), QUICK)
def test_derivatives_keep_twelve_digits(name: str, q: float):
    check(name, q)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "q"), [point for point in SLOW if point not in QUICK])
def test_derivatives_keep_twelve_digits_everywhere(name: str, q: float):
    check(name, q)
