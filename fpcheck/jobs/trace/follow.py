"""Fixed points followed from one checkpoint to the next by identity: born, merged, vanished."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.polish import Polished
from fpcheck.attractors.stability import dense_stability
from fpcheck.core.plain import plain
from fpcheck.core.progress import Monitor
from fpcheck.jobs.trace.path import Followed, Way, follow
from fpcheck.network.network import Network

Array = NDArray[np.float64]
Point = dict[str, Any]  # a fixed point as it stands in a checkpoint's entry

REACH = 0.25  # of the points' spread: further no point goes in one step
SAME = 1e-7  # relative distance of two computed points that are one
STABLE, UNSTABLE = "stable", ("saddle", "repelling")
BORN, SEEN, VANISHED, MERGED = "born", "first seen", "vanished", "merged"
LOST, GAINED = "lost stability", "gained stability"


@dataclass(eq=False)
class Track:
    """One fixed point through the run; the lists have an item a checkpoint."""

    id: str
    born: int
    kinds: list[str | None]
    radii: list[float | None]
    moved: list[float | None]
    events: list[dict[str, Any]] = field(default_factory=list)
    point: Array | None = None

    def section(self) -> dict[str, Any]:
        """As it stands in the document."""
        known = [i for i, kind in enumerate(self.kinds) if kind is not None]
        return {
            "id": self.id,
            "born": self.born,
            "last": known[-1] if known else self.born,
            "kinds": list(self.kinds),
            "spectral_radius": list(self.radii),
            "moved": [plain(one) for one in self.moved],
            "events": [dict(event) for event in self.events],
        }


@dataclass(eq=False)
class Tracks:
    """All fixed points of the run so far, and the network of its last checkpoint with any."""

    monitor: Monitor
    tracks: list[Track] = field(default_factory=list)
    network: Network | None = None

    def skip(self, index: int) -> None:
        """Take in a checkpoint whose fixed points are not known: tracks wait for the next one."""
        for track in self.tracks:
            _silent(track, index)

    def add(self, index: int, network: Network, points: list[Point]) -> list[Point]:
        """Take in checkpoint `index`; its points with their tracks, and those followed to it."""
        places = [np.array(point["point"], np.float64) for point in points]
        living = [track for track in self.tracks if track.point is not None]
        out = [dict(point) for point in points]
        taken: dict[int, Track] = {}
        if living and self.network is not None:
            way = Way(self.network, network)
            before = [track.point for track in living if track.point is not None]
            reach = _reach(before)
            ends = _ends(way, living, places, points, reach, self.monitor)
            _place_followed(ends, living, places, out)
            taken = self._continue(index, ends, living, places, out, reach)
            born = [i for i in range(len(places)) if i not in taken]
            older = _older(way, [places[i] for i in born], before, reach, self.monitor)
        else:
            born, older = list(range(len(places))), [False] * len(places)
        for place, old in zip(born, older, strict=True):
            taken[place] = self._bear(index, out[place], places[place], SEEN if old else BORN)
        for track in self.tracks:
            _silent(track, index)
        self.network = network
        for i, point in enumerate(out):
            point["track"] = taken[i].id
        return [{"track": point.pop("track"), **point} for point in out]

    def _continue(
        self,
        index: int,
        ends: Sequence[Followed | int],
        living: Sequence[Track],
        places: Sequence[Array],
        points: Sequence[Point],
        reach: float,
    ) -> dict[int, Track]:
        """Every living track to the point that it ends on; the rest merge or vanish."""
        claims: dict[int, list[tuple[float, Track]]] = {}
        lost: list[tuple[Track, Followed]] = []
        for track, end in zip(living, ends, strict=True):
            place = end if isinstance(end, int) else _nearest(end, places, points)
            if place is None:
                assert isinstance(end, Followed)
                lost.append((track, end))
                continue
            assert track.point is not None
            distance = float(np.linalg.norm(places[place] - track.point))
            claims.setdefault(place, []).append((distance, track))
        taken = {}
        for place, claimants in claims.items():
            claimants.sort(key=lambda pair: (pair[0], int(pair[1].id[1:])))
            (distance, kept), *others = claimants
            taken[place] = kept
            _move(kept, index, points[place], places[place], distance)
            for _, track in others:
                _end(track, index, MERGED, kept.id)
        for track, partner in _partners(lost, reach):
            _end(track, index, VANISHED, partner)
        return taken

    def _bear(self, index: int, point: Point, place: Array, how: str) -> Track:
        nothing: list[None] = [None] * index
        track = Track(
            f"T{len(self.tracks) + 1}", index, [*nothing, point["kind"]],
            [*nothing, point["spectral_radius"]], [*nothing, None],
            [{"checkpoint": index, "kind": how, "with": None}], place,
        )  # fmt: skip
        self.tracks.append(track)
        return track


def _ends(
    way: Way,
    living: Sequence[Track],
    places: Sequence[Array],
    points: Sequence[Point],
    reach: float,
    monitor: Monitor,
) -> list[Followed | int]:
    """Where every living track goes: followed, or the nearest of its kind where that cannot be."""
    old = [track.point for track in living if track.point is not None]
    if way.walkable:
        return [follow(way, point, reach, monitor) for point in old]
    out: list[Followed | int] = []
    for track, point in zip(living, old, strict=True):
        kind = next((k for k in reversed(track.kinds) if k is not None), None)
        near = sorted(
            (float(np.linalg.norm(place - point)), i)
            for i, place in enumerate(places)
            if points[i]["kind"] == kind
        )
        close = bool(near) and near[0][0] <= reach
        out.append(near[0][1] if close else Followed(None, point, 0.0))
    return out


def _place_followed(
    ends: Sequence[Followed | int],
    living: Sequence[Track],
    places: list[Array],
    points: list[Point],
) -> None:
    """Add what was followed to a point that the search of this checkpoint did not find."""
    for _, end in zip(living, ends, strict=True):
        if isinstance(end, int) or end.end is None or _nearest(end, places, points) is not None:
            continue
        places.append(end.end.point)
        points.append(_point_of(end.end))


def _point_of(found: Polished) -> Point:
    """The entry of a point that no start ends on, and no search found."""
    assert found.jacobian is not None
    stability = dense_stability(found.jacobian, found.degenerate)
    return {
        "kind": stability.kind,
        "status": "numerical",
        "spectral_radius": plain(stability.spectral_radius),
        "share": 0.0,
        "certified_radius": None,
        "location_error": plain(found.error),
        "point": plain(found.point, 17),
        "followed": True,
    }


def _nearest(end: Followed, places: Sequence[Array], points: Sequence[Point]) -> int | None:
    """Which of the points a followed one is: within what is certified, or the computing's error."""
    if end.end is None or not places:
        return None
    distances = [float(np.linalg.norm(place - end.last)) for place in places]
    best = int(np.argmin(distances))
    point = points[best]
    error = (point["location_error"] or 0.0) + end.end.error
    slack = SAME * (1.0 + float(np.linalg.norm(end.last)))
    allowed = max(point["certified_radius"] or 0.0, slack, min(4.0 * error, 1e3 * slack))
    return best if distances[best] <= allowed else None


