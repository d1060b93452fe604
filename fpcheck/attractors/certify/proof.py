"""The certificate of one polished point: what can be proved about it, and why not the rest."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fpcheck.attractors.certify.attracting import attracting_ball
from fpcheck.attractors.certify.certificate import Certificate
from fpcheck.attractors.certify.chain_slopes import ChainSlopes, chain_slopes
from fpcheck.attractors.certify.dichotomy import count_unstable
from fpcheck.attractors.certify.krawczyk import Existence, prove_existence
from fpcheck.attractors.certify.returns import Return
from fpcheck.attractors.certify.spectrum import Spectrum, enclose_spectrum
from fpcheck.attractors.polish import Polished
from fpcheck.attractors.selfmap import Array
from fpcheck.attractors.stability import Kind
from fpcheck.network.enclosure import Ball, enclosable, enclose, enclosing
from fpcheck.network.enclosure.ball import U
from fpcheck.network.program import Program
from fpcheck.network.skeleton import Activation, Pool

# Above this many units a certificate takes minutes.
WIDEST = 1024
# Tangents times entries of the widest layer: 2^25 take a gigabyte.
MOST_ENTRIES = 2**25


def certify(program: Program, polished: Polished) -> Certificate:
    """What is proved about the point as printed: 17 digits, so the double itself.

    All of it holds for the exact map of the stored weights. A fixed point's period is 1; a cycle's
    first point is a fixed point of f^p.
    """
    reason = _obstacle(program, polished)
    if reason:
        return _unproved(polished, reason)
    around = Return(enclosing(program), polished.point, polished.period)
    with np.errstate(all="ignore"):
        chain = chain_slopes(program, polished.point, polished.period)
        found = prove_existence(around, _jacobian(polished), chain)
        if isinstance(found, str):
            return _unproved(polished, found)
        errors = _orbit_errors(around, polished, found.error)
        reason = _shorter_period(polished.points, errors)
        if reason:
            return _unproved(polished, reason)
        proved = Certificate(
            status="proved",
            reason="",
            orbit=polished.points,
            orbit_error=errors,
            error=found.error,
            radius=found.radius,
            index_sign=found.index_sign,
        )
        return _with_stability(proved, around, found, chain)


def _with_stability(
    proved: Certificate, around: Return, found: Existence, chain: ChainSlopes | None
) -> Certificate:
    spectrum = enclose_spectrum(found.jacobian)
    unstable = None if spectrum is None else spectrum.unstable
    if unstable is None:
        unstable = count_unstable(found.jacobian)
    ball = None
    if unstable in (0, None):
        ball = attracting_ball(around, found, _radius(found.jacobian.mid, spectrum), chain)
    if ball is not None:
        unstable = 0
    n = len(around.point)
    smooth = not _kinked(around.made.program)
    kind: Kind | None = None
    if unstable:
        kind = "repelling" if unstable == n else "saddle"
    elif unstable == 0 and (smooth or ball is not None):
        # At a kink the product of stable matrices may grow: there only a norm is a proof.
        kind = "stable"
    return replace(
        proved,
        unstable_directions=unstable,
        spectral_radius_low=None if spectrum is None else spectrum.low,
        spectral_radius_high=None if spectrum is None else spectrum.high,
        kind=kind,
        attracting=ball,
    )


def _radius(matrix: Array, spectrum: Spectrum | None) -> float:
    """The spectral radius, roughly: it only says which norms are worth trying."""
    if spectrum is not None and spectrum.high - spectrum.low < 0.01:
        return 0.5 * (spectrum.low + spectrum.high)
    try:
        return float(np.abs(np.linalg.eigvals(matrix)).max())
    except np.linalg.LinAlgError:
        return math.inf


def _obstacle(program: Program, polished: Polished) -> str:
    n = len(polished.point)
    if n > WIDEST:
        return f"{n} units are more than the {WIDEST} for which proofs are made"
    widest = max(map(math.prod, program.skeleton.shapes.values()))
    if n * widest > MOST_ENTRIES:
        return f"a layer of {widest} entries is wider than proofs are made for"
    if polished.jacobian is None:
        return "no dense Jacobian was taken"
    return enclosable(program)


def _jacobian(polished: Polished) -> Array:
    if polished.jacobian is None:
        raise ValueError("a point without its Jacobian")
    return polished.jacobian


def _orbit_errors(around: Return, polished: Polished, error: float) -> Array:
    """How far the exact orbit's points may be from the printed ones, in the largest entry."""
    errors = [error]
    ball = Ball(around.point.reshape(1, -1), np.full((1, len(around.point)), error))
    for printed in polished.points[1:]:
        ball = enclose(around.made, ball).map(lambda x: x.reshape(1, -1))
        away = np.abs(ball.mid[0] - printed) * (1.0 + 4 * U) + ball.rad[0]
        errors.append(float(away.max()) * (1.0 + 4 * U))
    return np.array(errors)


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
