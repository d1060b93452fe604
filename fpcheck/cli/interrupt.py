"""Ctrl-C during numerical work: the work is told to stop, and the program ends within a second."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from fpcheck.cli.progress import ERASE
from fpcheck.cli.terminal import is_terminal

INTERRUPTED = 130
GRACE = 0.7  # seconds; a chunk of work takes at most 0.05, a factorisation may take many


@contextmanager
def interruptible(stop: Event) -> Iterator[None]:
    """A block in which Ctrl-C sets `stop` and raises KeyboardInterrupt in the main thread.

    Worker threads see `stop` between two chunks of work. Python runs a signal handler only
    between two of its own instructions, so a long call into a numerical library would hold the
    interrupt back: a watcher thread, woken by the signal itself, sets `stop` at once and ends the
    process if the main thread has not left the block after GRACE seconds, or at a second Ctrl-C.
    Outputs are renamed into place when they are whole, so that ending so leaves no half of one.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # as a shell has it in background
    if ignored or threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may install handlers
        return
    wake, watched = socket.socketpair()
    wake.setblocking(False)
    left = Event()
    watcher = threading.Thread(target=_watch, args=(watched, stop, left), daemon=True)
    watcher.start()
    old_handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    old_wake = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        left.set()
        signal.set_wakeup_fd(old_wake)
        signal.signal(signal.SIGINT, old_handler)
        wake.close()  # ends the watcher
        watcher.join()
        watched.close()


def _watch(watched: socket.socket, stop: Event, left: Event) -> None:
    """Wait for the signal's byte; then set `stop` and, after GRACE or a second byte, exit."""
    if not _interrupt_arrives(watched):
        return
    stop.set()
    watched.settimeout(GRACE)
    try:
        again = _interrupt_arrives(watched)
    except TimeoutError:
        again = True
    if again and not left.is_set():
        if is_terminal(sys.stderr):
            sys.stderr.write(ERASE)
            sys.stderr.flush()
        os._exit(INTERRUPTED)


def _interrupt_arrives(watched: socket.socket) -> bool:
    """Whether SIGINT comes before the other end is closed; other signals pass by."""
    while True:
        received = watched.recv(64)
        if not received:
            return False
        if signal.SIGINT in received:
            return True
