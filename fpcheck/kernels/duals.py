"""Closed forms of E phi(x) phi(y) and E phi'(x) phi'(y) over blocks of pairs, two kernels.

x ~ N(0, left[i]), y ~ N(0, right[j]) with correlation c[i, j]. The formulas, and where they are
from, stand beside their scalar twins in theory.closed_forms; here every loop vectorises.
"""

from __future__ import annotations

import math

from fpcheck.kernels.arithmetic import choose, multiply_add
from fpcheck.kernels.compile import kernel, scalar
from fpcheck.kernels.functions import exp_negative, expm1_negative
from fpcheck.kernels.opcodes import ERF, GELU, IDENTITY, LEAKY_RELU, RELU, SIN, STEP

TAN_EIGHTH = math.sqrt(2.0) - 1.0  # of pi / 8
QUARTER_PI = 0.25 * math.pi
HALF_PI = 0.5 * math.pi
INV_TWO_PI = 0.5 / math.pi


@scalar
def angle(y, x):
    """The angle of the point (x, y), x >= 0, y >= 0, in [0, pi/2], within 4 u; 0 at the origin.

    arctan t = t + t^3 p(t^2) for |t| <= tan(pi/8), p the interpolant on 12 Chebyshev nodes, which
    leaves 0.03 u; from there to 1 the difference to pi/4, beyond the complement.
    """
    large = choose(y > x, y, x)
    t = choose(y > x, x, y) / choose(large > 0.0, large, 1.0)
    far = t > TAN_EIGHTH
    t = choose(far, t - 1.0, t) / choose(far, t + 1.0, 1.0)
    z = t * t
    p = multiply_add(z, 0.016284375050043393, -0.03456931506332609)
    p = multiply_add(p, z, 0.045515447340221615)
    p = multiply_add(p, z, -0.05230443640686948)
    p = multiply_add(p, z, 0.05878927554473807)
    p = multiply_add(p, z, -0.0666642476020052)
    p = multiply_add(p, z, 0.07692296368042296)
    p = multiply_add(p, z, -0.09090908753259112)
    p = multiply_add(p, z, 0.11111111105150588)
    p = multiply_add(p, z, -0.14285714285659779)
    p = multiply_add(p, z, 0.19999999999999804)
    p = multiply_add(p, z, -0.3333333333333333)
    low = multiply_add(p * z, t, t) + choose(far, QUARTER_PI, 0.0)
    return choose(y > x, HALF_PI - low, low)


@scalar
def obtuse(c):
    """pi - arccos c for |c| <= 1."""
    return 2.0 * angle(math.sqrt(1.0 + c), math.sqrt(1.0 - c))


@scalar
def _sine(c):
    return math.sqrt((1.0 - c) * (1.0 + c))


@kernel
def correlations(left, right, cov, close, c):
    """c[i, j] <- cov[i, j] / (left[i] right[j]), held to [-1, 1]; left (m,), right (k,): spreads.

    Within `close` of 1 or -1 it is taken as that, and where a spread is 0 as 0. NaN stays NaN.
    """
    for i in range(c.shape[0]):
        s = left[i]
        for j in range(c.shape[1]):
            scale = s * right[j]
            v = cov[i, j] / choose(scale > 0.0, scale, 1.0)
            v = choose(v > 1.0 - close, 1.0, v)
            v = choose(v < close - 1.0, -1.0, v)
            c[i, j] = choose(scale > 0.0, v, choose(cov[i, j] == cov[i, j], 0.0, cov[i, j]))
    return 0


