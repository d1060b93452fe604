"""The activation functions and their slopes on intervals, in ball arithmetic of 200 bits."""

from __future__ import annotations

import itertools
from functools import cache

import mpmath
from flint import arb

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def _hull(function, x, turns):
    """The range of a function that is monotone between `turns`."""
    ends = [x] if x.is_exact() else [x.lower(), x.upper()]
    out = function(ends[0])
    for end in ends[1:]:
        out = out.union(function(end))
    for turn in turns:
        near = arb(turn, 1e-30)
        if near.overlaps(x):
            out = out.union(function(near))
    return out


def sigmoid(x):
    return 1 / (1 + (-x).exp())


def _normal(x):
    return (-x / arb(2).sqrt()).erfc() / 2


def _bell(x):
    return (-x * x / 2).exp() / (2 * arb.pi()).sqrt()


def gelu_tanh_inner(x):
    return 2 * (2 / arb.pi()).sqrt() * (x + arb(0.044715) * x * x * x)


def _gelu_tanh_slope(x):
    s = sigmoid(gelu_tanh_inner(x))
    inner = 2 * (2 / arb.pi()).sqrt() * (1 + 3 * arb(0.044715) * x * x)
    return s + x * s * (1 - s) * inner


SMOOTH = {
    "identity": (lambda x: x, lambda x: arb(1)),
    "tanh": (lambda x: x.tanh(), lambda x: 1 / x.cosh() ** 2),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * sigmoid(-x)),
    "gelu": (lambda x: x * _normal(x), lambda x: _normal(x) + x * _bell(x)),
    "gelu_tanh": (lambda x: x * sigmoid(gelu_tanh_inner(x)), _gelu_tanh_slope),
    "silu": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * sigmoid(-x))),
    "softplus": (lambda x: (1 + x.exp()).log(), sigmoid),
    "softsign": (lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2),
    "erf": (lambda x: x.erf(), lambda x: 2 / arb.pi().sqrt() * (-x * x).exp()),
    "sin": (lambda x: x.sin(), lambda x: x.cos()),
}


@cache
def _turns(name):
    """Where phi and phi' turn, from a search of their derivatives' signs at 60 digits."""
    mpmath.mp.dps = 60
    plain = {
        "gelu": lambda x: x * mpmath.ncdf(x),
        "gelu_tanh": lambda x: (
            x
            / (1 + mpmath.exp(-2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf(0.044715) * x**3)))
        ),
        "silu": lambda x: x / (1 + mpmath.exp(-x)),
    }
    if name not in plain:
        return (), ((0.0,) if name in ("tanh", "sigmoid", "softsign", "erf") else ())
    found = []
    for order in (1, 2):
        grid = [mpmath.mpf(k) / 4 + mpmath.mpf(1) / 64 for k in range(-32, 32)]
        signs = [mpmath.sign(mpmath.diff(plain[name], x, order)) for x in grid]
        roots = [
            mpmath.findroot(lambda x, n=order: mpmath.diff(plain[name], x, n), (a, b))
            for a, b, s, t in zip(grid, grid[1:], signs, signs[1:], strict=False)
            if s * t < 0
        ]
        found.append(tuple(arb(mpmath.nstr(root, 50)) for root in roots))
    return tuple(found)


def _lines(name, a, b):
    """(breakpoints, slopes of the pieces) of a piecewise linear function."""
    end = arb(a) + arb(b)
    return {
        "relu": ([arb(0)], [0, 1]),
        "leaky_relu": ([arb(0)], [a, 1]),
        "shifted_relu": ([arb(a)], [0, 1]),
        "hardtanh": ([arb(a), arb(b)], [0, 1, 0]),
        "soft_threshold": ([-arb(a), arb(a)], [1, 0, 1]),
        "crelu": ([arb(a), end], [0, 1, 0]),
        "cst": ([-end, -arb(a), arb(a), end], [0, 1, 0, 1, 0]),
    }[name]


def _line_value(name, a, b, x):
    breaks, steps = _lines(name, a, b)
    # phi(x) = phi(0) + the integral of the slopes from 0 to x.
    total = {
        "hardtanh": arb(0).max(arb(a)).min(arb(b)),
        "shifted_relu": (-arb(a)).max(arb(0)),
        "crelu": (-arb(a)).max(arb(0)).min(arb(b)),
    }.get(name, arb(0))
    edges = [None, *breaks, None]
    for (low, high), step in zip(itertools.pairwise(edges), steps, strict=True):
        total += arb(step) * (_held(x, low, high) - _held(arb(0), low, high))
    return total


def _held(x, low, high):
    if low is not None:
        x = x.max(low)
    return x if high is None else x.min(high)


def _line_slope(name, a, b, x):
    breaks, steps = _lines(name, a, b)
    edges = [None, *breaks, None]
    out = None
    for (low, high), step in zip(itertools.pairwise(edges), steps, strict=True):
        if (low is None or not x < low) and (high is None or not x > high):
            out = arb(step) if out is None else out.union(arb(step))
    return out


def _curve(alpha, scale):
    def value(x):
        return scale * (x.max(arb(0)) + alpha * x.min(arb(0)).expm1())

    def slope(x):
        out = None
        if not x > 0:
            part = scale * alpha * x.min(arb(0)).exp()
            out = part
        if not x < 0:
            out = arb(scale) if out is None else out.union(arb(scale))
        return out

    return value, slope


def activation_pair(function):
    """(phi, phi') as functions of an interval."""
    name, a, b = function.name, function.p0, function.p1
    if name in SMOOTH:
        value, slope = SMOOTH[name]
        if name == "sin":
            return value, slope
        return (
            lambda x: _hull(value, x, _turns(name)[0]),
            lambda x: _hull(slope, x, _turns(name)[1]),
        )
    if name == "elu":
        return _curve(arb(a), arb(1))
    if name == "selu":
        return _curve(arb(SELU_ALPHA), arb(SELU_SCALE))
    return lambda x: _line_value(name, a, b, x), lambda x: _line_slope(name, a, b, x)
