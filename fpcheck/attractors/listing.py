"""The found attractors in the order and form of the report: ids, stability, shares."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.certify import Certificate
from fpcheck.attractors.discover import DENSE_LIMIT, Discovery
from fpcheck.attractors.polish import Polished, coordinates
from fpcheck.attractors.result import Continuum, Cycle, Decay, Eigenvalue, FixedPoint, Others
from fpcheck.attractors.selfmap import differentiable
from fpcheck.attractors.shares import share_of
from fpcheck.attractors.stability import (
    Stability,
    arnoldi_stability,
    dense_stability,
    lyapunov_exponent,
    time_constant,
    trial_stability,
)
from fpcheck.core.progress import Monitor
from fpcheck.core.workers import available_cores
from fpcheck.network.program import Program

# Fixed points, and cycles, that are listed one by one, and the entries of all their points
# together; the others are summed.
LISTED = 8192
LISTED_ENTRIES = 2**20
LISTED_DEGENERATE = 64
# So many points at which I - J is singular are no coincidence.
CONTINUUM_POINTS = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One found attractor: its label, -1 where nothing ended on it, its orbit and what is proved
    of it, and how many starts and rows ended on it.
    """

    label: int
    found: Polished
    proof: Certificate
    starts: int
    rows: int

    @property
    def ended_on(self) -> bool:
        """Whether any start or row ended on it."""
        return bool(self.starts or self.rows)

    @property
    def found_by(self) -> str:
        """What led to it."""
        return "starts" if self.starts else "data" if self.rows else "search"


@dataclass(frozen=True, slots=True)
class Listing:
    """The attractors as the report lists them, and all entries behind them in the same order."""

    fixed_points: tuple[FixedPoint, ...]
    cycles: tuple[Cycle, ...]
    resting: list[Entry]
    cycling: list[Entry]

    @property
    def ids(self) -> dict[int, str]:
        """Label -> id of those that iteration ended on and that are listed."""
        points = zip(self.resting, self.fixed_points, strict=False)
        loops = zip(self.cycling, self.cycles, strict=False)
        named = [(entry.label, item.id) for entry, item in points]
        named += [(entry.label, item.id) for entry, item in loops]
        return {label: name for label, name in named if label >= 0}


def list_attractors(
    program: Program,
    discovery: Discovery,
    certificates: Sequence[Certificate],
    extra: Sequence[tuple[Polished, Certificate]],
    *,
    total: int,
    rng: np.random.Generator,
    threads: int = 1,
    monitor: Monitor,
) -> Listing:
    """Fixed points and cycles, by share and then by coordinates, with their stability.

    certificates: of `discovery.found`; extra: what the search found besides; total: the number of
    the law's starts, which come first in the labels; threads: 0 for as many as there are cores.
    """
    found = sorted(
        _entries(discovery, certificates, extra, total),
        key=lambda entry: (-entry.starts, coordinates(entry.found.point)),
    )
    limit = listed(program.input_size)
    shown, rest = _shown([entry for entry in found if entry.found.period == 1], limit)
    shown_loops, other_loops = _shown([entry for entry in found if entry.found.period > 1], limit)
    both = [entry.found for entry in [*shown, *shown_loops]]
    stabilities = _stabilities(program, both, rng, threads, monitor)
    points = [
        _fixed_point(letters(number), entry, stability, total)
        for number, (entry, stability) in enumerate(zip(shown, stabilities, strict=False))
    ]
    loops = [
        _cycle(f"c{number}", entry, stability, total)
        for number, (entry, stability) in enumerate(
            zip(shown_loops, stabilities[len(shown) :], strict=True), start=1
        )
    ]
    return Listing(tuple(points), tuple(loops), shown + rest, shown_loops + other_loops)


def _shown(entries: list[Entry], limit: int) -> tuple[list[Entry], list[Entry]]:
    """(those that are listed one by one, the others), both in the given order.

    Of degenerate ones, which may be samples of a line or a plane, only the first are.
    """
    shown: list[Entry] = []
    rest: list[Entry] = []
    degenerate = 0
    for entry in entries:
        degenerate += entry.found.degenerate
        crowd = entry.found.degenerate and degenerate > LISTED_DEGENERATE
        (rest if crowd or len(shown) >= limit else shown).append(entry)
    return shown, rest


