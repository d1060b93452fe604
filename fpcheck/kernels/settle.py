"""What becomes of each start after a step of the iteration: the one place that decides.

A block holds its running starts as columns ("lanes"): state, image and reference are (n, lanes).
A finished lane is recorded and the last running lane takes its place, so that the running ones
stay side by side. How a start ends:

- lost: a coordinate of the image is NaN or beyond the bound in size;
- a fixed point: |y_i - x_i| <= atol + rtol |x_i| for every coordinate i;
- a cycle: found by Brent's method (BIT 20, 1980), run along with the iteration. A reference state
  is kept and renewed after 1, 2, 4, ... steps, at most the longest period asked for; a return to
  it within the same tolerance gives a candidate period, and the first return is the shortest. The
  state must then return twice more, a period apart, while `_is_settled` looks at what is left of
  the drift: a spiral that creeps into a fixed point also returns within the tolerance.

NaN fails every comparison here, so it can end nothing but `lost`.
"""

from __future__ import annotations

import numpy as np

from fpcheck.kernels.arithmetic import MAGNITUDE_BITS, bits_of
from fpcheck.kernels.compile import kernel, scalar

FIXED_POINT = 0
CYCLE = 1
UNRESOLVED = 2
DIVERGED = 3
RUNNING = 4

# Rows of `clock`, (6, lanes) int64.
START = 0  # which start runs in this lane
STEP = 1  # steps taken
MARK = 2  # the step at which the reference was taken
WINDOW = 3  # steps after which it is renewed
PERIOD = 4  # the candidate period, 0 while there is none
DUE = 5  # the step at which the lane needs a look whatever its state
CLOCK_ROWS = 6
# Rows of `gauge`, (2, lanes) float64, in units of the tolerance.
RETURN = 0  # distance of the first return, negative before it
SEPARATION = 1  # smallest distance from the reference to another point of the candidate cycle
GAUGE_ROWS = 2

# A drift that halves the cycle's width or more is a spiral: what is left of it is at least half
# the separation when it creeps into a fixed point, whatever the angle. Half of that is refused.
DRIFT_SHARE = 0.25
# Where the returns are rounding noise no drift can be seen; then the points must stand far apart.
APART = 1000.0


@kernel
def settle(
    x, y, reference, clock, gauge, attention, running,
    atol, rtol, noise, bound, max_steps, max_period,
    states, fates, periods, steps,
):  # fmt: skip
    """Take one step's outcome in: x -> y for the first `running` lanes; return how many still run.

    x, y, reference: (n, lanes), clock: (6, lanes), gauge: (2, lanes), attention: (lanes,) scratch;
    noise: returns below it, in units of the tolerance, are rounding; bound: the largest |y_i|.
    Writes the finished starts' rows of states (k, n), fates, periods and steps (k,).
    """
    n = x.shape[0]
    _advance(clock, running)
    if _largest_bits(y, n, running) > bits_of(bound):
        attention[:running] = 1
    else:
        _look(x, y, reference, clock, attention, running, atol, rtol)
    for lane in range(running - 1, -1, -1):
        if attention[lane] == 0:
            continue
        fate = _judge(
            x, y, reference, clock, gauge, lane, atol, rtol, noise, bound, max_steps, max_period
        )
        if fate == RUNNING:
            continue
        start = clock[START, lane]
        for i in range(n):
            # A lost start keeps the last state inside the bound.
            states[start, i] = x[i, lane] if fate == DIVERGED else y[i, lane]
        fates[start] = fate
        steps[start] = clock[STEP, lane]
        periods[start] = 1 if fate == FIXED_POINT else clock[PERIOD, lane] * (fate == CYCLE)
        running -= 1
        _move(y, reference, clock, gauge, running, lane)
    return running


@scalar
def _advance(clock, running):
    for lane in range(running):
        clock[STEP, lane] += 1


@scalar
def _largest_bits(y, n, running):
    """The largest |y_i| as bits: an order in which NaN is above infinity, so none is missed."""
    largest = np.int64(0)
    for i in range(n):
        for lane in range(running):
            largest = max(largest, bits_of(y[i, lane]) & MAGNITUDE_BITS)
    return largest


