"""The same work on many items, on as many threads as asked for, in the items' order."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fpcheck.core.progress import Monitor

Item = TypeVar("Item")
Result = TypeVar("Result")


def worker_count(threads: int, items: int) -> int:
    """How many threads `items` pieces of work get; 0 `threads` stand for one a core."""
    if threads > 0:
        return max(1, min(threads, items))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, items))


def in_order(
    work: Callable[[Item], Result], items: Sequence[Item], threads: int, monitor: Monitor
) -> list[Result]:
    """`work` of every item, in the items' order whatever the number of threads.

    Raises:
        KeyboardInterrupt: the monitor was told to stop; work not yet begun is dropped.
    """

    def watched(item: Item) -> Result:
        monitor.check()
        return work(item)

    workers = worker_count(threads, len(items))
    if workers == 1:
        return [watched(item) for item in items]
    with ThreadPoolExecutor(workers) as pool:
        try:
            return list(pool.map(watched, items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
