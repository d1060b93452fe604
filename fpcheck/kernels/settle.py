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

# Bits of `attention`.
AT_REST = np.uint8(1)
RETURNED = np.uint8(2)
IS_DUE = np.uint8(4)

# A drift that halves the cycle's width or more is a spiral: what is left of it is at least half
# the separation when it creeps into a fixed point, whatever the angle. Half of that is refused.
DRIFT_SHARE = 0.25
# Where the returns are rounding noise no drift can be seen; then the points must stand far apart.
APART = 1000.0
# Rounding noise of a coordinate, relative to the largest one: a product mixes them all.
ROUNDING = 64.0 * 2.0**-52


@kernel
def settle_columns(
    x, y, reference, clock, gauge, attention, running,
    atol, rtol, noise, bound, max_steps, max_period,
    states, fates, periods, steps,
):  # fmt: skip
    """Take one step's outcome in: x -> y for the first `running` lanes; return how many still run.

    x, y, reference: (n, lanes) in C order, clock: (6, lanes), gauge: (2, lanes), attention:
    (lanes,) scratch; noise: returns below it, in units of the tolerance, are rounding; bound: the
    largest |y_i|. Writes the finished starts' rows of states (k, n), fates, periods, steps (k,).
    """
    _look_at_columns(x, y, reference, clock, attention, running, atol, rtol, bound)
    return _finish(
        x, y, reference, clock, gauge, attention, running,
        atol, rtol, noise, bound, max_steps, max_period, states, fates, periods, steps,
    )  # fmt: skip


@kernel
def settle_rows(
    x, y, reference, clock, gauge, attention, running,
    atol, rtol, noise, bound, max_steps, max_period,
    states, fates, periods, steps,
):  # fmt: skip
    """`settle_columns` for x, y, reference in Fortran order: each lane's entries lie together."""
    _look_at_rows(x, y, reference, clock, attention, running, atol, rtol, bound)
    return _finish(
        x, y, reference, clock, gauge, attention, running,
        atol, rtol, noise, bound, max_steps, max_period, states, fates, periods, steps,
    )  # fmt: skip


@scalar
def _look_at_columns(x, y, reference, clock, attention, running, atol, rtol, bound):
    """Count the step; mark the lanes that are lost, at rest, back at their reference, or due.

    Coordinate by coordinate over all lanes, until none is left: mostly after the first.
    """
    # As integers, sizes are ordered with NaN above infinity: no running maximum drops it.
    largest = np.int64(0)
    for i in range(y.shape[0]):
        for lane in range(running):
            largest = max(largest, bits_of(y[i, lane]) & MAGNITUDE_BITS)
    lost = largest > bits_of(bound)  # one of them is; `_judge` finds which
    for lane in range(running):
        clock[STEP, lane] += 1
        attention[lane] = AT_REST | RETURNED
    for i in range(x.shape[0]):
        left = 0
        for lane in range(running):
            old, new, held = x[i, lane], y[i, lane], reference[i, lane]
            at_rest = abs(new - old) <= atol + rtol * abs(old)
            returned = abs(new - held) <= atol + rtol * abs(held)
            attention[lane] &= at_rest * AT_REST | returned * RETURNED
            left |= attention[lane]
        if left == 0:
            break
    for lane in range(running):
        attention[lane] |= (lost | (clock[STEP, lane] >= clock[DUE, lane])) * IS_DUE


@scalar
def _look_at_rows(x, y, reference, clock, attention, running, atol, rtol, bound):
    """`_look_at_columns` lane by lane: each until its first coordinate that speaks against it."""
    for lane in range(running):
        clock[STEP, lane] += 1
        largest = np.int64(0)
        for i in range(y.shape[0]):
            largest = max(largest, bits_of(y[i, lane]) & MAGNITUDE_BITS)
        at_rest = returned = True
        for i in range(x.shape[0]):
            old, new, held = x[i, lane], y[i, lane], reference[i, lane]
            at_rest &= abs(new - old) <= atol + rtol * abs(old)
            returned &= abs(new - held) <= atol + rtol * abs(held)
            if not (at_rest or returned):
                break
        is_due = clock[STEP, lane] >= clock[DUE, lane]
        attention[lane] = at_rest or returned or is_due or largest > bits_of(bound)


