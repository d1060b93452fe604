"""Where compiled kernels are kept; imports no numba, so that a command can ask in a moment.

Numba keys its cache by the absolute folder of the source and re-checks only the file of the
function itself: a moved install starts cold, and an edited callee in another file goes unseen.
Here the folder's name is a hash of all kernel sources, the numba version and the processor
instead, so entries are right by construction and a restored copy is found again.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import platform
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path

SOURCES = Path(__file__).resolve().parent


def cache_is_cold() -> bool:
    """Whether no kernel has been kept yet, so that the first run compiles for some seconds."""
    try:
        return not any(entry.suffix == ".nbi" for entry in cache_folder().iterdir())
    except OSError:
        return True


@functools.cache
def cache_folder() -> Path:
    """The folder of this version's compiled kernels; it exists on return.

    FPCHECK_CACHE_DIR, then NUMBA_CACHE_DIR, then the user's cache folder is taken. One that cannot
    be written serves if it is filled (a cache restored read-only); failing that, a temporary
    folder of this process alone, since a shared one could hold somebody else's code.
    """
    folder = _base() / f"kernels-{cache_key()}"
    if _writable(folder) or _filled(folder):
        return folder
    temporary = Path(tempfile.mkdtemp(prefix="fpcheck-kernels-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return temporary


@functools.cache
def cache_key() -> str:
    """20 hexadecimal digits that change with any kernel's source, numba, Python and processor."""
    digest = hashlib.sha256()
    for source in sorted(SOURCES.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    for part in (_numba_version(), sys.implementation.cache_tag or "", _processor()):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:20]


def _base() -> Path:
    for variable in ("FPCHECK_CACHE_DIR", "NUMBA_CACHE_DIR"):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser().absolute()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("fpcheck", appauthor=False))


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _filled(folder: Path) -> bool:
    try:
        return any(folder.glob("*.nbi"))
    except OSError:
        return False


def _numba_version() -> str:
    try:
        return metadata.version("numba")
    except metadata.PackageNotFoundError:
        return "none"


def _processor() -> str:
    """The processor's model and features: code made for one may not run on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return f"{platform.machine()} {platform.processor()}"
    told = ("model name", "flags", "Features", "CPU part")
    first_core = {key.strip(): value for key, _, value in (line.partition(":") for line in lines)}
    return platform.machine() + "".join(first_core.get(key, "") for key in told)
