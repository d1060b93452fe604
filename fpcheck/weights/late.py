"""The weights of tensors that stay in their file: one by one where one fits, else in blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.memory import GIB, fits
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.load.naming import Name, read_names
from fpcheck.network.load.stored import Stored
from fpcheck.weights.measure import BYTES_PER_ENTRY, TensorWeights, WeightsResult, measure
from fpcheck.weights.units import ZERO_SHARE

Array = NDArray[np.float64]

BLOCK = 2**20  # entries; 8 MiB as float64, so that a block's temporaries stay below 64 MiB
LATE_NOTE = (
    "the tensors do not fit into memory together: each was read by itself, so that nothing is said "
    "about what they do together"
)
BLOCKS_NOTE = (
    "read in blocks, for even one did not fit: moments, norms and units without inputs, but no "
    "singular values, repeated units or initial law: {0}"
)
UNREAD_NOTE = "not measured, for they neither fit into memory nor can be read in blocks: {0}"


@dataclass(frozen=True, slots=True)
class _Found:
    """What became of the tensors: numbers, and the names of those in blocks and of the unread."""

    layers: list[TensorWeights]
    blocked: list[str]
    unread: list[str]


def measure_late(late: Mapping[str, Stored], settings: Settings, monitor: Monitor) -> WeightsResult:
    """The numbers of every floating-point tensor of a file that is too large to be held.

    late: by name, in the file's order. At any time one tensor is in memory, or one block of it.

    Raises:
        ModelFileError: the file is damaged, or has changed since it was opened.
    """
    floats = {name: tensor for name, tensor in late.items() if tensor.floating and tensor.entries}
    names = read_names(floats)
    biases = {said.layer: name for name, said in names.items() if said.role == "bias"}
    found = _Found([], [], [])
    notes: list[str] = [LATE_NOTE]
    for done, (name, tensor) in enumerate(floats.items()):
        monitor.check()
        monitor.report("weights", done, len(floats))
        bias = biases.get(names[name].layer, "") if names[name].role == "weight" else ""
        if fits(tensor.source_bytes + tensor.extra_bytes + BYTES_PER_ENTRY * tensor.entries):
            held = {name: tensor.read()} | ({bias: floats[bias].read()} if bias else {})
            result = measure(held, None, settings, Monitor())
            found.layers.extend(layer for layer in result.layers if layer.name == name)
            notes += [note for note in result.notes if note not in notes]
        elif tensor.part is not None:
            found.blocked.append(name)
            blocks = _blocks(tensor, tensor.part, monitor)
            found.layers.append(_in_blocks(tensor, names[name], blocks))
        else:
            found.unread.append(name)
    return WeightsResult(
        status="numerical",
        layers=tuple(found.layers),
        parameters=sum(floats[layer.name].entries for layer in found.layers),
        nonfinite=sum(layer.nonfinite for layer in found.layers),
        unused=None,
        notes=(*notes, *_notes(found, late)),
        in_blocks=tuple(found.blocked),
        unmeasured=tuple(found.unread),
    )


def _notes(found: _Found, late: Mapping[str, Stored]) -> tuple[str, ...]:
    notes = []
    for text, names in ((BLOCKS_NOTE, found.blocked), (UNREAD_NOTE, found.unread)):
        if names:
            notes.append(text.format(_listed(names)))
    others = [name for name, tensor in late.items() if not tensor.floating and tensor.shape]
    if others:
        notes.append(f"not measured, for they hold no floating-point numbers: {_listed(others)}")
    return tuple(notes)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{', '.join(names[:5])}{more}"


def _in_blocks(tensor: Stored, said: Name, blocks: Callable[[], Iterator[Array]]) -> TensorWeights:
    """A tensor's numbers from three passes over its entries."""
    matrix = len(tensor.shape) > 1
    size = BYTES_PER_ENTRY * tensor.entries / GIB
    first = _first_pass(blocks())
    common = TensorWeights(
        name=said.full,
        layer=said.layer,
        role=said.role if said.role in ("weight", "bias") else "tensor",
        shape=tensor.shape,
        mean=math.nan,
        std=math.nan,
        excess_kurtosis=None,
        zero_share=first.zeros / tensor.entries,
        nonfinite=first.nonfinite,
        singular_values_status=f"not computed: it takes {size:.1f} GiB",
        spectral_exponent_note=f"not computed: it takes {size:.1f} GiB"
        if matrix
        else "not a matrix",
    )
    if first.nonfinite:
        return common
    mean, variance, kurtosis = _moments(blocks(), first.largest)
    common = replace(
        common,
        mean=first.largest * mean,
        std=first.largest * math.sqrt(variance),
        excess_kurtosis=kurtosis,
    )
    if not matrix:
        return common
    turned = said.layout == "in_out"
    units = tensor.shape[-1] if turned else tensor.shape[0]
    frobenius = first.largest * math.sqrt(tensor.entries * (variance + mean * mean))
    peaks = _peaks(blocks(), units, tensor.entries, turned=turned)
    dead = int(np.count_nonzero(peaks <= ZERO_SHARE * peaks.max()))
    return replace(
        common,
        frobenius_norm=frobenius,
        sigma_w2=frobenius * frobenius / units,
        units=units,
        dead_units=dead,
        dead_without_inputs=dead,
    )


