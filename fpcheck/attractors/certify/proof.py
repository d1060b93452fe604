"""The certificates of polished points: what can be proved about them, and why not the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from fpcheck.attractors.certify.attracting import attracting_balls
from fpcheck.attractors.certify.certificate import AttractingBall, Certificate
from fpcheck.attractors.certify.chain_slopes import ChainSlopes, chain_layers, chain_slopes
from fpcheck.attractors.certify.dichotomy import count_unstable
from fpcheck.attractors.certify.krawczyk import (
    Existence,
    index_sign,
    prove_existence,
    unique_radius,
)
from fpcheck.attractors.certify.returns import Return
from fpcheck.attractors.certify.spectrum import Spectrum, enclose_spectra
from fpcheck.attractors.polish import Polished
from fpcheck.attractors.selfmap import Array
from fpcheck.attractors.stability import Kind
from fpcheck.network.enclosure import Ball, Enclosing, enclosable, enclose, enclosing
from fpcheck.network.enclosure.ball import U, split
from fpcheck.network.program import Program
from fpcheck.network.skeleton import Activation, Pool

# Above this many units a certificate takes minutes.
WIDEST = 1024
# Tangents times entries of the widest layer: 2^25 take a gigabyte.
MOST_ENTRIES = 2**25
# Points that are proved together, and the entries of all their Jacobians that caches hold.
MOST_POINTS = 16
CACHED_ENTRIES = 2**16
NO_JACOBIAN = "no dense Jacobian was taken"


def certify(program: Program, polished: Polished) -> Certificate:
    """What is proved about the point as printed: 17 digits, so the double itself.

    All of it holds for the exact map of the stored weights. A fixed point's period is 1; a cycle's
    first point is a fixed point of f^p.
    """
    return certify_block(proving(program), [polished])[0]


class _Stability(TypedDict):
    """The fields of a certificate that tell stability."""

    index_sign: int | None
    unstable_directions: int | None
    spectral_radius_low: float | None
    spectral_radius_high: float | None
    kind: Kind | None
    attracting: AttractingBall | None


@dataclass(frozen=True, slots=True, eq=False)
class Proving:
    """A program with what proofs need of it and no point changes.

    obstacle: why nothing can be enclosed, "" where it can; kinked: whether the slope may jump;
    widest: the entries of its widest layer.
    """

    program: Program
    obstacle: str
    made: Enclosing | None
    kinked: bool
    widest: int


def proving(program: Program) -> Proving:
    """The program made ready, once for all of its points."""
    widest = max(map(math.prod, program.skeleton.shapes.values()))
    obstacle = _too_large(program.input_size, widest) or enclosable(program)
    made = None if obstacle else enclosing(program)
    return Proving(program, obstacle, made, _kinked(program), widest)


def blocks(ready: Proving, found: Sequence[Polished]) -> list[list[int]]:
    """The points that are proved together: of one period, and few enough for the caches."""
    entries = ready.program.input_size * ready.widest
    most = min(MOST_POINTS, max(1, CACHED_ENTRIES // max(entries, 1)))
    out = []
    for period in sorted({point.period for point in found}):
        group = [index for index, point in enumerate(found) if point.period == period]
        size = math.ceil(len(group) / math.ceil(len(group) / most))  # shared out evenly
        out += [group[at : at + size] for at in range(0, len(group), size)]
    return out


def certify_block(ready: Proving, found: Sequence[Polished]) -> list[Certificate]:
    """The certificates of points or cycles of one period."""
    out = [_unproved(each, ready.obstacle or NO_JACOBIAN) for each in found]
    rows = [row for row, each in enumerate(found) if each.jacobian is not None]
    if ready.made is None or not rows:
        return out
    points = np.array([found[row].point for row in rows])
    around = Return(ready.made, points, found[0].period)
    with np.errstate(all="ignore"):
        existence, reasons = prove_existence(around, _jacobians(found, rows))
        for place, reason in enumerate(reasons):
            if reason:
                out[rows[place]] = _unproved(found[rows[place]], reason)
        kept = np.array([p for p, reason in enumerate(reasons) if not reason], dtype=np.intp)
        if not len(kept):
            return out
        proofs = _proofs(
            ready, around.at(kept), existence.at(kept), [found[rows[place]] for place in kept]
        )
    for place, proof in zip(kept, proofs, strict=True):
        out[rows[place]] = proof
    return out


def _proofs(
    ready: Proving, around: Return, existence: Existence, found: Sequence[Polished]
) -> list[Certificate]:
    """Of points that are proved to exist."""
    orbits = np.array([each.points for each in found])
    errors = _orbit_errors(around, orbits, existence.error)
    layers = chain_layers(ready.program, around.period)
    chain = None if layers is None else chain_slopes(layers, around.points)
    radius = unique_radius(around, existence, chain)
    stabilities = _stabilities(ready, around, existence, chain)
    out = []
    for row, each in enumerate(found):
        reason = _shorter_period(each.points, errors[row])
        if reason:
            out.append(_unproved(each, reason))
            continue
        proved = Certificate(
            status="proved",
            reason="",
            orbit=each.points,
            orbit_error=errors[row],
            error=float(existence.error[row]),
            radius=float(radius[row]),
        )
        out.append(replace(proved, **stabilities[row]))
    return out


def _stabilities(
    ready: Proving, around: Return, found: Existence, chain: ChainSlopes | None
) -> list[_Stability]:
    spectra = enclose_spectra(found.jacobian)
    unstable = [None if each is None else each.unstable for each in spectra]
    for row, count in enumerate(unstable):
        if count is None:
            unstable[row] = count_unstable(split(found.jacobian, row))
    rows = np.array([row for row, count in enumerate(unstable) if not count], dtype=np.intp)
    balls: list[AttractingBall | None] = [None] * len(spectra)
    if len(rows):
        about = np.array([_radius(found.jacobian.mid[row], spectra[row]) for row in rows])
        part = None if chain is None else chain.at(rows)
        surely = attracting_balls(around.at(rows), found.at(rows), about, part)
        for row, ball in zip(rows, surely, strict=True):
            balls[row] = ball
    n = around.points.shape[1]
    signs = [
        index_sign(found, row) if each is None or each.index_sign is None else each.index_sign
        for row, each in enumerate(spectra)
    ]
    return [
        _stability((n, ready.kinked), *each)
        for each in zip(signs, spectra, unstable, balls, strict=True)
    ]


def _stability(
    network: tuple[int, bool],
    sign: int | None,
    spectrum: Spectrum | None,
    unstable: int | None,
    ball: AttractingBall | None,
) -> _Stability:
    """What is known together. network: its units, and whether it is kinked."""
    n, kinked = network
    if ball is not None:
        unstable = 0
    kind: Kind | None = None
    if unstable:
        kind = "repelling" if unstable == n else "saddle"
    elif unstable == 0 and (ball is not None or not kinked):
        # At a kink the product of stable matrices may grow: there only a norm is a proof.
        kind = "stable"
    return {
        "index_sign": sign,
        "unstable_directions": unstable,
        "spectral_radius_low": None if spectrum is None else spectrum.low,
        "spectral_radius_high": None if spectrum is None else spectrum.high,
        "kind": kind,
        "attracting": ball,
    }


def _radius(matrix: Array, spectrum: Spectrum | None) -> float:
    """The spectral radius, roughly: it only says which norms are worth trying."""
    if spectrum is not None and spectrum.high - spectrum.low < 0.01:
        return 0.5 * (spectrum.low + spectrum.high)
    try:
        return float(np.abs(np.linalg.eigvals(matrix)).max())
    except np.linalg.LinAlgError:
        return math.inf


def _too_large(n: int, widest: int) -> str:
    if n > WIDEST:
        return f"{n} units are more than the {WIDEST} for which proofs are made"
    if n * widest > MOST_ENTRIES:
        return f"a layer of {widest} entries is wider than proofs are made for"
    return ""


def _jacobians(found: Sequence[Polished], rows: Sequence[int]) -> Array:
    return np.array([found[row].jacobian for row in rows], dtype=np.float64)


def _orbit_errors(around: Return, orbits: Array, error: Array) -> Array:
    """How far the exact orbits' points may be from the printed ones, in the largest entry.

    orbits: (k, p, n); error: of the first points, (k,) -> (k, p).
    """
    errors = [error]
    ball = Ball(around.points, np.broadcast_to(error[:, None], around.points.shape))
    for printed in orbits.swapaxes(0, 1)[1:]:
        ball = enclose(around.made, ball).map(lambda x: x.reshape(around.points.shape))
        away = np.abs(ball.mid - printed) * (1.0 + 4 * U) + ball.rad
        errors.append(away.max(axis=1) * (1.0 + 4 * U))
    return np.stack(errors, axis=1)


def _shorter_period(points: Array, errors: Array) -> str:
    """Why a shorter period is not excluded, "" where it is."""
    for divisor in range(1, len(points)):
        if len(points) % divisor:
            continue
        apart = float(np.abs(points[divisor] - points[0]).max()) * (1.0 - 4 * U)
        if not apart > (errors[divisor] + errors[0]) * (1.0 + 4 * U):
            return f"a period of {divisor} is not excluded"
    return ""


def _kinked(program: Program) -> bool:
    """Whether the network's slope may jump."""
    return any(
        (isinstance(node, Activation) and bool(node.function.kinks))
        or (isinstance(node, Pool) and node.kind == "max")
        for node in program.skeleton.nodes
    )


def _unproved(polished: Polished, reason: str) -> Certificate:
    unknown = np.full(len(polished.points), math.inf)
    return Certificate("numerical", reason, polished.points, unknown)
