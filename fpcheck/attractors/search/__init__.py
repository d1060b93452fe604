"""The search for all fixed points, stable or not."""

from __future__ import annotations

from fpcheck.attractors.search.find import find_all
from fpcheck.attractors.search.result import Discovery, SearchResult, Seeds, SlowPoint

__all__ = ["Discovery", "SearchResult", "Seeds", "SlowPoint", "find_all"]
