"""How far each attractor is from the border of its basin: the smallest push found that leaves it.

An upper bound by search, beside the lower bound of the certified ball. [Halekotte, Feudel 2020,
"minimal fatal shocks": the least perturbation that leaves a basin, found by search]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.basins.attribute import attribute
from fpcheck.attractors.basins.edge import edge_states, follow, normals
from fpcheck.attractors.basins.lines import Lines, lines_out, new_lines
from fpcheck.attractors.basins.memory import WORDS
from fpcheck.attractors.basins.traps import Trap
from fpcheck.attractors.polish import Polished
from fpcheck.attractors.selfmap import Array, differentiable
from fpcheck.core.findings import Status
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.program import Program

# Halvings of the best line of each attractor, the others challenging it.
ROUNDS = 3
# A line takes the lead if it leaves at this share of the best radius so far, else it is dropped.
CHALLENGE = 0.9
# Times that the direction is turned towards the border's normal. A line whose bracket is wider than
# NARROW is cut at these shares of its outer end first, and so is each new line at the old one's.
TURNS = 3
CUTS = (0.5, 0.7, 0.85, 0.97)
NARROW = 0.9
# Where the last bracket is cut, from its inner to its outer end: the distance is then known to a
# few hundredths on its line.
LAST_CUTS = (0.2, 0.4, 0.6, 0.8)
# Steps after which a start of the search counts as not having left: beside a border the motion is
# slow, and a bound of the distance needs no start that hesitates.
LONGEST_RUN = 500
# Radii tried where no other attractor sets a scale, relative to the farthest.
FREE_RADII = (1.0 / 64.0, 1.0 / 16.0, 0.25, 1.0)

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Boundary:
    """The border of one attractor's basin, as near as it was found.

    distance: of the smallest perturbation of the state that leaves the basin, 2-norm, an upper
    bound of the true least; None where none of `directions` did. stays: the largest radius below it
    on the same line that did not leave, or was not at rest after LONGEST_RUN steps. towards: the
    line, in words; direction: (n,), of length 1; leads_to: id of where it then ends. relative:
    distance over the attractor's own length, None at the origin. edge: id of the unstable fixed
    point that the orbit from the border passes nearest to, edge_distance how near. inner_radius: of
    the ball that provably flows to the attractor, a lower bound; None where nothing is proved.
    """

    id: str
    distance: float | None
    stays: float | None
    relative: float | None
    towards: str
    leads_to: str
    directions: int
    farthest: float
    edge: str
    edge_distance: float | None
    inner_radius: float | None = field(metadata={"digits": 17})
    inner_radius_status: Status
    direction: Array | None = field(metadata={"digits": 17})
    status: Status = "numerical"


@dataclass(frozen=True, slots=True)
class _Work:
    """What every step of the search looks at."""

    program: Program
    traps: Sequence[Trap]
    centres: Array
    settings: Settings
    monitor: Monitor

    def probe(self, lines: Lines, picked: Indices, radii: Array) -> None:
        """Let the states at these radii run, and take in where they end."""
        if len(picked):
            starts = lines.at(self.centres, picked, radii)
            quiet = Monitor(stop=self.monitor.stop)
            ends = attribute(self.program, self.traps, starts, self.settings, quiet)
            lines.learn(picked, radii, ends.labels)


def boundary(
    program: Program,
    traps: Sequence[Trap],
    saddles: Sequence[tuple[str, Polished]] = (),
    *,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
) -> tuple[Boundary, ...]:
    """For each attractor the smallest perturbation found that leaves its basin.

    Lines go out to other attractors, to saddles, along slow and random directions; whichever
    leaves first is halved, then turned towards the normal of the border that it met, which is the
    way to the nearest point of a smooth border.

    Args:
        program: a self-map.
        traps: the attractors; of a cycle, its first point is pushed.
        saddles: ids and points of the fixed points that iteration does not end on.
        settings: as for `attribute`.
        rng: draws the random directions.
        monitor: progress, and the wish to stop.
    """
    if not traps:
        return ()
    centres = np.array([trap.found.point for trap in traps])
    brief = replace(settings, max_steps=min(settings.max_steps, LONGEST_RUN))
    work = _Work(program, traps, centres, brief, monitor)
    monitor.report("looking for basin borders", 0, TURNS + 1)
    lines = lines_out(traps, saddles, rng)
    tried = np.bincount(lines.owner, minlength=len(traps))
    farthest = _first_look(work, lines)
    best = _narrowed(work, lines)
    for turn in range(TURNS if differentiable(program) else 0):
        monitor.check()
        monitor.report("looking for basin borders", turn + 1, TURNS + 1)
        _cut(work, best)
        _turn(work, best)
    _cut(work, best)
    _cut_again(work, best)
    edges = _edges(work, best, saddles)
    return tuple(
        _result(work, index, best, int(tried[index]), float(farthest[index]), edges)
        for index in range(len(traps))
    )


def _first_look(work: _Work, lines: Lines) -> Array:
    """Try the radii that the lines come with; return the farthest tried of each attractor."""
    picked = np.flatnonzero(np.isfinite(lines.first))
    radii = np.repeat(lines.first[picked], len(FREE_RADII))
    if len(work.traps) == 1:
        radii *= np.tile(FREE_RADII, len(picked))
        again = np.repeat(picked, len(FREE_RADII))
    else:
        radii, again = lines.first[picked], picked
    work.probe(lines, again, radii)
    farthest = np.zeros(len(work.traps))
    reach = np.where(np.isfinite(lines.high), lines.high, lines.low)
    np.maximum.at(farthest, lines.owner, reach)
    return farthest


def _narrowed(work: _Work, lines: Lines) -> Lines:
    """The best line of each attractor, its bracket halved ROUNDS times, the others challenging."""
    alive = np.ones(len(lines.owner), np.bool_)
    for _ in range(ROUNDS):
        work.monitor.check()
        leaders = _leaders(lines, len(work.traps))
        best = lines.high[leaders][lines.owner]  # of each line's attractor; inf where none leaves
        leads = np.zeros(len(alive), np.bool_)
        leads[leaders] = True
        with np.errstate(invalid="ignore"):  # inf - inf of lines that are not tried
            radii = np.where(leads, 0.5 * (lines.low + lines.high), CHALLENGE * best)
        picked = np.flatnonzero(alive & np.isfinite(radii) & (radii > lines.low))
        work.probe(lines, picked, radii[picked])
        # A challenger that came back at less than the best radius is out.
        alive[picked] = leads[picked] | (lines.high[picked] <= radii[picked])
    return _taken(lines, _leaders(lines, len(work.traps)))


def _cut(work: _Work, best: Lines) -> None:
    """Narrow the brackets that are wide: the pair at its ends is to lie close to the border."""
    wide = np.flatnonzero(np.isfinite(best.high) & (best.low < NARROW * best.high))
    _probe_shares(work, best, wide, best.high[wide])


def _cut_again(work: _Work, best: Lines) -> None:
    """Narrow the last brackets to a fifth."""
    met = np.flatnonzero(np.isfinite(best.high))
    again = np.repeat(met, len(LAST_CUTS))
    widths = (best.high - best.low)[again]
    work.probe(best, again, best.low[again] + np.tile(LAST_CUTS, len(met)) * widths)


def _probe_shares(work: _Work, lines: Lines, picked: Indices, outer: Array) -> None:
    """Probe the lines at CUTS of these radii, where that is beyond what is known to stay."""
    again = np.repeat(picked, len(CUTS))
    radii = np.outer(outer, CUTS).ravel()
    open_ = (radii > lines.low[again]) & (radii < lines.high[again])
    work.probe(lines, again[open_], radii[open_])


def _turn(work: _Work, best: Lines) -> None:
    """Turn the lines towards the normals of the borders that they meet, where that is nearer."""
    met = np.flatnonzero(np.isfinite(best.high))
    if not len(met):
        return
    inner = best.at(work.centres, met, best.low[met])
    outer = best.at(work.centres, met, best.high[met])
    normal = normals(work.program, follow(work.program, inner, outer))
    # A normal that points back, or none at all, says nothing about this line.
    ahead = np.einsum("ij,ij->i", normal, best.direction[met]) > 0.0
    met, normal = met[ahead], normal[ahead]
    if not len(met):
        return
    low = np.array([trap.inner_radius for trap in work.traps])
    turned = new_lines(best.owner[met], normal, ["normal to the border"] * len(met), low)
    _probe_shares(work, turned, np.arange(len(met)), best.high[met])
    for row, line in enumerate(met):
        if turned.high[row] < best.high[line]:
            best.direction[line] = turned.direction[row]
            best.low[line], best.high[line] = turned.low[row], turned.high[row]
            best.end[line] = turned.end[row]
            best.towards[line] = turned.towards[row]


def _edges(
    work: _Work, best: Lines, saddles: Sequence[tuple[str, Polished]]
) -> dict[int, tuple[str, float]]:
    """The edge state of each attractor whose border was met, by the attractor's index."""
    met = np.flatnonzero(np.isfinite(best.high))
    if not len(met) or not saddles:
        return {}
    inner = best.at(work.centres, met, best.low[met])
    outer = best.at(work.centres, met, best.high[met])
    found = edge_states(follow(work.program, inner, outer), saddles)
    return {int(best.owner[line]): edge for line, edge in zip(met, found, strict=True) if edge}


