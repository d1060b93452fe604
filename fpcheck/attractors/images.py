"""How a network maps a block of states: packed for one kernel, by BLAS, or by its program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.kernels import chain as kernel
from fpcheck.kernels.elementwise import apply, applying
from fpcheck.kernels.opcodes import EXPONENTIAL, FAMILY_OF, NORMAL, PERIODIC
from fpcheck.network.program import DenseLayer, Program, forward

Array: TypeAlias = NDArray[np.float64]
# image(x, y) writes f(x) into y; both (k, n), one state a row.
Image: TypeAlias = Callable[[Array, Array], None]


@dataclass(frozen=True, slots=True)
class PackedChain:
    """A chain of dense layers in flat arrays, as kernels.chain takes it."""

    table: NDArray[np.int64]  # (layers, 6)
    weights: Array
    biases: Array
    parameters: Array  # (layers, 2)
    families: tuple[int | None, int | None, int | None]  # exponential, normal, periodic
    widest: int


def pack_chain(chain: tuple[DenseLayer, ...]) -> PackedChain:
    """The chain in flat arrays."""
    table = np.zeros((len(chain), kernel.TABLE_COLUMNS), np.int64)
    weights = biases = 0
    for row, layer in zip(table, chain, strict=True):
        row[[kernel.INPUTS, kernel.OUTPUTS]] = layer.weight_t.shape
        row[[kernel.WEIGHTS, kernel.BIASES]] = weights, biases
        row[[kernel.OPCODE, kernel.FAMILY]] = layer.opcode, FAMILY_OF[layer.opcode]
        weights += layer.weight_t.size
        biases += layer.bias.size
    present = {FAMILY_OF[layer.opcode] for layer in chain}
    exponential, normal, periodic = (
        1 if family in present else None for family in (EXPONENTIAL, NORMAL, PERIODIC)
    )
    return PackedChain(
        table=table,
        weights=np.concatenate([layer.weight_t.T.ravel() for layer in chain]),
        biases=np.concatenate([layer.bias for layer in chain]),
        parameters=np.array([(layer.p0, layer.p1) for layer in chain], dtype=np.float64),
        families=(exponential, normal, periodic),
        widest=max(max(layer.weight_t.shape) for layer in chain),
    )


def chain_image(chain: tuple[DenseLayer, ...], rows: int) -> Image:
    """The map of a chain by BLAS products, for blocks of at most `rows` states."""
    scratch = [np.empty((rows, layer.weight_t.shape[1])) for layer in chain[:-1]]
    # A row of biases a state: one long sum takes half the time of many short ones.
    biases = [np.tile(layer.bias, (rows, 1)) for layer in chain]
    *inner, last = chain
    # What the hidden layers of so many states are made with: few states cost no more than this, and
    # what can be looked up once is, since every step of every block passes here.
    hidden: list[_Hidden] = []

    def image(x: Array, y: Array) -> None:
        k = len(x)
        if not hidden or len(hidden[0].sums) != k:
            views = zip(inner, biases[:-1], scratch, strict=True)
            hidden[:] = [_hidden(layer, bias[:k], z[:k]) for layer, bias, z in views]
        source = x
        for weight_t, bias, z, activate in hidden:
            np.matmul(source, weight_t, out=z)
            np.add(z, bias, out=z)
            activate()
            source = z
        np.matmul(source, last.weight_t, out=y)
        np.add(y, biases[-1][:k], out=y)
        apply(last.opcode, last.p0, last.p1, y, y)

    return image


class _Hidden(NamedTuple):
    """A hidden layer of so many states: what its sums are made of, and the pass over them."""

    weight_t: Array
    bias: Array
    sums: Array
    activate: Callable[[], object]


def _hidden(layer: DenseLayer, bias: Array, sums: Array) -> _Hidden:
    return _Hidden(layer.weight_t, bias, sums, applying(layer.opcode, layer.p0, layer.p1, sums))


def program_image(program: Program) -> Image:
    """The map of any program."""
    shape = program.skeleton.input_shape

    def image(x: Array, y: Array) -> None:
        y[:] = forward(program, x.reshape(len(x), *shape)).reshape(y.shape)

    return image