@scalar
def _look(x, y, reference, clock, attention, running, atol, rtol):
    """Mark the lanes that may be finished, by their first coordinate alone: few lanes are."""
    for lane in range(running):
        old, new, held = x[0, lane], y[0, lane], reference[0, lane]
        at_rest = abs(new - old) <= atol + rtol * abs(old)
        returned = abs(new - held) <= atol + rtol * abs(held)
        attention[lane] = at_rest | returned | (clock[STEP, lane] >= clock[DUE, lane])


@kernel
def _judge(
    x, y, reference, clock, gauge, lane, atol, rtol, noise, bound, max_steps, max_period
):  # fmt: skip
    """The fate of one lane, RUNNING while open; keeps its reference and candidate."""
    at_rest = True
    for i in range(x.shape[0]):
        if not abs(y[i, lane]) <= bound:
            return DIVERGED
        at_rest &= abs(y[i, lane] - x[i, lane]) <= atol + rtol * abs(x[i, lane])
    if at_rest:
        return FIXED_POINT
    step = clock[STEP, lane]
    if clock[PERIOD, lane] > 0:
        if _confirm(y, reference, clock, gauge, lane, atol, rtol, noise):
            return CYCLE
    else:
        since = step - clock[MARK, lane]
        if since > 1 and _distance(y, reference, lane, atol, rtol) <= 1.0:
            clock[PERIOD, lane] = since
            gauge[RETURN, lane] = -1.0
            gauge[SEPARATION, lane] = np.inf
            _renew(y, reference, clock, lane)
        elif since >= clock[WINDOW, lane]:
            clock[WINDOW, lane] = min(2 * clock[WINDOW, lane], max_period)
            _renew(y, reference, clock, lane)
    if step >= max_steps:
        return UNRESOLVED
    # A candidate is looked at in every step, a reference again when it is to be renewed.
    next_look = step + 1
    if clock[PERIOD, lane] == 0:
        next_look = min(clock[MARK, lane] + clock[WINDOW, lane], max_steps)
    clock[DUE, lane] = next_look
    return RUNNING


@scalar
def _confirm(y, reference, clock, gauge, lane, atol, rtol, noise):
    """Follow a candidate cycle for one more step; True when it is one."""
    since = clock[STEP, lane] - clock[MARK, lane]
    distance = _distance(y, reference, lane, atol, rtol)
    if distance <= 1.0 and since < clock[PERIOD, lane]:
        clock[PERIOD, lane] = since  # an earlier return: the period is shorter
    if since < clock[PERIOD, lane]:
        gauge[SEPARATION, lane] = min(gauge[SEPARATION, lane], distance)
        return False
    first = gauge[RETURN, lane]
    if distance <= 1.0 and first < 0.0:
        gauge[RETURN, lane] = distance
        _renew(y, reference, clock, lane)
        return False
    if distance <= 1.0 and _is_settled(first, distance, gauge[SEPARATION, lane], noise):
        return True
    clock[PERIOD, lane] = 0
    _renew(y, reference, clock, lane)
    return False


@scalar
def _is_settled(first, second, separation, noise):
    """Whether two successive returns belong to a cycle reached, not to a spiral still moving.

    Returns that shrink geometrically leave first^2 / (first - second) to go in all.
    """
    if first <= noise and second <= noise:
        return separation >= APART
    if not second < first:
        return False
    return first * first / (first - second) <= DRIFT_SHARE * separation


@scalar
def _distance(y, reference, lane, atol, rtol):
    """max_i |y_i - r_i| / (atol + rtol |r_i|); the caller has seen that y is finite."""
    worst = 0.0
    for i in range(y.shape[0]):
        held = reference[i, lane]
        gap = abs(y[i, lane] - held)
        if gap > 0.0:
            worst = max(worst, gap / (atol + rtol * abs(held)))
    return worst


@scalar
def _renew(y, reference, clock, lane):
    for i in range(y.shape[0]):
        reference[i, lane] = y[i, lane]
    clock[MARK, lane] = clock[STEP, lane]


@scalar
def _move(y, reference, clock, gauge, source, target):
    """Lane `source` takes the place of lane `target`; x is not needed any more."""
    for i in range(y.shape[0]):
        y[i, target] = y[i, source]
        reference[i, target] = reference[i, source]
    for row in range(clock.shape[0]):
        clock[row, target] = clock[row, source]
    for row in range(gauge.shape[0]):
        gauge[row, target] = gauge[row, source]
