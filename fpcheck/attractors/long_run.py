"""What becomes of the starts that do not settle, entered into the discovery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpcheck.attractors.certify import Certificate
from fpcheck.attractors.discover import APERIODIC, DIVERGED, UNRESOLVED, Discovery
from fpcheck.attractors.motion import NO_SET, Motion, classify
from fpcheck.attractors.polish import Polished, in_order
from fpcheck.attractors.proving import certify_all
from fpcheck.attractors.settling import Settled
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.program import Program

APERIODIC_KINDS = ("chaotic", "quasi-periodic")


@dataclass(frozen=True, slots=True)
class LongRun:
    """The discovery after the long look; motion: of the law's starts that did not settle.

    orbits: what `motion.targets` counts.
    """

    discovery: Discovery
    certificates: tuple[Certificate, ...]
    motion: Motion
    orbits: tuple[Polished, ...]


def long_run(
    program: Program,
    settled: Settled,
    extra: Sequence[Polished],
    total: int,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
) -> LongRun:
    """The law's unsettled starts, told apart: long cycles are found, motion without end is named.

    A state that is still on its way stays unresolved, whatever it is on its way to: a slow approach
    is not a fixed point. extra: fixed points that no start ended on; total: the number of the law's
    starts.
    """
    before = settled.discovery
    moving = np.flatnonzero(before.labels[:total] == UNRESOLVED)
    motion = classify(
        program, settled.states[moving], settings, rng, monitor, known=[*before.found, *extra]
    )
    new = tuple(in_order(program, orbit) for orbit in motion.found)
    proofs = settled.certificates + certify_all(program, new, settings.threads, monitor)
    # Labels of ends that were counted but not polished come behind those of the found.
    counted = before.labels >= len(before.found)
    labels = np.where(counted, before.labels + len(new), before.labels)
    others = {label + len(new): period for label, period in before.other_periods.items()}
    for place, kind, member in zip(moving, motion.kinds, motion.members, strict=True):
        if kind in APERIODIC_KINDS:
            labels[place] = APERIODIC
        elif kind == "diverged":
            labels[place] = DIVERGED
        elif kind == "cycle" and member != NO_SET:
            labels[place] = _label(motion.targets[member], len(before.found), len(extra))
    discovery = Discovery(labels, before.found + new, others)
    return LongRun(discovery, proofs, motion, (*before.found, *extra, *new))


def _label(target: int | None, found: int, extra: int) -> int:
    """The label of the orbit that is the target: new ones come behind the found."""
    if target is None:
        return UNRESOLVED
    return target if target < found else target - extra
