"""What a kernel would take, in memory and in time, before any of it is worked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fpcheck.network.activations import ActivationFunction
from fpcheck.network.skeleton import Activation
from fpcheck.theory import piecewise_linear
from fpcheck.theory.closed_forms import closed_forms
from fpcheck.theory.dual_kernel.mixed import is_mixed
from fpcheck.theory.dual_kernel.plan import Edge, Step, Walk
from fpcheck.theory.quadrature import Array
from fpcheck.theory.recursion_state import NotKnown

# Seconds a pair of rows, on one core of a machine of 2023.
CLOSED, SERIES, TERM, PASS = 1.5e-8, 1e-7, 1e-9, 3e-9
PRODUCT = 1e-10  # a multiplication in a product of matrices
# Variances beyond LARGE: the seconds that two octaves about q take where many rows are all but
# parallel, over sqrt(q), and at most.
LARGE, TWO_OCTAVES, MOST_TWO = 16.0, 0.03, 4.0
LONGEST = 900.0  # seconds of one core that are spent before a kernel is refused


@dataclass(frozen=True, slots=True)
class Cost:
    """What two rows that meet take.

    entries: of all arrays that are held at once. largest: of the largest of them, at the node
    `where`. kept: of what row by row is kept for later. terms: of all sums over pairs of positions.
    seconds: of one core.
    """

    entries: int
    largest: int
    where: str
    kept: int
    terms: int
    seconds: float


def cost(
    walk: Walk, values: Mapping[tuple[str, int | None], Array], *, ntk: bool, of_rows: bool = False
) -> Cost:
    """What two rows take that meet; of_rows: what one row takes that meets itself."""
    alive: dict[str, int] = {}
    entries, largest, where, seconds, variances = 1, 1, "", 0.0, 0
    kept = 2 if ntk else 1
    for step in walk.steps:
        edges = [_entries(edge) for edge in step.edges]
        mine = sum(map(len, step.pairs))
        alive[step.node.name] = mine
        # An activation works in copies: the products, their correlations and the two results.
        works = 3 if isinstance(step.node, Activation) else 1
        most = max(mine, *edges, 1)
        if most > largest:
            largest, where = most, step.node.name
        variances += sum(int((a == b).sum()) for a, b in step.places)
        entries = max(entries, kept * sum(alive.values()) + works * kept * mine + sum(edges))
        seconds += _seconds(step, values, kept, of_rows)
        for name in walk.forgotten.get(step.node.name, ()):
            alive.pop(name, None)
    terms = sum(edge.terms for step in walk.steps for edge in step.edges)
    return Cost(entries, largest, where, variances, terms, seconds)


def _entries(edge: Edge) -> int:
    return len(edge.before) if edge.link.fixed else 0


def _seconds(
    step: Step, values: Mapping[tuple[str, int | None], Array], kept: int, of_rows: bool
) -> float:
    total = 0.0
    for edge in step.edges:
        if edge.link.fixed:
            units = values[edge.link.source, edge.link.axis].shape[2] / edge.link.groups
            total += len(edge.before) * (PASS + units * PRODUCT)
        total += kept * edge.terms * TERM
    mine = sum(map(len, step.pairs))
    node = step.node
    if not isinstance(node, Activation) or node.function.name == "identity":
        return total + kept * mine * PASS
    if of_rows:  # which works out the whole table wherever positions mix
        mine = sum(
            len(first) if (first == second).all() else int(first.max() + 1) ** 2
            for first, second in step.places
        )
    known = closed_forms(node.function) is not None
    return total + kept * mine * (CLOSED if known else SERIES)


def large_rows(
    walk: Walk, variances: Mapping[tuple[str, int], Array], ntk: bool, longest: float
) -> NotKnown | None:
    """Why a kernel is not worked out whose rows are large, of many sizes, and all but parallel.

    variances: of what enters activations, by node and kind of units. Beyond LARGE the series of a
    smooth function ends short of c = 1; what lies between is integrated pair by pair or by tables,
    of every two octaves of variance.
    """
    seconds = 0.0
    for step in walk.steps:
        node = step.node
        if not isinstance(node, Activation) or not _by_tables(node.function):
            continue
        for (name, _), q in variances.items():
            if name == node.inputs[0]:
                sizes = 2.0 ** (0.25 * np.unique(np.floor(np.log2(q[q > LARGE]))))
                each = np.minimum(TWO_OCTAVES * np.outer(sizes, sizes), MOST_TWO)
                seconds += (1 + ntk) * float(np.triu(each).sum())
    if seconds <= longest:
        return None
    return NotKnown(
        f"the rows are large and of very different sizes: their kernel may take {_span(seconds)} "
        f"of one core, and {_span(longest)} are spent at most; bring the columns to one scale"
    )


def _by_tables(f: ActivationFunction) -> bool:
    known = closed_forms(f) is not None or piecewise_linear.pieces(f) is not None
    return not (known or is_mixed(f))


def too_long(
    seconds: float, rows: str, most: int, where: str, longest: float = LONGEST
) -> NotKnown | None:
    """Why a kernel that would take `seconds` of one core is not worked out."""
    if seconds <= longest:
        return None
    places = f" at the {most} pairs of positions of '{where}'" if most > 1 else ""
    return NotKnown(
        f"the kernel of {rows} rows{places} would take about {_span(seconds)} of one core, "
        f"and {_span(longest)} are spent at most: pass fewer rows"
    )


def _span(seconds: float) -> str:
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    if seconds < 7200.0:
        return f"{seconds / 60.0:.0f} minutes"
    return f"{seconds / 3600.0:.1f} hours"
