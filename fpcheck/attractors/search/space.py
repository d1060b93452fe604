"""The space that is searched: the network's own states, or its narrowest layer's.

For f = g o h with h into a narrow layer, x = g(y) gives the fixed points of f from those of h o g,
one to one: y = h(x). The smaller space has the same fixed points and cheaper linear systems.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.selfmap import Array, image
from fpcheck.kernels import elementwise
from fpcheck.network.program import DenseLayer, Program, jacobian, jvp, trace

# Tangents that pass through a network at once, counted over all states.
TANGENT_ROWS = 8192


@dataclass(frozen=True, slots=True)
class Space:
    """A self-map F of R^size whose fixed points are those of the network.

    image: states (k, size) to their images; linearised: to images and Jacobians (k, size, size);
    lower: network states (k, n) to here; lift: back. layers: where F is a chain of dense layers.
    products: multiply-adds of one Jacobian, for the count of work.
    """

    size: int
    image: Callable[[Array], Array]
    linearised: Callable[[Array], tuple[Array, Array]]
    lower: Callable[[Array], Array]
    lift: Callable[[Array], Array]
    layers: tuple[DenseLayer, ...] | None
    products: float


def whole_space(program: Program) -> Space:
    """The network's own states."""
    if program.chain is not None:
        return _chain_space(program.chain, 0)
    n = program.input_size
    return Space(
        n,
        lambda states: image(program, states),
        lambda states: _by_tangents(program, states),
        lambda states: states,
        lambda states: states,
        None,
        float(n) ** 3,
    )


def narrowest_space(program: Program) -> Space:
    """The space of the narrowest layer of a dense chain; else the network's own states."""
    chain = program.chain
    if chain is None:
        return whole_space(program)
    widths = [layer.weight_t.shape[1] for layer in chain]
    narrow = int(np.argmin(widths))
    return _chain_space(chain, narrow + 1 if widths[narrow] < widths[-1] else 0)


def apply_layers(layers: Sequence[DenseLayer], states: Array) -> Array:
    """The layers one after the other. (k, n) -> (k, m)."""
    for layer in layers:
        states = states @ layer.weight_t
        states += layer.bias
        elementwise.apply(layer.opcode, layer.p0, layer.p1, states, states)
    return states


def _chain_space(chain: tuple[DenseLayer, ...], cut: int) -> Space:
    """The states behind the first `cut` layers."""
    rotated = chain[cut:] + chain[:cut]
    size = rotated[0].weight_t.shape[0]
    products = float(sum(size * layer.weight_t.size for layer in rotated[1:]))
    return Space(
        size,
        lambda states: apply_layers(rotated, states),
        lambda states: _chain_linearised(rotated, states),
        lambda states: apply_layers(chain[:cut], states),
        lambda states: apply_layers(chain[cut:], states) if cut else states,
        rotated,
        products,
    )


def _chain_linearised(layers: Sequence[DenseLayer], states: Array) -> tuple[Array, Array]:
    product: Array | None = None
    for layer in layers:
        states = states @ layer.weight_t
        states += layer.bias
        slope = np.empty_like(states)
        elementwise.slope(layer.opcode, layer.p0, layer.p1, states, slope)
        elementwise.apply(layer.opcode, layer.p0, layer.p1, states, states)
        weight = layer.weight_t.T
        if product is None:
            product = weight * slope[:, :, None]
        else:
            product = weight @ product
            product *= slope[:, :, None]
    assert product is not None  # a chain has at least one layer
    return states, product


def _by_tangents(program: Program, states: Array) -> tuple[Array, Array]:
    """Values and Jacobians of many states at once, a block of tangents at a time."""
    n, shape = program.input_size, program.skeleton.input_shape
    if n * n > TANGENT_ROWS:
        return image(program, states), np.array([jacobian(program, x) for x in states])
    values = np.empty_like(states)
    jacobians = np.empty((len(states), n, n))
    together = max(1, TANGENT_ROWS // n)
    for start in range(0, len(states), together):
        part = slice(start, start + together)
        block = states[part]
        traced = trace(program, block.reshape(len(block), *shape))
        values[part] = traced[program.skeleton.nodes[-1].name].reshape(len(block), n)
        repeated = {name: np.repeat(value, n, axis=0) for name, value in traced.items()}
        units = np.tile(np.eye(n), (len(block), 1)).reshape(-1, *shape)
        columns = jvp(program, repeated, units).reshape(len(block), n, n)
        jacobians[part] = columns.transpose(0, 2, 1)
    return values, jacobians
