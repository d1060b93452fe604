"""Scalar elementary functions that compilers can vectorise: no branch, no table, no library call.

Each is IEEE arithmetic on doubles with `multiply_add` fused. Errors are relative, in units of
u = 2^-53, half an ulp of 1, so that k u is at most k ulp; below the smallest normal double add
2^-1074 (|x| times as much where a factor x comes last: silu, gelu).
NaN gives NaN. tests/kernels/test_functions.py holds each against mpmath.

The common core is exp on y <= 0: n = round(y / ln 2), r = (y - n ln2_high) - n ln2_low, where the
first difference is exact (n ln2_high has at most 43 bits) and the second rounds by at most 2^-55,
since |r| <= 0.3467; p = r + r^2 (1/2! + r/3! + ... + r^11/13!), whose remainder is below
r^14/14! e^r <= 1.1 * 2^-56 |r|, and whose own rounding is 1.6 u |p|: so p = e^r - 1 within
1.41 * 2^-55 + 1.6 u |p| absolutely, and within 1.7 u relatively where n = 0, as then r = y.
"""

from __future__ import annotations

import math

import numpy as np

from fpcheck.kernels.arithmetic import (
    bits_of,
    choose,
    double_of,
    leading_half,
    multiply_add,
)
from fpcheck.kernels.compile import scalar

# Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits of the sum.
ROUNDER = 6755399441055744.0
INV_LN2 = 1.0 / math.log(2.0)
LN2_HIGH = 6.93147180369123816490e-01  # 32 trailing zero bits
LN2_LOW = 1.90821492927058770002e-10
LN2 = math.log(2.0)
ONE = np.int64(0x3FF)  # the exponent field of 1
FIELD = np.int64(52)  # where the exponent field begins
SQRT_HALF = math.sqrt(0.5)
TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)
INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)
NOTHING_LEFT = 745.5  # exp(-745.2) rounds to zero


@scalar
def _exp_remainder(r):
    """e^r - 1 for |r| <= 0.3481, by its Taylor polynomial of degree 13."""
    q = multiply_add(r, 1.0 / 6227020800.0, 1.0 / 479001600.0)
    q = multiply_add(q, r, 1.0 / 39916800.0)
    q = multiply_add(q, r, 1.0 / 3628800.0)
    q = multiply_add(q, r, 1.0 / 362880.0)
    q = multiply_add(q, r, 1.0 / 40320.0)
    q = multiply_add(q, r, 1.0 / 5040.0)
    q = multiply_add(q, r, 1.0 / 720.0)
    q = multiply_add(q, r, 1.0 / 120.0)
    q = multiply_add(q, r, 1.0 / 24.0)
    q = multiply_add(q, r, 1.0 / 6.0)
    q = multiply_add(q, r, 0.5)
    return multiply_add(q * r, r, r)


@scalar
def expm1_negative(y):
    """e^y - 1 for y <= 0, within 2.8 u.

    2^n p + (2^n - 1): the bracket is exact, and the worst n is -1, where the error of p counts
    half, 2^-56 * 1.41 + 0.8 u * 0.414 = 0.51 u, against at least 0.293; then the last rounding.
    """
    y = choose(y < -40.0, -40.0, y)  # there e^y - 1 already rounds to -1
    shifted = multiply_add(y, INV_LN2, ROUNDER)
    n = shifted - ROUNDER
    p = _exp_remainder(multiply_add(n, -LN2_LOW, multiply_add(n, -LN2_HIGH, y)))
    power = double_of((bits_of(shifted) + ONE) << FIELD)
    return multiply_add(power, p, power - 1.0)


@scalar
def exp_negative(y, rest):
    """e^(y + rest) for y <= 0 and a small correction |rest| <= 0.0014, within 2.6 u.

    1 + p rounds by u of at least 0.707 and p is off by at most 1.02 u; scaling by 2^n goes in two
    factors, so that the result rounds once on its way to the subnormal numbers and zero.
    """
    y = choose(y < -NOTHING_LEFT, -NOTHING_LEFT, y)
    shifted = multiply_add(y, INV_LN2, ROUNDER)
    n = shifted - ROUNDER
    p = _exp_remainder(multiply_add(n, -LN2_LOW, multiply_add(n, -LN2_HIGH, y)) + rest)
    half = (n * 0.5 + ROUNDER) - ROUNDER
    low = double_of((bits_of(half + ROUNDER) + ONE) << FIELD)
    high = double_of((bits_of((n - half) + ROUNDER) + ONE) << FIELD)
    return (1.0 + p) * low * high


