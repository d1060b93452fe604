"""The law of random networks, fixed before the data: latent coordinates, and what they stand for.

A network is drawn as a vector of independent latent coordinates, standard normal ones and, for
lattices, level numbers; search moves in them. The parameters are a transform of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.memory import require_memory
from fpcheck.network.initializers import Law
from fpcheck.network.network import Network
from fpcheck.network.program import Program, compile_program
from fpcheck.network.skeleton import Conv, Dense, Skeleton
from fpcheck.simplicity.latent import entries

Array = NDArray[np.float64]
Kind = Literal["weight", "bias", "scale"]


@dataclass(frozen=True, slots=True)
class Block:
    """One tensor of independent draws (or one orthogonal matrix).

    layer, name: of the node and of its parameter; kind: "scale" for the random scales of a layer's
    units, which multiply its weights and are no parameters of their own. shape: (units, ...).
    law, amplitude: an entry is amplitude x a draw of the law's family. latent: where its latent
    coordinates stand, as many an entry for every entry; place: where its entries stand among the
    parameters (of a scale: those of the weights that it multiplies).
    """

    layer: str
    name: str
    kind: Kind
    shape: tuple[int, ...]
    law: Law
    amplitude: float
    latent: slice
    place: slice

    @property
    def levels(self) -> int:
        """The number of levels of a lattice, 0 for any other law."""
        return int(self.law.parameters["levels"]) if self.law.name == "lattice" else 0

    def entries(self, latent: Array) -> Array:
        """The block's entries. latent: (m, L), of whole networks -> (m, prod(shape))."""
        drawn = entries(self.law, latent[:, self.latent], self.shape)
        if self.amplitude != 1.0:
            drawn = self.amplitude * drawn
        return drawn


@dataclass(frozen=True)
class Prior:
    """The law of random networks of a skeleton.

    Parameters stand in the skeleton's order, each layer's weights (out, in, *kernel) in C order
    (a transposed convolution's as it is stored), then its biases; a tensor that layers share stands
    at the first of them. constants: the parameters that are not drawn, norms at their start.
    law: in words. notes: how the skeleton was fitted to the labels.
    """

    skeleton: Skeleton
    blocks: tuple[Block, ...]
    constants: Mapping[str, NDArray[np.generic]]
    law: str
    notes: tuple[str, ...] = ()

    @cached_property
    def latent_size(self) -> int:
        """L, the number of latent coordinates."""
        return max((block.latent.stop for block in self.blocks), default=0)

    @cached_property
    def parameter_size(self) -> int:
        """P, the number of weights and biases."""
        return max((block.place.stop for block in self.blocks), default=0)

    @cached_property
    def drawn(self) -> int:
        """The number of entries that are random: parameters, and scales beside them."""
        return sum(
            math.prod(block.shape)
            for block in self.blocks
            if block.latent.stop > block.latent.start
        )

    @cached_property
    def levels(self) -> NDArray[np.int64]:
        """(L,) the number of levels of a lattice coordinate, 0 for a normal one."""
        levels = np.zeros(self.latent_size, np.int64)
        for block in self.blocks:
            levels[block.latent] = block.levels
        return levels

    @cached_property
    def discrete(self) -> NDArray[np.bool_]:
        """(L,) which latent coordinates are numbers of lattice levels."""
        lattice: NDArray[np.bool_] = self.levels > 0
        return lattice

    @cached_property
    def outputs(self) -> int:
        """The number of outputs of a network, all axes flat."""
        return math.prod(self.skeleton.output_shape)

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """(count, L) latent coordinates: standard normal, or the number of a level, uniform."""
        require_memory(16.0 * count * self.latent_size, f"drawing {count:,} networks")
        if self.discrete.all():
            return rng.integers(0, self.levels, (count, self.latent_size)).astype(np.float64)
        latent = rng.standard_normal((count, self.latent_size))
        if self.discrete.any():
            levels = self.levels[self.discrete]
            latent[:, self.discrete] = rng.integers(0, levels, (count, len(levels)))
        return latent

    def parameters(self, latent: Array) -> Array:
        """The weights and biases. latent: (m, L) -> (m, P)."""
        parameters = np.empty((len(latent), self.parameter_size))
        for block in self.blocks:
            if block.kind == "scale":
                weights = parameters[:, block.place].reshape(len(latent), block.shape[0], -1)
                weights *= block.entries(latent)[:, :, None]
            else:
                parameters[:, block.place] = block.entries(latent)
        return parameters

    def tensors(self, parameters: Array) -> dict[str, Array]:
        """The parameters of one network by name, as the skeleton's nodes store them. (P,)"""
        nodes = {node.name: node for node in self.skeleton.nodes}
        tensors: dict[str, Array] = {}
        for block in self.blocks:
            if block.kind == "scale":
                continue
            tensor, node = parameters[block.place].reshape(block.shape), nodes[block.layer]
            stored_in_out = isinstance(node, Dense | Conv) and node.layout == "in_out"
            if block.kind == "weight" and stored_in_out:  # -> (*kernel, in, out)
                tensor = np.moveaxis(tensor, (1, 0), (-2, -1))
            tensors[block.name] = np.ascontiguousarray(tensor)
        return tensors

    def network(self, parameters: Array) -> Network:
        """The network of these parameters. (P,)"""
        return Network(self.skeleton, {**self.tensors(parameters), **self.constants})

    def program(self, parameters: Array) -> Program:
        """The network of these parameters, unchecked, ready to run. (P,)"""
        return compile_program(self.skeleton, {**self.tensors(parameters), **self.constants})
