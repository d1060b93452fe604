"""Which of some numbered networks have the labels right: by the kernel, or layer by layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fpcheck.kernels import guess
from fpcheck.kernels.lanes import LANES
from fpcheck.simplicity.labelling import RULE_CODES, Labelling
from fpcheck.simplicity.networks import Prior
from fpcheck.simplicity.numbered import Integers, Key, Tables, latents, tables_of
from fpcheck.simplicity.outputs import cost, outputs
from fpcheck.simplicity.violations import violations

Array = NDArray[np.float64]
Span = tuple[int, int]  # the first network's number, how many
Check = Callable[[Span], Integers]

# The work of one call, in multiply-adds: some 10 ms, which is how soon Ctrl-C acts.
CHUNK_WORK = 2.0**26
# Multiply-adds that making one parameter, and one network beside that, count as.
DRAW_WORK = 4.0
NETWORK_WORK = 1000.0
# A network that is no chain is made and run by calls from Python.
PROGRAM_WORK = 2.0**19
# Entries of the parameters that are held at once where no kernel draws them: 32 MiB.
ENTRIES = 2**22
# Networks that put the rows in order, and their share of those that are to be tried.
PILOT = 256
PILOT_SHARE = 0.05


def work_of(prior: Prior, labelling: Labelling) -> float:
    """What trying one network counts as, in multiply-adds: drawing it, and the first eight rows.

    Few networks are right on more, unless p is large and few are needed.
    """
    rows = min(labelling.count, LANES)
    beside = NETWORK_WORK if tables_of(prior) is not None else PROGRAM_WORK
    return cost(prior, rows) + DRAW_WORK * prior.drawn + beside


def checker(prior: Prior, labelling: Labelling, key: Key, allowed: int, most: int) -> Check:
    """The numbers of the networks of a span that have at most `allowed` rows wrong."""
    ordered = labelling.subset(hardest_first(prior, labelling, key, allowed, most))
    tables = tables_of(prior)
    if tables is None:
        return lambda span: _by_prior(prior, ordered, key, allowed, span)
    rows = _eights(ordered.rows.reshape(ordered.count, -1))
    wanted = _eights(_wanted(ordered))
    return lambda span: _by_kernel(tables, ordered, rows, wanted, key, allowed, span)


def hardest_first(
    prior: Prior, labelling: Labelling, key: Key, allowed: int, most: int
) -> NDArray[np.intp]:
    """The rows in an order in which most networks fail early; any order gives the same verdicts.

    One after the other: the row that the most of some random networks that still stand get wrong.
    """
    n = labelling.count
    each = work_of(prior, labelling) + cost(prior, max(0, n - LANES))
    few = int(min(PILOT, PILOT_SHARE * most, CHUNK_WORK / each))
    if few < 2 or n < 2:
        return np.arange(n)
    parameters = prior.parameters(latents(prior, key, 0, few))
    wrong = violations(outputs(prior, parameters, labelling.rows), labelling) > 0.0
    left = np.full(few, allowed)
    shares = wrong.mean(axis=0)
    order: list[int] = []
    rest = np.ones(n, dtype=bool)
    while rest.any():
        fails = np.count_nonzero(wrong[left >= 0], axis=0) + shares  # shares below 1 break ties
        row = int(np.where(rest, fails, -1.0).argmax())
        order.append(row)
        rest[row] = False
        left -= wrong[:, row]
    return np.array(order, dtype=np.intp)


def _eights(x: Array) -> Array:
    """(n, k) -> (r, k, 8): eight rows side by side, the last ones filled up with the first row."""
    count = -(-len(x) // LANES) * LANES
    padded = np.concatenate([x, np.repeat(x[:1], count - len(x), axis=0)])
    return np.ascontiguousarray(padded.reshape(-1, LANES, x.shape[1]).transpose(0, 2, 1))


def _wanted(labelling: Labelling) -> Array:
    if labelling.targets is not None:
        return labelling.targets
    assert labelling.labels is not None
    return labelling.labels[:, None].astype(np.float64)


def _by_kernel(
    tables: Tables,
    labelling: Labelling,
    rows: Array,
    wanted: Array,
    key: Key,
    allowed: int,
    span: Span,
) -> Integers:
    first, count = span
    accepted = np.empty(count, np.int64)
    found = guess.guess(
        tables.layers, tables.activations, tables.blocks, tables.laws, rows, wanted,
        labelling.count - LANES * (len(rows) - 1), RULE_CODES[labelling.rule], labelling.tolerance,
        key, first, count, allowed, np.zeros(tables.room + tables.widest), np.array([-0.0]),
        np.empty((2, LANES * tables.widest)), accepted, *tables.plan.families,
    )  # fmt: skip
    return accepted[:found]


def _by_prior(prior: Prior, labelling: Labelling, key: Key, allowed: int, span: Span) -> Integers:
    """The first eight rows for all networks, the rest for those that still stand."""
    first, count = span
    found: list[Integers] = []
    step = max(1, ENTRIES // max(prior.parameter_size, 1))
    for begin in range(first, first + count, step):
        many = min(step, first + count - begin)
        parameters = prior.parameters(latents(prior, key, begin, many))
        left = np.arange(many)
        wrong = np.zeros(many, np.int64)
        for part in (slice(0, LANES), slice(LANES, labelling.count)):
            some = labelling.subset(part)
            if some.count and len(left):
                out = outputs(prior, parameters[left], some.rows)
                wrong[left] += np.count_nonzero(violations(out, some), axis=1)
                left = left[wrong[left] <= allowed]
        found.append(begin + left)
    return np.concatenate(found)
