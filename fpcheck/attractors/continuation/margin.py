"""The gain margin: how far all weights can be scaled until the fixed points change."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from fpcheck.attractors.continuation.diagram import Curve, Diagram, Job, Meeting, draw_diagram
from fpcheck.attractors.continuation.family import scaled_family
from fpcheck.attractors.continuation.result import Branch, Event, GainMargin
from fpcheck.attractors.continuation.trail import Window
from fpcheck.attractors.polish import Polished
from fpcheck.attractors.selfmap import Array
from fpcheck.core.progress import Monitor
from fpcheck.network.network import Network

# Fixed points that are followed, by width: a step takes a few Jacobians and one spectrum.
FOLLOW_LIMITS = ((64, 64), (128, 32), (256, 12), (512, 4))
# States from which the axis of the picture is taken, at most.
AXIS_STATES = 512
AXIS = "coordinate along the direction in which the points differ most"
BLIND = "pairs of points that are born away from the followed curves are not seen"
NEW = "a fixed point that was not given"
ENDS = {
    "range": "end of the range",
    "escape": "infinity",
    "work": "too many steps",
    "lost": "no step was possible",
}


def gain_margin(
    network: Network,
    points: Sequence[Polished],
    *,
    low: float = 0.5,
    high: float = 2.0,
    monitor: Monitor,
    names: Sequence[str] = (),
    threads: int = 0,
) -> GainMargin | str:
    """How far the weights can be scaled until a fixed point is lost or gained, or gives way.

    Every fixed point is followed along its curve {(x, g) : x = f_g(x)}, from g = 1 up and down, by
    pseudo-arclength steps, until the curve leaves the range or is back at g = 1. On the way folds,
    branch points, and the flips and Neimark-Sacker points at which stable points cease to be stable
    are located; the curves that cross at branch points are followed too. A pair of points that is
    born away from all these curves is not seen.

    Args:
        network: a self-map; its weights are multiplied by g, its biases are not.
        points: fixed points at g = 1; those of other periods are passed over.
        low, high: the gains that are looked at, 0 <= low < 1 < high.
        monitor: progress, and the wish to stop.
        names: of the points, for the result; their numbers from 1 where left out.
        threads: that work side by side; 0 for one a core. No number depends on it.

    Returns:
        The margin, or in words why there is none.

    Raises:
        ValueError: the range does not hold 1.
    """
    if not 0.0 <= low < 1.0 < high:
        raise ValueError(f"the range of gains [{low:g}, {high:g}] does not hold 1")
    family = scaled_family(network)
    if isinstance(family, str):
        return family
    limit = next((limit for width, limit in FOLLOW_LIMITS if family.size <= width), 0)
    if limit == 0:
        return f"the state has {family.size} entries, too many for a spectrum at every step"
    titles = list(names) or [str(index + 1) for index in range(len(points))]
    resting = [(one, title) for one, title in zip(points, titles, strict=True) if one.period == 1]
    if not resting:
        return "there is no fixed point to follow"
    known = [one for one, _ in resting]
    regular = [index for index, one in enumerate(known) if not one.degenerate]
    chosen = sorted(regular, key=lambda index: _radius(known[index]))[:limit]
    window = Window(low, high, np.array([one.point for one in known]))
    diagram = draw_diagram(Job(family, window, monitor, threads), chosen)
    summary = _Summary(diagram, [title for _, title in resting], _axis(diagram, window.known))
    events = sorted(
        [*summary.events(), *summary.degenerate(known, window.known)], key=lambda e: e.gain
    )
    left_out = len(known) - len(chosen)
    return _margin(events, summary, window, (len(chosen), left_out, family.layers))


class _Summary:
    """A diagram in the words of the result."""

    def __init__(self, diagram: Diagram, names: Sequence[str], axis: Array) -> None:
        self.diagram, self.names, self.axis = diagram, names, axis

    def branches(self) -> tuple[Branch, ...]:
        """The curves, in the order in which they were followed."""
        return tuple(self._branch(curve) for curve in self.diagram.curves)

    def events(self) -> list[Event]:
        """The events that curves meet, and the escapes at their ends."""
        found = [self._event(meeting) for meeting in self.diagram.meetings]
        return found + [
            self._escape(curve) for curve in self.diagram.curves if curve.trail.end == "escape"
        ]

    def degenerate(self, known: Sequence[Polished], states: Array) -> list[Event]:
        """An event at g = 1 for every point that is degenerate there already."""
        return [
            Event(1.0, 0.0, "degenerate", (name,), None, None, one.nullity, 0.0, self._place(state))
            for one, name, state in zip(known, self.names, states, strict=True)
            if one.degenerate
        ]

    def reached(self, side: int) -> list[float]:
        """The gains at which curves on this side of 1 were given up."""
        ends = [
            curve.trail.points[-1].gain
            for curve in self.diagram.curves
            if curve.trail.end in ("work", "lost")
        ]
        return [gain for gain in ends if (gain - 1.0) * side >= 0.0]

    def _branch(self, curve: Curve) -> Branch:
        trail = curve.trail
        if curve.point is None:
            start = f"branch point at {trail.points[0].gain:.6g}"
        else:
            start = self.names[curve.point]
        end = ENDS.get(trail.end, "")
        if trail.end == "point":
            end = NEW if trail.meets is None else self.names[trail.meets]
        return Branch(
            start,
            "up" if curve.side > 0 else "down",
            end,
            tuple(point.gain for point in trail.points),
            tuple(self._place(point.state) for point in trail.points),
            tuple(point.unstable for point in trail.points),
        )

    def _event(self, meeting: Meeting) -> Event:
        event = meeting.event
        return Event(
            event.point.gain,
            event.error,
            event.kind,
            tuple(self.names[index] for index in sorted(meeting.points)),
            event.before,
            event.after,
            event.multiplicity,
            event.angle,
            self._place(event.point.state),
        )

    def _escape(self, curve: Curve) -> Event:
        # A simple pole, |x| = c / |g - pole|, through the last two points.
        before, last = curve.trail.points[-2:]
        sizes = [float(np.linalg.norm(point.state)) for point in (before, last)]
        rest = (last.gain - before.gain) * sizes[0] / (sizes[1] - sizes[0])
        return Event(
            last.gain + rest,
            abs(rest),
            "escape",
            tuple(self.names[index] for index in sorted(curve.ends)),
            last.unstable,
            None,
            1,
            None,
            self._place(last.state),
        )

    def _place(self, state: Array) -> float:
        return float(self.axis @ state)


def _margin(
    events: Sequence[Event], summary: _Summary, window: Window, counts: tuple[int, int, int]
) -> GainMargin:
    followed, left_out, layers = counts
    of_attractors = [event for event in events if event.of_attractor]
    lost = summary.reached(-1), summary.reached(1)
    below, above = _nearest(events)
    attractor_below, attractor_above = _nearest(of_attractors)
    what = f"the weights of {layers} layers" if layers > 1 else "the weights of one layer"
    return GainMargin(
        status="numerical",
        scaled=f"{what}; biases, norms and constants stay",
        low=window.low,
        high=window.high,
        reached_low=max([window.low, *lost[0]]),
        reached_high=min([window.high, *lost[1]]),
        margin_low=below,
        margin_high=above,
        attractor_low=attractor_below,
        attractor_high=attractor_above,
        followed=followed,
        left_out=left_out,
        axis=AXIS,
        note=BLIND,
        events=tuple(events),
        branches=summary.branches(),
        new_points=tuple(summary.diagram.new),
    )


def _nearest(events: Iterable[Event]) -> tuple[float | None, float | None]:
    """The nearest gains of events below and above 1; an event at 1 is on both sides."""
    gains = [event.gain for event in events]
    below, above = [g for g in gains if g <= 1.0], [g for g in gains if g >= 1.0]
    return (max(below) if below else None, min(above) if above else None)


def _radius(point: Polished) -> float:
    """The spectral radius, by which the stable points come first; unknown last."""
    if point.jacobian is None:
        return math.inf
    return float(np.abs(np.linalg.eigvals(point.jacobian)).max())


def _axis(diagram: Diagram, known: Array) -> Array:
    """The unit vector along which the states of all curves spread most, its main entry positive."""
    states = [point.state for curve in diagram.curves for point in curve.trail.points]
    rows = np.array([*known, *states])
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), AXIS_STATES)).astype(int)]
    size = float(np.abs(rows).max())
    if not 0.0 < size < math.inf:
        return np.asarray(np.eye(len(known[0]))[0])
    axis: Array = np.linalg.svd((rows - rows.mean(axis=0)) / size)[2][0]
    return np.asarray(np.copysign(1.0, axis[int(np.argmax(np.abs(axis)))]) * axis)
