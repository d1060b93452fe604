"""Not one false certificate: every claim is checked again in 200-bit ball arithmetic."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import enclosed_networks
import numpy as np
import pytest
from certificate_checker import faults
from random_maps import random_network, random_points

from fpcheck.attractors.certify import certify, same_point
from fpcheck.attractors.polish import polish
from fpcheck.core.progress import Monitor


def checked(first, count):
    """(wrong claims, how often what was proved) over random networks of these seeds."""
    wrong, seen = [], Counter()
    for seed in range(first, first + count):
        rng = np.random.default_rng(seed)
        network = random_network(rng)
        points = random_points(rng, network)
        certificates = [certify(network.program, point) for point in points]
        for place, certificate in enumerate(certificates):
            if any(same_point(certificate, other) for other in certificates[:place]):
                continue
            seen["points"] += 1
            seen["proved"] += certificate.proved
            seen["kind"] += certificate.kind is not None
            seen["cycles"] += certificate.proved and len(certificate.orbit) > 1
            seen["attracting"] += certificate.attracting is not None
            seen["reason " + certificate.reason[:30]] += 1
            wrong += [(seed, fault) for fault in faults(network, certificate)]
        wrong += [(seed, fault) for fault in disagreements(certificates)]
    return wrong, seen


def disagreements(certificates):
    """Pairs that are proved equal and yet far apart, or proved different and yet one."""
    for place, a in enumerate(certificates):
        for b in certificates[:place]:
            verdict = same_point(a, b)
            if verdict is None or len(a.orbit) != len(b.orbit):
                continue
            apart = np.abs(b.orbit - a.orbit[0]).max(axis=1)
            if verdict and not (apart <= a.error + b.orbit_error + 1e-300).any():
                yield "one point, yet further apart than both errors"
            if verdict != same_point(b, a) and same_point(b, a) is not None:
                yield "same_point depends on the order"


def test_no_certificate_of_random_networks_is_false():
    wrong, seen = checked(0, 60)
    assert wrong == []
    assert seen["proved"] > 0.7 * seen["points"]  # the rest are degenerate, or on a kink
    assert seen["kind"] > 0.9 * seen["proved"]
    assert seen["cycles"] > 0
    assert seen["attracting"] > 0


def test_the_checker_sees_what_is_false():
    """Each number of a true certificate is spoilt in turn."""
    network = enclosed_networks.cell(np.random.default_rng(3), "gru")
    point = polish(network.program, np.zeros(3), 1, Monitor())
    true = certify(network.program, point)
    assert true.proved
    assert true.kind is not None
    assert faults(network, true) == []
    away = true.orbit + 10 * true.error
    spoilt = [
        replace(true, orbit=away),
        replace(true, radius=1e3),
        replace(true, unstable_directions=true.unstable_directions + 1),
        replace(true, index_sign=-true.index_sign),
        replace(true, spectral_radius_high=true.spectral_radius_low * (1 - 1e-6)),
        replace(true, spectral_radius_low=true.spectral_radius_high * (1 + 1e-6)),
        replace(true, orbit=np.tile(true.orbit, (2, 1)), orbit_error=np.full(2, true.error)),
    ]
    assert [bool(faults(network, each)) for each in spoilt] == [True] * len(spoilt)


def test_the_checker_sees_a_ball_that_is_too_large():
    network = enclosed_networks.chain(np.random.default_rng(0), "tanh", n=3, gain=0.9)
    point = polish(network.program, np.zeros(3), 1, Monitor())
    true = certify(network.program, point)
    ball = true.attracting
    assert faults(network, true) == []
    quick = replace(true, attracting=replace(ball, rate=0.5 * true.spectral_radius_low))
    stretch = np.linalg.norm(ball.transform, 2)
    round_ = replace(true, attracting=replace(ball, inner_radius=2.0 * ball.radius / stretch))
    assert faults(network, quick)
    assert faults(network, round_)


@pytest.mark.slow
def test_no_certificate_of_ten_thousand_random_networks_is_false():
    wrong, seen = checked(1000, 10_000)
    assert wrong == []
    assert seen["proved"] > 0.7 * seen["points"]
