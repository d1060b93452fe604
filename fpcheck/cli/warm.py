"""`fpcheck warm`: compile the kernels now, so that no later run has to."""

from __future__ import annotations

from threading import Event

from fpcheck.cli.terminal import show
from fpcheck.core.errors import UsageError


def warm() -> int:
    """Compile the kernels into the cache, once a machine and version.

    \b
      fpcheck warm
    """
    from fpcheck.cli.interrupt import interruptible
    from fpcheck.cli.progress import progress
    from fpcheck.kernels.cache import cache_folder
    from fpcheck.kernels.warm import warm_kernels

    if not cache_folder().name.startswith("kernels-"):  # a temporary one, which ends with us
        raise UsageError(
            "the kernel cache cannot be written, so nothing would be kept",
            hint="FPCHECK_CACHE_DIR names another folder",
        )
    stop = Event()
    with progress(stop) as (monitor, _), interruptible(stop):
        compiled = warm_kernels(monitor)
    done = f"compiled {compiled} kernels" if compiled else "every kernel was in the cache"
    show(f"{done}: {cache_folder()}\n")
    return 0
