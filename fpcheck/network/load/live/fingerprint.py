"""One hash of a model's parameters, where there is no file to hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def fingerprint(tensors: Mapping[str, NDArray[np.generic]]) -> str:
    """The SHA-256 over every tensor's name, type, shape and bytes in C order, little-endian."""
    whole = hashlib.sha256()
    for name, tensor in tensors.items():
        plain = np.asarray(tensor, order="C")
        plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
        sizes = ",".join(str(size) for size in plain.shape)
        whole.update(f"{name}\0{plain.dtype.str}\0{sizes}\0".encode())
        whole.update(plain.tobytes())
    return whole.hexdigest()