def _partners(
    lost: Sequence[tuple[Track, Followed]], reach: float
) -> list[tuple[Track, str | None]]:
    """Every lost track with the one that it met: each the nearest to the other when both ended."""
    nearest: list[int | None] = []
    for i, (_, one) in enumerate(lost):
        gaps = [
            (float(np.linalg.norm(other.last - one.last)), j)
            for j, (_, other) in enumerate(lost)
            if j != i
        ]
        best = min(gaps, default=(math.inf, -1))
        nearest.append(best[1] if best[0] <= 2.0 * reach else None)
    out: list[tuple[Track, str | None]] = []
    for i, (track, _) in enumerate(lost):
        j = nearest[i]
        mutual = j is not None and nearest[j] == i
        out.append((track, lost[j][0].id if mutual and j is not None else None))
    return out


def _older(
    way: Way, places: Sequence[Array], before: Sequence[Array], reach: float, monitor: Monitor
) -> list[bool]:
    """Of every new point, whether the checkpoint before had it too, without its being found.

    before: its points that were known: what goes back to one of them has split off from it.
    """
    if not way.walkable:
        return [False] * len(places)
    back = way.turned()
    out = []
    for place in places:
        end = follow(back, place, reach, monitor).end
        gaps = [] if end is None else [float(np.linalg.norm(end.point - old)) for old in before]
        close = SAME * (1.0 + float(np.linalg.norm(place)))
        split = end is not None and (end.degenerate or min(gaps) <= max(close, 4.0 * end.error))
        out.append(end is not None and not split)
    return out


def _reach(points: Sequence[Array]) -> float:
    """How far a point may go in one step: a share of how far apart the points lie."""
    table = np.stack(points)
    spread = float(np.linalg.norm(table.max(axis=0) - table.min(axis=0)))
    size = float(np.linalg.norm(table, axis=1).max())
    return REACH * (spread if spread > SAME * (1.0 + size) else 1.0 + size)


def _move(track: Track, index: int, point: Point, place: Array, distance: float) -> None:
    before = next((k for k in reversed(track.kinds) if k in (STABLE, *UNSTABLE)), None)
    _silent(track, index - 1)
    track.kinds.append(point["kind"])
    track.radii.append(point["spectral_radius"])
    track.moved.append(distance)
    track.point = place
    if before == STABLE and point["kind"] in UNSTABLE:
        track.events.append({"checkpoint": index, "kind": LOST, "with": None})
    elif before in UNSTABLE and point["kind"] == STABLE:
        track.events.append({"checkpoint": index, "kind": GAINED, "with": None})


def _end(track: Track, index: int, kind: str, other: str | None) -> None:
    track.point = None
    track.events.append({"checkpoint": index, "kind": kind, "with": other})


def _silent(track: Track, index: int) -> None:
    """Fill the lists of a track that has no point up to checkpoint `index`."""
    while len(track.kinds) <= index:
        track.kinds.append(None)
        track.radii.append(None)
        track.moved.append(None)