@scalar
def _finish(
    x, y, reference, clock, gauge, attention, running,
    atol, rtol, noise, bound, max_steps, max_period,
    states, fates, periods, steps,
):  # fmt: skip
    """Judge the marked lanes, record those that ended, close the ranks."""
    for lane in range(running - 1, -1, -1):
        if attention[lane] == 0:
            continue
        fate = _judge(
            x, y, reference, clock, gauge, lane, atol, rtol, noise, bound, max_steps, max_period
        )
        if fate == RUNNING:
            continue
        start = clock[START, lane]
        fates[start] = fate
        steps[start] = clock[STEP, lane]
        periods[start] = 1 if fate == FIXED_POINT else clock[PERIOD, lane] * (fate == CYCLE)
        running -= 1
        for i in range(x.shape[0]):
            # A lost start keeps the last state inside the bound.
            states[start, i] = x[i, lane] if fate == DIVERGED else y[i, lane]
            y[i, lane] = y[i, running]
            reference[i, lane] = reference[i, running]
        for row in range(CLOCK_ROWS):
            clock[row, lane] = clock[row, running]
        for row in range(GAUGE_ROWS):
            gauge[row, lane] = gauge[row, running]
    return running


@scalar
def _judge(
    x, y, reference, clock, gauge, lane, atol, rtol, noise, bound, max_steps, max_period
):  # fmt: skip
    """The fate of one lane, RUNNING while open; keeps its reference and its candidate period."""
    largest = 0.0
    for i in range(x.shape[0]):
        if not abs(y[i, lane]) <= bound:
            return DIVERGED
        largest = max(largest, abs(y[i, lane]))
    at_rest = True
    distance = 0.0  # from the reference, in units of the tolerance
    drift = 0.0  # the same, without what rounding the large coordinates does to the small ones
    for i in range(x.shape[0]):
        old, new, held = x[i, lane], y[i, lane], reference[i, lane]
        at_rest &= abs(new - old) <= atol + rtol * abs(old)
        if new != held:  # a tolerance of zero is met by the same number alone
            away = abs(new - held) / (atol + rtol * abs(held))
            distance = max(distance, away)
            if abs(new - held) > ROUNDING * largest:
                drift = max(drift, away)
    if at_rest:
        return FIXED_POINT
    step, period = clock[STEP, lane], clock[PERIOD, lane]
    since = step - clock[MARK, lane]
    renew = True
    if period == 0 and since > 1 and distance <= 1.0:
        period = since  # a candidate: the first return to this reference
        gauge[RETURN, lane] = -1.0
        gauge[SEPARATION, lane] = np.inf
    elif period == 0:
        renew = since >= clock[WINDOW, lane]
        if renew:
            clock[WINDOW, lane] = min(2 * clock[WINDOW, lane], max_period)
    elif since < period and distance <= 1.0:
        period = since  # an earlier return than the candidate's: it is the first of a shorter one
        gauge[RETURN, lane] = drift
        gauge[SEPARATION, lane] = np.inf
    elif since < period:
        renew = False
        gauge[SEPARATION, lane] = min(gauge[SEPARATION, lane], distance)
    elif gauge[RETURN, lane] < 0.0 and distance <= 1.0:
        gauge[RETURN, lane] = drift
    elif distance <= 1.0 and _is_settled(
        gauge[RETURN, lane], drift, gauge[SEPARATION, lane], noise
    ):
        return CYCLE
    else:
        period = 0
    clock[PERIOD, lane] = period
    if renew:
        clock[MARK, lane] = step
        for i in range(y.shape[0]):
            reference[i, lane] = y[i, lane]
    # A candidate is looked at in every step, a mere reference when it is to be renewed.
    next_look = step + 1 if period > 0 else clock[MARK, lane] + clock[WINDOW, lane]
    clock[DUE, lane] = min(next_look, max_steps)
    return UNRESOLVED if step >= max_steps else RUNNING


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