@scalar
def tanh(x):
    """The hyperbolic tangent, within 6.2 u.

    -e / (2 + e) with e = expm1(-2|x|): an error of e grows by 2 / (2 + e), which is at most 1.48
    where e is worst (n = -1) and 2 where e carries 1.2 u; then a sum and a division.
    """
    e = expm1_negative(-2.0 * abs(x))
    return math.copysign(e / (2.0 + e), x)


@scalar
def tanh_slope(x):
    """sech^2 x = 4 d / (1 + d)^2 with d = exp(-2|x|), within 8 u: 1 - tanh^2 would lose it all."""
    d = exp_negative(-2.0 * abs(x), 0.0)
    return 4.0 * d / ((1.0 + d) * (1.0 + d))


@scalar
def sigmoid(x):
    """1 / (1 + e^-x) without cancellation or overflow, within 4.7 u."""
    d = exp_negative(-abs(x), 0.0)
    return choose(x < 0.0, d, 1.0) / (1.0 + d)


@scalar
def sigmoid_slope(x):
    """sigmoid (1 - sigmoid) = d / (1 + d)^2 with d = exp(-|x|), within 8 u."""
    d = exp_negative(-abs(x), 0.0)
    return d / ((1.0 + d) * (1.0 + d))


@scalar
def silu(x):
    """x sigmoid(x), within 5.7 u."""
    return x * sigmoid(x)


@scalar
def silu_slope(x):
    """sigmoid + x sigmoid', within 11 u of |sigmoid| + |x sigmoid'|: it has a zero near -1.28."""
    d = exp_negative(-abs(x), 0.0)
    total = 1.0 + d
    return multiply_add(x, d / (total * total), choose(x < 0.0, d, 1.0) / total)


@scalar
def elu(x, alpha):
    """x above 0, alpha (e^x - 1) below, within 3.8 u."""
    below = alpha * expm1_negative(choose(x > 0.0, 0.0, x))
    return choose(x > 0.0, x, below)


@scalar
def elu_slope(x, alpha):
    """1 above 0, alpha e^x at and below, within 3.6 u."""
    below = alpha * exp_negative(choose(x > 0.0, 0.0, x), 0.0)
    return choose(x > 0.0, 1.0, below)


@scalar
def two_artanh(twice):
    """2 artanh(s) of twice = 2 s, |s| <= 0.1716: the series to s^21 leaves s^22 / 23 < 2^-60."""
    w = 0.25 * twice * twice
    q = multiply_add(w, 1.0 / 21.0, 1.0 / 19.0)
    q = multiply_add(q, w, 1.0 / 17.0)
    q = multiply_add(q, w, 1.0 / 15.0)
    q = multiply_add(q, w, 1.0 / 13.0)
    q = multiply_add(q, w, 1.0 / 11.0)
    q = multiply_add(q, w, 1.0 / 9.0)
    q = multiply_add(q, w, 1.0 / 7.0)
    q = multiply_add(q, w, 1.0 / 5.0)
    q = multiply_add(q, w, 1.0 / 3.0)
    return multiply_add(q * w, twice, twice)


@scalar
def softplus(x):
    """log(1 + e^x) = max(x, 0) + log1p(z), z = exp(-|x|), within 8 u.

    log1p(z) = 2 artanh(s), s = z / (2 + z); above z = 0.414 the half of 1 + z is taken and ln 2
    added, so that |s| <= 0.1716.
    """
    z = exp_negative(-abs(x), 0.0)
    large = z > 0.41421356237309503
    twice = 2.0 * choose(large, z - 1.0, z) / choose(large, z + 3.0, z + 2.0)
    log1p = two_artanh(twice) + choose(large, LN2, 0.0)
    return choose(x < 0.0, 0.0, x) + log1p


@scalar
def gelu_tanh(x, scale, cubic):
    """x sigmoid(v), v = 2 scale (x + cubic x^3), within 6 + 4 |v| (1 - sigmoid(v)) u.

    The second part is the error of v itself, at most 4 u |v|: little for x > 0, 4 |v| u far below.
    """
    v = 2.0 * scale * multiply_add(cubic * x * x, x, x)
    return x * sigmoid(v)


@scalar
def gelu_tanh_slope(x, scale, cubic):
    """sigmoid(v) + x sigmoid'(v) v', within (14 + 4 |v|) u of the sum of its terms' sizes."""
    v = 2.0 * scale * multiply_add(cubic * x * x, x, x)
    slope = 2.0 * scale * multiply_add(3.0 * cubic * x, x, 1.0)
    return multiply_add(x * slope, sigmoid_slope(v), sigmoid(v))


