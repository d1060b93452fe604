"""Basin entropy: how uncertain the end of a start is, given only which small box it is in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Cells along the side of a box. [Daza et al. 2016 use 5]
BOX = 5
FRACTAL = math.log(2.0)


@dataclass(frozen=True, slots=True)
class BasinEntropy:
    """Entropies in nats. [Daza, Wagemakers, Georgeot, Guery-Odelin, Sanjuan 2016]

    whole: the mean over all boxes; boundary: over the boxes that hold more than one end, 0 where
    none does. Above log 2 the border cannot be smooth: a smooth one separates two basins in all
    but a vanishing share of its boxes.
    """

    box: int
    whole: float
    boundary: float
    boundary_boxes: int

    @property
    def fractal(self) -> bool:
        """Whether the boundary's entropy is above log 2."""
        return self.boundary > FRACTAL


def basin_entropy(labels: NDArray[np.int64]) -> BasinEntropy:
    """The basin entropy of a grid of labels. labels: (rows, columns); what is over is left out."""
    rows, columns = labels.shape[0] // BOX, labels.shape[1] // BOX
    cut = labels[: rows * BOX, : columns * BOX]
    boxes = cut.reshape(rows, BOX, columns, BOX).swapaxes(1, 2).reshape(rows * columns, -1)
    entropies = np.zeros(len(boxes))
    for label in np.unique(cut):
        share = np.mean(boxes == label, axis=1)
        entropies -= share * np.log(np.where(share > 0.0, share, 1.0))
    mixed = entropies > 0.0
    return BasinEntropy(
        box=BOX,
        whole=float(entropies.mean()) if len(boxes) else 0.0,
        boundary=float(entropies[mixed].mean()) if mixed.any() else 0.0,
        boundary_boxes=int(mixed.sum()),
    )
