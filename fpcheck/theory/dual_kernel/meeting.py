"""Rows that meet, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from fpcheck.theory.dual_kernel.constants import Affine
from fpcheck.theory.dual_kernel.fixed import own_product_means, product_means
from fpcheck.theory.dual_kernel.layout import Described, Layout
from fpcheck.theory.dual_kernel.links import Link
from fpcheck.theory.dual_kernel.plan import Edge
from fpcheck.theory.layer_scales import LayerScale
from fpcheck.theory.quadrature import Array


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Covariances and, where they are followed, tangent kernels of one kind of units.

    (pairs, m, k) for pairs of rows, (pairs, n) for every row with itself.
    """

    cov: Array
    ntk: Array | None = None


Fields: TypeAlias = dict[int, Field]  # by kind of units


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What is known of rows one by one.

    values: the fixed values by node and unit axis, (positions, n, units). q, means: by node and
    kind of units, (positions, n); a mean that is missing is zero.
    """

    values: Mapping[tuple[str, int | None], Array]
    q: Mapping[tuple[str, int], Array]
    means: Mapping[tuple[str, int], Array]

    def mean_of(self, link: Link) -> Array | None:
        """The means (positions, n) of what comes along a link; None: zero."""
        if link.fixed:
            return np.asarray(_of_group(self.values[link.source, link.axis], link).mean(axis=2))
        return self.means.get((link.source, link.source_kind))

    def rows(self, part: slice) -> Side:
        """The same of some rows."""
        return Side(
            {key: value[:, part] for key, value in self.values.items()},
            {key: value[:, part] for key, value in self.q.items()},
            {key: value[:, part] for key, value in self.means.items()},
        )


def beside(values: Mapping[tuple[str, int | None], Array], parts: Sequence[Side]) -> Side:
    """The rows of `parts` as one; values: of them all."""
    if len(parts) == 1:
        return parts[0]

    def joined(tables: Sequence[Mapping[tuple[str, int], Array]]) -> dict[tuple[str, int], Array]:
        keys = tables[0] if tables else ()
        return {key: np.concatenate([t[key] for t in tables], axis=1) for key in keys}

    return Side(values, joined([p.q for p in parts]), joined([p.means for p in parts]))


@dataclass(frozen=True, slots=True, eq=False)
class Meeting:
    """Rows that meet: every one of `left` with every one of `right`; None: each with itself."""

    left: Side
    right: Side | None

    def fixed(self, edge: Edge) -> Array:
        """The means of products of a fixed value."""
        link = edge.link
        value = _of_group(self.left.values[link.source, link.axis], link)
        if self.right is None:
            return own_product_means(value, edge.before)
        other = _of_group(self.right.values[link.source, link.axis], link)
        return product_means(value, other, edge.before)

    def product(self, left: Array, right: Array) -> Array:
        """The products of numbers by row: (pairs, m) and (pairs, k)."""
        if self.right is None:
            return left * right
        return left[:, :, None] * right[:, None, :]

    @property
    def other(self) -> Side:
        """The right-hand rows."""
        return self.left if self.right is None else self.right


def _of_group(value: Array, link: Link) -> Array:
    if link.groups == 1:
        return value
    size = value.shape[2] // link.groups
    return value[:, :, link.group * size : (link.group + 1) * size]


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """What the steps need beside the rows."""

    layouts: Mapping[str, Described]
    scales: Mapping[str, LayerScale]
    affines: Mapping[str, Affine]
    wanted_means: frozenset[str]
    ntk: bool

    def shares(self, name: str) -> list[float]:
        """The shares of a node's kinds of units."""
        layout = self.layouts[name]
        assert isinstance(layout, Layout)
        return [kind.share for kind in layout.kinds]


def total_of(parts: Sequence[Array]) -> Array:
    """The sum of arrays."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
