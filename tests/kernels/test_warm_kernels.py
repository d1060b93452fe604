"""Filling the cache ahead of time."""

from __future__ import annotations

import pytest

from fpcheck.core.progress import Monitor
from fpcheck.kernels import compile as kernel_compiler
from fpcheck.kernels.warm import warm_kernels


@pytest.mark.slow
def test_warming_leaves_nothing_to_compile():
    warm_kernels(Monitor())
    before = kernel_compiler.compiled
    assert warm_kernels(Monitor()) == 0
    assert kernel_compiler.compiled == before


def test_warming_stops_when_asked_to():
    monitor = Monitor()
    monitor.stop.set()
    with pytest.raises(KeyboardInterrupt):
        warm_kernels(monitor)
