"""What the signal section of a report is held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fpcheck.core.catalogue import finding
from fpcheck.core.findings import Finding, outcome_above, outcome_below
from fpcheck.core.plain import Section
from fpcheck.signal.comparison import (
    LISTED_FAILS,
    Judged,
    Row,
    closed,
    contrast_left,
    first_crossing,
    gradient_ratios,
    judged_rows,
    listed,
    more,
    ratios,
    skipped,
    triple,
)

CODES = ("FP101", "FP102", "FP103", "FP104", "FP105", "FP106", "FP107", "FP108")
# Dead units are judged on at least so many inputs, and where what enters the layer differs so much.
FEWEST_INPUTS = 32
LEAST_ARRIVING_CONTRAST = 0.2
MARGINAL_SLOPE = 1e-6  # V'(q*) within this of 1 is 1: laws are written with about six digits
FADED = 1e-6  # a q* below this share of the first layer's q is no size to return to


def judge(section: Section, limits: Mapping[str, float]) -> tuple[Finding, ...]:
    """The findings of FP101 to FP108."""
    if "skipped" in section:
        return tuple(skipped(code, str(section["skipped"])) for code in CODES)
    measured, theory = section["measured"], section["theory"]
    if not measured["layers"]:
        return tuple(skipped(code, "the network has no layer with weights") for code in CODES)
    return (
        *_vanishing(measured, limits["min_q_ratio"]),
        *_exploding(measured, limits["max_q_ratio"]),
        _too_deep(theory, measured, limits["min_contrast"]),
        *_gradients(measured, limits),
        *_inactive(measured, limits),
        *_saturated(measured, limits["max_saturated"]),
        _unstable(theory, limits["min_judged_depth"]),
    )


def _vanishing(measured: Section, limit: float) -> Iterator[Finding]:
    code, rows = "FP101", measured["layers"]
    if measured["inputs"] > 1 and measured["input"]["input_dependent"]:
        constant = next((row for row in rows if not row["input_dependent"]), None)
        if constant is not None:
            yield finding(
                code, "fail", where=f"layer {constant['name']}",
                message="its pre-activations are the same for every input: the signal ends here",
                status="sampled", limit=limit,
            )  # fmt: skip
            return
    if rows[0]["q"] == 0.0 and measured["input"]["q"]:
        yield finding(
            code, "fail", where=f"layer {rows[0]['name']}",
            message="its pre-activations are 0, or too small to be squared",
            status="sampled", found=0.0, limit=limit,
        )  # fmt: skip
        return
    judged = [
        Judged(row["name"], outcome_below(low, high, limit), words, found, low, high, -found)
        for row, found, low, high in ratios(judged_rows(rows), "q", rows[0])
        for words in (f"q is {found:.2g} of the first layer's",)
    ]
    yield from first_crossing(code, judged, limit, "no layer's q falls that far below the first's")


def _exploding(measured: Section, limit: float) -> Iterator[Finding]:
    code, rows = "FP102", measured["layers"]
    broken = next((row for row in rows if row["q"] is None), None)
    if broken is not None:
        yield finding(
            code, "fail", where=f"layer {broken['name']}",
            message="its pre-activations overflow, or are NaN, on these inputs",
            status="sampled", limit=limit,
        )  # fmt: skip
        return
    judged = [
        Judged(row["name"], outcome_above(low, high, limit), words, found, low, high, found)
        for row, found, low, high in ratios(judged_rows(rows), "q", rows[0])
        for words in (f"q is {found:.3g} times the first layer's",)
    ]
    yield from first_crossing(code, judged, limit, "no layer's q rises that far above the first's")


def _too_deep(theory: Section, measured: Section, limit: float) -> Finding:
    """Theory says that the depth is beyond use, and the measurement that correlations are gone."""
    code = "FP103"
    if "skipped" in theory:
        return skipped(code, str(theory["skipped"]))
    usable, depth = theory["usable_depth"], theory["depth"]
    if usable is None:
        if theory.get("usable_depth_status") == "inf":
            return finding(
                code, "pass", where="network", message="no loss of correlation with depth",
                status="numerical", limit=limit,
            )  # fmt: skip
        return skipped(code, "; ".join(theory["notes"]) or "no depth scale")
    words = f"{depth} layers, usable depth {usable:.3g} ({theory['phase']})"
    if depth <= usable:
        return finding(
            code, "pass", where="network", message=words, status="numerical", limit=limit
        )
    if theory["phase"] == "chaotic":
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


def _gradients(measured: Section, limits: Mapping[str, float]) -> Iterator[Finding]:
    rows = measured["layers"]
    if any(row["gradient_norm"] is None for row in rows) and measured["gradient"] != "measured":
        yield skipped("FP104", measured["gradient"])
        yield skipped("FP105", measured["gradient"])
        return
    floor, ceiling = limits["min_gradient_ratio"], limits["max_gradient_ratio"]
    if rows[-1]["gradient_norm"] == 0.0:
        yield finding(
            "FP104", "fail", where=f"layer {rows[-1]['name']}",
            message="no gradient passes the output's activation on these inputs",
            status="sampled", found=0.0, limit=floor,
        )  # fmt: skip
        yield skipped("FP105", "no gradient passes the output's activation")
        return
    if any(row["q"] is None for row in rows):
        yield skipped("FP104", "values overflow on these inputs, see FP102")
        yield skipped("FP105", "values overflow on these inputs, see FP102")
        return
    broken = next((row for row in reversed(rows) if row["gradient_norm"] is None), None)
    if broken is not None:
        message = "its gradients overflow, or are NaN, on these inputs"
        yield skipped("FP104", f"layer {broken['name']}: {message}")
        yield finding(
            "FP105", "fail", where=f"layer {broken['name']}", message=message, status="sampled",
            limit=ceiling,
        )  # fmt: skip
        return
    lengths = list(gradient_ratios(rows))[::-1]  # from the output back
    below = [
        Judged(row["name"], outcome_below(low, high, floor), words, found, low, high, -found)
        for row, found, low, high in lengths
        for words in (f"its gradient is {found:.2g} of the output's",)
    ]
    yield from first_crossing("FP104", below, floor, "no layer's gradient is that small")
    above = [
        Judged(row["name"], outcome_above(low, high, ceiling), words, found, low, high, found)
        for row, found, low, high in lengths
        for words in (f"its gradient is {found:.3g} times the output's",)
    ]
    yield from first_crossing("FP105", above, ceiling, "no layer's gradient is that large")


def _inactive(measured: Section, limits: Mapping[str, float]) -> Iterator[Finding]:
    code, floor, most = "FP106", limits["min_active"], limits["max_dead"]
    rows = [row for row in measured["layers"] if row["hidden"] and row["activation"] != "identity"]
    # Behind a layer that is constant all are; FP101 names the place where that begins.
    rows = [row for row in rows if row["input_dependent"]] or rows[:1]
    if not rows:
        yield skipped(code, "there is no hidden layer with an activation")
        return
    dead = [row for row in rows if _shows_dead_units(measured, row) and row["dead_share"] > most]
    sparse = [
        Judged(row["name"], outcome_below(low, high, floor), words, found, low, high, -found)
        for row in rows
        if row not in dead
        for found, low, high in (triple(row, "active_fraction"),)
        for words in (f"{found:.2%} of its units' values are not zero",)
    ]
    for number, row in enumerate(sorted(dead, key=lambda row: -row["dead_share"])[:LISTED_FAILS]):
        yield finding(
            code, "fail", where=f"layer {row['name']}",
            message=f"{row['dead_units']} of {row['units']} units are inactive on every input"
            + more(len(dead), number),
            status="sampled", found=row["dead_share"], limit=most,
        )  # fmt: skip
    if sparse and not (dead and all(each.outcome == "pass" for each in sparse)):
        yield from listed(code, sparse, floor, "all layers respond to the inputs")


def _shows_dead_units(measured: Section, row: Row) -> bool:
    """Whether a unit that is off on all inputs says something about the unit.

    Of few inputs, or of inputs that arrive nearly parallel, a sparse layer's units see the same.
    """
    arriving = row["arriving_contrast"]
    if row["active_fraction"] == 0.0:
        return True
    return (
        measured["inputs"] >= FEWEST_INPUTS
        and arriving is not None
        and arriving >= LEAST_ARRIVING_CONTRAST
    )


def _saturated(measured: Section, limit: float) -> Iterator[Finding]:
    rows = [
        row for row in measured["layers"] if row["hidden"] and row["saturated_fraction"] is not None
    ]
    if not rows:
        yield skipped("FP107", "there is no hidden layer whose activation saturates")
        return
    judged = [
        Judged(row["name"], outcome_above(low, high, limit), words, found, low, high, found)
        for row in rows
        for found, low, high in (triple(row, "saturated_fraction"),)
        for words in (f"{found:.1%} of its units' values are saturated",)
    ]
    yield from listed("FP107", judged, limit, "no layer is mostly saturated")


def _unstable(theory: Section, depth_limit: float) -> Finding:
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
