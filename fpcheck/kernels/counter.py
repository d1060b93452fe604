"""Random numbers by counting: every number is a function of a key, a network and its place.

Any network can be drawn again alone, and drawing needs no state and no order. Word j of a network
is SplitMix64's, mix(h1 + j gamma) [Steele, Lea, Flood 2014; multipliers: variant 13 of Stafford],
with a second hash h2 of key and network added between its two rounds: two networks share a run of
words only if both hashes agree, 128 bits in all, where SplitMix64 alone overlaps after some 2^28
networks.

One word makes two numbers of 32 bits. A uniform one is an odd multiple of 2^-32, which puts
each parameter within 2^-32 of its half range of what a continuous law would have drawn; an event
that is decided by the sign of f changes only where |f| is below that times its gradient, of which
the share is 2^-32 times a density of order 1: nothing beside the error of any sample that can be
drawn. A normal pair (Box, Muller 1958) from such a word ends at sqrt(66 ln 2) = 6.76 standard
deviations, beyond which lie 1.4e-11 of the law.
"""

from __future__ import annotations

import math

import numpy as np

from fpcheck.kernels.arithmetic import choose, multiply_add
from fpcheck.kernels.compile import kernel, scalar
from fpcheck.kernels.functions import LN2, ROUNDER, two_artanh

# The laws of a block of numbers; what a and b of the block mean.
CONSTANT = 0  # a
UNIFORM = 1  # a + b u, u in (-1, 1)
NORMAL = 2  # a + b z, z standard normal
LATTICE = 3  # level k of `levels`: a + b k

# Columns of the table of blocks, one row a block, in the order of `AT`.
AT = 0  # where its numbers begin
SIZE = 1
LAW = 2
LEVELS = 3  # of a lattice
WORD = 4  # its first word in the network's stream

GAMMA = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
S1, S27, S30, S31, S32, S52 = (np.uint64(shift) for shift in (1, 27, 30, 31, 32, 52))
ONE = np.uint64(1)
LOW_33 = np.uint64(0x1FFFFFFFF)
LOW_32 = np.uint64(0xFFFFFFFF)
TWO_52_BITS = np.uint64(0x4330000000000000)
TWO_52 = 2.0**52
UNIT = 2.0**-32
HALF_UNIT = 2.0**-33
SQRT_HALF_BITS = np.uint64(0x3FE6A09E667F3BCD)
ONE_BITS = np.uint64(0x3FF0000000000000)
EXPONENT_OF_ONE = np.uint64(1023)
TWO_PI = 2.0 * math.pi


@scalar
def _mix(x, between):
    x = (x ^ (x >> S30)) * FIRST
    x = ((x ^ (x >> S27)) + between) * SECOND
    return x ^ (x >> S31)


@scalar
def network_key(key, number):
    """The two hashes of network `number`, uint64. key: (2,) uint64.

    Each depends on both halves of the key: with h1 alike, the words of two h2 would be related.
    """
    place = (np.uint64(number) + ONE) * GAMMA
    zero = np.uint64(0)
    h = _mix(key[0] + place, zero)
    h2 = _mix((key[1] + place) ^ h, zero)
    return _mix(h + h2, zero), h2


@scalar
def _odd_low(word):
    """2 k + 1 for the low 32 bits k of the word, as a double."""
    return np.uint64(((word << S1) & LOW_33) | ONE | TWO_52_BITS).view(np.float64) - TWO_52


@scalar
def _odd_high(word):
    """2 k + 1 for the high 32 bits k of the word, as a double."""
    return np.uint64((word >> S31) | ONE | TWO_52_BITS).view(np.float64) - TWO_52


@scalar
def _whole(bits):
    """A whole number below 2^52 as a double."""
    return np.uint64(bits | TWO_52_BITS).view(np.float64) - TWO_52


@scalar
def _log(x):
    """ln x for a normal x > 0, within 4 u: x = 2^e m, 1/sqrt 2 <= m < sqrt 2, ln m = 2 artanh s.

    s = (m - 1) / (m + 1) is at most 0.1716.
    """
    bits = np.float64(x).view(np.uint64)
    biased = np.uint64(bits + (ONE_BITS - SQRT_HALF_BITS)) >> S52
    m = np.uint64(bits - ((biased - EXPONENT_OF_ONE) << S52)).view(np.float64)
    twice = 2.0 * (m - 1.0) / (m + 1.0)
    return multiply_add(_whole(biased) - 1023.0, LN2, two_artanh(twice))