def _blocks(
    tensor: Stored,
    part: Callable[[int, int], NDArray[np.generic]],
    monitor: Monitor,
) -> Callable[[], Iterator[Array]]:
    """What starts a pass over the entries, in C order, as float64."""

    def start() -> Iterator[Array]:
        for place in range(0, tensor.entries, BLOCK):
            monitor.check()
            yield part(place, min(place + BLOCK, tensor.entries)).astype(np.float64)

    return start


@dataclass(frozen=True, slots=True)
class _First:
    """Of the first pass: non-finite entries, exact zeros, the largest absolute value."""

    nonfinite: int
    zeros: int
    largest: float


def _first_pass(blocks: Iterator[Array]) -> _First:
    nonfinite = zeros = 0
    largest = 0.0
    for block in blocks:
        low, high = float(block.min()), float(block.max())
        if math.isfinite(low) and math.isfinite(high):
            largest = max(largest, -low, high)
        else:
            nonfinite += int(block.size - np.count_nonzero(np.isfinite(block)))
        zeros += int(block.size - np.count_nonzero(block))
    return _First(nonfinite, zeros, largest)


def _moments(blocks: Iterator[Array], largest: float) -> tuple[float, float, float | None]:
    """(mean, variance, excess kurtosis) of the entries over `largest`.

    The blocks' central moments are joined by the exact update. [Pébay 2008, "Formulas for robust,
    one-pass parallel computation of covariances and arbitrary-order statistical moments", eq. 1.5]
    """
    count = 0
    mean = m2 = m3 = m4 = 0.0
    if largest == 0.0:
        return 0.0, 0.0, None
    for block in blocks:
        unit = block / largest
        n, own = unit.size, float(unit.mean())
        centred = unit - own
        squares = centred * centred
        o2, o3, o4 = float(squares.sum()), float(squares @ centred), float(squares @ squares)
        total, delta = count + n, own - mean
        step = delta / total
        m4 += o4 + delta * step**3 * count * n * (count * count - count * n + n * n)
        m4 += 6.0 * step * step * (count * count * o2 + n * n * m2)
        m4 += 4.0 * step * (count * o3 - n * m3)
        m3 += o3 + delta * step * step * count * n * (count - n)
        m3 += 3.0 * step * (count * o2 - n * m2)
        m2 += o2 + delta * step * count * n
        mean += step * n
        count = total
    variance = m2 / count
    # Entries that differ by rounding alone have no shape to speak of.
    if variance <= count * np.finfo(np.float64).eps ** 2:
        return mean, variance, None
    return mean, variance, m4 / count / variance**2 - 3.0


def _peaks(blocks: Iterator[Array], units: int, entries: int, *, turned: bool) -> Array:
    """The largest absolute weight of every unit; units are the rows, or the columns if `turned`."""
    peaks = np.zeros(units)
    width = units if turned else entries // units  # of a stored row
    place = 0
    for block in blocks:
        sizes = np.abs(block)
        for start, stop in _rows_of(place, place + sizes.size, width):
            rows = sizes[start - place : stop - place].reshape(-1, min(width, stop - start))
            at = start % width
            if turned:
                own = peaks[at : at + rows.shape[1]]
                np.maximum(own, rows.max(axis=0), out=own)
            else:
                own = peaks[start // width : start // width + len(rows)]
                np.maximum(own, rows.max(axis=1), out=own)
        place += sizes.size
    return peaks


def _rows_of(start: int, stop: int, width: int) -> Iterator[tuple[int, int]]:
    """start..stop in at most three pieces: the end of a row, whole rows, the start of a row."""
    first = min(stop, -(-start // width) * width)
    last = max(first, stop // width * width)
    pieces = ((start, first), (first, last), (last, stop))
    return (piece for piece in pieces if piece[0] < piece[1])
