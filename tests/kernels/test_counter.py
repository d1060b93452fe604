"""Numbers by counting: the laws, independence between places and networks, and redrawing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gammainc, ndtr

from fpcheck.kernels import counter

KEY = np.array([0x243F6A8885A308D3, 0x13198A2E03707344], np.uint64)
# A chi-square this unlikely to be exceeded, or undercut, is a fault: there are some 30 of them.
RARE = 1e-5


def draw(law, networks, size, *, a=0.0, b=1.0, levels=0, key=KEY, first=0, word=0):
    """(networks, size) numbers of one block."""
    blocks = np.array([[0, size, law, levels, word]], np.int64)
    out = np.empty((networks, size + 1))
    counter.draw_numbers(blocks, np.array([[a, b]]), key, first, out)
    return out[:, :size]


def whole(uniforms):
    """The 32 bits that made each uniform number."""
    return ((uniforms * 2.0**32 + 2.0**32 - 1.0) / 2.0).astype(np.uint64)


def chi_square(counts, expected):
    """P(a chi-square variable below the counts' own): uniform on (0, 1) under the law."""
    statistic = ((counts - expected) ** 2 / expected).sum()
    return gammainc(0.5 * (counts.size - 1), 0.5 * statistic)


def assert_spread(values, bins):
    """`values` in (0, 1) fall evenly into the bins; each column of a (n, d) array is an axis."""
    values = values.reshape(len(values), -1)
    place = np.zeros(len(values), np.int64)
    for column in values.T:
        place = place * bins + (column * bins).astype(np.int64)
    counts = np.bincount(place, minlength=bins ** values.shape[1])
    assert RARE < chi_square(counts, len(values) / counts.size) < 1.0 - RARE


@pytest.fixture(scope="module")
def uniforms():
    return 0.5 * (draw(counter.UNIFORM, 4000, 256) + 1.0)


def test_uniform_numbers_are_even_symmetric_multiples_that_never_reach_zero_or_one(uniforms):
    u = 2.0 * uniforms - 1.0
    scaled = u * 2.0**32
    assert (scaled == np.rint(scaled)).all()
    assert (scaled % 2 == 1).all()
    assert np.abs(u).max() < 1.0
    assert_spread(uniforms.ravel(), 4096)


def test_every_place_of_a_network_is_uniform(uniforms):
    found = [chi_square(np.bincount((c * 50).astype(int), minlength=50), 80.0) for c in uniforms.T]
    # The 256 levels are themselves uniform, within Kolmogorov's 1.95 / sqrt(n) at 0.1 %.
    gap = np.abs(np.sort(found) - (np.arange(256) + 0.5) / 256).max()
    assert gap < 1.95 / 16 + 0.5 / 256


@pytest.mark.parametrize("apart", [1, 2, 3, 64, 127, 128])
def test_places_of_a_network_are_independent_in_pairs(uniforms, apart):
    pairs = np.stack([uniforms[:, :-apart].ravel(), uniforms[:, apart:].ravel()], axis=1)
    # Disjoint pairs: the places of one are not those of another.
    assert_spread(pairs[:: apart + 1], 32)


@pytest.mark.parametrize("apart", [1, 2, 16, 256, 2048])
def test_networks_are_independent_at_the_same_place(uniforms, apart):
    blocks = np.arange(len(uniforms)) // apart % 2 == 0
    lower = np.flatnonzero(blocks[: len(uniforms) - apart])
    pairs = np.stack([uniforms[lower].ravel(), uniforms[lower + apart].ravel()], axis=1)
    assert_spread(pairs, 32)


def test_networks_are_independent_at_neighbouring_places(uniforms):
    assert_spread(np.stack([uniforms[::2, 1:].ravel(), uniforms[1::2, :-1].ravel()], axis=1), 32)


def test_triples_of_places_are_spread_evenly(uniforms):
    assert_spread(uniforms[:, :255].reshape(-1, 3), 12)


def test_bits_are_fair_and_every_bit_of_key_and_number_changes_half_of_them():
    base = whole(draw(counter.UNIFORM, 1, 2000))[0]
    others = [draw(counter.UNIFORM, 1, 2000, first=1 << bit) for bit in range(40)]
    for bit in range(64):
        for half in (0, 1):
            key = KEY.copy()
            key[half] ^= np.uint64(1) << np.uint64(bit)
            others.append(draw(counter.UNIFORM, 1, 2000, key=key))
    for other in others:
        changed = np.bitwise_count(whole(other)[0] ^ base)
        # 64000 bits: five standard deviations of their number are 632.
        assert abs(int(changed.sum()) - 32000) < 632
    ones = [int(((base >> np.uint64(bit)) & np.uint64(1)).sum()) for bit in range(32)]
    assert np.abs(np.array(ones) - 1000).max() < 5 * np.sqrt(500)


def test_no_two_networks_share_a_word():
    bits = whole(draw(counter.UNIFORM, 30000, 64))
    words = bits[:, :32] | bits[:, 32:] << np.uint64(32)
    assert len(np.unique(words)) == words.size


def test_a_network_is_the_same_drawn_alone_or_among_others():
    laws = ((counter.UNIFORM, 0), (counter.NORMAL, 0), (counter.LATTICE, 5), (counter.CONSTANT, 0))
    blocks, at, word = [], 0, 0
    for law, levels in laws:
        blocks.append([at, 7, law, levels, word])
        at, word = at + 7, word + 4
    blocks = np.array(blocks, np.int64)
    parameters = np.array([[0.5, 2.0]] * 4)
    many, alone = np.empty((40, at + 1)), np.empty((1, at + 1))
    counter.draw_numbers(blocks, parameters, KEY, 100, many)
    for number in (100, 117, 139):
        counter.draw_numbers(blocks, parameters, KEY, number, alone)
        assert (alone[0, :at] == many[number - 100, :at]).all()
    assert (many[:, 21:28] == 0.5).all()


def test_later_words_continue_the_stream():
    long = draw(counter.UNIFORM, 3, 64)
    later = draw(counter.UNIFORM, 3, 24, word=20)
    assert (later[:, :12] == long[:, 20:32]).all()
    assert (later[:, 12:] == long[:, 52:64]).all()


def test_normal_pairs_are_box_and_mullers_of_the_uniform_ones():
    u, z = draw(counter.UNIFORM, 500, 200), draw(counter.NORMAL, 500, 200)
    radius = np.sqrt(-2.0 * np.log(0.5 * (u[:, :100] + 1.0)))
    turn = np.pi * u[:, 100:]
    assert np.abs(z[:, :100] - radius * np.cos(turn)).max() < 2e-14
    assert np.abs(z[:, 100:] - radius * np.sin(turn)).max() < 2e-14


def test_normal_numbers_are_standard_normal_and_pairs_independent():
    z = draw(counter.NORMAL, 4000, 256)
    assert_spread(ndtr(z).ravel(), 2048)
    assert_spread(np.stack([ndtr(z[:, :128]).ravel(), ndtr(z[:, 128:]).ravel()], axis=1), 32)
    for power, moment in ((1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0), (6, 15.0)):
        spread = np.sqrt((np.prod(np.arange(2 * power - 1, 0, -2)) - moment**2) / z.size)
        assert abs((z**power).mean() - moment) < 5.0 * spread
    scaled = draw(counter.NORMAL, 10, 256, a=-1.5, b=0.3)
    assert np.abs(scaled - (0.3 * z[:10] - 1.5)).max() < 1e-14


@pytest.mark.parametrize("levels", [2, 3, 9, 1000])
def test_lattice_levels_are_equally_frequent(levels):
    drawn = draw(counter.LATTICE, 2000, 128, a=-1.0, b=0.5, levels=levels)
    index = (drawn + 1.0) / 0.5
    assert (index == np.rint(index)).all()
    counts = np.bincount(index.astype(int).ravel(), minlength=levels)
    assert len(counts) == levels
    assert RARE < chi_square(counts, index.size / levels) < 1.0 - RARE
