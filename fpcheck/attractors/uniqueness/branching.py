"""Interval branch and bound: the list of all fixed points of a map of few numbers, proved.

The box that holds all fixed points is cut until every piece is proved to hold none, or exactly one
[Moore 1966; Hansen, Walster 2004, chapter 11]. A fixed point on a cut would keep the pieces on
both sides open for ever: so pieces are tried a little larger than they are, the box in which a
point is the only one is remembered, and whatever comes to lie inside of it is done with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.selfmap import Array
from fpcheck.attractors.uniqueness.newton_boxes import Bools, Look, Looks
from fpcheck.core.progress import Monitor

BATCH = 1024
GROWN = 0.1  # share of what is left of a box by which that is tried larger on either side,
NEARBY = 0.01  # and of the box itself
LAST_ROOM = 1e-7  # relative to the first box: what a box is tried larger by before it is left over
CUT = 0.4871  # off the middle, where symmetric maps have their fixed points
ENOUGH = 0.6  # a box whose volume falls below this share is looked at again before it is cut
FINEST = 1e-9  # width, relative to the first box, below which a box is left over
SHOWN = 20_000  # boxes between two reports of progress
HOPELESS = 1000  # so many of them: around a degenerate point, or a line of fixed points
FIRST_RADIUS = 1e-10
DOUBLINGS = 40
REFINEMENTS = 60
SHRUNK = 0.9  # share of its width to which a look must narrow some enclosure to go on


@dataclass(frozen=True, slots=True, eq=False)
class Single:
    """Boxes that hold exactly one fixed point each, in any order, perhaps one twice.

    low, high: (k, n), where it is the only one; inner_low, inner_high: (k, n), where it is.
    """

    low: Array
    high: Array
    inner_low: Array
    inner_high: Array

    @property
    def count(self) -> int:
        """The number of boxes."""
        return len(self.low)


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """What branch and bound leaves: singles and the pieces of which nothing is proved.

    left_low, left_high: (k, n); looks: boxes looked at; stopped: why pieces are left, "" where
    none are.
    """

    singles: Single
    left_low: Array
    left_high: Array
    looks: int
    stopped: str


def search_box(
    look: Looks, low: Array, high: Array, known: Array, *, most_looks: int, monitor: Monitor
) -> Searched:
    """All fixed points in the box [low, high], as far as `most_looks` boxes allow.

    low, high: (n,); known: (k, n), near fixed points, which are boxed first.
    """
    n, scale = len(low), float((high - low).max())
    singles, looks = _around(look.verify, known, scale)
    stack = [(low[None], high[None])]
    fine: list[tuple[Array, Array]] = []
    shown = 0
    while stack and looks < most_looks and sum(len(part[0]) for part in fine) < HOPELESS:
        monitor.check()
        if looks >= shown + SHOWN:
            shown = looks
            monitor.report("proving that the list is complete", looks, most_looks)
        at_low, at_high = _taken(stack)
        open_ = ~_covered(at_low, at_high, singles)
        at_low, at_high = at_low[open_], at_high[open_]
        if not len(at_low):
            continue
        (piece_low, piece_high), found, used = _step(look, at_low, at_high)
        looks += used
        singles = _with(singles, found)
        small = (piece_high - piece_low).max(axis=1, initial=0.0) < FINEST * scale
        if small.any():
            tiny_low, tiny_high = piece_low[small], piece_high[small]
            room = np.full_like(tiny_low, LAST_ROOM * scale)
            found, gone = _grown(look.verify, tiny_low, tiny_high, room)
            singles = _with(singles, found)
            fine.append((tiny_low[~gone], tiny_high[~gone]))
        if not small.all():
            stack.append((piece_low[~small], piece_high[~small]))
    tight = any(len(part[0]) for part in fine)
    none = np.empty((0, n))
    left = [(none, none), *stack, *fine]
    left_low, left_high = (np.concatenate([part[side] for part in left]) for side in (0, 1))
    open_ = ~_covered(left_low, left_high, singles)
    stopped = "boxes became too small" if tight else "too many boxes"
    return Searched(
        singles=_refined(look.verify, singles),
        left_low=left_low[open_],
        left_high=left_high[open_],
        looks=looks,
        stopped=stopped if open_.any() else "",
    )


def distinct(singles: Single) -> list[int] | None:
    """One box of every fixed point; None where it cannot be told whether two are the same.

    Two are the same if one lies in the box in which the other is the only one, and different if
    what encloses them is disjoint.
    """
    chosen: list[int] = []
    for i in range(singles.count):
        low, high = singles.inner_low[i], singles.inner_high[i]
        within = ((singles.low[chosen] <= low) & (high <= singles.high[chosen])).all(axis=1)
        if within.any():
            continue
        apart = (low > singles.inner_high[chosen]) | (high < singles.inner_low[chosen])
        if not apart.any(axis=1).all():
            return None
        chosen.append(i)
    return chosen


def _taken(stack: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """The next boxes, the last ones first, and no more than fit a batch."""
    low, high = stack.pop()
    while stack and len(low) + len(stack[-1][0]) <= BATCH:
        more_low, more_high = stack.pop()
        low, high = np.concatenate([low, more_low]), np.concatenate([high, more_high])
    if len(low) > BATCH:
        stack.append((low[:-BATCH], high[:-BATCH]))
        low, high = low[-BATCH:], high[-BATCH:]
    return low, high


def _step(look: Looks, low: Array, high: Array) -> tuple[tuple[Array, Array], Single, int]:
    """(the pieces that remain, the fixed points found, how many boxes were looked at)."""
    looked = look.prune(low, high)
    found = Single(
        low[looked.single], high[looked.single],
        looked.low[looked.single], looked.high[looked.single],
    )  # fmt: skip
    open_ = ~looked.empty & ~looked.single
    used = len(low)
    trying = open_ & looked.contracts
    if trying.any():
        room = NEARBY * (high - low)[trying]
        grown, gone = _grown(look.verify, looked.low[trying], looked.high[trying], room)
        found = _with(found, grown)
        used += int(np.count_nonzero(trying))
        open_[np.flatnonzero(trying)[gone]] = False
    kept_low, kept_high = looked.low[open_], looked.high[open_]
    before = (high - low)[open_]
    wide = before > 0
    share = np.divide(kept_high - kept_low, before, out=np.ones_like(before), where=wide)
    share = np.prod(share, axis=1)
    again = share < ENOUGH
    pieces = _cut(kept_low[~again], kept_high[~again], looked.smear[open_][~again])
    return (
        (
            np.concatenate([kept_low[again], pieces[0]]),
            np.concatenate([kept_high[again], pieces[1]]),
        ),
        found,
        used,
    )


def _grown(look: Look, low: Array, high: Array, room: Array) -> tuple[Single, Bools]:
    """(the fixed points found in somewhat larger boxes, which of the boxes are done with).

    room: (k, n), by how much they are made larger at least.
    """
    more = np.maximum(GROWN * (high - low), room)
    wide_low, wide_high = low - more, high + more
    looked = look(wide_low, wide_high)
    one = looked.single
    found = Single(wide_low[one], wide_high[one], looked.low[one], looked.high[one])
    return found, one | looked.empty


def _cut(low: Array, high: Array, smear: Array) -> tuple[Array, Array]:
    """Both parts of every box, cut across the edge that blurs f most, next to its middle."""
    rows = np.arange(len(low))
    axis = np.argmax(smear + 1e-12 * (high - low), axis=1)
    at = low[rows, axis] + CUT * (high[rows, axis] - low[rows, axis])
    left_high, right_low = high.copy(), low.copy()
    left_high[rows, axis] = at
    right_low[rows, axis] = at
    return np.concatenate([low, right_low]), np.concatenate([left_high, high])


def _around(look: Look, known: Array, scale: float) -> tuple[Single, int]:
    """The largest box found around every known point in which it is the only one."""
    n = known.shape[1]
    best = Single(*(np.full(known.shape, np.nan) for _ in range(4)))
    radius, looks = FIRST_RADIUS * scale, 0
    for _ in range(DOUBLINGS):
        if radius > scale or not len(known):
            break
        low, high = known - radius, known + radius
        looked = look(low, high)
        looks += len(known)
        one = looked.single
        best.low[one], best.high[one] = low[one], high[one]
        best.inner_low[one], best.inner_high[one] = looked.low[one], looked.high[one]
        done = np.isfinite(best.low).all(axis=1)
        if done.all() and not one.any():
            break
        radius *= 2.0
    done = np.isfinite(best.low).reshape(-1, n).all(axis=1)
    return Single(
        best.low[done], best.high[done], best.inner_low[done], best.inner_high[done]
    ), looks


def _covered(low: Array, high: Array, singles: Single) -> Bools:
    """Whether each box lies in one whose only fixed point is known."""
    covered = np.zeros(len(low), dtype=bool)
    if not len(low):
        return covered
    met = ((singles.low <= high.max(axis=0)) & (singles.high >= low.min(axis=0))).all(axis=1)
    for one_low, one_high in zip(singles.low[met], singles.high[met], strict=True):
        covered |= ((low >= one_low) & (high <= one_high)).all(axis=1)
    return covered


def _with(singles: Single, more: Single) -> Single:
    """Both, without those of `more` whose fixed point is known already."""
    if not more.count:
        return singles
    new = ~_covered(more.inner_low, more.inner_high, singles)
    pairs = zip(_arrays(singles), _arrays(more), strict=True)
    return Single(*(np.concatenate([mine, theirs[new]]) for mine, theirs in pairs))


def _refined(look: Look, singles: Single) -> Single:
    """The same with tighter enclosures of the points."""
    low, high = singles.inner_low, singles.inner_high
    for _ in range(REFINEMENTS if len(low) else 0):
        looked = look(low, high)
        shrunk = (looked.high - looked.low).max(axis=1) < SHRUNK * (high - low).max(axis=1)
        low, high = looked.low, looked.high
        if not shrunk.any():
            break
    return Single(singles.low, singles.high, low, high)


def _arrays(singles: Single) -> tuple[Array, Array, Array, Array]:
    return singles.low, singles.high, singles.inner_low, singles.inner_high
