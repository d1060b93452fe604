"""What the weights alone tell: moments, norms, singular values, dead and duplicate units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.memory import require_memory
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.network import Network, needed_parameters
from fpcheck.weights.criticality import Criticality, criticality
from fpcheck.weights.law_result import MatrixLaw, alternatives
from fpcheck.weights.matrix_laws import bias_of, law_of
from fpcheck.weights.spectra import spectrum
from fpcheck.weights.tails import tails
from fpcheck.weights.tensors import Place, matrix_of, measurable, places
from fpcheck.weights.units import repeats, without_inputs, without_outputs

Array = NDArray[np.float64]

Numbers: TypeAlias = dict[str, Any]  # fields of TensorWeights by name

# The float64 copy, a scaled one, and what a decomposition works on.
BYTES_PER_ENTRY = 32
LARGE = 10**6  # entries; below, asking how much memory there is takes longer than it is worth

CONVOLUTION_NOTE = (
    "convolutions: norms and singular values are of the unfolded kernel (channels, channels in x "
    "kernel), not of the operator on images or sequences"
)
AS_STORED_NOTE = (
    "without a known network each tensor is taken as its name says, else as stored: the first axis "
    "counts the units, the others what each takes in"
)


@dataclass(frozen=True)
class TensorWeights:
    """One tensor's numbers; what does not apply to it is None.

    Args:
        name: the tensor's, as the file has it.
        layer: the layer's, "" where it is not known.
        role: weight, bias, norm, or tensor where it is not known.
        shape: as stored.
        mean, std: of the entries, the standard deviation about the mean.
        excess_kurtosis: fourth central moment over the squared variance, less 3.
        zero_share: the share of exact zeros.
        sigma_w2: fan_in times the mean square of a matrix's entries.
        nonfinite: the number of NaN and infinite entries; with any, nothing else is computed.
        singular_values: the leading ones, descending, of the (units, fan_in) matrix.
        units, dead_units, duplicate_units: how many rows the matrix has; how many of them have
            only zeros coming in or going out; how many repeat another row, bias included.
        law: the law, scale and initialiser that a matrix's entries are consistent with.
        law_alternatives: the named initialisers that are not excluded, where none is certain.
        tail_index: of the entries' sizes, with its 95 % interval, from the `tail_entries` largest.
        spectral_exponent: of a power law fitted to the eigenvalues of W^T W; its percentile among
            noise of the same shape; `spectral_exponent_note` says why either is missing.
    """

    name: str
    layer: str
    role: str
    shape: tuple[int, ...]
    mean: float
    std: float
    excess_kurtosis: float | None
    zero_share: float
    nonfinite: int
    sigma_w2: float | None = None
    spectral_norm: float | None = None
    frobenius_norm: float | None = None
    stable_rank: float | None = None
    singular_values: tuple[float, ...] | None = None
    singular_values_status: str = "not a matrix"
    units: int | None = None
    dead_units: int | None = None
    dead_without_inputs: int | None = None
    dead_without_outputs: int | None = None
    duplicate_units: int | None = None
    law: MatrixLaw | None = None
    law_alternatives: tuple[str, ...] = ()
    tail_index: float | None = None
    tail_index_low: float | None = None
    tail_index_high: float | None = None
    tail_entries: int | None = None
    spectral_exponent: float | None = None
    spectral_exponent_null_percentile: float | None = None
    spectral_exponent_note: str = "not a matrix"


@dataclass(frozen=True)
class WeightsResult:
    """The section "weights" of the report.

    Args:
        status: every number here is computed from the weights as they are.
        layers: one entry a floating-point tensor: the network's in its order, then the others.
        parameters: the number of entries of all of them.
        nonfinite: how many of those are NaN or infinite.
        unused: floating-point tensors that no layer of the network uses; None where there is no
            network to say.
        notes: what was assumed.
        criticality: chi_1 of every initialiser that hidden layers look like, with their activation.
        in_blocks: tensors that were never whole in memory, and have no singular values.
        unmeasured: tensors that could not be read, in memory or in blocks.
    """

    status: str
    layers: tuple[TensorWeights, ...]
    parameters: int
    nonfinite: int
    unused: tuple[str, ...] | None
    notes: tuple[str, ...] = field(default=())
    criticality: tuple[Criticality, ...] = ()
    in_blocks: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()


def measure(
    subject_tensors: Mapping[str, NDArray[np.generic]],
    network: Network | None,
    settings: Settings,
    monitor: Monitor,
) -> WeightsResult:
    """The numbers of every floating-point tensor.

    subject_tensors: as stored, by the names that the network's parameters have too. Nothing is
    drawn, so `settings` changes no number.

    Raises:
        MemoryLimitError: a tensor too large to convert.
    """
    found = places(subject_tensors, network)
    results = []
    for done, place in enumerate(found):
        monitor.check()
        monitor.report("weights", done, len(found))
        results.append(_tensor(place, subject_tensors, network))
    known = {result.name: result.law for result in results if result.law is not None}
    return WeightsResult(
        status="numerical",
        layers=tuple(results),
        parameters=sum(subject_tensors[place.name].size for place in found),
        nonfinite=sum(result.nonfinite for result in results),
        unused=_unused(found, network),
        notes=_notes(found, subject_tensors, network),
        criticality=() if network is None else criticality(network, known),
    )


def _tensor(
    place: Place, tensors: Mapping[str, NDArray[np.generic]], network: Network | None
) -> TensorWeights:
    tensor = tensors[place.name]
    if tensor.size > LARGE:
        require_memory(BYTES_PER_ENTRY * tensor.size, f"measuring tensor '{place.name}'")
    entries = np.asarray(tensor, dtype=np.float64).ravel()
    nonfinite = int(entries.size - np.count_nonzero(np.isfinite(entries)))
    common = TensorWeights(
        name=place.name,
        layer=place.layer,
        role=place.role,
        shape=tensor.shape,
        mean=math.nan,
        std=math.nan,
        excess_kurtosis=None,
        zero_share=float(np.mean(entries == 0.0)),
        nonfinite=nonfinite,
    )
    matrix = matrix_of(place, tensor)
    if nonfinite:
        known = {} if matrix is None else _refused(matrix)
        return replace(common, **known)
    known = _moments(entries)
    if matrix is not None:
        known |= _of_matrix(matrix, place, tensors, network)
    return replace(common, **known)


def _moments(entries: Array) -> Numbers:
    """mean, std and excess_kurtosis, scaled to entries of at most 1 so that no power overflows."""
    largest = float(np.abs(entries).max())
    if largest == 0.0:
        return {"mean": 0.0, "std": 0.0}
    unit = entries / largest
    mean = float(unit.mean())
    squares = (unit - mean) ** 2
    variance = float(squares.mean())
    moments: Numbers = {"mean": largest * mean, "std": largest * math.sqrt(variance)}
    # Entries that differ by rounding alone have no shape to speak of.
    if variance > entries.size * np.finfo(np.float64).eps ** 2:
        moments["excess_kurtosis"] = float(np.mean(squares**2)) / variance**2 - 3.0
    return moments


def _refused(matrix: Array) -> Numbers:
    """A matrix with NaN or infinite entries: its units, and why there is nothing else."""
    return {
        "sigma_w2": math.nan,
        "spectral_norm": math.nan,
        "frobenius_norm": math.nan,
        "stable_rank": math.nan,
        "singular_values_status": "non-finite weights",
        "spectral_exponent_note": "non-finite weights",
        "units": len(matrix),
    }


def _of_matrix(
    matrix: Array,
    place: Place,
    tensors: Mapping[str, NDArray[np.generic]],
    network: Network | None,
) -> Numbers:
    found = spectrum(matrix)
    bias = bias_of(place, tensors, len(matrix))
    law = law_of(place, tensors[place.name], matrix, tensors, found.spectral_norm)
    closed = without_inputs(matrix)
    unread = None
    if network is not None and place.node is not None:
        unread = without_outputs(network, place.node)
    dead = closed if unread is None else closed | unread
    return {
        "sigma_w2": found.frobenius_norm * found.frobenius_norm / len(matrix),
        "spectral_norm": found.spectral_norm,
        "frobenius_norm": found.frobenius_norm,
        "stable_rank": found.stable_rank,
        "singular_values": found.singular_values,
        "singular_values_status": f"numerical, {found.method}",
        "units": len(matrix),
        "dead_units": int(dead.sum()),
        "dead_without_inputs": int(closed.sum()),
        "dead_without_outputs": None if unread is None else int(unread.sum()),
        "duplicate_units": repeats(matrix, bias, place.groups),
        "law": law,
        "law_alternatives": alternatives(law),
        **tails(matrix, found),
    }


def _unused(found: list[Place], network: Network | None) -> tuple[str, ...] | None:
    if network is None:
        return None
    needed = {name for _, name, _ in needed_parameters(network.skeleton)}
    return tuple(place.name for place in found if place.name not in needed)


def _notes(
    found: list[Place], tensors: Mapping[str, NDArray[np.generic]], network: Network | None
) -> tuple[str, ...]:
    notes = []
    matrices = [place for place in found if place.node or tensors[place.name].ndim > 1]
    if network is None and matrices:
        notes.append(AS_STORED_NOTE)
    if any(tensors[place.name].ndim > 2 for place in matrices):
        notes.append(CONVOLUTION_NOTE)
    # A counter such as num_batches_tracked is no weight; a whole tensor of integers may be one.
    left = [name for name, tensor in tensors.items() if not measurable(tensor) and tensor.ndim > 0]
    if left:
        more = f" and {len(left) - 5} more" if len(left) > 5 else ""
        notes.append(
            f"not measured, for they hold no floating-point numbers: {', '.join(left[:5])}{more}"
        )
    return tuple(notes)
