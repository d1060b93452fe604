"""Small self-maps whose basins are known, and the traps of their known attractors."""

from __future__ import annotations

import itertools

import numpy as np

from fpcheck.attractors.basins.traps import Trap
from fpcheck.attractors.certify import certify
from fpcheck.attractors.polish import polish
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.activations import activation
from fpcheck.network.load import load
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton

SETTINGS, MONITOR = Settings(), Monitor()


def tanh_map(weight, bias=None, name="tanh"):
    """x -> phi(W x + b)."""
    weight = np.atleast_2d(np.asarray(weight, dtype=np.float64))
    n = len(weight)
    bias = np.zeros(n) if bias is None else np.asarray(bias, dtype=np.float64)
    nodes = [Input("x", (n,)), Dense("layer", ("x",), n, "weight", "bias")]
    if name != "identity":
        nodes.append(Activation("phi", ("layer",), activation(name)))
    return Network(Skeleton(tuple(nodes)), {"weight": weight, "bias": bias}).program


def well(gain):
    """The positive fixed point of x -> tanh(gain x), by bisection."""
    low, high = 1e-9, 1.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if np.tanh(gain * middle) > middle else (low, middle)
    return low


def wells(n, gain):
    """n independent two-well units: the program, its 2^n traps, its saddles by name."""
    program = tanh_map(gain * np.eye(n))
    at = well(gain)
    traps = [
        trap_at(program, f"T{number}", at * np.array(signs))
        for number, signs in enumerate(itertools.product((1.0, -1.0), repeat=n))
    ]
    others = [
        at * np.array(signs)
        for signs in itertools.product((1.0, 0.0, -1.0), repeat=n)
        if 0.0 in signs
    ]
    saddles = [(f"S{i}", polish(program, point, 1, MONITOR)) for i, point in enumerate(others)]
    return program, traps, saddles


def trap_at(program, name, state, period=1):
    """The certified trap of the attractor near `state`."""
    found = polish(program, np.asarray(state, dtype=np.float64), period, MONITOR)
    assert found is not None
    return Trap(name, found, certify(program, found).attracting)


def callable_map(function, n):
    """A plain function of rows as a program."""
    return load(function, input_shape=(n,)).network.program


def cube_roots(x):
    """Newton's map z <- z - (z^3 - 1) / (3 z^2) of z = x + iy."""
    z = x[:, 0] + 1j * x[:, 1]
    with np.errstate(all="ignore"):
        z = (2.0 * z**3 + 1.0) / (3.0 * z**2)
    return np.stack([z.real, z.imag], axis=1)


def cube_root_traps():
    """The program of `cube_roots` and its three traps A, B, C; A is 1."""
    program = callable_map(cube_roots, 2)
    angles = 2.0 * np.pi * np.arange(3) / 3.0
    traps = [
        trap_at(program, name, [np.cos(angle), np.sin(angle)])
        for name, angle in zip("ABC", angles, strict=True)
    ]
    return program, traps
