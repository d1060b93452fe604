"""The score by depth: a linear readout of every layer's values, on the same splits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.memory import require_memory
from fpcheck.core.progress import Monitor
from fpcheck.core.workers import in_order
from fpcheck.network.layers import layers
from fpcheck.network.network import Network
from fpcheck.network.program import ROW_BLOCK, trace
from fpcheck.network.skeleton import Conv, ConvTranspose, Dense, Flatten, Reshape, Skeleton
from fpcheck.readout.comparison import score_interval
from fpcheck.readout.features import compressed, last_dense, rescaled
from fpcheck.readout.problem import Problem, score
from fpcheck.readout.resolution import finest, no_finer
from fpcheck.readout.result import Probe, Probes, Skipped
from fpcheck.readout.ridge import RELATIVE_PENALTIES, fit_ridge
from fpcheck.readout.splits import Split, resampled_interval, simultaneous

Array = NDArray[np.float64]

# A layer of more values is read through as many principal coordinates; the axes are those of at
# most AXIS_ROWS rows, and no target is looked at.
COORDINATES = 256
AXIS_ROWS = 512

MOST_PROBES = 12  # layers; of a deeper network as many, evenly spaced

# A decade apart: a finer grid changes scores by far less than their intervals are wide.
PENALTIES = RELATIVE_PENALTIES[::2]


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    """How a node's values (n, width) become coordinates: `axes` (width, c), None for as is."""

    width: int
    axes: Array | None

    def coordinates(self, values: Array) -> Array:
        rows = values.reshape(len(values), -1)
        return rows if self.axes is None else rows @ self.axes


def probe_layers(
    network: Network,
    inputs: Array,
    problem: Problem,
    splits: Sequence[Split],
    *,
    known: Mapping[str, Array] | None = None,
    threads: int = 0,
    monitor: Monitor,
) -> Probes | Skipped:
    """The held-out score of ridge on every layer's values, and the best layer's gain on the last's.

    The last one is what enters the network's last dense layer. The input is probed too, but not
    called the best layer; where it is the target itself, it is left out. The interval of the gain
    holds for all layers at once (Bonferroni): the best one is chosen by the same scores.

    Args:
        network: ends in a dense layer.
        inputs: (n, *input shape), the rows that the splits are of.
        problem: what is predicted.
        splits: two or more.
        known: (J,) held-out scores by node on splits of which `splits` are the first, so that
            they are not fitted again.
        threads: 0 takes one a core; no number depends on it.
        monitor: hears of every layer.

    Raises:
        MemoryLimitError: the layers' values do not fit into memory.
    """
    nodes = probed_nodes(network.skeleton)
    if isinstance(nodes, str):
        return Skipped(nodes)
    first, last = network.skeleton.nodes[0].name, nodes[-1]
    if problem.copies_input or last == first:
        nodes = [name for name in nodes if name != first]
    if len([name for name in nodes if name != first]) < 2:
        return Skipped("there is no layer before the one that the last layer sees")
    known = known or {}
    tables = _tables(network, inputs, [name for name in nodes if name not in known], monitor)
    depths = _depths(network.skeleton)
    scores: dict[str, Array] = {}
    probes: list[Probe] = []
    for done, name in enumerate(nodes):
        width = math.prod(network.skeleton.shapes[name])
        coordinates = width
        if name in known:
            scores[name] = np.asarray(known[name][: len(splits)], dtype=np.float64)
        else:
            table = tables.pop(name)
            if not np.isfinite(table).all():
                return Skipped(f"the values of '{name}' are not finite on these rows")
            coordinates = table.shape[1]
            scores[name] = _held_out(table, problem, splits, threads, monitor)
        interval = score_interval(problem, scores[name], splits[0])
        mean = float(scores[name].mean())
        probes.append(
            Probe(name, depths[name], width, coordinates, mean, interval.low, interval.high)
        )
        monitor.report("readout, layers", done + 1, len(nodes))
    within = [probe for probe in probes if probe.node != first]
    best = max(within, key=lambda probe: (probe.score, probe.depth)).node
    gain = scores[best] - scores[last]
    mean, split = float(gain.mean()), splits[0]
    interval = resampled_interval(gain, len(split.train), len(split.test))
    if best != last and problem.labels is not None:
        interval = no_finer(interval, mean, finest(len(inputs)))
    interval = simultaneous(interval, mean, len(gain), len(within) - 1)
    return Probes(
        probes=tuple(probes),
        best=best,
        last=last,
        gain=mean,
        gain_low=interval.low,
        gain_high=interval.high,
        splits=len(splits),
        rows=len(inputs),
    )


