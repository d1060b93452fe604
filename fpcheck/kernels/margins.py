"""By how much the right class falls short of the largest output, one pass over all outputs."""

from __future__ import annotations

import math

from fpcheck.kernels.compile import kernel


@kernel
def shortfalls(out, labels, tie, wrong):
    """wrong[m, i] <- max_j out[m, i, j] - out[m, i, labels[i]]; return 0.

    0 where no other output is larger and none before it is equal; `tie` where one before it is
    equal and none larger; inf where one is NaN. out: (m, n, c); labels: (n,); wrong: (m, n).
    """
    for network in range(out.shape[0]):
        for row in range(out.shape[1]):
            label = labels[row]
            own = out[network, row, label]
            largest, tied, broken = own, False, False
            for unit in range(out.shape[2]):
                value = out[network, row, unit]
                broken |= not value <= math.inf  # true of NaN alone
                tied |= value == own and unit < label
                largest = max(largest, value)
            if broken:
                wrong[network, row] = math.inf
            elif largest > own:
                wrong[network, row] = largest - own
            else:
                wrong[network, row] = tie if tied else 0.0
    return 0
