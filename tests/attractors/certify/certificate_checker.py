"""A certificate checked again, from its plain data and the weights, in 200-bit ball arithmetic."""

from __future__ import annotations

import exact_maps
import numpy as np
from exact_points import exact_point, identity, only_one, sided_jacobians
from flint import acb_mat, arb


def faults(network, certificate):
    """What the certificate claims and is not so; empty where all of it holds."""
    if not certificate.proved:
        return []
    period, x = len(certificate.orbit), certificate.orbit[0]
    exact = exact_point(network, x, period)
    if exact is None:
        return ["no fixed point is proved near"]
    found = []
    away = [abs(a - arb(float(b))) for a, b in zip(exact, x, strict=True)]
    # What is compared is known to 1e-40 of the point's size.
    known = arb(certificate.error) + 4e-40 * max(1.0, float(np.abs(x).max()))
    if not all(d <= known for d in away):
        found.append("the exact point is further off than `error`")
    if not only_one(network, x, exact, certificate.radius, period):
        found.append("the box of `radius` may hold another point")
    found += _least_period(network, exact, certificate)
    for jacobian in sided_jacobians(network, exact, period):
        found += [each for each in _spectral_faults(jacobian, certificate) if each not in found]
    return found + _ball_faults(network, certificate)


def _least_period(network, exact, certificate):
    period = len(certificate.orbit)
    found = []
    x = np.array(exact, dtype=object)
    for step in range(1, period):
        x = exact_maps.run(network, x).reshape(-1)
        near = certificate.orbit[step]
        if any(
            abs(a - arb(float(b))) > arb(float(certificate.orbit_error[step]))
            for a, b in zip(x, near, strict=True)
        ):
            found.append("a point of the orbit is further off than it says")
        if period % step == 0 and all(a.overlaps(b) for a, b in zip(x, exact, strict=True)):
            found.append("the period is shorter")
    return found


def _spectral_faults(jacobian, certificate):
    """What is not so of one Jacobian; at a kink every side's has to be as the certificate says."""
    found = []
    n = jacobian.nrows()
    determinant = (identity(n) - jacobian).det()
    if certificate.index_sign is not None and not determinant * certificate.index_sign > 0:
        found.append("the index sign")
    unstable = certificate.unstable_directions
    if certificate.kind is not None and certificate.kind != _kind(unstable, n):
        found.append(f"{certificate.kind} with {unstable} of {n} directions unstable")
    try:
        moduli = [abs(each) for each in acb_mat(jacobian).eig(multiple=True)]
    except ValueError:  # too many equal ones to be told apart: nothing to compare with
        return found
    outside = sum(bool(each > 1) for each in moduli)
    inside = sum(bool(each < 1) for each in moduli)
    if unstable is not None and (outside > unstable or inside > n - unstable):
        found.append(f"{unstable} unstable directions: {outside} outside, {inside} inside")
    if certificate.spectral_radius_high is not None:
        largest = max(moduli, key=lambda each: float(each.mid()))
        if largest > arb(certificate.spectral_radius_high):
            found.append("the spectral radius is larger")
        if all(each < arb(certificate.spectral_radius_low) for each in moduli):
            found.append("the spectral radius is smaller")
    return found


def _kind(unstable, n):
    return "stable" if unstable == 0 else "repelling" if unstable == n else "saddle"


def _ball_faults(network, certificate):
    """A ball's points come nearer at once, in the ball's own norm."""
    from fpcheck.attractors.certify import inside
    from fpcheck.attractors.selfmap import image

    ball = certificate.attracting
    if ball is None:
        return []
    rng = np.random.default_rng(0)
    x = certificate.orbit[0]
    n = len(x)
    transform = ball.transform if ball.transform.ndim == 2 else np.diag(ball.transform)
    units = rng.standard_normal((40, n))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    edge = x + 0.999 * ball.radius * np.linalg.solve(transform, units.T).T
    round_ = x + 0.999 * ball.inner_radius * units
    found = []
    # Smaller balls are a few roundings of x wide.
    wide = ball.inner_radius > 1e-11 * max(1.0, float(np.abs(x).max()))
    if wide and not inside(ball, x, round_).all():
        found.append("the inner ball is not inside")
    points = np.concatenate([edge, round_])
    points = points[inside(ball, x, points)]
    before = np.linalg.norm((points - x) @ transform.T, axis=1)
    after = np.linalg.norm(
        (image(network.program, points, len(certificate.orbit)) - x) @ transform.T, axis=1
    )
    slack = 1e-9 * (before + np.abs(transform).sum() * (1.0 + np.abs(x).max()) * 1e-3)
    if not (after <= ball.rate * before + slack).all():
        found.append("the ball does not contract")
    return found
