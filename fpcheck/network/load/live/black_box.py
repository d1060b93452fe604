"""A callable f(x) -> y on batches as a network of one node, tried before it is trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import FpcheckError, ModelFileError
from fpcheck.network.network import Network
from fpcheck.network.skeleton import BlackBox, Input, Shape, Skeleton

Array: TypeAlias = NDArray[np.float64]
Function: TypeAlias = Callable[[Array], object]

# The rows on which a function is tried.
TRIAL_ROWS = 4
# A row alone and the same row in a batch differ by rounding, in units of the type's precision.
BATCH_ROUNDINGS = 2.0**12
# The best step of a central difference, eps^(1/3).
STEP = float(np.finfo(np.float64).eps) ** (1.0 / 3.0)

CALLED = "a black box: the function is called, nothing is known of its inside"
DIFFERENCES = f"Jacobians by finite differences, central, step {STEP:.1e} max(1, |x|)"
ROUGH = (
    "the function computes in single precision or coarser: no Jacobians, fixed points are where "
    "the iteration rests"
)
OWN_RANDOMNESS = "randomness inside of the function is its owner's matter; two calls were compared"


@dataclass(frozen=True, slots=True)
class Opened:
    """A black box as a network, and what a report has to say of it."""

    network: Network
    notes: tuple[str, ...]


def open_black_box(name: str, function: Function, input_shape: Shape) -> Opened:
    """The network of one node that calls `function`.

    Raises:
        ModelFileError: the function raises, returns no numbers, NaN, another number of rows, or
            something else when it is called again.
    """
    box = _Caller(name, function)
    x = np.random.default_rng(0).standard_normal((TRIAL_ROWS, *input_shape))
    first = box.values(x)
    shape = first.shape[1:]
    precision = _precision(first)
    value = first.astype(np.float64)
    if not np.isfinite(value).all():
        raise box.fault("returns NaN or Inf for standard normal rows", "see --input-shape")
    if not np.array_equal(value, box.values(x).astype(np.float64)):
        raise box.fault(
            "returns something else when it is called again with the same rows",
            "switch off what is random in it, such as dropout",
        )
    alone = box.values(x[:1]).astype(np.float64)
    scale = BATCH_ROUNDINGS * precision * max(1.0, float(np.abs(value).max()))
    if alone.shape != (1, *shape) or not np.abs(alone - value[:1]).max(initial=0.0) <= scale:
        raise box.fault(
            "gives a row alone another value than the same row in a batch",
            "it has to treat rows one by one, as networks in inference mode do",
        )
    box.shape = shape
    smooth = precision <= np.finfo(np.float64).eps
    node = BlackBox(name, ("input",), shape, box, STEP if smooth else None)
    skeleton = Skeleton((Input("input", input_shape), node))
    notes = (CALLED, DIFFERENCES if smooth else ROUGH, OWN_RANDOMNESS)
    return Opened(Network(skeleton, {}), notes)


def _precision(values: NDArray[np.generic]) -> float:
    """The relative precision of the type of `values`; whole numbers are taken for exact."""
    if values.dtype.kind != "f":
        return float(np.finfo(np.float64).eps)
    return float(np.spacing(np.ones((), values.dtype)))


class _Caller:
    """The user's function behind a lock, what it returns checked at every call."""

    def __init__(self, name: str, function: Function) -> None:
        self.name = name
        self.function = function
        self.shape: Shape | None = None
        # Blocks of starts run in several threads, which the user's function knows nothing of.
        self.lock = Lock()

    def __call__(self, x: Array) -> Array:
        """f(x) as float64, (n, *shape). Entries may be infinite or NaN, where starts diverge."""
        values = self.values(x)
        if values.shape[1:] != self.shape:
            raise self.fault(
                f"returns rows of {list(values.shape[1:])}, before {list(self.shape or ())}",
                "the shape of a row must not depend on the rows",
            )
        return np.ascontiguousarray(values, dtype=np.float64)

    def values(self, x: Array) -> NDArray[np.generic]:
        """f(x) as it is, an array with as many rows as x."""
        try:
            with self.lock:
                values = np.asarray(self.function(x.copy()))
        except FpcheckError:
            raise
        except (Exception, SystemExit) as error:
            raise self.fault(
                f"raises {described(error)} for {len(x)} rows of shape {list(x.shape[1:])}",
                "is --input-shape right? it is the shape of one row, without the batch",
            ) from error
        if values.dtype.kind not in "fiub":
            raise self.fault(f"returns {values.dtype} and not real numbers", "return an array")
        if values.ndim < 2 or len(values) != len(x):
            raise self.fault(
                f"returns shape {list(values.shape)} for {len(x)} rows",
                "it takes a batch (n, ...) and returns a batch (n, ...)",
            )
        return values

    def fault(self, message: str, hint: str) -> ModelFileError:
        """An error about this function."""
        return ModelFileError(f"{self.name}: {message}", where=self.name, hint=hint)


def described(error: BaseException) -> str:
    """The type and the first line of an error, `ValueError: wrong size`."""
    lines = str(error).strip().splitlines()
    said = f": {lines[0][:200]}" if lines else ""
    return f"{type(error).__name__}{said}"
