"""How all pairs of rows are cut into blocks, and who works on them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from fpcheck.core.progress import Monitor
from fpcheck.core.workers import worker_count

ROWS = 256  # a block of one value of 256 x 256 stays in a core's own cache
FEWEST_ROWS = 96  # of a block on the diagonal, half of whose work is done twice
ENTRIES = 2**22  # of one array of a block with many positions: 32 MiB


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of the left-hand side and rows of the right-hand side."""

    left: slice
    right: slice

    @property
    def size(self) -> int:
        """The number of pairs of rows."""
        return int((self.left.stop - self.left.start) * (self.right.stop - self.right.start))

    @property
    def diagonal(self) -> bool:
        """Whether the rows meet themselves."""
        return self.left == self.right


def rows_a_block(pairs: int) -> int:
    """How many rows a block has where the largest array has `pairs` entries for two rows."""
    return max(1, min(ROWS, math.isqrt(ENTRIES // max(1, pairs))))


def tiles(left: int, right: int | None, most: int) -> list[Block]:
    """Blocks of at most `most` rows that cover all pairs; right None: all with left <= right.

    The largest first; their order and size do not depend on the number of threads.
    """
    if right is not None:
        found = _rectangle(slice(0, left), slice(0, right), most)
    else:
        found = _triangle(slice(0, left), most)
    return sorted(found, key=lambda block: -block.size)


def _rectangle(left: slice, right: slice, most: int) -> list[Block]:
    return [Block(a, b) for a in _parts(left, most) for b in _parts(right, most)]


def _parts(rows: slice, most: int) -> list[slice]:
    count = rows.stop - rows.start
    number = math.ceil(count / most)
    edges = [rows.start + count * i // number for i in range(number + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def _triangle(rows: slice, most: int) -> list[Block]:
    count = rows.stop - rows.start
    if count <= min(most, FEWEST_ROWS):
        return [Block(rows, rows)]
    middle = rows.start + count // 2
    upper, lower = slice(rows.start, middle), slice(middle, rows.stop)
    return [
        *_triangle(upper, most),
        *_triangle(lower, most),
        *_rectangle(upper, lower, most),
    ]


def in_threads(
    work: Callable[[Block], None], blocks: Sequence[Block], threads: int, monitor: Monitor
) -> None:
    """Do `work` for every block; 0 threads: one a core."""
    total = sum(block.size for block in blocks)
    done = 0
    with ThreadPoolExecutor(worker_count(threads, len(blocks))) as pool:

        def checked(block: Block) -> int:
            monitor.check()
            # Whoever made the work looks for numbers that left the range; a thread has its own
            # settings of what is told meanwhile.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                work(block)
            return block.size

        try:
            for size in pool.map(checked, blocks):
                done += size
                monitor.report("dual kernel", done, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
