"""The run behind a checkpoint: all that is measured of each one, followed from one to the next."""

from fpcheck.jobs.trace.run import trace

__all__ = ["trace"]