def listed(n: int) -> int:
    """How many fixed points, and cycles, of n units are listed one by one."""
    return max(1, min(LISTED, LISTED_ENTRIES // n))


def others(labels: NDArray[np.int64], unlisted: list[Entry], counted: set[int]) -> Others | None:
    """What is not listed one by one, if anything.

    labels: (k,), of the law's starts; counted: the labels that were not polished.
    """
    ends = {int(label) for label in labels} & counted
    beyond = [entry for entry in unlisted if entry.starts]
    if not ends and not beyond:
        return None
    starts = int(np.count_nonzero(np.isin(labels, list(ends)))) + sum(e.starts for e in beyond)
    share = share_of(starts, len(labels))
    note = f"{len(ends)} of them counted where iteration ended, not polished" if ends else ""
    return Others(
        len(ends) + len(beyond),
        starts,
        share.share,
        share.share_low,
        share.share_high,
        share.share_status,
        note,
    )


def continuum(listed: list[Entry]) -> Continuum | None:
    """The line, plane, ... of fixed points that several degenerate ones are signs of, if any."""
    singular = [entry.found for entry in listed if entry.found.degenerate]
    if len(singular) < CONTINUUM_POINTS:
        return None
    dimension = max(found.nullity for found in singular)
    note = "infinitely many fixed points: I - J is singular at each of those listed as degenerate"
    return Continuum(len(singular), dimension, note)


def letters(number: int) -> str:
    """A, B, ..., Z, AA, AB, ... for 0, 1, ..."""
    text = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        text = chr(ord("A") + digit) + text
    return text


def _entries(
    discovery: Discovery,
    certificates: Sequence[Certificate],
    extra: Sequence[tuple[Polished, Certificate]],
    total: int,
) -> list[Entry]:
    law, data = discovery.labels[:total], discovery.labels[total:]
    pairs = zip(discovery.found, certificates, strict=True)
    ended = [
        Entry(
            label,
            found,
            proof,
            int(np.count_nonzero(law == label)),
            int(np.count_nonzero(data == label)),
        )
        for label, (found, proof) in enumerate(pairs)
    ]
    return ended + [Entry(-1, found, proof, 0, 0) for found, proof in extra]


def _fixed_point(name: str, entry: Entry, stability: Stability, total: int) -> FixedPoint:
    found, share, proof = entry.found, share_of(entry.starts, total), entry.proof
    ball = proof.attracting
    return FixedPoint(
        id=name,
        kind=_kind(stability, proof),
        kind_status="proved" if proof.kind else stability.status,
        status="proved" if proof.proved else stability.status,
        proof=proof.reason,
        certified_error=proof.error,
        certified_radius=proof.radius,
        attracting_radius=ball.inner_radius if ball else None,
        attracting_rate=ball.rate if ball else None,
        residual=found.residual,
        spectral_radius=stability.spectral_radius,
        spectral_radius_low=proof.spectral_radius_low,
        spectral_radius_high=proof.spectral_radius_high,
        leading_eigenvalue=_plain(stability.leading),
        time_constant=time_constant(stability.spectral_radius),
        decay=_decay(stability),
        unstable_directions=_either(proof.unstable_directions, stability.unstable_directions),
        index_sign=_either(proof.index_sign, stability.index_sign),
        smallest_singular_value=found.sigma,
        location_error=found.error,
        starts=share.starts,
        share=share.share,
        share_low=share.share_low,
        share_high=share.share_high,
        share_status=share.share_status,
        found_by=entry.found_by,
        note=stability.note,
        point=found.point,
    )


def _cycle(name: str, entry: Entry, stability: Stability, total: int) -> Cycle:
    found, share, proof = entry.found, share_of(entry.starts, total), entry.proof
    ball = proof.attracting
    return Cycle(
        id=name,
        period=found.period,
        kind=_kind(stability, proof),
        kind_status="proved" if proof.kind else stability.status,
        status="proved" if proof.proved else stability.status,
        proof=proof.reason,
        certified_error=proof.error,
        certified_radius=proof.radius,
        attracting_radius=ball.inner_radius if ball else None,
        attracting_rate=ball.rate if ball else None,
        residual=found.residual,
        spectral_radius=stability.spectral_radius,
        spectral_radius_low=proof.spectral_radius_low,
        spectral_radius_high=proof.spectral_radius_high,
        leading_eigenvalue=_plain(stability.leading),
        lyapunov=lyapunov_exponent(stability.spectral_radius, found.period),
        decay=_decay(stability),
        location_error=found.error,
        starts=share.starts,
        share=share.share,
        share_low=share.share_low,
        share_high=share.share_high,
        share_status=share.share_status,
        found_by=entry.found_by,
        note=stability.note,
        point=found.point,
    )


def _kind(stability: Stability, proof: Certificate) -> str:
    """The proved kind, but for a point that is too near to neutral to build on."""
    if stability.kind == "marginal" or proof.kind is None:
        return stability.kind
    return proof.kind


def _decay(stability: Stability) -> Decay:
    return Decay(
        spectral_radius_error=stability.spectral_radius_error,
        sigma_max=stability.sigma_max,
        transient_growth=stability.transient_growth,
        transient_growth_high=stability.transient_growth_high,
        transient_step=stability.transient_step,
        decay_time=stability.decay_time,
    )


def _either(proved: int | None, computed: int | None) -> int | None:
    return computed if proved is None else proved


def _stabilities(
    program: Program,
    found: Sequence[Polished],
    rng: np.random.Generator,
    threads: int,
    monitor: Monitor,
) -> list[Stability]:
    """The stability of each, in order: full spectra side by side, what needs chance one by one."""

    def dense(point: Polished) -> Stability | None:
        monitor.check()
        with np.errstate(all="ignore"):  # a thread does not inherit it; steep maps overflow
            return None if point.jacobian is None else _stability(program, point, rng)

    out: list[Stability] = []
    with ThreadPoolExecutor(threads or available_cores()) as pool:
        for number, (point, known) in enumerate(zip(found, pool.map(dense, found), strict=True)):
            monitor.check()
            monitor.report("stability", number, len(found))
            out.append(known or _stability(program, point, rng))
    return out


def _stability(program: Program, found: Polished, rng: np.random.Generator) -> Stability:
    if found.jacobian is not None:
        stability = dense_stability(found.jacobian, found.degenerate)
        if program.skeleton.black_box:
            return replace(stability, note="Jacobian by finite differences")
        return stability
    if len(found.point) > DENSE_LIMIT and differentiable(program):
        return arnoldi_stability(program, found, rng)
    return trial_stability(program, found, rng)


def _plain(value: complex | None) -> Eigenvalue | None:
    return None if value is None else Eigenvalue(value.real, value.imag)
