"""Dual activations over blocks of pairs, from Hermite series and from Chebyshev tables."""

from __future__ import annotations

import math

from fpcheck.kernels.arithmetic import choose, multiply_add
from fpcheck.kernels.compile import kernel, scalar
from fpcheck.kernels.duals import angle

CHUNK = 64  # columns that share their number of terms
LANES = 16  # points of interpolation in log q2, a multiple of every vector's length
STEP = 4  # terms are taken by so many, so that sums are loaded and stored a quarter as often


@kernel
def count_beyond(c, left_far, right_far):
    """How many pairs have not |c[i, j]| <= left_far[i] right_far[j]: a NaN has not."""
    beyond = 0
    for i in range(c.shape[0]):
        limit = left_far[i]
        for j in range(c.shape[1]):
            beyond += 0 if abs(c[i, j]) <= limit * right_far[j] else 1
    return beyond


@kernel
def series_pairs(
    a, b, c, squared, odd, left_tail, right_tail, left_far, right_far, small, power, total, out
):
    """out[i, j] <- sum_n a[i, n] b[n, j] z^n, times c where `odd`; z = c^2 if `squared`, else c.

    a: (m, n), n a multiple of STEP; b: (chunks, n, CHUNK), the columns by chunks, both with the
    last term first; c, out: (m, k). left_tail (m, n / STEP + 1), right_tail (chunks, n / STEP + 1):
    logarithms of what is left from every STEP-th term on, of the whole. A chunk takes so many terms
    that left_tail + right_tail + log |z^n| <= `small` for those of its pairs that are not beyond
    (`count_beyond`); these are to be overwritten. power, total: (CHUNK,) scratch. Returns 0.
    """
    columns = c.shape[1]
    for i in range(c.shape[0]):
        for start in range(0, columns, CHUNK):
            stop, chunk = min(start + CHUNK, columns), start // CHUNK
            here, there, limit = c[i, start:stop], out[i, start:stop], right_far[start:stop]
            largest = 0.0
            for j in range(stop - start):
                size = abs(here[j])
                size = choose(size <= left_far[i] * limit[j], size, 0.0)
                largest = choose(size > largest, size, largest)
            rate = math.log(largest) * (2.0 if squared else 1.0) if largest > 0.0 else -math.inf
            steps = _steps_needed(rate, left_tail[i], right_tail[chunk], small)
            for j in range(stop - start):
                power[j] = here[j] * here[j] if squared else here[j]
            _sum_chunk(a[i], b[chunk], STEP * steps, power, total)
            for j in range(stop - start):
                there[j] = total[j] * here[j] if odd else total[j]
    return 0


@kernel
def aligned_pairs(tables, basis, rows, columns, todo, c, against, panel, total, out):
    """out[i, j] <- the interpolant of the pair, for i in rows, j in columns where todo[i, j].

    Only where the angle arccos |c[i, j]| is in panel[0] to panel[1], on the side c < 0 if
    `against`, else on the other; todo[i, j] is set to 0. tables: (rows, angles, LANES), Chebyshev
    coefficients in the angle and in log q2, angles a multiple of 2; basis: (k, LANES) the
    polynomials in log q2; total: (LANES,) scratch. Returns 0.
    """
    low, high = panel
    for a in range(rows.shape[0]):
        i = rows[a]
        for b in range(columns.shape[0]):
            j = columns[b]
            v = c[i, j]
            if todo[i, j] == 0 or (v < 0.0) != against:
                continue
            size = abs(v)
            theta = 2.0 * angle(math.sqrt(1.0 - size), math.sqrt(1.0 + size))
            if low <= theta <= high:
                place = 2.0 * (theta - low) / (high - low) - 1.0
                out[i, j] = _interpolated(tables[a], basis[j], tables.shape[1], place, total)
                todo[i, j] = 0
    return 0


@scalar
def _interpolated(table, weights, angles, place, total):
    """The sum over d and b of table[d, b] T_d(place) weights[b]."""
    for b in range(LANES):
        total[b] = 0.0
    now, after = 1.0, place
    for d in range(0, angles, 2):
        first, second = table[d], table[d + 1]
        for b in range(LANES):
            total[b] = multiply_add(after, second[b], multiply_add(now, first[b], total[b]))
        now = 2.0 * place * after - now
        after = 2.0 * place * now - after
    value = 0.0
    for b in range(LANES):
        value = multiply_add(weights[b], total[b], value)
    return value


@scalar
def _steps_needed(rate, left_tail, right_tail, small):
    """The least number of steps, at least one, after which the rest is small; else all."""
    low, high = 1, left_tail.shape[0] - 1
    while low < high:
        middle = (low + high) // 2
        if left_tail[middle] + right_tail[middle] + STEP * middle * rate <= small:
            high = middle
        else:
            low = middle + 1
    return low


@scalar
def _sum_chunk(a, b, terms, power, total):
    """Horner's rule for every column of a chunk.

    Forwards over coefficients kept backwards: the compiler takes no backward outer loop for safe.
    """
    for j in range(CHUNK):
        total[j] = 0.0
    for n in range(a.shape[0] - terms, a.shape[0], STEP):
        a0, a1, a2, a3 = a[n], a[n + 1], a[n + 2], a[n + 3]
        b0, b1, b2, b3 = b[n], b[n + 1], b[n + 2], b[n + 3]
        for j in range(CHUNK):
            z = power[j]
            s = multiply_add(total[j], z, a0 * b0[j])
            s = multiply_add(s, z, a1 * b1[j])
            s = multiply_add(s, z, a2 * b2[j])
            total[j] = multiply_add(s, z, a3 * b3[j])
