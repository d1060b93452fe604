"""Labels of end states: which states are the same one, within a tolerance."""

from __future__ import annotations

from fpcheck.kernels.compile import kernel, scalar

FULL = -1


@kernel
def label_states(states, representatives, known, atol, rtol, labels):
    """Label each state by the first representative it lies near; return how many there are now.

    states: (k, n); representatives: (room, n), the first `known` of them given; labels: (k,) int64
    out. A state near none becomes the next representative. y is near x where
    |y_i - x_i| <= atol + rtol |x_i| for every i, which NaN never is: such a state stands alone.
    Returns FULL where the room is too small; room for known + k is always enough.
    """
    for row in range(states.shape[0]):
        label = 0
        while label < known and not _is_near(states[row], representatives[label], atol, rtol):
            label += 1
        if label == known:
            if known == representatives.shape[0]:
                return FULL
            for i in range(states.shape[1]):
                representatives[known, i] = states[row, i]
            known += 1
        labels[row] = label
    return known


@scalar
def _is_near(y, x, atol, rtol):
    for i in range(x.shape[0]):
        if not abs(y[i] - x[i]) <= atol + rtol * abs(x[i]):
            return False
    return True