def _leaders(lines: Lines, attractors: int) -> Indices:
    """The line of each attractor that leaves first; its first one where none does."""
    order = np.lexsort((lines.high, lines.owner))
    first = np.searchsorted(lines.owner[order], np.arange(attractors))
    return order[first]


def _taken(lines: Lines, picked: Indices) -> Lines:
    return Lines(
        owner=lines.owner[picked],
        direction=lines.direction[picked],
        towards=[lines.towards[i] for i in picked],
        low=lines.low[picked],
        high=lines.high[picked],
        end=lines.end[picked],
        first=lines.first[picked],
    )


def _result(
    work: _Work,
    index: int,
    best: Lines,
    directions: int,
    farthest: float,
    edges: dict[int, tuple[str, float]],
) -> Boundary:
    trap, high = work.traps[index], float(best.high[index])
    left, end = bool(np.isfinite(high)), int(best.end[index])
    length = float(np.linalg.norm(trap.found.point))
    edge = edges.get(index)
    return Boundary(
        id=trap.id,
        distance=high if left else None,
        stays=float(best.low[index]) if left else None,
        relative=high / length if left and length > 0.0 else None,
        towards=best.towards[index] if left else "",
        leads_to=(WORDS.get(end) or work.traps[end].id) if left else "",
        directions=directions,
        farthest=farthest,
        edge=edge[0] if edge else "",
        edge_distance=edge[1] if edge else None,
        inner_radius=trap.inner_radius if trap.ball else None,
        inner_radius_status="proved",
        direction=best.direction[index].copy() if left else None,
    )
