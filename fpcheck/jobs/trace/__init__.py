"""The run behind a checkpoint: all that is measured of each one, followed from one to the next.

`trace` loads when it is first used: judging a saved trace needs no numerical code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpcheck.jobs.trace.run import trace

__all__ = ["trace"]


def __getattr__(name: str) -> object:
    """The job, imported now."""
    if name != "trace":
        raise AttributeError(f"module 'fpcheck.jobs.trace' has no attribute '{name}'")
    from fpcheck.jobs.trace.run import trace

    return trace
