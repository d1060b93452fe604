"""The entry point: environment, the quick answers, and one place that turns errors into exits."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from fpcheck import __version__

INTERRUPTED = 130
BUG = 4
LIBRARIES = 512 * 2**20  # bytes of address space that NumPy, SciPy and numba take

# One and two threads of BLAS differ in the last bits of a product, so it gets one; the variables
# count only if they are set before NumPy loads.
BLAS_THREADS = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OMP_NUM_THREADS",
)


def main() -> None:
    """Run the command line of this process and exit."""
    code = run(sys.argv[1:])
    if code == INTERRUPTED:
        _leave(code)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit code. Errors are printed, never raised."""
    _open_closed_streams()
    for name in BLAS_THREADS:
        os.environ.setdefault(name, "1")
    if list(arguments) in (["--version"], ["-V"]):  # typer alone would take half of the budget
        sys.stdout.write(f"fpcheck {__version__}\n")
        return 0
    try:
        return _dispatch(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


def _leave(code: int) -> NoReturn:
    """End the process at once: taking the interpreter down costs what Ctrl-C was to save, and
    where it came inside text that Python executes, it ends by the signal, not with the code.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the reader is gone, or the stream is closed
            stream.flush()
    atexit._run_exitfuncs()  # a temporary cache of kernels is removed
    os._exit(code)


def _open_closed_streams() -> None:
    """Give a process that was started without stdout or stderr one that goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # It stays open as long as the process does.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _dispatch(arguments: Sequence[str]) -> int:
    from fpcheck.cli.terminal import say, say_error
    from fpcheck.core.errors import FpcheckError

    try:
        from fpcheck.cli.app import invoke

        return invoke(arguments)
    except FpcheckError as error:
        say_error(error)
        if _verbose(arguments):
            _print_traceback()
        return error.exit_code
    except MemoryError:
        say("error: out of memory")
        say(" hint: fewer --starts or --samples, fewer rows of data, or a machine with more memory")
        return 2
    except Exception as error:
        if isinstance(error, OSError | ImportError) and _short_of_memory():
            say("error: there is too little memory to load the numerical libraries")
            say(" hint: raise the limit on the address space (ulimit -v)")
            return 2
        if _verbose(arguments):
            _print_traceback()
        said = " ".join(str(error).split())
        say(
            f"error: this is a bug in fpcheck {__version__}: {type(error).__name__}: {said}; "
            "please report it with the output of the same command with -v"
        )
        return BUG


def _short_of_memory() -> bool:
    from fpcheck.core.memory import available_memory

    room = available_memory()
    return room is not None and room < LIBRARIES


def _verbose(arguments: Sequence[str]) -> bool:
    return any(argument in ("-v", "--verbose") for argument in arguments)


def _print_traceback() -> None:
    import traceback

    traceback.print_exc(file=sys.stderr)