@kernel
def closed_pairs(opcode, left, right, c, p0, out):
    """out[i, j] <- E phi(x) phi(y); left (m,), right (k,): variances; c, out: (m, k)."""
    columns = c.shape[1]
    for i in range(c.shape[0]):
        q1 = left[i]
        s1 = math.sqrt(q1)
        if opcode == IDENTITY:
            for j in range(columns):
                out[i, j] = c[i, j] * s1 * math.sqrt(right[j])
        elif opcode in (RELU, LEAKY_RELU):
            a = p0 if opcode == LEAKY_RELU else 0.0
            bend = (1.0 - a) * (1.0 - a) * INV_TWO_PI
            for j in range(columns):
                v = c[i, j]
                arc = bend * multiply_add(v, obtuse(v), _sine(v))
                out[i, j] = s1 * math.sqrt(right[j]) * multiply_add(a, v, arc)
        elif opcode == STEP:
            for j in range(columns):
                alive = choose(right[j] > 0.0, q1, 0.0) > 0.0
                out[i, j] = choose(alive, INV_TWO_PI * obtuse(c[i, j]), 0.0)
        elif opcode == ERF:
            for j in range(columns):
                v, q2 = c[i, j], right[j]
                k = abs(v) * s1 * math.sqrt(q2)
                free = 4.0 * q1 * q2 * (1.0 - v) * (1.0 + v)
                rest = math.sqrt(1.0 + 2.0 * (q1 + q2) + free)
                out[i, j] = math.copysign(4.0 * INV_TWO_PI * angle(2.0 * k, rest), v)
        elif opcode == SIN:
            for j in range(columns):
                v, q2 = c[i, j], right[j]
                k = abs(v) * s1 * math.sqrt(q2)
                size = exp_negative(_not_above_zero(k - 0.5 * (q1 + q2)), 0.0)
                out[i, j] = math.copysign(-0.5 * size * expm1_negative(-2.0 * k), v)
        elif opcode == GELU:
            for j in range(columns):
                v, q2 = c[i, j], right[j]
                k = v * s1 * math.sqrt(q2)
                free = q1 * q2 * (1.0 - v) * (1.0 + v)
                root = math.sqrt(1.0 + q1 + q2 + free)
                shares = 1.0 / (1.0 + q1) + 1.0 / (1.0 + q2)
                turn = math.copysign(angle(abs(k), root), k)
                bend = multiply_add(k * k, shares, free) / root
                out[i, j] = multiply_add(k, 0.25 + INV_TWO_PI * turn, INV_TWO_PI * bend)
    return 0


@kernel
def closed_slope_pairs(opcode, left, right, c, p0, out):
    """out[i, j] <- E phi'(x) phi'(y); arguments as `closed_pairs`, no step."""
    columns = c.shape[1]
    for i in range(c.shape[0]):
        q1 = left[i]
        s1 = math.sqrt(q1)
        if opcode == IDENTITY:
            for j in range(columns):
                out[i, j] = 1.0
        elif opcode in (RELU, LEAKY_RELU):
            a = p0 if opcode == LEAKY_RELU else 0.0
            bend = (1.0 - a) * (1.0 - a) * INV_TWO_PI
            for j in range(columns):
                out[i, j] = multiply_add(bend, obtuse(c[i, j]), a)
        elif opcode == ERF:
            for j in range(columns):
                v, q2 = c[i, j], right[j]
                free = 4.0 * q1 * q2 * (1.0 - v) * (1.0 + v)
                out[i, j] = 8.0 * INV_TWO_PI / math.sqrt(1.0 + 2.0 * (q1 + q2) + free)
        elif opcode == SIN:
            for j in range(columns):
                q2 = right[j]
                k = abs(c[i, j]) * s1 * math.sqrt(q2)
                size = exp_negative(_not_above_zero(k - 0.5 * (q1 + q2)), 0.0)
                out[i, j] = 0.5 * size * (2.0 + expm1_negative(-2.0 * k))
        elif opcode == GELU:
            for j in range(columns):
                v, q2 = c[i, j], right[j]
                k = v * s1 * math.sqrt(q2)
                free = q1 * q2 * (1.0 - v) * (1.0 + v)
                determinant = 1.0 + q1 + q2 + free
                root = math.sqrt(determinant)
                first, second = 1.0 / (1.0 + q1), 1.0 / (1.0 + q2)
                numerator = 3.0 + q2 * first + q1 * second + (first + second) * free
                turn = math.copysign(angle(abs(k), root), k)
                bend = k * numerator / (root * determinant)
                out[i, j] = 0.25 + INV_TWO_PI * (turn + bend)
    return 0


@scalar
def _not_above_zero(y):
    return choose(y > 0.0, 0.0, y)