@scalar
def _sine(t):
    """sin t for |t| <= pi/4: the series to t^15 leaves 5e-17 of it."""
    z = t * t
    q = multiply_add(z, -1.0 / 1307674368000.0, 1.0 / 6227020800.0)
    q = multiply_add(q, z, -1.0 / 39916800.0)
    q = multiply_add(q, z, 1.0 / 362880.0)
    q = multiply_add(q, z, -1.0 / 5040.0)
    q = multiply_add(q, z, 1.0 / 120.0)
    q = multiply_add(q, z, -1.0 / 6.0)
    return multiply_add(q * z, t, t)


@scalar
def _cosine(t):
    """cos t for |t| <= pi/4: the series to t^16 leaves 3e-18."""
    z = t * t
    q = multiply_add(z, 1.0 / 20922789888000.0, -1.0 / 87178291200.0)
    q = multiply_add(q, z, 1.0 / 479001600.0)
    q = multiply_add(q, z, -1.0 / 3628800.0)
    q = multiply_add(q, z, 1.0 / 40320.0)
    q = multiply_add(q, z, -1.0 / 720.0)
    q = multiply_add(q, z, 1.0 / 24.0)
    q = multiply_add(q, z, -0.5)
    return multiply_add(q, z, 1.0)


@kernel
def draw_block(h1, h2, word, law, levels, a, b, out, at, size):
    """Write a block's numbers to out[at:], `size` of them and one more where that is odd.

    Word j makes numbers j and ceil(size / 2) + j. a, b: see the laws above.
    """
    words = (size + 1) // 2
    low, high = out[at : at + words], out[at + words : at + 2 * words]  # or it stays scalar
    place = h1 + np.uint64(word) * GAMMA
    if law == UNIFORM:
        centre = UNIT * b
        for j in range(words):
            x = _mix(place + np.uint64(j) * GAMMA, h2)
            low[j] = multiply_add(_odd_low(x) - 4294967296.0, centre, a)
            high[j] = multiply_add(_odd_high(x) - 4294967296.0, centre, a)
    elif law == NORMAL:
        for j in range(words):
            x = _mix(place + np.uint64(j) * GAMMA, h2)
            radius = b * math.sqrt(-2.0 * _log(_odd_low(x) * HALF_UNIT))
            turn = multiply_add(_odd_high(x), HALF_UNIT, -0.5)
            shifted = multiply_add(turn, 4.0, ROUNDER)
            quarter = np.float64(shifted).view(np.int64)
            t = TWO_PI * multiply_add(shifted - ROUNDER, -0.25, turn)
            s, c = _sine(t), _cosine(t)
            odd = (quarter & 1) != 0
            sine, cosine = choose(odd, c, s), choose(odd, s, c)
            low[j] = multiply_add(choose(((quarter + 1) & 2) != 0, -radius, radius), cosine, a)
            high[j] = multiply_add(choose((quarter & 2) != 0, -radius, radius), sine, a)
    elif law == LATTICE:
        many = np.uint64(levels)
        for j in range(words):
            x = _mix(place + np.uint64(j) * GAMMA, h2)
            low[j] = multiply_add(_whole(np.uint64((x & LOW_32) * many) >> S32), b, a)
            high[j] = multiply_add(_whole(np.uint64((x >> S32) * many) >> S32), b, a)
    else:
        for j in range(at, at + size):
            out[j] = a
    return 0


@kernel
def draw_numbers(blocks, parameters, key, first, out):
    """Networks first, first + 1, ... into the rows of `out`, which are one entry too long.

    blocks: (b, 5) int64; parameters: (b, 2), the blocks' a and b; key: (2,) uint64;
    out: (networks, numbers + 1).
    """
    for row in range(out.shape[0]):
        h1, h2 = network_key(key, first + row)
        numbers = out[row]
        for block in range(blocks.shape[0]):
            draw_block(
                h1, h2, blocks[block, WORD], blocks[block, LAW], blocks[block, LEVELS],
                parameters[block, 0], parameters[block, 1],
                numbers, blocks[block, AT], blocks[block, SIZE],
            )  # fmt: skip
    return 0
