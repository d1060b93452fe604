"""Round numbers along an axis."""

from __future__ import annotations

import math

from fpcheck.core.tables import Axis

STEPS = (1.0, 2.0, 5.0, 10.0)
DECADE = (1.0, 2.0, 5.0)
MOST_DIGITS = 300.0  # decades; beyond them the numbers themselves are no doubles
MARGIN = 1e-9  # of a step: a tick at the very end of the axis is one


def ticks(axis: Axis, most: int = 7) -> list[tuple[float, str]]:
    """At most so many multiples of 1, 2 or 5 times a power of ten on the axis, with their text.

    On a logarithmic axis a tick's place is the logarithm of the number that its text names.
    """
    span = axis.high - axis.low
    if not 0.0 < span < math.inf:
        return []
    if axis.log:
        return _logarithmic(axis, most)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(each * power for each in STEPS if span / (each * power) <= most - 1 or each == 10.0)
    step = max(step, 1.0) if axis.whole else step
    first = math.ceil(axis.low / step - MARGIN)
    last = math.floor(axis.high / step + MARGIN)
    digits = max(0, -math.floor(math.log10(step) + MARGIN))
    return [(each * step, _text(each * step, step, digits)) for each in range(first, last + 1)]


def _logarithmic(axis: Axis, most: int) -> list[tuple[float, str]]:
    """Powers of ten, with 2 and 5 times them where there is room; round numbers on a short axis."""
    for each in (DECADE, DECADE[:1]):
        powers = range(math.floor(axis.low) - 1, math.ceil(axis.high) + 1)
        places = [power + math.log10(part) for power in powers for part in each]
        inside = [at for at in places if axis.low - MARGIN <= at <= axis.high + MARGIN]
        if 3 <= len(inside) <= most:
            return [(at, _named(10.0**at)) for at in inside]
    if len(inside) > most:
        skip = math.ceil(len(inside) / most)
        return [(at, _named(10.0**at)) for at in inside if round(at) % skip == 0]
    if axis.high > MOST_DIGITS or axis.low < -MOST_DIGITS:
        return [(at, _named(10.0**at)) for at in inside]
    plain = Axis(axis.title, 10.0**axis.low, 10.0**axis.high)
    return [(math.log10(float(value)), text) for value, text in ticks(plain, most) if value > 0.0]


def _named(value: float) -> str:
    return f"{value:.6g}".replace("e-0", "e-").replace("e+0", "e+").replace("-", "−")


def _text(value: float, step: float, digits: int) -> str:
    if step >= 1e5 or digits > 4:
        return f"{value:g}"
    return f"{value:.{digits}f}".replace("-", "−") if value else "0"
