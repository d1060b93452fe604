"""Scans over width and depth: which networks, what they cost, what a choice among them costs."""

import numpy as np
from planted import chain, planted, prior_of

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.network import Network, needed_parameters
from fpcheck.simplicity.estimate import Asked, Effort
from fpcheck.simplicity.result import Skipped
from fpcheck.simplicity.scans import scan, scanned

EFFORT = Effort(2, 32, 4.0, 2.0**36, 40, 2.0**32)


def scan_of(skeleton, data, *wanted, law="uniform"):
    empty = {name: np.zeros(shape) for _, name, shape in needed_parameters(skeleton)}
    settings = Settings(threads=1, label_scan=wanted, label_law=law)
    asked = Asked(prior_of(skeleton, data, law=law), settings, Monitor())
    network = Network(skeleton, empty)
    return scan(asked, data, network, None, np.random.default_rng(0), EFFORT)


def test_width_and_depth_are_scanned_and_a_choice_among_all_is_counted():
    data = planted(rows=10, inputs=4, width=1)
    found, slope = scan_of(chain(4, 6, 1), data, "width", "depth")
    assert [point.factor for point in found.width] == [0.5, 1.0, 2.0, 4.0]
    assert [point.hidden for point in found.width] == [(3,), (6,), (12,), (24,)]
    assert [point.parameters for point in found.width] == [19, 37, 73, 145]
    assert [point.hidden for point in found.depth] == [(6,), (6, 6), (6, 6, 6), (6, 6, 6, 6)]
    assert all(point.bits_low <= point.bits <= point.bits_high for point in found.width)
    assert scanned(found) == 7  # six units in one layer are in both
    assert slope.low <= slope.bits <= slope.high
    # Extra width hardly costs bits: the teacher's few units are what has to be hit.
    assert abs(slope.bits) < 1.0


def test_what_was_not_asked_or_cannot_be_is_said():
    data = planted(rows=8, inputs=4, width=1)
    found, slope = scan_of(chain(4, 6, 1), data)
    assert isinstance(found, Skipped)
    assert "--label-scan" in found.skipped
    assert slope is None
    assert scanned(found) == 1
    shallow, slope = scan_of(chain(4, 1), data, "depth")
    assert not shallow.depth
    assert slope is None
    assert "no hidden layer" in shallow.reasons[0]
