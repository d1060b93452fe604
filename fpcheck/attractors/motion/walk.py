"""Steps of many states side by side, with the tangents that they carry along."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from fpcheck.attractors.selfmap import Array
from fpcheck.kernels import elementwise
from fpcheck.network.program import DenseLayer, Program, dense_chain, jvp, trace

# push(tangents) takes (m, k, n) tangents at the states before a step to those behind it.
Push: TypeAlias = Callable[[Array], Array]

# Steps of a chain whose slopes are taken in one pass, and the most entries that they may have.
CHUNK = 64
CHUNK_ENTRIES = 2**20


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of `steps` steps of m states.

    states: (m, n) at its end; tangents: (m, k, n) there, orthonormal; orbit: (steps, m, d), every
    state's shadow; growth: (steps / every, m, k), what the logarithms of the tangents' volumes
    gained between two normalisations, the leading direction first.
    """

    states: Array
    tangents: Array | None
    orbit: Array
    growth: Array


def stretch(
    program: Program,
    states: Array,
    tangents: Array | None,
    *,
    steps: int,
    every: int,
    shadow: Callable[[Array], Array],
) -> Segment:
    """`steps` steps of every state, its tangents made orthonormal again `every` steps.

    states: (m, n); tangents: (m, k, n), None to carry none; shadow: (m, n) -> (m, d), what is
    kept of every state. `steps` is a multiple of `every`. A tangent that the map takes to zero has
    growth -inf; one that is not a number stays none.
    """
    width = shadow(states).shape[1]
    orbit = np.empty((steps, len(states), width))
    k = 0 if tangents is None else tangents.shape[1]
    growth = np.empty((steps // every, len(states), k))
    now = states
    for step, (now, push) in enumerate(walk(program, states, steps, tangents is not None)):
        orbit[step] = shadow(now)
        if tangents is not None:
            tangents = push(tangents)
            if (step + 1) % every == 0:
                tangents, growth[step // every] = orthonormal(tangents)
    return Segment(now, tangents, orbit, growth)


def orthonormal(tangents: Array) -> tuple[Array, Array]:
    """The tangents made orthonormal, and the logarithms of what was divided out.

    tangents: (m, k, n) -> (m, k, n), (m, k). Householder's QR, so that a vanished direction is
    replaced by one at right angles to the others.
    """
    if tangents.shape[1] == 1:
        lengths = np.sqrt(np.einsum("mkn,mkn->mk", tangents, tangents))
        safe = np.where(lengths > 0.0, lengths, 1.0)[..., None]
        return tangents / safe, np.log(lengths)
    q, r = np.linalg.qr(np.swapaxes(tangents, 1, 2))
    diagonal = np.abs(np.diagonal(r, axis1=1, axis2=2))
    return np.ascontiguousarray(np.swapaxes(q, 1, 2)), np.log(diagonal)


def walk(
    program: Program, states: Array, steps: int, tangent: bool
) -> Iterator[tuple[Array, Push]]:
    """The states behind each of `steps` steps, (m, n), and the push of that step's tangents."""
    chain = dense_chain(program)
    if chain is None:
        return _program_walk(program, states, steps, tangent)
    return _chain_walk(chain, states, steps, tangent)


def _chain_walk(
    chain: tuple[DenseLayer, ...], states: Array, steps: int, tangent: bool
) -> Iterator[tuple[Array, Push]]:
    m = len(states)
    widths = [layer.weight_t.shape[1] for layer in chain]
    length = max(1, min(CHUNK, CHUNK_ENTRIES // max(1, m * sum(widths))))
    for begin in range(0, steps, length):
        size = min(length, steps - begin)
        before = [np.empty((size, m, width)) for width in widths]
        after = np.empty((size, m, widths[-1]))
        hidden = [np.empty((m, width)) for width in widths[:-1]]
        for t in range(size):
            source = states
            targets = (*hidden, after[t])
            for layer, z, target in zip(chain, before, targets, strict=True):
                np.matmul(source, layer.weight_t, out=z[t])
                z[t] += layer.bias
                elementwise.apply(layer.opcode, layer.p0, layer.p1, z[t], target)
                source = target
            states = after[t]
        if tangent:
            for layer, z in zip(chain, before, strict=True):
                elementwise.slope(layer.opcode, layer.p0, layer.p1, z, z)
        for t in range(size):
            yield after[t], _chain_push(chain, [slopes[t] for slopes in before])


def _chain_push(chain: tuple[DenseLayer, ...], slopes: list[Array]) -> Push:
    def push(tangents: Array) -> Array:
        m, k, _ = tangents.shape
        for layer, slope in zip(chain, slopes, strict=True):
            flat = tangents.reshape(m * k, -1) @ layer.weight_t
            tangents = flat.reshape(m, k, -1)
            tangents *= slope[:, None, :]
        return tangents

    return push


def _program_walk(
    program: Program, states: Array, steps: int, tangent: bool
) -> Iterator[tuple[Array, Push]]:
    shape = program.skeleton.input_shape
    last = program.skeleton.nodes[-1].name
    for _ in range(steps):
        values = trace(program, states.reshape(len(states), *shape))
        states = values[last].reshape(len(states), -1)
        yield states, _program_push(program, values)


def _program_push(program: Program, values: dict[str, Array]) -> Push:
    shape = program.skeleton.input_shape

    def push(tangents: Array) -> Array:
        m, k, n = tangents.shape
        if k == 1:
            return jvp(program, values, tangents.reshape(m, *shape)).reshape(m, 1, n)
        out = np.empty_like(tangents)
        for row in range(m):
            one = {name: value[row : row + 1] for name, value in values.items()}
            out[row] = jvp(program, one, tangents[row].reshape(k, *shape)).reshape(k, n)
        return out

    return push
