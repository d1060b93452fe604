"""What is measured of one checkpoint alone, whatever run it belongs to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.measure import measure as measure_attractors
from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.escape.problem import accuracy
from fpcheck.jobs.trace.classes import share_in_another_order
from fpcheck.jobs.trace.read import Checkpoint, without_network
from fpcheck.jobs.trace.rows import Readout, Rows, Scored
from fpcheck.network.layers import layers
from fpcheck.network.network import Network
from fpcheck.network.program import ROW_BLOCK, forward
from fpcheck.network.program import trace as node_values
from fpcheck.network.training.losses import CROSS_ENTROPY, LOSSES, logits
from fpcheck.readout.features import prepared
from fpcheck.readout.problem import score
from fpcheck.readout.ridge import fit_ridge
from fpcheck.readout.splits import resampled_interval
from fpcheck.weights.measure import measure as measure_weights

Array = NDArray[np.float64]
Entry = dict[str, object]

EFFORT = 0.25  # of the search for fixed points, of what `analyze` takes
POINTS = 64  # fixed points of a checkpoint that are listed and followed
POINT_ENTRIES = 2**12  # numbers of all of them together


def measure_one(one: Checkpoint, rows: Rows | str, settings: Settings, monitor: Monitor) -> Entry:
    """The checkpoint's entry as far as it hangs on nothing else, unrounded.

    rows: what is fed to it, or why nothing can be.
    """
    monitor = replace(monitor, report=lambda *_: None)  # the run's checkpoints are counted
    entry: Entry = {
        "loss": None,
        "accuracy": None,
        "accuracy_in_another_order": None,
        "parameter_norm": norm_of(one.vector),
        "layers": _layers(one, settings, monitor),
    }
    why = rows if isinstance(rows, str) else ""
    if one.nonfinite:
        why = f"'{one.nonfinite}' holds NaN or Inf"
    if why or one.network is None or isinstance(rows, str):
        skipped = {"skipped": why or without_network(one)}
        return entry | {"signal": skipped, "attractors": skipped, "readout": skipped}
    with np.errstate(all="ignore"):  # a network that overflows is a finding, not a warning
        if isinstance(rows.scored, Scored):
            entry |= _losses(one.network, rows.scored, monitor)
        entry["signal"] = _signal(one.network, rows)
        monitor.check()
        entry["attractors"] = _attractors(one.network, rows, settings, monitor)
        entry["readout"] = (
            {"skipped": rows.readout}
            if isinstance(rows.readout, str)
            else _readout(one.network, rows.readout, monitor)
        )
    return entry


def named_as(entry: Mapping[str, Any], first: Checkpoint) -> dict[str, Any]:
    """The entry with its layers called as in the run's first checkpoint: formats differ in names.

    entry: as plain data, of the same architecture.
    """
    named = {"layers": [layer.name for layer in first.layers]}
    if first.network is not None:
        stack = [layer.name for layer in layers(first.network.skeleton)]
        named |= {"signal": stack, "readout": stack}
    out = dict(entry)
    for key, names in named.items():
        part = entry[key]
        known = part if isinstance(part, list) else part.get("layers", [])
        if len(known) == len(names):
            called = [{**one, "name": name} for one, name in zip(known, names, strict=True)]
            out[key] = called if isinstance(part, list) else {**part, "layers": called}
    return out


def norm_of(vector: Array) -> float | None:
    """The Euclidean norm; None where it is not finite."""
    largest = float(np.abs(vector).max(initial=0.0))
    if not 0.0 < largest < math.inf:
        return 0.0 if largest == 0.0 else None
    with np.errstate(over="ignore"):  # scaled, so that no square overflows or vanishes
        return _finite(largest * float(np.linalg.norm(vector / largest)))


def _layers(one: Checkpoint, settings: Settings, monitor: Monitor) -> list[Entry]:
    """Law, tail and spectrum of every weight matrix, as the weights question has them."""
    found = measure_weights(one.subject.tensors, one.network, settings, monitor)
    by_name = {each.name: each for each in found.layers}
    out: list[Entry] = []
    for shape, tensor in zip(one.layers, one.tensors, strict=True):
        known = by_name[tensor]
        values = list(known.singular_values or ())
        second = values[1] if len(values) > 1 else 0.0
        norm, top = known.frobenius_norm, values[0] if values else 0.0
        whole = bool(norm) and math.isfinite(norm or 0.0)
        out.append(
            {
                "name": shape.name,
                "law": "not finite" if known.law is None else known.law.family,
                "tail_index": known.tail_index,
                "tail_index_low": known.tail_index_low,
                "tail_index_high": known.tail_index_high,
                "frobenius_norm": _finite(norm),
                "spectral_norm": _finite(known.spectral_norm),
                "stable_rank": _finite(known.stable_rank),
                "singular_values": values,
                "ratio": top / second if second > 0.0 else None,
                "rest": max(0.0, 1.0 - (top / norm) ** 2) if whole and values and norm else None,
                "nonfinite": known.nonfinite,
            }
        )
    return out


def _losses(network: Network, scored: Scored, monitor: Monitor) -> Entry:
    """Loss, accuracy or R^2, and the accuracy in another order of the classes where one fits far
    better; nothing where the outputs are not finite.
    """
    if scored.loss == CROSS_ENTROPY:
        network = logits(network)
    count = len(scored.inputs)
    outputs = np.empty((count, network.program.output_size))
    for start in range(0, count, ROW_BLOCK):
        monitor.check()
        block = slice(start, start + ROW_BLOCK)
        outputs[block] = forward(network.program, scored.inputs[block]).reshape(
            len(outputs[block]), -1
        )
    if not np.isfinite(outputs).all():
        return {}
    loss = LOSSES[scored.loss]
    targets = loss.prepared(scored.targets, *outputs.shape)
    total = loss.block(outputs, targets)[0] / loss.terms(*outputs.shape)
    if scored.loss == CROSS_ENTROPY:
        labels = scored.targets.astype(np.int64)
        right, other = accuracy(outputs, labels), share_in_another_order(outputs, labels)
        return {"loss": _finite(total), "accuracy": right, "accuracy_in_another_order": other}
    share = 1.0 - total / scored.constant if scored.constant else math.nan
    return {"loss": _finite(total), "accuracy": _finite(share)}


def _signal(network: Network, rows: Rows) -> Entry:
    """Second moment and variance of every layer's pre-activation, and the share at work."""
    stack = layers(network.skeleton)
    blocks = range(0, len(rows.signal), ROW_BLOCK)
    sums = np.zeros((len(stack), 3))
    shift = np.zeros(len(stack))
    counts = np.zeros(len(stack))
    for start in blocks:
        values = node_values(network.program, rows.signal[start : start + ROW_BLOCK])
        for i, layer in enumerate(stack):
            before, after = values[layer.preactivation], values[layer.postactivation]
            if start == 0:  # about the first block's mean, so that no difference cancels
                shift[i] = float(before.mean())
            away = before - shift[i]
            sums[i] += float(away.sum()), float((away * away).sum()), np.count_nonzero(after)
            counts[i] += before.size
    out: list[Entry] = []
    for layer, (first, second, active), count, middle in zip(
        stack, sums, counts, shift, strict=True
    ):
        mean = first / count
        variance = max(0.0, second / count - mean * mean)
        q = variance + (middle + mean) ** 2
        out.append(
            {
                "name": layer.name,
                "q": _finite(float(q)),
                "variance": _finite(float(variance)),
                "active_fraction": float(active / count),
            }
        )
    return {"source": rows.source, "layers": out}


