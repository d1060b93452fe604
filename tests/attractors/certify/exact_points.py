"""The exact fixed point near a printed one, and how far it is alone, in 200-bit ball arithmetic.

On a box f^p(x) - f^p(y) = J (x - y) with J in the hull of the slopes on it, also across kinks: each
activation's difference quotient lies in the hull of its slopes [Clarke 1983, 2.6.5].
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import exact_maps
import exact_numbers
import numpy as np
from exact_numbers import Slope
from flint import arb, arb_mat

ROUNDS = 8  # of Newton's method, from 16 digits to 60
MOST_BOXES = 20_000
# Of the whole box: smaller ones that are not told from a fixed point hold one, or nearly.
SMALLEST_BOX = 2.0**-40
PERRON_STEPS = 30
HOPELESS = 1e30  # far from a contraction, and from what can be scaled in doubles
WITHIN = 1e-40  # of the point's size
MOST_KINKS = 6
# Slopes on a ball of about WITHIN that differ by more jump there.
JUMP = 1e-12


def images(network, x, radius, period, made=lambda value: value):
    """f^p with its slopes, on the box around x, or at x for radius 0."""
    values = exact_numbers.slopes(np.zeros(len(x)), radius)
    values = np.array(
        [
            made(value.made(value.centre + c, value.range + c, value.tangents))
            for value, c in zip(values, x, strict=True)
        ],
        dtype=object,
    )
    for _ in range(period):
        values = exact_maps.run(network, values).reshape(-1)
    return values


def jacobian(network, x, radius, period):
    """A matrix that holds all slopes of f^p on the box, those of both sides of a kink included."""
    return _matrix(images(network, x, radius, period))


def identity(n):
    return arb_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])


def exact_point(network, start, period):
    """The fixed point of f^p that Newton's method finds, proved to within 1e-40, or None."""
    n = len(start)
    x = [arb(float(each)) for each in start]
    for _ in range(ROUNDS):
        image = images(network, x, np.zeros(n), period)
        try:
            step = (identity(n) - _matrix(image)).mid().solve(_defect(image, x).mid())
        except ZeroDivisionError:
            return None
        x = [(c + step[i, 0]).mid() for i, c in enumerate(x)]
    within = WITHIN * max([1.0, *(abs(float(each)) for each in start)])
    tiny = [each + arb(0, within) for each in x]
    slopes = jacobian(network, x, np.full(n, within), period)
    defect = _defect(images(network, x, np.zeros(n), period), x)
    for inverse in inverses(network, start, tiny, period):
        found = _contraction(inverse, slopes)
        if found is None:
            continue
        beta, scale = found
        moved = inverse * defect
        # Krawczyk's operator maps the box of the radii within * scale into itself.
        if all(abs(moved[i, 0]) < (1 - beta) * within * scale[i] for i in range(n)):
            return tiny
    return None


def inverses(network, printed, exact, period):
    """Matrices near (I - J)^-1, at a kink that of the middle of the hull.

    The second one is of the side that the printed point is on.
    """
    n = len(exact)
    at_printed = [arb(float(each)) for each in printed]
    found = []
    for x in (exact, at_printed):
        try:
            found.append((identity(n) - jacobian(network, x, np.zeros(n), period)).mid().inv())
        except ZeroDivisionError:
            continue
    return [each.mid() for each in found]


def only_one(network, printed, exact, radius, period):
    """Whether f^p surely has one fixed point in the box around `printed`.

    By contraction of a Newton-like map on the whole box, or on a smaller one, with the rest of the
    box cut into pieces on each of which x - f^p(x) does not vanish.
    """
    known = inverses(network, printed, exact, period)
    centre = [arb(float(each)) for each in printed]
    core = radius
    while not _contracts(network, centre, core, period, known):
        core *= 0.5
        if core < 2.0**-12 * radius:
            return False
    # The one in the core is the one that is known.
    if not all(abs(a - c) < core for a, c in zip(exact, centre, strict=True)):
        return False
    return core == radius or _none_outside(network, printed, radius, core, period, known)


def _contracts(network, centre, radius, period, known):
    """Whether x - C (x - f^p(x)) surely contracts on the box, for some C."""
    n = len(centre)
    slopes = jacobian(network, centre, np.full(n, radius), period)
    if any(_contraction(inverse, slopes) is not None for inverse in known):
        return True
    try:
        return _contraction((identity(n) - slopes).mid().inv().mid(), slopes) is not None
    except ZeroDivisionError:
        return False