@scalar
def _erfcx(a):
    """e^(a^2) erfc(a) for 0 <= a <= 28, within 5 u.

    (1 + 2a) erfcx(a) is smooth in t = (a - 4) / (a + 4) (Schonfelder 1978); the coefficients are
    its Chebyshev interpolant on the 24 nodes of t in [-1, 3/4], made with 60 digits, within 0.54 u
    after rounding; its terms' sizes add up to at most 1.78 of it, so Horner's rule is off by 2 u.
    """
    t = (a - 4.0) / (a + 4.0)
    q = multiply_add(t, 1.263782858042137e-09, 1.868487385473519e-09)
    q = multiply_add(q, t, -1.4091982822555755e-08)
    q = multiply_add(q, t, -1.799947545903142e-08)
    q = multiply_add(q, t, 1.1005996198640057e-07)
    q = multiply_add(q, t, 7.471952780500971e-08)
    q = multiply_add(q, t, -8.254699744871162e-07)
    q = multiply_add(q, t, 2.9377854943443786e-07)
    q = multiply_add(q, t, 5.709784760966506e-06)
    q = multiply_add(q, t, -1.1222046316669005e-05)
    q = multiply_add(q, t, -2.439924428312988e-05)
    q = multiply_add(q, t, 0.00015062169704678355)
    q = multiply_add(q, t, -0.00019925668432389153)
    q = multiply_add(q, t, -0.0007577732973669146)
    q = multiply_add(q, t, 0.005031969975753176)
    q = multiply_add(q, t, -0.01619773405599449)
    q = multiply_add(q, t, 0.03716751553777026)
    q = multiply_add(q, t, -0.0663303658124095)
    q = multiply_add(q, t, 0.09373283499833023)
    q = multiply_add(q, t, -0.10103906603629459)
    q = multiply_add(q, t, 0.06809705425469323)
    q = multiply_add(q, t, 0.015379652102619558)
    q = multiply_add(q, t, -0.13962111684056253)
    q = multiply_add(q, t, 1.2329951186255526)
    return q / multiply_add(2.0, a, 1.0)


@scalar
def exp_minus_square(x, weight):
    """exp(-weight x^2) for |x| <= 40 and weight 1 or 1/2, within 3 u.

    x^2 is taken as the exact square of x's leading half and a small rest, or its rounding alone
    would cost x^2 u.
    """
    lead = leading_half(x)
    return exp_negative(-weight * lead * lead, -weight * (x - lead) * (x + lead))


@scalar
def erf(x):
    """The error function, within 8 u.

    Below 1/2 its Taylor series to x^25 (the next term is below 2^-57 of it), above 1 - erfc, where
    erfc is at most 0.48 and its 9 u count by 0.92.
    """
    a = abs(x)
    a = choose(a > 27.5, 27.5, a)
    z = a * a
    q = multiply_add(z, 1.0 / (25 * 479001600.0), -1.0 / (23 * 39916800.0))
    q = multiply_add(q, z, 1.0 / (21 * 3628800.0))
    q = multiply_add(q, z, -1.0 / (19 * 362880.0))
    q = multiply_add(q, z, 1.0 / (17 * 40320.0))
    q = multiply_add(q, z, -1.0 / (15 * 5040.0))
    q = multiply_add(q, z, 1.0 / (13 * 720.0))
    q = multiply_add(q, z, -1.0 / (11 * 120.0))
    q = multiply_add(q, z, 1.0 / (9 * 24.0))
    q = multiply_add(q, z, -1.0 / (7 * 6.0))
    q = multiply_add(q, z, 1.0 / (5 * 2.0))
    q = multiply_add(q, z, -1.0 / 3.0)
    near = TWO_OVER_SQRT_PI * multiply_add(q * z, a, a)
    far = multiply_add(-exp_minus_square(a, 1.0), _erfcx(a), 1.0)
    return math.copysign(choose(a < 0.5, near, far), x)


@scalar
def erf_slope(x):
    """2 / sqrt(pi) exp(-x^2), within 5 u."""
    a = abs(x)
    return TWO_OVER_SQRT_PI * exp_minus_square(choose(a > 27.5, 27.5, a), 1.0)


@scalar
def gelu(x):
    """x Phi(x), Phi the normal distribution function, within 12 u (its tail by erfcx)."""
    a = abs(x)
    a = choose(a > 38.75, 38.75, a)
    tail = 0.5 * exp_minus_square(a, 0.5) * _erfcx(SQRT_HALF * a)
    return x * choose(x < 0.0, tail, 1.0 - tail)


@scalar
def gelu_slope(x):
    """Phi(x) + x Phi'(x), within 14 u of Phi + |x Phi'|: it has a zero near -0.75."""
    a = abs(x)
    a = choose(a > 38.75, 38.75, a)
    bell = exp_minus_square(a, 0.5)
    tail = 0.5 * bell * _erfcx(SQRT_HALF * a)
    return multiply_add(x, INV_SQRT_2PI * bell, choose(x < 0.0, tail, 1.0 - tail))
