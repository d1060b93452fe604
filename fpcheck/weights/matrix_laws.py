"""The law of every weight matrix of a file, from its place: fans, stored precision, bias."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.network import Network
from fpcheck.network.skeleton import Conv
from fpcheck.weights.entry_counts import precision_of
from fpcheck.weights.law import identify
from fpcheck.weights.law_result import Matrix, MatrixLaw
from fpcheck.weights.spectra import cheap, spectrum
from fpcheck.weights.tensors import Place, matrix_of, places

Array = NDArray[np.float64]


def law_of(
    place: Place,
    tensor: NDArray[np.generic],
    matrix: Array,
    tensors: Mapping[str, NDArray[np.generic]],
    spectral_norm: float | None,
) -> MatrixLaw:
    """The law of one tensor. tensor: as stored; matrix: (units, fan_in), finite."""
    beside = tensors.get(place.name.replace("weight_ih", "weight_hh"))
    recurrent = "weight_ih" in place.name and beside is not None and beside.ndim == 2
    return identify(
        Matrix(
            weights=matrix,
            fan_out=len(matrix) * kernel_size(place, tensor),
            precision=precision_of(tensor),
            spectral_norm=spectral_norm,
            bias=bias_of(place, tensors, len(matrix)),
            hidden=int(beside.shape[1]) if recurrent and beside is not None else 0,
        )
    )


def laws(
    tensors: Mapping[str, NDArray[np.generic]], network: Network | None
) -> dict[str, MatrixLaw]:
    """The law of every finite weight matrix by its name.

    The largest singular value counts where a full decomposition is cheap.
    """
    found = {}
    for place in places(tensors, network):
        matrix = matrix_of(place, tensors[place.name])
        if matrix is None or not np.isfinite(matrix).all():
            continue
        norm = spectrum(matrix).spectral_norm if cheap(matrix) else None
        found[place.name] = law_of(place, tensors[place.name], matrix, tensors, norm)
    return found


def bias_of(place: Place, tensors: Mapping[str, NDArray[np.generic]], units: int) -> Array | None:
    """The finite bias beside a weight, one number a unit; None if there is none."""
    if not place.bias:
        return None
    bias = np.asarray(tensors[place.bias], dtype=np.float64).ravel()
    return bias if len(bias) == units and np.isfinite(bias).all() else None


def kernel_size(place: Place, tensor: NDArray[np.generic]) -> int:
    """The entries of a kernel between one channel and another; 1 for a dense layer."""
    if place.node is not None:
        return math.prod(place.node.kernel) if isinstance(place.node, Conv) else 1
    return math.prod(tensor.shape[:-2] if place.turned else tensor.shape[2:])
