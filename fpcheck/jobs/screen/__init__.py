"""Several skeletons on one data set, none of them trained: which one to take."""

from fpcheck.jobs.screen.run import screen

__all__ = ["screen"]
