"""Random networks by number: network i of a key is the same whenever and wherever it is drawn.

A dense chain with independent entries is drawn by the kernel that also checks it, any other
network as latent coordinates of its prior; which of the two is a matter of the prior alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fpcheck.kernels import counter, guess
from fpcheck.network.skeleton import Dense
from fpcheck.simplicity.networks import Block, Prior
from fpcheck.simplicity.outputs import ChainPlan, chain_plan

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Key = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """A chain and its laws as kernels.guess takes them.

    layers: (l, 9); activations: (l, 2); blocks: (b, 5); laws: (b, 2). room: the numbers of all
    blocks, scales among them, and one.
    """

    layers: Integers
    activations: Array
    blocks: Integers
    laws: Array
    room: int
    plan: ChainPlan

    @property
    def widest(self) -> int:
        """The width of the widest layer."""
        return self.plan.widest


def counter_key(key: int) -> Key:
    """The two words that the generator counts under, of any whole number from 0 on."""
    return np.random.SeedSequence(key).generate_state(2, np.uint64).astype(np.uint64)


def redraw_many(prior: Prior, key: int, numbers: Iterable[int]) -> Array:
    """(m, P) the parameters of these networks under `key`, in their order."""
    words, tables = counter_key(key), tables_of(prior)
    wanted = [int(number) for number in numbers]
    if tables is None:
        rows = [latents(prior, words, number, 1) for number in wanted]
        return prior.parameters(np.concatenate([np.empty((0, prior.latent_size)), *rows]))
    out = np.empty((len(wanted), tables.room))
    for row, number in enumerate(wanted):
        guess.draw_networks(
            tables.layers, tables.blocks, tables.laws, words, number, out[row : row + 1]
        )
    return np.ascontiguousarray(out[:, : prior.parameter_size])


def latents(prior: Prior, key: Key, first: int, count: int) -> Array:
    """(count, L) the latent coordinates of networks first, first + 1, ..."""
    size, levels = prior.latent_size, prior.levels
    spans = []
    for at, end in pairwise([0, *(np.flatnonzero(np.diff(levels)) + 1).tolist(), size]):
        law = counter.LATTICE if levels[at] else counter.NORMAL
        spans.append(_Span(at, end - at, (law, 0.0, 1.0), int(levels[at])))
    out = np.empty((count, size + 1))
    counter.draw_numbers(*_as_blocks(spans), key, first, out)
    return np.ascontiguousarray(out[:, :size])


def tables_of(prior: Prior) -> Tables | None:
    """The prior as the kernel takes it; None unless a chain of simple, independent laws."""
    plan = chain_plan(prior)
    if plan is None or any(_law(block) is None for block in prior.blocks):
        return None
    scales = prior.parameter_size  # scales stand behind all parameters
    layers: list[list[int]] = []
    spans: list[_Span] = []
    names = [node.name for node in prior.skeleton.nodes if isinstance(node, Dense)]
    for name, row in zip(names, plan.table, strict=True):
        first, scale = len(spans), guess.NONE
        for block in (each for each in prior.blocks if each.layer == name):
            law = _law(block)
            assert law is not None
            size = int(np.prod(block.shape))
            at = block.place.start
            if block.kind == "scale":
                at = scale = scales
                scales += size
            _append(spans, _Span(at, size, law, block.levels))
        layers.append([*row.tolist(), first, len(spans), scale])
    table = np.array(layers, dtype=np.int64)
    biases = table[:, guess.BIASES]
    biases[biases < 0] = scales + 1  # zeros that nothing writes to
    return Tables(table, plan.functions, *_as_blocks(spans), scales + 1, plan)


@dataclass(slots=True)
class _Span:
    """Neighbouring numbers of one law."""

    at: int
    size: int
    law: tuple[int, float, float]
    levels: int


def _append(spans: list[_Span], new: _Span) -> None:
    """Add `new`, to the last span if it goes on with its law: short blocks do not vectorise.

    So a layer of the same law as the one before is drawn with it. Its first row needs it anyway.
    """
    last = spans[-1] if spans else None
    joined = last and (last.at + last.size, last.law, last.levels) == (new.at, new.law, new.levels)
    if last and joined:
        last.size += new.size
    else:
        spans.append(new)


def _as_blocks(spans: list[_Span]) -> tuple[Integers, Array]:
    """The tables of `counter`, each span with words of its own."""
    blocks, word = [], 0
    for span in spans:
        blocks.append((span.at, span.size, span.law[0], span.levels, word))
        word += (span.size + 1) // 2
    laws = np.array([span.law[1:] for span in spans])
    return np.array(blocks, dtype=np.int64), laws


def _law(block: Block) -> tuple[int, float, float] | None:
    """The block's law as `counter` has it, with a and b; None where it has not."""
    values, factor = block.law.parameters, block.amplitude
    match block.law.name:
        case "zeros" | "constant":
            return counter.CONSTANT, factor * values.get("value", 0.0), 0.0
        case "uniform":
            low, high = factor * values["low"], factor * values["high"]
            return counter.UNIFORM, 0.5 * (low + high), 0.5 * (high - low)
        case "normal":
            return counter.NORMAL, 0.0, factor * float(np.sqrt(values["sigma2"]))
        case "lattice":
            low, high = factor * values["low"], factor * values["high"]
            return counter.LATTICE, low, (high - low) / (values["levels"] - 1.0)
    return None
