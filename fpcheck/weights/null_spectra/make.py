"""Makes the table of null_spectra: `python -m fpcheck.weights.null_spectra.make` (about an hour).

Eigenvalues of W W^T for independent standard normal entries are drawn from its bidiagonal model,
which has the same law and costs a tridiagonal eigenvalue problem. [Dumitriu, Edelman 2002]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpcheck.weights.spectral_exponent import power_law

Array = NDArray[np.float64]

LEVELS = (0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.5)
ASPECTS = (1.0, 1.25, 1.6, 2.5, 4.0, 8.0, 32.0, 256.0)
DRAWS = {64: 8000, 128: 6000, 256: 4000, 512: 3000, 1024: 1500}  # by the shorter side


def wishart_eigenvalues(side: int, degrees: int, rng: np.random.Generator) -> Array:
    """The eigenvalues of W W^T, W (side, degrees) with independent standard normal entries."""
    from scipy.linalg import eigvalsh_tridiagonal

    diagonal = np.sqrt(rng.chisquare(degrees - np.arange(side)))
    below = np.sqrt(rng.chisquare(np.arange(side - 1, 0, -1)))
    squares = diagonal * diagonal
    squares[1:] += below * below
    values: Array = eigvalsh_tridiagonal(squares, diagonal[:-1] * below)
    return values


def exponents(side: int, aspect: float, draws: int) -> Array:
    """The exponents of `draws` noise matrices of one shape; the seed is the shape's own."""
    degrees = round(aspect * side)
    rng = np.random.default_rng([side, degrees])
    found = np.empty(draws)
    for i in range(draws):
        fitted = power_law(np.maximum(wishart_eigenvalues(side, degrees, rng), 0.0))
        found[i] = np.nan if fitted is None else fitted[0]
    return found


def main() -> None:
    """Write table.json beside this file."""
    quantiles = []
    for side, draws in DRAWS.items():
        rows = []
        for aspect in ASPECTS:
            found = exponents(side, aspect, draws)
            rows.append([round(float(q), 4) for q in np.percentile(found, LEVELS)])
            sys.stderr.write(f"{side} x {round(aspect * side)}: {rows[-1]}\n")
        quantiles.append(rows)
    held = {
        "levels": LEVELS, "sides": list(DRAWS), "aspects": ASPECTS, "draws": list(DRAWS.values()),
        "quantiles": quantiles,
    }  # fmt: skip
    path = Path(__file__).with_name("table.json")
    path.write_text(json.dumps(held, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
