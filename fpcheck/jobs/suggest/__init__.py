"""`fpcheck suggest`: the initialisation to use, tried out on the spot, and as code."""

from fpcheck.jobs.suggest.run import suggest
from fpcheck.jobs.suggest.sparse import suggest_sparse

__all__ = ["suggest", "suggest_sparse"]
