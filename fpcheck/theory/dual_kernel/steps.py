"""One node's step of the recursion, the same for blocks of pairs of rows and for rows alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    GroupNorm,
    LayerNorm,
    RMSNorm,
    Scale,
)
from fpcheck.theory.dual_kernel.links import Link
from fpcheck.theory.dual_kernel.meeting import Field, Fields, Meeting, Rules, total_of
from fpcheck.theory.dual_kernel.plan import Edge, Step
from fpcheck.theory.dual_kernel.rescaling import normalised, scaled
from fpcheck.theory.layer_scales import LayerScale

# What an activation makes of its input: (step, kind, field, meeting, rules) -> field.
Activated: TypeAlias = Callable[[Step, int, Field, Meeting, Rules], Field]


def advance(
    step: Step,
    known: Mapping[str, Fields],
    meeting: Meeting,
    rules: Rules,
    activated: Activated,
) -> Fields:
    """The fields of a node's value from those of its inputs."""
    fields: Fields = {}
    for edge in step.edges:
        term = _entering(edge, step, known, meeting)
        mine = fields.get(edge.link.kind)
        fields[edge.link.kind] = term if mine is None else _sum(mine, term)
    node = step.node
    match node:
        case Dense() | Conv() | ConvTranspose():
            scale = rules.scales[node.name]
            return {kind: _weighted(field, scale, rules.ntk) for kind, field in fields.items()}
        case Activation() if node.function.name != "identity":
            return {
                kind: activated(step, kind, field, meeting, rules) for kind, field in fields.items()
            }
        case Add():
            return {0: _added(step, fields[0], meeting)}
        case LayerNorm() | RMSNorm() | GroupNorm():
            return normalised(node, step, fields, meeting, rules)
        case BatchNorm() | Scale():
            return scaled(node, step, fields, meeting, rules)
    return fields


def collapsed(
    edges: Sequence[Edge], known: Mapping[str, Fields], meeting: Meeting, ntk: bool
) -> Field:
    """The mean over units and positions, (1, m, k)."""
    total: Field | None = None
    for edge in edges:
        term = _entering(edge, None, known, meeting)
        total = term if total is None else _sum(total, term)
    assert total is not None
    if ntk and total.ntk is None:
        return Field(total.cov, np.zeros_like(total.cov))
    return total


def _entering(
    edge: Edge, step: Step | None, known: Mapping[str, Fields], meeting: Meeting
) -> Field:
    """What comes along an edge, at the pairs that are wanted behind it."""
    link = edge.link
    if link.fixed:
        assert edge.gather is not None  # fixed values come through taps
        cov = edge.gather(meeting.fixed(edge))
        return Field(cov if link.share == 1.0 else link.share * cov)
    field = known[link.source][link.source_kind]
    if link.taps is None:
        assert step is not None
        return _scattered(step, field, link, meeting)
    assert edge.gather is not None
    cov, ntk = edge.gather(field.cov), None
    if field.ntk is not None:
        ntk = edge.gather(field.ntk)
    if link.share == 1.0:
        return Field(cov, ntk)
    return Field(link.share * cov, None if ntk is None else link.share * ntk)


def _scattered(step: Step, field: Field, link: Link, meeting: Meeting) -> Field:
    """Plain units at positions of their own: independent from position to position."""
    first, second = step.places[link.kind]
    same = first == second
    cov = np.zeros((len(same), *field.cov.shape[1:]))
    left, right = meeting.left.mean_of(link), meeting.other.mean_of(link)
    if left is not None and right is not None:
        cov[:] = meeting.product(left, right)
    cov[same] = field.cov[0]
    if field.ntk is None:
        return Field(cov)
    ntk = np.zeros_like(cov)
    ntk[same] = field.ntk[0]
    return Field(cov, ntk)


def _sum(one: Field, other: Field) -> Field:
    """The sum; a fixed term has no tangent kernel."""
    if one.ntk is None or other.ntk is None:
        return Field(one.cov + other.cov, one.ntk if other.ntk is None else other.ntk)
    return Field(one.cov + other.cov, one.ntk + other.ntk)


def _weighted(field: Field, scale: LayerScale, ntk: bool) -> Field:
    """Behind weights in the NTK parameterisation: what they are themselves trained for, and what
    comes from below [Jacot, Gabriel, Hongler 2018].
    """
    cov = scale.sigma_w2 * field.cov
    if scale.sigma_b2:
        cov += scale.sigma_b2
    if not ntk:
        return Field(cov)
    if field.ntk is None:
        return Field(cov, cov)
    tangent = scale.sigma_w2 * field.ntk
    tangent += cov
    return Field(cov, tangent)


def _added(step: Step, total: Field, meeting: Meeting) -> Field:
    """The sum of independent terms: the products of their means besides."""
    first, second = step.places[0]
    left, right = (
        [mean[place] for edge in step.edges if (mean := side.mean_of(edge.link)) is not None]
        for side, place in ((meeting.left, first), (meeting.other, second))
    )
    if len(left) < 2:
        return total
    cross = meeting.product(total_of(left), total_of(right))
    for one, other in zip(left, right, strict=True):
        cross -= meeting.product(one, other)
    return Field(total.cov + cross, total.ntk)
