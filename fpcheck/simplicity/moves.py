"""Moves that leave the law of networks below a score level as it is.

Of a chain of dense layers a kernel moves one unit's parameters at a time; of any other network all
latent coordinates move, or a random part of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.progress import Monitor
from fpcheck.kernels import chain, unit_moves
from fpcheck.simplicity.labelling import RULE_CODES, Labelling
from fpcheck.simplicity.networks import Prior
from fpcheck.simplicity.outputs import ChainPlan, chain_plan, cost
from fpcheck.simplicity.score import latent_scores

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Steps = tuple[float, ...]

# Inputs of a unit that move together: more would cost as many products and force smaller steps.
GROUP = 64
# Multiply-adds of one call of the kernel, some 20 ms; what a move costs beside its products counts
# as so many a row and unit that is worked out.
CALL_WORK = 2.0**25
BESIDE = 8.0
PARTS = 4  # of a network that is no chain: moves a sweep, half of them of a part alone
PART_SHARE = 0.25


class Moves(Protocol):
    """What changes networks within a level. kinds: how many steps it takes; each is adapted."""

    @property
    def kinds(self) -> int:
        """The number of kinds."""
        ...

    @property
    def sweep_work(self) -> float:
        """Multiply-adds of one sweep of one network."""
        ...

    @property
    def straight(self) -> bool:
        """Whether networks are linear in their parameters, which needs few sweeps."""
        ...

    def sweep(
        self,
        latent: Array,
        scores: Array,
        level: float,
        steps: Steps,
        rng: np.random.Generator,
        monitor: Monitor,
    ) -> Steps:
        """Move latent (m, L) and scores (m,) in place; the accepted share of each kind."""
        ...


def moves_of(prior: Prior, labelling: Labelling, errors: int) -> Moves:
    """The fastest moves that the prior's networks have."""
    plan = chain_plan(prior)
    if plan is not None and (tables := _tables(prior, plan)) is not None:
        return UnitMoves(prior, labelling, errors, plan, tables)
    return LatentMoves(prior, labelling, errors)


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """A chain's parameters as kernels.unit_moves takes them: (l, 7), (g, 4), (P, 3), (P, 2)."""

    table: Integers
    groups: Integers
    forms: Integers
    scales: Array


def _tables(prior: Prior, plan: ChainPlan) -> Tables | None:
    """None where entries are not independent, or of another law than the kernel knows."""
    if len(set(plan.table[:, chain.WEIGHTS].tolist())) < len(plan.table):
        return None  # layers share a tensor
    forms = np.zeros((prior.parameter_size, unit_moves.FORM_COLUMNS), np.int64)
    scales = np.zeros((prior.parameter_size, 2))
    for block in prior.blocks:
        if block.kind == "scale":
            return None
        form = _form(block.law.name, block.law.parameters)
        if form is None:
            return None
        kind, a, b = form
        size = block.place.stop - block.place.start
        forms[block.place, unit_moves.FORM] = kind
        latent = np.arange(block.latent.start, block.latent.start + size)
        forms[block.place, unit_moves.LATENT] = -1 if kind == unit_moves.FIXED else latent
        forms[block.place, unit_moves.LEVELS] = block.levels
        scales[block.place] = block.amplitude * a, block.amplitude * b
    units = plan.table[:, chain.OUTPUTS]
    first = np.concatenate([[0], np.cumsum(units)[:-1]])
    table = np.ascontiguousarray(np.column_stack([plan.table, first]))
    return Tables(table, _groups(table, forms), forms, scales)


def _form(name: str, values: Mapping[str, float]) -> tuple[int, float, float] | None:
    """The kind of a law, and a and b of its entries at amplitude 1."""
    if name == "normal":
        return unit_moves.NORMAL, 0.0, math.sqrt(values["sigma2"])
    if name == "uniform":
        low, high = values["low"], values["high"]
        return unit_moves.UNIFORM, 0.5 * (low + high), 0.5 * (high - low)
    if name == "lattice":
        low, high = values["low"], values["high"]
        return unit_moves.LATTICE, low, (high - low) / max(values["levels"] - 1, 1)
    if name in ("zeros", "constant"):
        return unit_moves.FIXED, values.get("value", 0.0), 0.0
    return None


