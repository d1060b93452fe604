"""Round numbers along an axis."""

from __future__ import annotations

import math

from fpcheck.core.tables import Axis

STEPS = (1.0, 2.0, 5.0, 10.0)
MARGIN = 1e-9  # of a step: a tick at the very end of the axis is one


def ticks(axis: Axis, most: int = 7) -> list[tuple[float, str]]:
    """At most so many multiples of 1, 2 or 5 times a power of ten on the axis, with their text."""
    span = axis.high - axis.low
    if not 0.0 < span < math.inf:
        return []
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(each * power for each in STEPS if span / (each * power) <= most - 1 or each == 10.0)
    first = math.ceil(axis.low / step - MARGIN)
    last = math.floor(axis.high / step + MARGIN)
    digits = max(0, -math.floor(math.log10(step) + MARGIN))
    return [(each * step, _text(each * step, step, digits)) for each in range(first, last + 1)]


def _text(value: float, step: float, digits: int) -> str:
    if step >= 1e5 or digits > 4:
        return f"{value:g}"
    return f"{value:.{digits}f}".replace("-", "−") if value else "0"
