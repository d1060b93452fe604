"""Certificates of many points at once are those of the points alone."""

from __future__ import annotations

import enclosed_networks
import numpy as np
import pytest
from random_maps import random_network, random_points

from fpcheck.attractors.certify import blocks, certify, proving
from fpcheck.attractors.certify.norms import lyapunov_bases, lyapunov_norms
from fpcheck.attractors.polish import Polished
from fpcheck.attractors.proving import certify_all
from fpcheck.core.progress import Monitor
from fpcheck.network.enclosure import Ball, enclose
from fpcheck.network.enclosure.matrices import point

FIELDS = ("status", "reason", "unstable_directions", "index_sign", "kind")
SIZES = ("error", "radius", "spectral_radius_low", "spectral_radius_high")


def assert_equal(together, alone):
    for name in FIELDS:
        assert getattr(together, name) == getattr(alone, name)
    for name in SIZES:
        one, other = getattr(together, name), getattr(alone, name)
        assert (one is None) == (other is None)
        # A product's last bits depend on its rows; defects and nudges see no more of them.
        np.testing.assert_allclose(one or 0.0, other or 0.0, rtol=1e-3, atol=1e-13)
    assert (together.attracting is None) == (alone.attracting is None)
    if alone.attracting is not None:
        assert together.attracting.inner_radius == pytest.approx(
            alone.attracting.inner_radius, rel=1e-3
        )


def test_points_of_all_periods_and_obstacles_keep_their_places():
    for seed in range(12):
        rng = np.random.default_rng(seed)
        network = random_network(rng)
        found = random_points(rng, network, count=12)
        if not found:
            continue
        bare = Polished(found[0].points, 0.0, 0.0)
        nowhere = Polished(found[0].points + 0.3, 0.0, 0.0, found[0].jacobian, 1.0)
        mixed = [*found, bare, nowhere, *found[::-1]]
        proofs = certify_all(network.program, mixed, 2, Monitor())
        assert len(proofs) == len(mixed)
        for one, proof in zip(mixed, proofs, strict=True):
            assert_equal(proof, certify(network.program, one))


def test_the_number_of_threads_changes_no_bit():
    rng = np.random.default_rng(3)
    network = enclosed_networks.chain(rng, "tanh", n=4, gain=1.5)
    found = random_points(rng, network, count=40)
    one, two = (certify_all(network.program, found, k, Monitor()) for k in (1, 2))
    assert [each.radius for each in one] == [each.radius for each in two]
    assert [each.error for each in one] == [each.error for each in two]


def test_blocks_hold_every_point_once_and_one_period_each():
    network = enclosed_networks.chain(np.random.default_rng(0), "tanh", n=4)
    found = [
        Polished(np.zeros((period, 4)), 0.0, 0.0)
        for period in np.random.default_rng(1).integers(1, 4, 70)
    ]
    parts = blocks(proving(network.program), found)
    assert sorted(index for part in parts for index in part) == list(range(70))
    assert all(len({found[index].period for index in part}) == 1 for part in parts)
    assert blocks(proving(network.program), []) == []


def test_norms_contract_what_they_are_of_and_leave_out_what_grows():
    rng = np.random.default_rng(5)
    stack = rng.standard_normal((6, 8, 8))
    radii = np.abs(np.linalg.eigvals(stack)).max(axis=1)
    stack *= (np.array([0.5, 0.9, 0.99, 1.001, 1.5, 0.999]) / radii)[:, None, None]
    with np.errstate(all="ignore"):
        rows, norms = lyapunov_norms(point(stack), np.ones(6))
        for row in range(6):
            alone, axes, _ = lyapunov_bases(stack[[row]], np.ones(1))
            assert len(alone) == int(row in rows)
            if len(alone):
                where = list(rows).index(row)
                np.testing.assert_allclose(axes[0], norms.axes[where], rtol=1e-9, atol=1e-12)
    assert rows.tolist() == [0, 1, 2, 5]
    for place, row in enumerate(rows):
        turned = norms.transform[place] @ stack[row] @ norms.axes[place]
        assert np.linalg.norm(turned, 2) <= norms.size[place] < 1.0


def test_a_wide_box_does_not_widen_the_values_at_a_point():
    network = enclosed_networks.chain(np.random.default_rng(6), "tanh", n=4)
    x = np.random.default_rng(7).standard_normal((2, 4))
    rad = np.array([[0.0], [0.5]]) * np.ones((2, 4))
    together = enclose(network.program, Ball(x, rad))
    for row in range(2):
        alone = enclose(network.program, Ball(x[[row]], rad[[row]]))
        np.testing.assert_allclose(together.rad[row], alone.rad[0], rtol=1e-6)
