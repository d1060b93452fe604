"""Random streams, one a question and block: a question alone draws what it draws in a full run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# Fixed for ever: changing a code changes every sampled number of that question.
STREAM_CODES = {
    "draw": 1,
    "inputs": 2,
    "cells": 3,
    "weights": 10,
    "signal": 11,
    "attractors": 12,
    "readout": 13,
    "simplicity": 14,
    "escape": 15,
    "slice": 16,
    "bench": 90,
}


def random_stream(seed: int, question: str, block: int = 0) -> np.random.Generator:
    """The generator of `question`, number `block`, under `seed`.

    Raises:
        KeyError: `question` has no code in STREAM_CODES.
    """
    import numpy as np

    sequence = np.random.SeedSequence(seed, spawn_key=(STREAM_CODES[question], block))
    return np.random.Generator(np.random.PCG64(sequence))
