"""A race: several ways to one answer, first seen to agree, then timed in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fpcheck.core.progress import Monitor

Answer = TypeVar("Answer")

OURS = "fpcheck"
# A measurement shorter than this is repeated inside one reading of the clock.
SHORTEST_SECONDS = 2e-3


@dataclass(frozen=True, slots=True)
class Race(Generic[Answer]):
    """One row of the bench.

    ways: name -> a call that gives the answer; `fpcheck` is ours.
    agree: raises AssertionError, with the reason, where two answers differ.
    work: floating-point operations of one call, where counting them says something.
    rounds: how often each way is timed; slow: no repetition within a round.
    """

    group: str
    case: str
    ways: Mapping[str, Callable[[], Answer]]
    agree: Callable[[Answer, Answer], None] = lambda ours, theirs: None
    work: Callable[[Answer], float] | None = None
    rounds: int = 5
    slow: bool = False


@dataclass(frozen=True, slots=True)
class BenchRow:
    """What a race came to.

    seconds: the median of each way; ratios: a peer's seconds over ours, above 1 where we are
    faster; gflops: our rate and peak_share its share of the measured product rate, if counted;
    counts: what each way found, where that is what is compared.
    """

    group: str
    case: str
    seconds: Mapping[str, float]
    ratios: Mapping[str, float] = field(default_factory=dict)
    gflops: float | None = None
    peak_share: float | None = None
    rounds: int = 0
    counts: Mapping[str, str] = field(default_factory=dict)


def run_race(race: Race[Answer], peak_gflops: float, monitor: Monitor) -> BenchRow:
    """The row of a race: answers compared, then every way timed in turn, round by round.

    Raises:
        AssertionError: two ways give different answers.
        KeyboardInterrupt: the monitor asked to stop.
    """
    answers = {name: way() for name, way in race.ways.items()}
    first, *others = answers
    for other in others:
        race.agree(answers[first], answers[other])
    repeats = {name: 1 if race.slow else _repeats(way) for name, way in race.ways.items()}
    readings: dict[str, list[float]] = {name: [] for name in race.ways}
    for _ in range(race.rounds):
        for name, way in race.ways.items():  # A B A B: a busy moment hits all alike
            monitor.check()
            readings[name].append(_seconds(way, repeats[name]))
    medians = {name: statistics.median(each) for name, each in readings.items()}
    ours = medians.get(OURS)
    ratios = {name: each / ours for name, each in medians.items() if name != OURS} if ours else {}
    rate = None
    if race.work is not None and ours:
        rate = race.work(answers[OURS]) / ours / 1e9
    share = rate / peak_gflops if rate is not None else None
    return BenchRow(race.group, race.case, medians, ratios, rate, share, race.rounds)


def _repeats(way: Callable[[], object]) -> int:
    once = _seconds(way, 1)
    return max(1, round(SHORTEST_SECONDS / max(once, 1e-9)))


def _seconds(way: Callable[[], object], repeats: int) -> float:
    begin = time.perf_counter()
    for _ in range(repeats):
        way()
    return (time.perf_counter() - begin) / repeats
