"""Whether the depth is within use: FP103, FP108, FP112."""

from __future__ import annotations

import math

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, Outcome, outcome_above, outcome_below
from fpcheck.core.plain import Section
from fpcheck.signal.comparison import closed, contrast_left, gradient_ratios, skipped

MARGINAL_SLOPE = 1e-6  # V'(q*) within this of 1 is 1: laws are written with about six digits
FADED = 1e-6  # a q* below this share of the first layer's q is no size to return to
# Layers in which squared gradients, or differences of near inputs, change by e, that a network may
# be deep: as many as depth scales of correlation.
USABLE_SCALES = 6.0
# Whether a loss this near below the limit matters is not known: training may mend it.
DOUBT = 0.5
DOUBTFUL: Outcome = "inconclusive"


def too_deep(theory: Section, measured: Section, limit: float) -> Finding:
    """FP103: theory says that the depth is beyond use, and the measurement bears it out."""
    code = "FP103"
    if "skipped" in theory:
        return skipped(code, str(theory["skipped"]))
    usable, depth, phase = _usable(theory), theory["depth"], theory["phase"]
    if usable is None:
        return skipped(code, "; ".join(theory["notes"]) or "no depth scale")
    if usable == math.inf:
        return finding(
            code, "pass", where="network", message="no loss of correlation with depth",
            status="numerical", limit=limit,
        )  # fmt: skip
    words = f"{phase}: {depth} layers, usable depth {usable:.3g}"
    if depth <= usable:
        return finding(
            code, "pass", where="network", message=words, status="numerical", limit=limit
        )
    if phase == "chaotic":
        return _chaotic_depth(measured, words, limit)
    last = [row for row in measured["layers"] if row["hidden"]] or measured["layers"]
    found, low, high = contrast_left(measured["input"], last[-1])
    if found is None or low is None or high is None:
        return skipped(code, "the correlation between inputs needs two inputs or more")
    return finding(
        code, outcome_below(low, high, limit), where=f"layer {last[-1]['name']}",
        message=f"{words}; of the inputs' contrast {found:.2g} is left here",
        status="sampled", found=found, low=low, high=closed(high), limit=limit,
    )  # fmt: skip


def _usable(theory: Section) -> float | None:
    """The usable depth: by correlations, and in the chaotic phase by gradients if that is less.

    Of a scale-free activation both grow alike, in size only; FP102 judges that.
    """
    usable: float | None = theory["usable_depth"]
    if usable is None and theory.get("usable_depth_status") == "inf":
        usable = math.inf
    chi1 = theory["chi1"]
    if usable is None or theory["phase"] != "chaotic" or theory["scale_free"] or not chi1 > 1.0:
        return usable
    return min(usable, USABLE_SCALES / math.log(chi1))


def _chaotic_depth(measured: Section, words: str, limit: float) -> Finding:
    """In the chaotic phase every difference grows: measured by the gradients' growth."""
    rows = measured["layers"]
    if rows[0]["gradient_norm"] is None:
        return skipped("FP103", measured["gradient"])
    lengths = list(gradient_ratios(rows))
    if not lengths:
        return skipped("FP103", "no gradient passes the network")
    _, found, low, high = lengths[0]
    ceiling = 1.0 / limit
    squares = [found * found, low * low, high * high]
    return finding(
        "FP103", outcome_above(squares[1], squares[2], ceiling), where="network",
        message=f"{words}; small differences between inputs grow {squares[0]:.2g}-fold (squared)",
        status="sampled", found=squares[0], low=squares[1], high=closed(squares[2]), limit=ceiling,
    )  # fmt: skip


def unstable(theory: Section, depth_limit: float) -> Finding:
    """FP108: whether the variance map brings the variance back."""
    code = "FP108"
    if "skipped" in theory:
        return skipped(code, str(theory["skipped"]))
    if not theory["homogeneous"]:
        return skipped(code, "no one variance map stands for the hidden layers")
    if theory["scale_free"]:
        return finding(
            code, "pass", where="network", status="numerical",
            message="the variance map is a straight line; FP101 and FP102 judge its gain",
        )  # fmt: skip
    slopes = [p["slope"] for p in theory["fixed_points"] if p["q"] == theory["q_star"]]
    # To a q* of next to nothing the variance comes from above, whatever rounding makes of slope 1.
    faded = slopes and theory["q_star"] <= FADED * theory["layers"][0]["q"]
    if slopes and slopes[0] < (1.0 + MARGINAL_SLOPE if faded else 1.0 - MARGINAL_SLOPE):
        return finding(
            code, "pass", where="network", status="numerical", found=slopes[0], limit=1.0,
            message=f"the variance returns to q* = {theory['q_star']:.3g}",
        )  # fmt: skip
    words = (
        f"V'(q*) = {slopes[0]:.6g}: the variance does not return to q*"
        if slopes
        else "the variance settles on no fixed point from these inputs"
    )
    shallow = theory["depth"] < depth_limit
    if shallow:
        words += f"; harmless over {theory['depth']} layers"
    return finding(
        code, "pass" if shallow else "fail", where="network", message=words,
        status="numerical", found=slopes[0] if slopes else None, limit=1.0,
    )  # fmt: skip


def untrainable(theory: Section, limit: float) -> Finding:
    """FP112: the chance that a sparse network of this width loses signal or gradient."""
    code = "FP112"
    if "skipped" in theory:
        return skipped(code, str(theory["skipped"]))
    chances = theory.get("survival")
    if chances is None:
        return skipped(code, "no chain of alike hidden layers with a sparse activation")
    if chances["lost"] is None:
        return finding(
            code, "inconclusive", where="network", status="numerical", found=None, limit=limit,
            message="the law of q cannot be followed in double precision at these scales",
        )  # fmt: skip
    words = (
        f"{chances['depth']} hidden layers of width {chances['width']} lose the signal "
        f"with probability {chances['lost_signal']:.2g}, the gradient with "
        f"{chances['lost_gradient']:.2g}"
    )
    lost = chances["lost"]
    outcome: Outcome = (
        "fail" if not lost <= limit else "pass" if lost <= DOUBT * limit else DOUBTFUL
    )
    return finding(
        code, outcome, where="network", message=words, status="numerical",
        found=lost, limit=limit,
    )  # fmt: skip
