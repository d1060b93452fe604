"""The memory that this process may still take, so that work is refused before it starts."""

from __future__ import annotations

from pathlib import Path

from fpcheck.core.errors import MemoryLimitError

# What is left to the rest of the machine, and to what an estimate forgets.
USABLE_SHARE = 0.9
GIB = 2**30
_CGROUP = Path("/sys/fs/cgroup")


def available_memory() -> int | None:
    """Bytes that this process may still take; None where the system does not say.

    The least of: the machine's available memory, what the control group leaves, and the limit on
    the address space.
    """
    known = [room for room in (_machine(), _control_group(), _address_space()) if room is not None]
    return min(known, default=None)


def fits(needed: float) -> bool:
    """Whether work that needs so many bytes is let in by `require_memory`."""
    room = available_memory()
    return room is None or needed <= USABLE_SHARE * room


def require_memory(needed: float, what: str) -> None:
    """Refuse work that needs more bytes than there are.

    Raises:
        MemoryLimitError: with both figures.
    """
    room = available_memory()
    if room is not None and needed > USABLE_SHARE * room:
        raise MemoryLimitError(
            f"{what} needs about {needed / GIB:.1f} GiB, {room / GIB:.1f} GiB are available",
            hint="fewer rows or starts, a smaller network, or a machine with more memory",
        )


def _machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return _physical()
    sizes = dict(line.split(":", 1) for line in lines if ":" in line)
    free = sizes.get("MemAvailable")
    return int(free.split()[0]) * 1024 if free else None


def _physical() -> int | None:
    """Half of the physical memory: elsewhere than on Linux there is no plain figure."""
    import os

    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return None


def _control_group() -> int | None:
    try:
        limit = (_CGROUP / "memory.max").read_text("ascii").strip()
        used = (_CGROUP / "memory.current").read_text("ascii").strip()
        return None if limit == "max" else max(0, int(limit) - int(used))
    except (OSError, ValueError):
        return None


def _address_space() -> int | None:
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit == resource.RLIM_INFINITY:
            return None
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        return max(0, limit - pages * resource.getpagesize())
    except (ImportError, OSError, ValueError):
        return None