def probed_nodes(skeleton: Skeleton) -> list[str] | str:
    """The input, what every layer ends in, and last what enters the last dense layer.

    Deep networks give MOST_PROBES of them, evenly spaced. Or why there are none.
    """
    last = last_dense(skeleton)
    if isinstance(last, str):
        return last
    by_name = {node.name: node for node in skeleton.nodes}
    # A change of shape moves no value, so what stands before it is the same layer.
    source = last.inputs[0]
    bare = source
    while isinstance(by_name[bare], Flatten | Reshape):
        bare = by_name[bare].inputs[0]
    before = _ancestors(skeleton, last.name)
    names = [skeleton.nodes[0].name]
    for layer in layers(skeleton):
        name = layer.postactivation
        if name in before and name not in (*names, bare, source):
            names.append(name)
    place = np.unique(np.linspace(0, len(names) - 1, min(len(names), MOST_PROBES - 1)).round())
    chosen = [names[int(index)] for index in place]
    return [name for name in chosen if name not in (bare, source)] + [source]


def _held_out(
    table: Array, problem: Problem, splits: Sequence[Split], threads: int, monitor: Monitor
) -> Array:
    """(J,): the scores of ridge on a table (n, p) in every split."""
    rows = compressed(rescaled(table)[0])

    def one(split: Split) -> float:
        fit = fit_ridge(rows[split.train], problem.targets[split.train], PENALTIES)
        return score(problem, fit.predict(rows[split.test]), split.test).value

    return np.array(in_order(one, splits, threads, monitor))


def _tables(
    network: Network, inputs: Array, names: Sequence[str], monitor: Monitor
) -> dict[str, Array]:
    """What the probes see of each node, (n, min(width, COORDINATES)), by blocks of rows."""
    shapes = network.skeleton.shapes
    widths = {name: math.prod(shapes[name]) for name in names}
    seen = sum(min(width, COORDINATES) for width in widths.values())
    wide = sum(width for width in widths.values() if width > COORDINATES)
    values = sum(math.prod(shape) for shape in shapes.values())
    block = max(ROW_BLOCK, min(AXIS_ROWS, len(inputs)))
    require_memory(
        8.0 * (len(inputs) * seen + 2.0 * COORDINATES * wide + 2.0 * block * values),
        f"the values of {len(names)} layers on {len(inputs)} rows",
    )
    readers = _readers(network, inputs, widths)
    parts: dict[str, list[Array]] = {name: [] for name in names}
    for rows in _blocks(inputs):
        monitor.check()
        with np.errstate(over="ignore", invalid="ignore"):  # the caller looks for Inf and NaN
            traced = trace(network.program, rows)
            for name, reader in readers.items():
                parts[name].append(reader.coordinates(traced[name]))
    return {name: np.concatenate(part) for name, part in parts.items()}


def _readers(network: Network, inputs: Array, widths: Mapping[str, int]) -> dict[str, _Reader]:
    """Wide nodes through the leading principal axes of rows spread evenly over all of them."""
    traced: dict[str, Array] = {}
    if any(width > COORDINATES for width in widths.values()):
        count = min(AXIS_ROWS, len(inputs))
        chosen = np.linspace(0, len(inputs) - 1, count).round().astype(np.intp)
        with np.errstate(over="ignore", invalid="ignore"):
            traced = trace(network.program, inputs[chosen])
    return {
        name: _Reader(width, _axes(traced[name]) if width > COORDINATES else None)
        for name, width in widths.items()
    }


def _axes(values: Array) -> Array | None:
    """(width, c): the leading principal axes of values (m, ...) that more than rounding fills.

    Values that are not finite, which the caller refuses, are left as they are.
    """
    centred = values.reshape(len(values), -1)
    if not np.isfinite(centred).all():
        return None
    centred = rescaled(centred)[0]
    eigenvalues, vectors = np.linalg.eigh(centred @ centred.T)
    floor = len(centred) * np.finfo(np.float64).eps * max(float(eigenvalues[-1]), 0.0)
    kept = np.flatnonzero(eigenvalues > floor)[-COORDINATES:]
    if len(kept) == 0:
        return np.zeros((centred.shape[1], 1))
    axes: Array = centred.T @ (vectors[:, kept] / np.sqrt(eigenvalues[kept]))
    return axes


def _blocks(inputs: Array) -> Iterator[Array]:
    for start in range(0, len(inputs), ROW_BLOCK):
        yield inputs[start : start + ROW_BLOCK]


def _ancestors(skeleton: Skeleton, name: str) -> set[str]:
    """The nodes that the value of `name` depends on."""
    inputs = {node.name: node.inputs for node in skeleton.nodes}
    found: set[str] = set()
    waiting = list(inputs[name])
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(inputs[node])
    return found


def _depths(skeleton: Skeleton) -> dict[str, int]:
    """The layers with weights on the longest way from the input to each node."""
    depths: dict[str, int] = {}
    for node in skeleton.nodes:
        below = max((depths[name] for name in node.inputs), default=0)
        depths[node.name] = below + isinstance(node, Dense | Conv | ConvTranspose)
    return depths
