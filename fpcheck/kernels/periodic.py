"""Sine and cosine that compilers can vectorise, for arguments up to a million."""

from __future__ import annotations

import numpy as np

from fpcheck.kernels.arithmetic import bits_of, choose, double_of, multiply_add
from fpcheck.kernels.compile import scalar
from fpcheck.kernels.functions import ROUNDER

# Beyond it the multiple of pi/2 has more than 20 bits, and the parts' products are not exact.
NEAR = 1.0e6
TWO_OVER_PI = 0.63661977236758134308
# pi/2 in parts of 33, 33 and 53 bits.
HALF_PI_HIGH = 1.57079632673412561417e00
HALF_PI_MIDDLE = 6.07710050630396597660e-11
HALF_PI_LOW = 2.02226624879595063154e-21


@scalar
def _quarter(x, turn):
    """sin(x + turn pi/2) for |x| <= NEAR, within 2.5 u.

    r + rest = x - q pi/2 to about 2^-105: products with the first two parts are exact, and the
    second difference's rounding is recovered (Knuth's two-sum). Taylor polynomials of degree 17
    and 16 on |r| <= 0.786 leave 2^-62 and 2^-58.
    """
    shifted = multiply_add(x, TWO_OVER_PI, ROUNDER)
    q = shifted - ROUNDER
    first = multiply_add(q, -HALF_PI_HIGH, x)
    second = q * -HALF_PI_MIDDLE
    r = first + second
    back = r - first
    rest = multiply_add(q, -HALF_PI_LOW, (first - (r - back)) + (second - back))
    z = r * r
    s = multiply_add(z, 1.0 / 355687428096000.0, -1.0 / 1307674368000.0)
    s = multiply_add(s, z, 1.0 / 6227020800.0)
    s = multiply_add(s, z, -1.0 / 39916800.0)
    s = multiply_add(s, z, 1.0 / 362880.0)
    s = multiply_add(s, z, -1.0 / 5040.0)
    s = multiply_add(s, z, 1.0 / 120.0)
    s = multiply_add(s, z, -1.0 / 6.0)
    sine = r + multiply_add(s * z, r, rest * multiply_add(z, -0.5, 1.0))
    c = multiply_add(z, 1.0 / 20922789888000.0, -1.0 / 87178291200.0)
    c = multiply_add(c, z, 1.0 / 479001600.0)
    c = multiply_add(c, z, -1.0 / 3628800.0)
    c = multiply_add(c, z, 1.0 / 40320.0)
    c = multiply_add(c, z, -1.0 / 720.0)
    c = multiply_add(c, z, 1.0 / 24.0)
    half = 0.5 * z
    w = 1.0 - half
    # 1 - z/2 rounds; what it lost goes back in with the small terms.
    cosine = w + (((1.0 - w) - half) + multiply_add(c * z, z, -r * rest))
    quadrant = bits_of(shifted) + turn
    value = choose((quadrant & 1) == 1, cosine, sine)
    return double_of(bits_of(value) ^ ((quadrant & 2) << np.int64(62)))


@scalar
def near_sin(x):
    """sin x for |x| <= NEAR, within 2.5 u."""
    return _quarter(x, np.int64(0))


@scalar
def near_cos(x):
    """cos x for |x| <= NEAR, within 2.5 u."""
    return _quarter(x, np.int64(1))


@scalar
def far_sin(x):
    """sin x for any x: the system's library beyond NEAR."""
    return near_sin(x) if abs(x) <= NEAR else np.sin(x)


@scalar
def far_cos(x):
    """cos x for any x: the system's library beyond NEAR."""
    return near_cos(x) if abs(x) <= NEAR else np.cos(x)
