"""One block of pairs of rows on its way through all layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fpcheck.network.skeleton import Activation
from fpcheck.theory.dual_kernel.elementwise import dual_moments
from fpcheck.theory.dual_kernel.meeting import Field, Fields, Meeting, Rules, Side
from fpcheck.theory.dual_kernel.plan import Step, Walk
from fpcheck.theory.dual_kernel.spatial import Run
from fpcheck.theory.dual_kernel.steps import advance, collapsed
from fpcheck.theory.quadrature import Array

# Correlations this close to 1 are those of equal rows, after rounding; as they are they would enter
# the slope of a function with a bend with their angle, sqrt(2e-14).
EQUAL = 1e-14
TABLE = 2**18  # entries of what an activation works on at a time: 2 MiB


def block_kernels(
    walk: Walk, left: Side, right: Side, rules: Rules, *, own: bool
) -> dict[str, Field]:
    """The kernels (1, m, k) of the walk's targets for every row of `left` with every of `right`.

    own: whether these are the same rows, whose diagonal is known.
    """

    def activated(step: Step, kind: int, field: Field, meeting: Meeting, rules: Rules) -> Field:
        return _activated(step, kind, field, meeting, rules.ntk, own)

    known: dict[str, Fields] = {}
    meeting = Meeting(left, right)
    for step in walk.steps:
        known[step.node.name] = advance(step, known, meeting, rules, activated)
        for name in walk.forgotten.get(step.node.name, ()):
            known.pop(name, None)
    return {
        name: collapsed(edges, known, meeting, rules.ntk) for name, edges in walk.finals.items()
    }


def _activated(
    step: Step, kind: int, field: Field, meeting: Meeting, ntk: bool, own: bool
) -> Field:
    """E phi(x) phi(y), and the tangent kernel times E phi'(x) phi'(y)."""
    node = step.node
    assert isinstance(node, Activation)
    place = (node.inputs[0], kind)
    left, right = meeting.left.q[place], meeting.other.q[place]
    slope = ntk and field.ntk is not None
    # Elsewhere what rounding makes of c = 1 stays as small as it is.
    bends = bool(node.function.kinks) and (slope or node.function.kind.derivative is None)
    cov = np.empty_like(field.cov)
    tangent = np.empty_like(field.cov) if slope else None
    for run in _strips(step.runs[kind], field.cov.shape):
        q1, q2 = left[run.left].ravel(), right[run.right].ravel()
        table = _as_table(field.cov, run)
        if bends:
            _hold(table, q1, q2)
        if own:
            _know_diagonal(table, q1, run)
        moment, slopes = dual_moments(node.function, q1, q2, table, slope=slope)
        cov[run.place] = _as_pairs(moment, run, cov.shape)
        if tangent is not None and slopes is not None and field.ntk is not None:
            tangent[run.place] = field.ntk[run.place] * _as_pairs(slopes, run, cov.shape)
    return Field(cov, tangent)


def _strips(runs: Sequence[Run], shape: tuple[int, ...]) -> Iterator[Run]:
    """The runs in parts whose tables stay in the cache."""
    for run in runs:
        wide = len(run.right)
        most = max(1, TABLE // (wide * shape[1] * shape[2]))
        for start in range(0, len(run.left), most):
            left = run.left[start : start + most]
            begin = run.place.start + start * wide
            yield Run(left, run.right, slice(begin, begin + len(left) * wide))


def _as_table(values: Array, run: Run) -> Array:
    """A run's pairs (a b, m, k) as one table (a m, b k), a copy."""
    a, b = len(run.left), len(run.right)
    _, m, k = values.shape
    table = values[run.place].reshape(a, b, m, k).transpose(0, 2, 1, 3)
    return np.array(table, order="C").reshape(a * m, b * k)


def _as_pairs(table: Array, run: Run, shape: tuple[int, ...]) -> Array:
    a, b = len(run.left), len(run.right)
    return table.reshape(a, shape[1], b, shape[2]).transpose(0, 2, 1, 3).reshape(-1, *shape[1:])


def _hold(table: Array, q1: Array, q2: Array) -> None:
    """Make covariances exact that are those of equal or opposite rows but for rounding."""
    bound = np.sqrt(q1)[:, None] * np.sqrt(q2)
    close = np.abs(table) >= (1.0 - EQUAL) * bound
    if close.any():
        table[close] = np.copysign(bound, table)[close]


def _know_diagonal(table: Array, q: Array, run: Run) -> None:
    """A row's covariance with itself at one position is its variance. q: of the left-hand rows."""
    rows = len(q) // len(run.left)
    for index, position in enumerate(run.left):
        for met in np.flatnonzero(run.right == position):
            own = np.arange(rows)
            table[index * rows + own, met * rows + own] = q[index * rows : (index + 1) * rows]
