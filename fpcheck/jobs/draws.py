"""Many networks of one spec: how the number of their attractors is distributed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from threadpoolctl import threadpool_limits

from fpcheck.attractors.measure import measure
from fpcheck.core.errors import NothingToJudgeError, UsageError
from fpcheck.core.findings import Status
from fpcheck.core.intervals import Interval, binomial_upper, mean_t, wilson
from fpcheck.core.memory import require_memory
from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.core.workers import available_cores
from fpcheck.network.constant_input import ZEROS, ConstantInput
from fpcheck.network.initializers import draw_network
from fpcheck.network.inputs import draw_inputs
from fpcheck.network.load.spec_cell import bound_cell, draw_cell
from fpcheck.network.network import Network
from fpcheck.network.spec import Spec

# Values of a count that are listed one by one; larger ones only enter the mean and the range.
MOST_VALUES = 40


@dataclass(frozen=True, slots=True)
class Draw:
    """One network's attractors. Shares are of its starts.

    attracting: stable fixed points, with those that starts end on and that are not listed; cycles:
    found by starts; periods: of each; resting: starts that end on a fixed point.
    """

    number: int
    attracting: int
    fixed_points: int
    cycles: int
    periods: tuple[int, ...]
    largest_share: float
    resting: float
    cycling: float
    aperiodic: float
    unresolved: float
    diverged: float


@dataclass(frozen=True, slots=True)
class Rate:
    """A number of the draws, and its share of them with Wilson's 95 % interval."""

    draws: int
    share: float
    share_low: float
    share_high: float
    share_status: Status = "sampled"


@dataclass(frozen=True, slots=True)
class Count:
    """How many draws have this value."""

    value: int
    rate: Rate


@dataclass(frozen=True, slots=True)
class Distribution:
    """A number over the draws: its mean with a 95 % interval, its range, and its values if whole.

    The interval is Student's t. Where all draws agree it would be empty, and what the draws did not
    show bounds it: for a share the exact 95 % bound of their probability; for a count there is none
    (None).
    """

    mean: float
    mean_low: float | None
    mean_high: float | None
    smallest: float
    median: float
    largest: float
    values: tuple[Count, ...] = ()
    mean_status: Status = "sampled"


@dataclass(frozen=True, slots=True)
class Period:
    """Cycles of one period: how many there are in all draws, and in how many draws."""

    period: int
    cycles: int
    rate: Rate


@dataclass(frozen=True, slots=True)
class DrawsResult:
    """The attractors of `draws` networks of one spec.

    single: draws whose every start ends on one and the same fixed point; several: draws with more
    than one attracting fixed point; none: draws without any. The other fields as in `Draw`.
    """

    draws: int
    starts: int
    start_law: str
    single: Rate
    several: Rate
    none: Rate
    attracting: Distribution
    fixed_points: Distribution
    cycles: Distribution
    periods: tuple[Period, ...]
    resting: Distribution
    cycling: Distribution
    aperiodic: Distribution
    unresolved: Distribution
    diverged: Distribution
    each: tuple[Draw, ...]


def measure_draws(
    spec: Spec, settings: Settings, monitor: Monitor, held: ConstantInput = ZEROS
) -> DrawsResult:
    """The attractors of `settings.draws` networks of the spec, each from its own streams.

    The first draw is the network that an analysis of the spec has, from the same starts. Draws run
    side by side; no number depends on how many do. held: the constant input of a recurrent cell.

    Raises:
        NothingToJudgeError: the spec's networks are no self-maps.
        UsageError: less than one draw is asked for.
    """
    if settings.draws < 1:
        raise UsageError("no network is drawn", where="--draws", hint="--draws is at least 1")
    require_self_maps(spec)
    threads = min(settings.threads or available_cores(), settings.draws)
    alone = replace(settings, threads=1, slice=(), continuation=False)
    quiet = Monitor(stop=monitor.stop)
    done = 0

    def drawn(number: int) -> Draw:
        nonlocal done
        found = _draw(spec, number, alone, quiet, held)
        done += 1
        monitor.report("networks drawn", done, settings.draws)
        return found

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(drawn, number) for number in range(settings.draws)]
        try:
            draws = tuple(future.result() for future in futures)
        finally:  # where one fails or the work stops, those not yet begun are dropped
            pool.shutdown(wait=True, cancel_futures=True)
    return _summary(draws, settings.starts, spec.input_law.label)


def _draw(
    spec: Spec, number: int, settings: Settings, monitor: Monitor, held: ConstantInput
) -> Draw:
    monitor.check()
    network = drawn_network(spec, settings.seed, number, held)
    size = network.program.input_size
    require_memory(24.0 * settings.starts * size, f"iterating {settings.starts} starts")
    rng = random_stream(settings.seed, "attractors", number)
    shape = network.skeleton.input_shape
    starts = draw_inputs(spec.input_law, settings.starts, shape, rng).reshape(-1, size)
    law = spec.input_law.label
    found = measure(network, starts, law, None, settings, rng, monitor, around=False)
    return headline(number, as_section(found)["maps"][0])