def _groups(table: Integers, forms: Integers) -> Integers:
    """Stretches of about GROUP inputs of every unit; a bias that is drawn counts as the last."""
    groups = []
    for layer, row in enumerate(table):
        inputs, biases = int(row[chain.INPUTS]), int(row[chain.BIASES])
        entries = inputs + (biases >= 0 and forms[biases, unit_moves.LATENT] >= 0)
        edges = np.linspace(0, entries, math.ceil(entries / GROUP) + 1).astype(int)
        for unit in range(int(row[chain.OUTPUTS])):
            groups += [(layer, unit, start, end) for start, end in pairwise(edges)]
    return np.array(groups, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class UnitMoves:
    """One unit's parameters at a time, of a dense chain with independent entries."""

    prior: Prior
    labelling: Labelling
    errors: int
    plan: ChainPlan
    tables: Tables

    @property
    def kinds(self) -> int:
        """One step."""
        return 1

    @property
    def straight(self) -> bool:
        """Of a single layer."""
        return len(self.tables.table) == 1

    @property
    def sweep_work(self) -> float:
        """Multiply-adds of as many moves as there are groups, and of the outputs before them."""
        table, n = self.tables.table, len(self.labelling.rows)
        units, inputs = table[:, chain.OUTPUTS], table[:, chain.INPUTS]
        whole = units * (inputs + BESIDE)
        work = float(whole.sum())
        for layer, _, start, end in self.tables.groups:
            work += end - start + 2 * BESIDE + float(whole[layer + 2 :].sum())
            if layer + 1 < len(table):
                work += float(units[layer + 1]) * BESIDE
        return n * work

    def sweep(
        self,
        latent: Array,
        scores: Array,
        level: float,
        steps: Steps,
        rng: np.random.Generator,
        monitor: Monitor,
    ) -> Steps:
        """See Moves."""
        tables, data, work = self.tables, self.labelling, self.sweep_work
        moves = len(tables.groups)
        key = rng.integers(0, 2**64, 2, dtype=np.uint64)
        rows = np.ascontiguousarray(data.rows.reshape(len(data.rows), -1).T)
        labels = np.zeros(1, np.int64) if data.labels is None else data.labels
        targets = np.zeros((1, 1)) if data.targets is None else data.targets
        scratch = _scratch(tables, rows.shape[1], self.plan.widest)
        networks = max(1, int(CALL_WORK / work))
        # Where one network's sweep is more than a call, it is cut too.
        stretch = max(1, min(moves, int(moves * CALL_WORK / work)))
        accepted = 0
        for at, done in enumerate(range(0, moves, stretch)):
            for first in range(0, len(latent), networks):
                monitor.check()
                part = slice(first, first + networks)
                accepted += unit_moves.move_units(
                    tables.table, self.plan.functions, tables.groups, tables.forms, tables.scales,
                    rows, RULE_CODES[data.rule], labels, targets, data.tolerance, self.errors,
                    latent[part], scores[part], level, steps[0], min(stretch, moves - done),
                    key + np.uint64(at), first, bool(self.prior.discrete.any()),
                    *scratch, *self.plan.families,
                )  # fmt: skip
        return (accepted / (moves * len(latent)),)


def _scratch(tables: Tables, n: int, widest: int) -> tuple[NDArray[np.generic], ...]:
    """The arrays that the kernel works in."""
    units = int(tables.table[:, chain.OUTPUTS].sum())
    most = GROUP + 1 + int(tables.table[1:, chain.OUTPUTS].max(initial=0))
    return (
        *(np.zeros((units, n)) for _ in range(4)),
        np.zeros(len(tables.forms)),
        np.full(max(widest, units), -0.0),
        np.zeros(n),
        np.zeros(most, np.int64),
        np.zeros(3 * most + 6),
        np.zeros(2 * most),
    )


@dataclass(frozen=True, slots=True, eq=False)
class LatentMoves:
    """All latent coordinates, or a random part of them, of any network.

    Normal coordinates by preconditioned Crank-Nicolson, z' = sqrt(1 - b^2) z + b xi [Cotter,
    Roberts, Stuart, White 2013], each level of a lattice with probability b: half of them
    anywhere, half to a neighbour.
    """

    prior: Prior
    labelling: Labelling
    errors: int

    @property
    def kinds(self) -> int:
        """A step for the whole, and one for parts."""
        return 2

    @property
    def straight(self) -> bool:
        """Not known."""
        return False

    @property
    def sweep_work(self) -> float:
        """Multiply-adds of the outputs, move by move."""
        return PARTS * (cost(self.prior, len(self.labelling.rows)) + 64.0 * self.prior.latent_size)

    def sweep(
        self,
        latent: Array,
        scores: Array,
        level: float,
        steps: Steps,
        rng: np.random.Generator,
        monitor: Monitor,
    ) -> Steps:
        """See Moves."""
        shares = np.zeros(self.kinds)
        for move in range(PARTS):
            kind = move % self.kinds
            step = np.minimum(steps[kind] * np.exp(rng.uniform(-1.0, 1.0, (len(latent), 1))), 1.0)
            moved = self._propose(latent, step, rng)
            if kind:
                moved = np.where(rng.random(latent.shape) < PART_SHARE, moved, latent)
            found = latent_scores(self.prior, moved, self.labelling, self.errors, monitor)
            taken = found <= level
            latent[taken], scores[taken] = moved[taken], found[taken]
            shares[kind] += taken.mean() * self.kinds / PARTS
        return tuple(shares.tolist())

    def _propose(self, latent: Array, step: Array, rng: np.random.Generator) -> Array:
        moved = np.sqrt(1.0 - step**2) * latent + step * rng.standard_normal(latent.shape)
        lattice = self.prior.discrete
        if lattice.any():
            old, levels = latent[:, lattice], self.prior.levels[lattice]
            anywhere = rng.integers(0, levels, old.shape).astype(np.float64)
            beside = old + rng.choice((-1.0, 1.0), old.shape)
            beside = np.where((beside < 0) | (beside > levels - 1), old, beside)
            other = np.where(rng.random(old.shape) < 0.5, anywhere, beside)
            moved[:, lattice] = np.where(rng.random(old.shape) < step, other, old)
        return moved
