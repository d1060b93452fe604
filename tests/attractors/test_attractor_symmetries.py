"""What relabelling or mirroring the units does to the attractors."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from small_maps import attractors_of, normal_starts, one_layer

N = 5
# Points polished from mirrored or permuted ends agree to the last bits that rounding leaves.
ROUNDING = 1e-11


def drawn(seed):
    rng = np.random.default_rng(seed)
    return 1.6 * rng.standard_normal((N, N)) / np.sqrt(N), 0.3 * rng.standard_normal(N)


def ended(result):
    """(kind, starts, spectral radius) of every point that starts ended on, in a fixed order."""
    return sorted(
        (point.starts, point.kind, round(point.spectral_radius, 8))
        for point in result.fixed_points
        if point.starts
    )


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(N)))
def test_permuting_the_units_permutes_the_attractors(seed, order):
    weight, bias = drawn(seed)
    order, starts = list(order), normal_starts(N, 64, seed)
    plain = attractors_of(one_layer(weight, bias), starts, max_steps=500)
    moved = attractors_of(
        one_layer(weight[np.ix_(order, order)], bias[order]), starts[:, order], max_steps=500
    )
    assert ended(moved) == ended(plain)
    assert moved.unresolved == plain.unresolved
    for point in plain.fixed_points:
        if point.starts:
            distances = [
                np.abs(other.point - point.point[order]).max() for other in moved.fixed_points
            ]
            assert min(distances) <= ROUNDING


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=N,
                                                    max_size=N))  # fmt: skip
def test_flipping_the_signs_of_units_of_an_odd_network_flips_the_points(seed, signs):
    weight, bias = drawn(seed)
    flip, starts = np.array(signs), normal_starts(N, 64, seed)
    plain = attractors_of(one_layer(weight, bias), starts, max_steps=500)
    mirrored = attractors_of(
        one_layer(flip[:, None] * weight * flip, flip * bias), starts * flip, max_steps=500
    )
    assert ended(mirrored) == ended(plain)
    for point in plain.fixed_points:
        if point.starts:
            distances = [
                np.abs(other.point - flip * point.point).max() for other in mirrored.fixed_points
            ]
            assert min(distances) <= ROUNDING


def test_scaling_a_linear_map_scales_the_spectrum_at_its_fixed_point():
    weight = np.random.default_rng(2).standard_normal((N, N)) / 5
    radii = [
        attractors_of(one_layer(scale * weight, np.ones(N), "identity")).fixed_points[0]
        for scale in (1.0, 0.5)
    ]
    assert_allclose(radii[1].spectral_radius, 0.5 * radii[0].spectral_radius, rtol=1e-12)


def test_rounding_in_a_small_coordinate_does_not_hide_a_cycle():
    # On this cycle of period 2 one coordinate is a few hundredths of the others; their rounding
    # shakes it by more than the last bits of its own.
    weight, bias = drawn(462)
    starts = normal_starts(N, 64, 462)
    for order in ([0, 1, 2, 3, 4], [0, 2, 3, 4, 1], [3, 1, 4, 0, 2]):
        network = one_layer(weight[np.ix_(order, order)], bias[order])
        result = attractors_of(network, starts[:, order], max_steps=500)
        assert [(cycle.period, cycle.starts) for cycle in result.cycles] == [(2, 64)]
