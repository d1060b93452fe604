"""The rules by which a row is answered right, as numbers that kernels take."""

from __future__ import annotations

SIGN = 0  # f > 0 for label 1, f <= 0 for label 0
ARGMAX = 1  # the largest output is the label's; of equal ones the first
BAND = 2  # every output lies within the tolerance of its target