def require_self_maps(spec: Spec) -> None:
    """Nothing, if the spec's networks can be fed to themselves.

    Raises:
        NothingToJudgeError: they cannot.
    """
    if spec.cell is None and not spec.skeleton.self_map:
        shapes = f"{list(spec.skeleton.input_shape)} to {list(spec.skeleton.output_shape)}"
        raise NothingToJudgeError(
            f"the networks of {spec.name} map {shapes} and cannot be fed to themselves",
            where="--draws",
            hint="--draws compares attractors; give a spec with as many outputs as inputs",
        )


def drawn_network(spec: Spec, seed: int, number: int, held: ConstantInput = ZEROS) -> Network:
    """The network number `number` of a spec under `seed`, or its cell's map; 0 is the usual one."""
    rng = random_stream(seed, "draw", number)
    if spec.cell is None:
        return draw_network(spec.skeleton, spec.layer_laws, rng)
    cell, _ = bound_cell(spec.name, draw_cell(spec.cell, rng), spec.cell, held)
    return cell.network


def headline(number: int, one: dict[str, Any]) -> Draw:
    """The numbers of one map, as it stands in the report, that are compared between draws."""
    points, cycles = one["fixed_points"], one["cycles"]
    others, other_cycles = one["other_fixed_points"], one["other_cycles"]
    more = others["count"] if others else 0
    rest = [one[key]["share"] for key in ("cycling", "unresolved", "diverged")]
    aperiodic = (one.get("aperiodic") or {}).get("share", 0.0)
    return Draw(
        number=number,
        attracting=sum(point["kind"] == "stable" for point in points) + more,
        fixed_points=len(points) + more,
        cycles=len(cycles) + (other_cycles["count"] if other_cycles else 0),
        periods=tuple(sorted(cycle["period"] for cycle in cycles)),
        largest_share=max((point["share"] for point in points), default=0.0),
        resting=max(0.0, 1.0 - sum(rest) - aperiodic),
        cycling=rest[0],
        aperiodic=aperiodic,
        unresolved=rest[1],
        diverged=rest[2],
    )


def _summary(each: tuple[Draw, ...], starts: int, law: str) -> DrawsResult:
    total = len(each)

    def rate(count: int) -> Rate:
        interval = wilson(count, total)
        return Rate(count, count / total, interval.low, interval.high)

    def counts(key: str) -> Distribution:
        values = [int(getattr(draw, key)) for draw in each]
        listed = sorted(set(values))[:MOST_VALUES]
        told = tuple(Count(value, rate(values.count(value))) for value in listed)
        return replace(distribution(values, None), values=told)

    def shares(key: str) -> Distribution:
        return distribution([float(getattr(draw, key)) for draw in each], 1.0)

    periods = sorted({period for draw in each for period in draw.periods})
    return DrawsResult(
        draws=total,
        starts=starts,
        start_law=law,
        single=rate(sum(draw.largest_share == 1.0 for draw in each)),
        several=rate(sum(draw.attracting > 1 for draw in each)),
        none=rate(sum(draw.attracting == 0 for draw in each)),
        attracting=counts("attracting"),
        fixed_points=counts("fixed_points"),
        cycles=counts("cycles"),
        periods=tuple(
            Period(
                period,
                sum(draw.periods.count(period) for draw in each),
                rate(sum(period in draw.periods for draw in each)),
            )
            for period in periods
        ),
        resting=shares("resting"),
        cycling=shares("cycling"),
        aperiodic=shares("aperiodic"),
        unresolved=shares("unresolved"),
        diverged=shares("diverged"),
        each=each,
    )


def distribution(values: Sequence[float], largest: float | None) -> Distribution:
    """The mean's interval and the range. largest: the most that a value can be, None if unknown."""
    count, mean = len(values), math.fsum(values) / len(values)
    if min(values) == max(values):
        interval = _where_all_agree(mean, count, largest)
    else:
        squares = math.fsum((value - mean) ** 2 for value in values)
        interval = mean_t(mean, math.sqrt(squares / (count - 1) / count), count - 1)
    low = None if interval is None else max(0.0, interval.low)
    high = None if interval is None else interval.high
    if high is not None and largest is not None:
        high = min(largest, high)
    return Distribution(mean, low, high, min(values), float(median(values)), max(values))


def _where_all_agree(value: float, count: int, largest: float | None) -> Interval | None:
    """What is known of the mean where every draw gave `value`.

    Draws of another value have at most the probability p that `count` draws without one allow (95
    %); the mean then lies within p of both ends of the range.
    """
    if largest is None:
        return None
    other = binomial_upper(0, count)
    return Interval(value - other * value, value + other * (largest - value))
