"""Heavy-tailed laws fitted to the entries: Student's t, Cauchy's, symmetric stable ones."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fpcheck.weights.entry_counts import EntryCounts
from fpcheck.weights.entry_laws import EntryLaw, distance_p_value, kolmogorov_p_value

Array = NDArray[np.float64]

LOWEST_INDEX, HIGHEST_INDEX = 0.3, 60.0  # degrees of freedom that are tried
# Above it a stable law, which has no variance, fits no better; and largest singular values keep to
# the edge, as they do not where the fourth moment is infinite or nearly so.
LIGHT_INDEX = 6.0
LOWEST_ALPHA, HIGHEST_ALPHA = 0.4, 1.98
GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)
CHI_SQUARE_95 = 3.841458820694124  # one degree of freedom
NODES = 2000  # of the inversion of a characteristic function
FAR = 30.0  # widths; beyond, the series of the tail
TERMS = 8  # of that series


def heavy_tailed(entries: EntryCounts) -> tuple[EntryLaw, float]:
    """(law, p-value) of Student's t or, where that is a worse fit, of a symmetric stable law.

    Both fitted by maximum likelihood to the counts. The law is Cauchy's (one degree of freedom)
    where the 95 % interval of the degrees of freedom holds 1.
    """
    student = _student(entries)
    p_value = distance_p_value(student, entries)
    if student.index == 1.0 or student.index > LIGHT_INDEX or p_value >= 0.05:
        return student, p_value
    stable, its_p_value = _stable(entries)
    return (stable, its_p_value) if its_p_value > p_value else (student, p_value)


def stable_below(x: Array, alpha: float) -> Array:
    """P(|entry| <= x) for E exp(itz) = exp(-|t|^alpha), 0.4 <= alpha < 2, to about 1e-6.

    By inversion, 2/pi times the integral of sin(tx)/t exp(-t^alpha); beyond FAR widths by the
    asymptotic series of the tail. [Zolotarev 1986, sections 2.2 and 2.4]
    """
    found = np.ones_like(x)
    near = x < FAR
    # t = u^p gathers the nodes at 0, where the integrand bends like t^alpha.
    power = max(2.0, 2.0 / alpha)
    top = (-math.log(1e-9)) ** (1.0 / alpha / power)
    nodes = (np.arange(NODES) + 0.5) / NODES * top
    t = nodes**power
    weights = np.exp(-(t**alpha)) * (power / nodes) * (top / NODES)
    # dt / t = power du / u
    found[near] = (2.0 / math.pi) * (np.sin(np.outer(x[near], t)) @ weights)
    far = x[~near]
    tail = np.zeros_like(far)
    for k in range(1, TERMS + 1):
        factor = math.gamma(alpha * k) / math.factorial(k) * math.sin(0.5 * math.pi * alpha * k)
        term = (-1.0) ** (k + 1) * factor * far ** (-alpha * k)
        tail += term
    found[~near] = 1.0 - (2.0 / math.pi) * tail
    clipped: Array = np.clip(found, 0.0, 1.0)
    return clipped


def _student(entries: EntryCounts) -> EntryLaw:
    def best(log_index: float) -> tuple[float, EntryLaw]:
        index = math.exp(log_index)

        def loss(log_width: float) -> float:
            law = EntryLaw("student_t", math.exp(log_width), index)
            return _loss(1.0 - law.beyond(entries.edges), entries)

        middle = math.log(entries.median)
        log_width, value = _minimum(loss, middle - 2.5, middle + 2.5)
        return value, EntryLaw("student_t", math.exp(log_width), index)

    low, high = math.log(LOWEST_INDEX), math.log(HIGHEST_INDEX)
    log_index, value = _minimum(lambda u: best(u)[0], low, high, tolerance=3e-3)
    cauchy_value, cauchy = best(0.0)
    if 2.0 * (cauchy_value - value) <= CHI_SQUARE_95:
        return EntryLaw("student_t", cauchy.width, 1.0)
    return best(log_index)[1]


def _stable(entries: EntryCounts) -> tuple[EntryLaw, float]:
    def best(alpha: float) -> tuple[float, float]:
        grid = np.concatenate([[0.0], np.geomspace(1e-2, FAR, 400)])
        table = stable_below(grid, alpha)

        def loss(log_width: float) -> float:
            places = entries.edges / math.exp(log_width)
            below = np.interp(places, grid, table)
            below[places > FAR] = stable_below(places[places > FAR], alpha)
            return _loss(below, entries)

        middle = math.log(entries.median)
        log_width, value = _minimum(loss, middle - 1.5, middle + 1.5)
        return value, log_width

    alpha, _ = _minimum(lambda a: best(a)[0], LOWEST_ALPHA, HIGHEST_ALPHA, tolerance=1e-3)
    width = math.exp(best(alpha)[1])
    below = stable_below(entries.edges[1:] / width, alpha)
    return EntryLaw("alpha_stable", width, alpha), kolmogorov_p_value(entries, below)


def _loss(below: Array, entries: EntryCounts) -> float:
    """Minus the log-likelihood of the counts. below: P(|entry| <= edge) at every edge."""
    chances = np.maximum(np.diff(below), 1e-300)
    return -float(np.dot(entries.counts, np.log(chances)))


def _minimum(
    function: Callable[[float], float], low: float, high: float, tolerance: float = 3e-4
) -> tuple[float, float]:
    """(place, value) of the minimum of a function with one, by golden sections."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > tolerance:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = function(right)
    return (left, at_left) if at_left < at_right else (right, at_right)
