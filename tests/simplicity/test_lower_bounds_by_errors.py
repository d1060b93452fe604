"""What is known of one number of allowed errors bounds the bits of every smaller one."""

from __future__ import annotations

from fpcheck.simplicity.noise import _falling
from fpcheck.simplicity.result import ErrorsPoint


def test_lower_bounds_are_raised_to_those_of_more_errors_and_estimates_are_left_alone():
    points = [
        ErrorsPoint(0, None, None, None, "exact"),
        ErrorsPoint(1, 3.0, 0.0, None, "lower bound"),
        ErrorsPoint(4, 108.2, 91.2, 125.2, "sampled"),
        ErrorsPoint(2, 140.0, 100.0, None, "lower bound"),
        ErrorsPoint(8, 73.6, 59.6, 87.6, "sampled"),
    ]
    found = _falling(points)
    assert [point.errors for point in found] == [0, 1, 2, 4, 8]
    assert [point.bits_low for point in found] == [None, 100.0, 100.0, 91.2, 59.6]
    assert [point.bits for point in found] == [None, 100.0, 140.0, 108.2, 73.6]
