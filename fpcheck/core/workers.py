"""The cores that there are, and the same work on many items, in the items' order."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from fpcheck.core.progress import Monitor

Item = TypeVar("Item")
Result = TypeVar("Result")
Other = TypeVar("Other")


def available_cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_count(threads: int, items: int) -> int:
    """How many threads `items` pieces of work get; 0 `threads` stand for one a core."""
    return max(1, min(threads or available_cores(), items))


def in_order(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    threads: int,
    monitor: Monitor,
    words: str = "",
) -> list[Result]:
    """`work` of every item, in the items' order whatever the number of threads.

    words: what the monitor is told after every item; "" for nothing.

    Raises:
        KeyboardInterrupt: the monitor was told to stop; work not yet begun is dropped.
    """

    def watched(item: Item) -> Result:
        monitor.check()
        return work(item)

    done: list[Result] = []

    def note(result: Result) -> None:
        done.append(result)
        if words:
            monitor.report(words, len(done), len(items))

    workers = worker_count(threads, len(items))
    if workers == 1:
        for item in items:
            note(watched(item))
        return done
    with ThreadPoolExecutor(workers) as pool:
        try:
            for result in pool.map(watched, items):
                note(result)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return done


def side_by_side(
    first: Callable[[], Result], second: Callable[[], Other], threads: int
) -> tuple[Result, Other]:
    """What both give: at the same time on two threads or more, else one after the other.

    The second one runs in a copy of the caller's context, numpy's error state included. Where both
    fail, the first one's error is raised, once both have ended.
    """
    if worker_count(threads, 2) == 1:
        return first(), second()
    context = copy_context()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(context.run, second)
        found = first()
        return found, coming.result()