def _contraction(inverse, slopes):
    """(beta < 1, v) with |I - C (I - J)| v <= beta v, v > 0 of largest entry 1; None without proof.

    Then x - C (x - f(x)) contracts by beta in the norm max |x_i| / v_i wherever the slopes hold.
    """
    n = slopes.nrows()
    rest = identity(n) - inverse * (identity(n) - slopes)
    if not all(entry.is_finite() for entry in rest.entries()):
        return None
    size = arb_mat(n, n, [abs(entry).upper() for entry in rest.entries()])
    rough = np.array([float(entry) for entry in size.entries()]).reshape(n, n)
    if not rough.max() < HOPELESS:
        return None
    v = np.ones(n)
    for _ in range(PERRON_STEPS):
        scale = [arb(float(each)) for each in v]
        grown = size * arb_mat(n, 1, scale)
        beta = max((grown[i, 0] / scale[i] for i in range(n)), key=lambda x: float(x.upper()))
        if beta < 1:
            return beta.upper(), scale
        v = rough @ v + 0.1 * rough.max() * v
        v = np.maximum(v / v.max(), 1e-6)
        v /= v.max()
    return None


def _none_outside(network, printed, radius, core, period, known):
    """Whether x - f^p(x) surely vanishes nowhere in the box but in its core."""
    n = len(printed)
    waiting = [(np.asarray(printed, dtype=float), np.full(n, radius))]
    for _ in range(MOST_BOXES):
        if not waiting:
            return True
        centre, radii = waiting.pop()
        if (np.abs(centre - printed) + radii <= core * (1 - 1e-9)).all():
            continue
        if _vanishes_nowhere(network, centre, radii * (1 + 1e-9), period, known[0]):
            continue
        if radii.max() < SMALLEST_BOX * radius:
            return False
        widest = int(np.argmax(radii))
        half = np.where(np.arange(n) == widest, 0.5 * radii, 0.0)
        waiting += [(centre - half, radii - half), (centre + half, radii - half)]
    return False


def _vanishes_nowhere(network, centre, radii, period, inverse):
    """Whether x - f^p(x) surely has no zero in the box: C times it, in mean-value form."""
    n = len(centre)
    middle = [arb(float(c)) for c in centre]
    image = images(network, middle, radii, period)
    defect = _defect(image, middle)
    offset = arb_mat(n, 1, [arb(0, float(r)) for r in radii])
    value = (inverse * (identity(n) - _matrix(image))) * offset - inverse * defect
    box = exact_numbers.boxes(centre, radii)
    plain = [c - each.range for each, c in zip(image, box, strict=True)]
    return any(not value[i, 0].contains(0) for i in range(n)) or any(
        not each.contains(0) for each in plain
    )


@dataclass(frozen=True)
class _Sided(Slope):
    """A Slope that takes one side's slope at every kink: choose(below, above) is either."""

    choose: Callable[[arb, arb], arb]

    def made(self, centre, values, tangents):
        bare = super().made(centre, values, tangents)
        return _Sided(bare.centre, bare.range, bare.tangents, bare.reach, self.choose)

    def through(self, value, slope):
        hull = slope(self.range)
        if hull.rad() > JUMP:
            apart = 4 * self.range.rad()
            hull = self.choose(slope(self.range - apart), slope(self.range + apart))
        return self.made(value(self.centre), value(self.range), self.tangents * hull)


def sided_jacobians(network, exact, period):
    """The Jacobians of f^p at the exact point: one, or at kinks one for every choice of sides.

    det(I - J) is affine in each unit's slope, so that its sign at all of these is its sign on their
    hull. At more than 6 kinks 64 choices are drawn.
    """
    jumps = []

    def below(low, high):
        jumps.append(high - low)
        return low

    only = _one_sided(network, exact, period, below)
    if not jumps:
        return [only]
    every = itertools.product((0, 1), repeat=len(jumps))
    if len(jumps) > MOST_KINKS:
        every = np.random.default_rng(0).integers(2, size=(2**MOST_KINKS, len(jumps)))
    found = []
    for sides in every:
        taken = iter(sides)
        found.append(
            _one_sided(network, exact, period, lambda *ends, taken=taken: ends[next(taken)])
        )
    return found


def _one_sided(network, exact, period, choose):
    def made(value):
        return _Sided(value.centre, value.range, value.tangents, value.reach, choose)

    return _matrix(images(network, exact, np.zeros(len(exact)), period, made))


def _matrix(image):
    n = len(image)
    return arb_mat(n, n, [entry for each in image for entry in each.tangents])


def _defect(image, x):
    return arb_mat(len(x), 1, [each.centre - c for each, c in zip(image, x, strict=True)])