def _readout(network: Network, readout: Readout, monitor: Monitor) -> Entry:
    """The held-out score of a ridge fit on every layer's outputs, over the run's splits."""
    values = node_values(network.program, readout.inputs)
    out: list[Entry] = []
    for depth, layer in enumerate(layers(network.skeleton), 1):
        monitor.check()
        features = values[layer.postactivation].reshape(len(readout.inputs), -1)
        entry: Entry = {"name": layer.name, "depth": depth}
        if np.isfinite(features).all():
            scores = _scores(prepared(features).rows, readout, monitor)
            interval = resampled_interval(
                scores, len(readout.splits[0].train), len(readout.splits[0].test)
            )
            shares = readout.problem.metric == "accuracy"
            entry |= {
                "score": _finite(float(scores.mean())),
                "low": _finite(max(0.0, interval.low) if shares else interval.low),
                "high": _finite(min(1.0, interval.high)),
            }
        else:
            entry |= {"score": None, "low": None, "high": None}
        out.append(entry)
    return {"metric": readout.problem.metric, "layers": out, "status": "sampled"}


def _scores(table: Array, readout: Readout, monitor: Monitor) -> Array:
    scores = []
    for split in readout.splits:
        monitor.check()
        fit = fit_ridge(table[split.train], readout.problem.targets[split.train])
        found = score(readout.problem, fit.predict(table[split.test]), split.test)
        scores.append(found.value)
    return np.array(scores)


def _attractors(network: Network, rows: Rows, settings: Settings, monitor: Monitor) -> Entry:
    """The fixed points that a small search finds, with what ends on them."""
    if isinstance(rows.starts, str):
        return {"skipped": rows.starts}
    modest = replace(
        settings, effort=EFFORT * settings.effort, spectrum=False, continuation=False, slice=()
    )
    rng = random_stream(settings.seed, "attractors", 1)
    found = measure_attractors(
        network, rows.starts, rows.law, None, modest, rng, monitor, around=False
    ).maps[0]
    most = max(1, min(POINTS, POINT_ENTRIES // rows.starts.shape[1]))
    points = []
    for point in found.fixed_points[:most]:
        section = as_section(point)
        kept = ("kind", "status", "spectral_radius", "share", "certified_radius", "location_error")
        points.append({name: section[name] for name in kept} | {"point": section["point"]})
    return {
        "fixed_points": points,
        "unlisted": len(found.fixed_points) - len(points)
        + (found.other_fixed_points.count if found.other_fixed_points else 0),
        "unresolved": found.unresolved.share,
        "cycles": len(found.cycles),
    }  # fmt: skip


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
