"""Dead units: how many are off on every input without the inputs being the reason.

Units that are off on every input are nothing special in a sparse layer whose inputs arrive nearly
parallel: each unit then does the same on all of them. What is reported is the share beyond that.
"""

from __future__ import annotations

import math

import numpy as np

from fpcheck.theory.quadrature import INV_SQRT_2PI, REACH, composite_rule
from fpcheck.theory.roots import bracketed_root

# With fewer inputs, or inputs that arrive more parallel, dead units and units that are rarely
# active cannot be told apart.
FEWEST_INPUTS = 32
LEAST_CONTRAST = 0.2


def dead_excess(dead: float, active: float, c: float, inputs: int) -> float | None:
    """The share of units that are off for a reason of their own, None where that cannot be told.

    dead: share of units off on all inputs; active: share of values that are not 0; c: correlation
    of what enters the layer. With d the answer, the other units alike, each active with probability
    p on an input: active = (1 - d) p and dead = d + (1 - d) E(p, c, n), which is solved for d.
    """
    if active in (0.0, 1.0) or dead == 0.0:
        return dead
    if inputs < FEWEST_INPUTS or not 1.0 - c >= LEAST_CONTRAST:
        return None

    def surplus(d: float) -> float:
        return d + (1.0 - d) * off_on_all(min(1.0, active / (1.0 - d)), c, inputs) - dead

    if not surplus(0.0) < 0.0:
        return 0.0
    # At d = 1 - active every other unit is always active, which leaves at least `dead` dead ones.
    return min(dead, bracketed_root(surplus, 0.0, 1.0 - active, 1e-9))


def off_on_all(active: float, c: float, inputs: int) -> float:
    """E(p, c, n): the chance that a Gaussian unit passes its threshold on none of n inputs.

    It passes with probability p on one input; its values have pairwise correlation c, that is, a
    shared part w and private parts, which are independent given w.
    """
    from scipy.special import ndtr, ndtri

    if active >= 1.0:
        return 0.0
    shared = min(1.0, max(0.0, c))
    if shared == 1.0:
        return 1.0 - active
    w, weights = composite_rule(np.linspace(-REACH, REACH, 41))
    weights = weights * INV_SQRT_2PI * np.exp(-0.5 * w * w)
    below = ndtr((-ndtri(active) - math.sqrt(shared) * w) / math.sqrt(1.0 - shared))
    return float(np.dot(weights, below**inputs))
