"""The noise of sums, joins and norms.

Through a sum the Hermite mean y_k of a term's units passes with the share of the variance to the
power k / 2, so a residual stream keeps the noise of its units from block to block.
"""

from __future__ import annotations

import math
from dataclasses import replace

from fpcheck.theory.noise import NONE, Deviation
from fpcheck.theory.noise_activation import settled
from fpcheck.theory.noise_state import Forward, Noise, pairs_shared, shared
from fpcheck.theory.recursion_state import UnitMoments

Terms = list[tuple[Noise, UnitMoments]]


def summed_noise(terms: Terms, after: UnitMoments, out: Forward) -> Noise:
    """The noise of a sum of independent terms."""
    if not all(noise.modes is not None for noise, _ in terms):
        terms = [(settled(noise, m, out), m) for noise, m in terms]
    noises = [noise for noise, _ in terms]
    first = noises[0]
    shares = [m.q / after.q if after.q > 0.0 else 0.0 for _, m in terms]
    gap = after.q - after.k
    own = [(m.q - m.k) / gap if gap > 0.0 else 0.0 for _, m in terms]
    new = _mixed(noises, shares, own, out)
    averaged = shared(new, after, out.inputs)
    if not all(noise.modes is not None for noise in noises):
        cross = 2.0 * max(0.0, 1.0 - math.fsum(p * p for p in shares))
        mixed = out.sources.fresh(math.sqrt(cross * averaged[1] / first.units))
        return replace(new, size=out.sources.combined([(1.0, new.size), (1.0, mixed)]))
    modes = []
    for order, part in enumerate(averaged, start=1):
        kept = [
            (p ** (0.5 * order), noise.modes[order - 1])
            for p, noise in zip(shares, noises, strict=True)
            if noise.modes is not None
        ]
        left = max(0.0, 1.0 - math.fsum(p**order for p in shares))
        modes.append(_with_fresh(kept, left * part / first.units, out))
    n, left = first.units, max(0.0, 1.0 - math.fsum(p * p for p in own))
    single = pairs_shared(replace(new, alignment=0.0), out.inputs)
    whole = pairs_shared(new, out.inputs)
    scatter, alone, rest = (
        _with_fresh(
            [(p, noise.pair[i]) for p, noise in zip(own, noises, strict=True)], left * part / n, out
        )
        for i, part in enumerate((new.alignment, single, whole))
    )
    return replace(new, modes=tuple(modes), pair=(scatter, alone, rest))


def concatenated_noise(terms: Terms, after: UnitMoments, out: Forward) -> Noise:
    """The noise of units of several kinds side by side."""
    noises = [settled(noise, m, out) for noise, m in terms]
    units = sum(noise.units for noise in noises)
    parts = [noise.units / units * (m.q / after.q if after.q > 0.0 else 0.0) for noise, m in terms]
    gap = after.q - after.k
    own = [noise.units / units * ((m.q - m.k) / gap if gap > 0.0 else 0.0) for noise, m in terms]
    return replace(_mixed(noises, parts, own, out), units=units, modes=None)


def normalised_noise(noise: Noise, left: float, out: Forward) -> Noise:
    """The units' own mean square is divided out, and with it its noise but for the share `left`."""
    parts: list[tuple[float, Deviation]] = [(1.0, noise.difference), (left - 1.0, noise.size)]
    modes = noise.modes
    if modes is not None:
        parts.append(((left - 1.0) * math.sqrt(2.0), modes[1]))
        square = out.sources.combined([(left, modes[1])])
        modes = (NONE, square, *modes[2:])
    return replace(
        noise,
        size=out.sources.combined([(left, noise.size)]),
        difference=out.sources.combined(parts),
        modes=modes,
        single=left * left * noise.single,
        shift=left * noise.shift,
        skew=left**3 * noise.skew,
    )


def _with_fresh(
    kept: list[tuple[float, Deviation]], fresh_variance: float, out: Forward
) -> Deviation:
    return out.sources.combined([*kept, (1.0, out.sources.fresh(math.sqrt(fresh_variance)))])


def _mixed(noises: list[Noise], parts: list[float], own: list[float], out: Forward) -> Noise:
    """Deviations by the parts of q, and of the difference, that the terms have."""

    def total(weights: list[float], values: list[float]) -> float:
        return math.fsum(w * x for w, x in zip(weights, values, strict=True))

    def joint(weights: list[float], variances: list[float]) -> float:
        return total(weights, [math.sqrt(x) for x in variances]) ** 2

    cubes, own_cubes = [p**3 for p in parts], [p**3 for p in own]
    size = out.sources.combined([(p, n.size) for p, n in zip(parts, noises, strict=True)])
    difference = out.sources.combined([(p, n.difference) for p, n in zip(own, noises, strict=True)])
    return replace(
        noises[0],
        size=size,
        difference=difference,
        modes=None,
        single=joint(parts, [n.single for n in noises]),
        shift=total(parts, [n.shift for n in noises]),
        skew=total(cubes, [n.skew for n in noises]),
        difference_skew=total(own_cubes, [n.difference_skew for n in noises]),
        apart=joint(own, [n.apart for n in noises]),
        pair_single=joint(own, [n.pair_single for n in noises]),
        pair_shift=total(own, [n.pair_shift for n in noises]),
        closer=total(own, [n.closer for n in noises]),
        alignment=total(own, [n.alignment for n in noises]),
    )
