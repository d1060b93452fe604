"""The one way in which kernels are compiled: `@kernel`, with the cache of `kernels.cache`."""

from __future__ import annotations

from numba import njit, version_info
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.runtime import rtsys

from fpcheck.kernels.cache import cache_folder

# Where a kept kernel is known to need nothing but the runtime to be loaded; any other version of
# numba is left to load it in its own way.
LOADS_ALONE = version_info.short == (0, 68)

compiled = 0  # how many specialisations this process has compiled rather than loaded


class _KernelFolder(_CacheLocator):
    """Says where the kernels are kept, whatever folder the sources are in."""

    def __init__(self, py_func, py_file):
        self._py_file = py_file
        self._path = str(cache_folder())
        # Two kernels of one name in two files must not share an entry.
        self._module = py_func.__module__.rpartition(".")[2]

    @classmethod
    def from_function(cls, py_func, py_file):
        """The locator of `py_func`; there always is one."""
        return cls(py_func, py_file)

    def get_cache_path(self):
        """The folder, whose name stands for all sources."""
        return self._path

    def get_source_stamp(self):
        """Nothing: the folder's name holds the hash of all sources."""
        return ""

    def get_disambiguator(self):
        """What tells this kernel from another of its name."""
        return self._module


class _KernelEntries(CompileResultCacheImpl):
    _locator_classes = (_KernelFolder,)


class _KernelCache(FunctionCache):
    """Numba's cache of one function, where a damaged or unwritable entry is merely a cold one."""

    _impl_class = _KernelEntries

    def load_overload(self, sig, target_context):
        try:
            found = self._load(sig, target_context)
            # Two processes that fill one index at the same time can give two specialisations one
            # file; numba would run the one's code on the other's arguments.
            return found if tuple(found.signature.args) == tuple(sig) else None
        except Exception:  # none is kept, or whatever unpickling a damaged file may raise
            return None

    def _load(self, sig, target_context):
        if not LOADS_ALONE:
            return super().load_overload(sig, target_context)
        # Numba's own refreshes the context first, which imports all that it can compile, SciPy
        # among it: a quarter of a second for code that is compiled already. What such code calls
        # is the runtime; a compilation refreshes for itself.
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def save_overload(self, sig, data):
        global compiled  # noqa: PLW0603 - one counter for the process, read by `warm`
        compiled += 1
        try:
            self._save(sig, data)
        except OSError:
            self.disable()  # full or read-only: go on without

    def _save(self, sig, data):
        try:
            super().save_overload(sig, data)
        except OSError:
            raise
        except Exception:  # an index too damaged to be added to
            self.flush()
            super().save_overload(sig, data)


def kernel(function):
    """`function` compiled by numba for any thread, IEEE rules kept, and kept in the cache.

    No fast-math flag: together they fold `x - x`, and with it every test for NaN. Where the sums
    are fused is said by `arithmetic.multiply_add` and left to nobody's choice.
    """
    dispatcher = njit(nogil=True, error_model="numpy")(function)
    return _kept(dispatcher, function)


def scalar(function):
    """`function` compiled into every kernel that calls it: a call would keep its loop scalar."""
    return njit(nogil=True, error_model="numpy", forceinline=True)(function)


def _kept(dispatcher, function):
    if not config.DISABLE_JIT:
        # What njit(cache=True) does, with our cache in numba's place.
        dispatcher._cache = _KernelCache(function)
    return dispatcher
