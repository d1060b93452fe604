"""Every row's own variances and means at every node, before any two rows meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    Node,
    Reshape,
    RMSNorm,
    Scale,
    Skeleton,
)
from fpcheck.theory.dual_kernel.elementwise import dual_moments, self_moments, unit_means
from fpcheck.theory.dual_kernel.layout import Described, Layout
from fpcheck.theory.dual_kernel.links import Link
from fpcheck.theory.dual_kernel.meeting import Field, Fields, Meeting, Rules, Side
from fpcheck.theory.dual_kernel.plan import NORMS, Step, Walk
from fpcheck.theory.dual_kernel.rescaling import norm_statistics
from fpcheck.theory.dual_kernel.spatial import position_means
from fpcheck.theory.dual_kernel.steps import advance
from fpcheck.theory.quadrature import Array
from fpcheck.theory.recursion_state import NotKnown

LARGEST = 1e150  # beyond it squares overflow
SMALLEST = 1e-200


def wanted_means(
    skeleton: Skeleton, nodes: Sequence[Node], layouts: Mapping[str, Described]
) -> frozenset[str]:
    """The nodes whose means over the units matter: where terms are added, centred or shifted."""
    wanted = set[str]()
    for node in reversed(nodes):
        spread = isinstance(node, Reshape) and len(skeleton.shapes[node.name]) > 1
        ends = isinstance(node, Dense | Conv | ConvTranspose) or (
            isinstance(node, Activation) and node.function.name != "identity"
        )
        met = isinstance(node, (Add, Scale, *NORMS)) or spread
        if met or (node.name in wanted and not ends):
            wanted.update(name for name in node.inputs if isinstance(layouts[name], Layout))
    return frozenset(wanted)


def row_moments(
    values: Mapping[tuple[str, int | None], Array], walk: Walk, rules: Rules
) -> Side | NotKnown:
    """The variances of what enters activations and norms, and the means that matter."""
    q: dict[tuple[str, int], Array] = {}
    means: dict[tuple[str, int], Array] = {}
    side = Side(values, q, means)
    entering = {node.inputs[0] for node in walk.nodes if isinstance(node, (Activation, *NORMS))}
    steps = {step.node.name: step for step in walk.steps}
    known: dict[str, Fields] = {}
    for node in walk.nodes:
        step = steps.get(node.name)
        if isinstance(node, NORMS) and not _regular(node, side, rules):
            return NotKnown(f"'{node.name}' normalises a constant")
        if step is not None:
            fields = advance(step, known, Meeting(side, None), rules, _activated_alone)
            known[node.name] = fields
            for kind, field in fields.items():
                first, second = step.places[kind]
                own = np.maximum(field.cov[first == second], 0.0)  # NaN stays
                fault = _fault(own)
                if fault:
                    return NotKnown(f"the variance {fault} at '{node.name}'")
                if node.name in entering:
                    q[node.name, kind] = own
            for name in walk.forgotten.get(node.name, ()):
                known.pop(name, None)
        if node.name in rules.wanted_means:
            means.update(_means(node, walk.links[node.name], side, rules))
    return side


def _fault(q: Array) -> str:
    if not np.isfinite(q).all():
        return "is not finite"
    if not q.max(initial=0.0) < LARGEST:
        return "overflows"
    if ((q > 0.0) & (q < SMALLEST)).any():
        return "underflows"
    return ""


def _regular(node: LayerNorm | RMSNorm | GroupNorm, side: Side, rules: Rules) -> bool:
    source = node.inputs[0]
    return bool(np.isfinite(norm_statistics(node, side, source, rules.shares(source))[1]).all())


def _activated_alone(step: Step, kind: int, field: Field, meeting: Meeting, rules: Rules) -> Field:
    """E phi(x) phi(y) at pairs of positions of every row with itself."""
    node = step.node
    assert isinstance(node, Activation)
    q = meeting.left.q[node.inputs[0], kind]  # (positions, n)
    first, second = step.places[kind]
    same = first == second
    cov = np.empty_like(field.cov)
    own = self_moments(node.function, q[first[same]].ravel())[0]
    cov[same] = own.reshape(-1, q.shape[1])
    if same.all():
        return Field(cov)
    positions, count = q.shape
    table = np.zeros((positions, positions))
    for row in range(count):
        table[first, second] = field.cov[:, row]
        variances = np.ascontiguousarray(q[:, row])
        moment, _ = dual_moments(node.function, variances, variances, table, slope=False)
        cov[~same, row] = moment[first[~same], second[~same]]
    return Field(cov)


def _means(
    node: Node, links: Sequence[Link], side: Side, rules: Rules
) -> dict[tuple[str, int], Array]:
    """The means over the units of a node's value by kind, (positions, n); zeros are left out."""
    layout = rules.layouts[node.name]
    assert isinstance(layout, Layout)
    entering: dict[int, Array] = {}
    for link in links:
        mean = side.mean_of(link)
        if mean is not None:
            if link.taps is not None:
                mean = position_means(link.taps, mean)
            else:
                mean = np.repeat(mean, layout.kinds[link.kind].positions, axis=0)
            known = entering.get(link.kind)
            entering[link.kind] = mean if known is None else known + mean
    match node:
        case Dense() | Conv() | ConvTranspose():
            entering = {}
        case Activation() if node.function.name != "identity":
            entering = _activated_means(node, layout, side)
        case LayerNorm() | RMSNorm() | GroupNorm():
            entering = _normalised_means(node, entering, layout, side, rules)
        case BatchNorm() | Scale():
            a = rules.affines[node.name]
            entering = {kind: a.factor * mean for kind, mean in entering.items()}
            entering = _shifted(entering, a.shift, layout, side)
    return {(node.name, kind): mean for kind, mean in entering.items()}


def _activated_means(node: Activation, layout: Layout, side: Side) -> dict[int, Array]:
    if node.function.kind.odd:
        return {}
    means = {}
    for kind in range(len(layout.kinds)):
        q = side.q[node.inputs[0], kind]
        means[kind] = unit_means(node.function, q.ravel()).reshape(q.shape)
    return means


def _normalised_means(
    node: LayerNorm | RMSNorm | GroupNorm,
    entering: dict[int, Array],
    layout: Layout,
    side: Side,
    rules: Rules,
) -> dict[int, Array]:
    source = node.inputs[0]
    centre, factor = norm_statistics(node, side, source, rules.shares(source))
    a = rules.affines[node.name]
    means = {}
    for kind in range(len(layout.kinds)):
        mean = entering.get(kind)
        if mean is None and centre is None:
            continue
        q = side.q[source, kind]
        level = np.zeros_like(q) if mean is None else mean
        means[kind] = a.factor * factor * (level if centre is None else level - centre)
    return _shifted(means, a.shift, layout, side)


def _shifted(means: dict[int, Array], shift: float, layout: Layout, side: Side) -> dict[int, Array]:
    """The means of x + shift, where a mean that is left out is zero."""
    if not shift:
        return means
    rows = next(iter(side.values.values())).shape[1]
    return {
        kind: means.get(kind, np.zeros((of.positions, rows))) + shift
        for kind, of in enumerate(layout.kinds)
    }
