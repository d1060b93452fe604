"""A diagnostic for neural networks: signal, attractors, readout, with evidence.

    import fpcheck
    report = fpcheck.analyze("model.pt", activation="tanh")
    report.verdict

What stands in `__all__` is the public interface; it loads when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpcheck.jobs.analyze import analyze
    from fpcheck.jobs.trace import trace
    from fpcheck.network.load import load
    from fpcheck.network.network import Network
    from fpcheck.network.skeleton import Skeleton
    from fpcheck.report.report import Report

__version__ = "0.1.0"

__all__ = ["Network", "Report", "Skeleton", "__version__", "analyze", "load", "trace"]

_HOMES = {
    "Network": "fpcheck.network.network",
    "Report": "fpcheck.report.report",
    "Skeleton": "fpcheck.network.skeleton",
    "analyze": "fpcheck.jobs.analyze",
    "load": "fpcheck.network.load",
    "trace": "fpcheck.jobs.trace",
}


def __getattr__(name: str) -> object:
    """The public name `name`, imported now."""
    if name not in _HOMES:
        raise AttributeError(f"module 'fpcheck' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
