"""Sparse activations on the edge of chaos: which sparsity and which clip a network can carry.

For a wanted sparsity s the threshold is fixed (tau), and on the edge of chaos so are sigma_w^2 and
sigma_b^2 for every clip m: what is left to choose is m, or V'(q*), which rises with it. A wide clip
distorts least but holds q loosely; a narrow one leaves few units with a slope, which makes the
gradient noisy. So the safe clips of a width and a depth are an interval, which may be empty.
[Price et al. 2024]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fpcheck.theory.edge_of_chaos import CLIPPED, clip_height, sparse_edge
from fpcheck.theory.finite_width_law import SIGNAL_RANGE, Survival, survival
from fpcheck.theory.nearby_fixed_points import nearby_fixed_points
from fpcheck.theory.variance_map import VarianceMap

SPARSITIES = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
SLOPES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # V'(q*) that the table has, where there is a clip
SCANNED = (*(0.05 * k for k in range(4, 20)), 0.97, 0.99)  # V'(q*) among which is chosen
AS_GOOD = 0.01  # a share of lost draws this much above the least is as good: wider distorts less


@dataclass(frozen=True, slots=True)
class SparseRow:
    """One sparse activation on the edge of chaos at q*, and what becomes of it at a finite width.

    `m` is None where there is no clip. slope, curvature: V' and V'' at q*. scale_free_curvature:
    q* V'', which does not change when tau, m and sqrt(q*) are scaled together.
    other_fixed_points: those of V within a factor of 100 of q*, but q*.
    """

    name: str
    sparsity: float
    q_star: float
    tau: float
    m: float | None
    sigma_w2: float
    sigma_b2: float
    slope: float
    curvature: float
    scale_free_curvature: float
    other_fixed_points: tuple[float, ...]
    survival: Survival


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The clip to take for a sparsity, a width and a depth.

    row: the widest of the clips that lose next to least. safe: whether it is. safe_from, safe_to:
    the smallest and the largest safe m of those tried, None where there is none or no clip at all.
    why: one sentence.
    """

    row: SparseRow
    safe: bool
    safe_from: float | None
    safe_to: float | None
    why: str


def sparse_row(
    name: str,
    sparsity: float,
    m: float | None,
    width: int,
    depth: int,
    *,
    q_star: float = 1.0,
    positions: int = 1,
) -> SparseRow | None:
    """The row of one activation; None where the edge of chaos would need a negative sigma_b^2.

    name: shifted_relu, crelu, soft_threshold or cst; m None for the first and the third.
    """
    edge = sparse_edge(name, sparsity, m, q_star)
    if edge is None:
        return None
    point = edge.point
    v = VarianceMap(edge.function, point.sigma_w2, point.sigma_b2)
    curvature = v.curvature(q_star) if point.curvature is None else point.curvature
    return SparseRow(
        name=name,
        sparsity=sparsity,
        q_star=q_star,
        tau=edge.tau,
        m=m,
        sigma_w2=point.sigma_w2,
        sigma_b2=point.sigma_b2,
        slope=point.slope,
        curvature=curvature,
        scale_free_curvature=q_star * curvature,
        other_fixed_points=nearby_fixed_points(v, q_star, SIGNAL_RANGE),
        survival=survival(v, width, depth, q_star=q_star, positions=positions),
    )


def sparse_table(
    name: str,
    sparsities: Sequence[float] = SPARSITIES,
    *,
    slopes: Sequence[float] = SLOPES,
    ms: Sequence[float] | None = None,
    width: int,
    depth: int,
    q_star: float = 1.0,
    positions: int = 1,
) -> tuple[SparseRow, ...]:
    """Rows over sparsity and clip: the given `ms`, else the clips with V'(q*) = `slopes`.

    Sorted by sparsity, then m; one row a sparsity for an activation without a clip. A clip that has
    no point on the edge of chaos (sigma_b^2 < 0) has no row.
    """
    rows = []
    for s in sparsities:
        for m in _clips(name, s, slopes, ms, q_star):
            row = sparse_row(name, s, m, width, depth, q_star=q_star, positions=positions)
            if row is not None:
                rows.append(row)
    return tuple(rows)


def recommended(
    name: str,
    sparsity: float,
    width: int,
    depth: int,
    *,
    q_star: float = 1.0,
    positions: int = 1,
) -> Recommendation:
    """The widest of the clips that lose next to least at this width and depth."""

    def row_at(slope: float) -> SparseRow | None:
        m = clip_height(name, sparsity, slope, q_star)
        return sparse_row(name, sparsity, m, width, depth, q_star=q_star, positions=positions)

    if name not in CLIPPED:
        row = sparse_row(name, sparsity, None, width, depth, q_star=q_star, positions=positions)
        if row is None:
            raise ValueError(f"{name} of sparsity {sparsity} has no edge of chaos at q* = {q_star}")
        return Recommendation(row, _safe(row), None, None, _unclipped(row))
    rows = [row for slope in SCANNED if (row := row_at(slope)) is not None]
    least = min(row.survival.lost for row in rows)
    best = [row for row in rows if row.survival.lost <= least + AS_GOOD][-1]
    safe = [row for row in rows if _safe(row)]
    if not safe:
        return Recommendation(best, False, None, None, _none_safe(best))
    return Recommendation(best, True, safe[0].m, safe[-1].m, _best(best))


def _safe(row: SparseRow) -> bool:
    return row.survival.verdict == "safe"


def _clips(
    name: str, sparsity: float, slopes: Sequence[float], ms: Sequence[float] | None, q_star: float
) -> list[float | None]:
    if name not in CLIPPED:
        return [None]
    return list(ms) if ms is not None else [clip_height(name, sparsity, s, q_star) for s in slopes]


def _place(row: SparseRow) -> str:
    return f"at width {row.survival.width} and depth {row.survival.depth}"


def _chance(row: SparseRow) -> str:
    return f"{100.0 * row.survival.lost:.1f} % of draws lose the signal or the gradient"


def _best(row: SparseRow) -> str:
    return f"the best clip {_place(row)}: {_chance(row)}"


def _none_safe(row: SparseRow) -> str:
    return f"no clip is safe {_place(row)}; with the best one {_chance(row)}"


def _unclipped(row: SparseRow) -> str:
    held = "V'(q*) = 1 and V'' > 0: q is held from below only" if row.curvature > 0.0 else "no clip"
    return f"{held}; {_place(row)} {_chance(row)}"
