"""Progress and interruption, as plain callbacks: the numerical half knows no terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event


def _silent(text: str, done: int, total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """What long work talks to: it reports progress and looks whether it should stop.

    Args:
        report: called as report(text, done, total) from any thread, at most a few times a second.
        stop: set by whoever wants the work to end; long loops call `check` between chunks.
    """

    report: Callable[[str, int, int], None] = _silent
    stop: Event = field(default_factory=Event)

    def check(self) -> None:
        """Raise KeyboardInterrupt if the work should stop."""
        if self.stop.is_set():
            raise KeyboardInterrupt
