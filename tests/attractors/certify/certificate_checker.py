"""A certificate checked again, from its plain data and the weights, in 200-bit ball arithmetic."""

from __future__ import annotations

import exact_maps
import exact_numbers
import numpy as np
from flint import acb_mat, arb, arb_mat

ROUNDS = 8  # of Newton's method, from 16 digits to 60
MOST_BOXES = 20_000


def faults(network, certificate):
    """What the certificate claims and is not so; empty where all of it holds."""
    if not certificate.proved:
        return []
    period, x = len(certificate.orbit), certificate.orbit[0]
    exact = _exact_point(network, x, period)
    if exact is None:
        return ["no fixed point found near"]
    found = []
    away = [abs(a - arb(float(b))) for a, b in zip(exact, x, strict=True)]
    # What is compared is known to 1e-40 of the point's size.
    known = arb(certificate.error) + 4e-40 * max(1.0, float(np.abs(x).max()))
    if not all(d <= known for d in away):
        found.append("the exact point is further off than `error`")
    n = len(x)
    if not _only_one(network, x, exact, certificate.radius, period):
        found.append("the box of `radius` may hold another point")
    found += _least_period(network, exact, certificate)
    jacobian = _jacobian(network, exact, np.zeros(n), period)
    return found + _spectral_faults(jacobian, certificate) + _ball_faults(network, certificate)


def _images(network, x, radius, period):
    """f^p with its slopes, on the box around x, or at x for radius 0."""
    values = exact_numbers.slopes(np.zeros(len(x)), radius)
    values = np.array(
        [
            value.made(value.centre + c, value.range + c, value.tangents)
            for value, c in zip(values, x, strict=True)
        ],
        dtype=object,
    )
    for _ in range(period):
        values = exact_maps.run(network, values).reshape(-1)
    return values


def _jacobian(network, x, radius, period):
    n = len(x)
    image = _images(network, x, radius, period)
    return arb_mat(n, n, [entry for each in image for entry in each.tangents])


def _exact_point(network, start, period):
    """The fixed point of f^p that Newton's method finds, proved to within 1e-40."""
    n = len(start)
    x = [arb(float(each)) for each in start]
    identity = _identity(n)
    for _ in range(ROUNDS):
        image = _images(network, x, np.zeros(n), period)
        jacobian = arb_mat(n, n, [entry for each in image for entry in each.tangents])
        defect = arb_mat(n, 1, [each.centre - c for each, c in zip(image, x, strict=True)])
        try:
            step = (identity - jacobian).mid().solve(defect.mid())
        except ZeroDivisionError:
            return None
        x = [(c + step[i, 0]).mid() for i, c in enumerate(x)]
    size = max([1.0, *(abs(float(each)) for each in start)])
    beta = _contraction(network, [float(each) for each in start], x, 1e-40 * size, period, at=x)
    if beta is None:
        return None
    alpha = max((abs(step[i, 0]) for i in range(n)), key=float)
    if not alpha + beta * arb(1e-40 * size) < arb(1e-40 * size):
        return None
    return [each + arb(0, 1e-40 * size) for each in x]


def _contraction(network, printed, exact, radius, period, at=None):
    """|I - C (I - J(box))| where it surely is below 1, else None; the box is around `printed`."""
    n = len(exact)
    identity = _identity(n)
    around = [arb(float(each)) for each in printed] if at is None else at
    centre = [each.mid() for each in exact]
    try:
        inverse = _near_inverse(network, centre, period)
    except ZeroDivisionError:
        return None
    slopes = _jacobian(network, around, np.full(n, radius), period)
    rest = identity - inverse * (identity - slopes)
    sums = [sum((abs(rest[i, j]) for j in range(n)), arb(0)) for i in range(n)]
    worst = sums[0]
    for each in sums[1:]:
        worst = worst.max(each)
    return worst if worst < 1 else None


def _only_one(network, printed, exact, radius, period):
    """Whether f^p surely has one fixed point in the box around `printed`.

    By contraction of a Newton-like map on the whole box, or on a smaller one, with the rest of the
    box cut into pieces on each of which x - f^p(x) does not vanish.
    """
    core = radius
    while _contraction(network, printed, exact, core, period) is None:
        core *= 0.5
        if core < 2.0**-12 * radius:
            return False
    if core == radius:
        return True
    n = len(exact)
    inverse = _near_inverse(network, [each.mid() for each in exact], period)
    waiting = [(np.asarray(printed, dtype=float), np.full(n, radius))]
    for _ in range(MOST_BOXES):
        if not waiting:
            return True
        centre, radii = waiting.pop()
        if (np.abs(centre - printed) + radii <= core * (1 - 1e-9)).all():
            continue
        if _vanishes_nowhere(network, centre, radii * (1 + 1e-9), period, inverse):
            continue
        widest = int(np.argmax(radii))
        half = np.where(np.arange(n) == widest, 0.5 * radii, 0.0)
        waiting += [(centre - half, radii - half), (centre + half, radii - half)]
    return False


def _vanishes_nowhere(network, centre, radii, period, inverse):
    """Whether x - f^p(x) surely has no zero in the box: C times it, in mean-value form."""
    n = len(centre)
    image = _images(network, [arb(float(each)) for each in centre], radii, period)
    slopes = arb_mat(n, n, [entry for each in image for entry in each.tangents])
    middle = [arb(float(c)) for c in centre]
    defect = arb_mat(n, 1, [c - each.centre for each, c in zip(image, middle, strict=True)])
    rest = inverse * (_identity(n) - slopes)
    at = inverse * defect
    offset = arb_mat(n, 1, [arb(0, float(r)) for r in radii])
    value = at + rest * offset
    box = exact_numbers.boxes(centre, radii)
    plain = [c - each.range for each, c in zip(image, box, strict=True)]
    return any(not value[i, 0].contains(0) for i in range(n)) or any(
        not each.contains(0) for each in plain
    )


def _identity(n):
    return arb_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])


def _near_inverse(network, point, period):
    n = len(point)
    return (_identity(n) - _jacobian(network, point, np.zeros(n), period)).mid().inv().mid()


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
    found = []
    n = jacobian.nrows()
    identity = _identity(n)
    determinant = (identity - jacobian).det()
    if certificate.index_sign is not None and not determinant * certificate.index_sign > 0:
        found.append("the index sign")
    try:
        moduli = [abs(each) for each in acb_mat(jacobian).eig(multiple=True)]
    except ValueError:  # too many equal ones to be told apart: nothing to compare with
        return found
    unstable = certificate.unstable_directions
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
