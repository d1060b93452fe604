"""Whether a narrow teacher can have given the labels: yes, no, or cannot tell, by rule."""

from __future__ import annotations

from fpcheck.simplicity.estimate import Estimate
from fpcheck.simplicity.growth import FLAT, LEAST_BITS
from fpcheck.simplicity.result import DifferenceBits, Growth, Skipped, Verdict
from fpcheck.simplicity.several import MeanBits

QUESTION = "narrow teacher"
HALF = 0.5
LEAST_ROWS = 16  # fewer show no difference between narrow teachers and noise
MORE_ROWS = "more training rows (--label-rows)"
MORE_EFFORT = "more work (--effort), which narrows the intervals"
OTHER_NETWORK = "another architecture, or --errors K if some labels may be wrong"


def verdict(
    true: Estimate,
    random: MeanBits | None,
    apart: DifferenceBits,
    growth: Growth | Skipped,
    rows: int,
    least_errors: int = 0,
    floor: float | None = None,
) -> Verdict:
    """Yes: clearly below shuffled labels, at most half of them, and flattening over the rows.

    No: within what shuffled labels cost, or p = 0. Else it cannot be told. "Clearly" is a two-sided
    95 % interval's end, so that labels without structure pass it in at most 1 of 40 cases.
    rows: that the labels are of. least_errors: how many rows every function has wrong; floor: what
    shuffled labels' mean bits are at least.
    """
    if true.impossible:
        return _say(
            "no", f"no network of this architecture has the labels right: {true.words}",
            "p = 0",
            f"--errors {least_errors} at least, or without the rows that contradict others"
            if least_errors else OTHER_NETWORK,
        )  # fmt: skip
    if random is None or len(random.values) < 2:
        return _say(
            "cannot tell", "there are fewer than two shuffles to hold the labels against",
            f"{true.bits:.1f} bits", "two shuffles or more (--label-shuffles)",
        )  # fmt: skip
    least = max(random.low, floor or 0.0)
    mean = f"{'' if random.known else 'at least '}{random.mean:.1f}"
    figure = f"{_bits(true)} bits, shuffled labels {mean}"
    if true.status == "lower bound":
        return _say(
            "cannot tell", f"the labels' bits are only bounded from below: {true.words}",
            figure, MORE_EFFORT,
        )  # fmt: skip
    if apart.low is None or apart.low <= 0.0:
        return _not_below(random, apart, rows, figure)
    share = f"the labels cost {_bits(true)} bits, clearly less than shuffled ones ({mean})"
    if true.high > HALF * least:
        return _say(
            "cannot tell", f"{share}, but not surely less than half of them: {true.high:.1f} "
            f"against {HALF * least:.1f}", figure, f"{MORE_ROWS}, or {MORE_EFFORT}",
        )  # fmt: skip
    return _by_growth(true, growth, share, figure)


def _not_below(random: MeanBits, apart: DifferenceBits, rows: int, figure: str) -> Verdict:
    """Not clearly below the shuffles: as one of them, or not to be told."""
    if apart.low is None or apart.high is None:
        return _say(
            "cannot tell", "the bits of shuffled labels are not known well enough to compare",
            figure, MORE_EFFORT,
        )  # fmt: skip
    if rows < LEAST_ROWS:
        return _say(
            "cannot tell", f"{rows} rows are too few to tell a narrow teacher from noise", figure,
            MORE_ROWS,
        )  # fmt: skip
    half = 0.5 * (apart.high - apart.low)
    if half > HALF * random.mean:
        return _say(
            "cannot tell",
            f"the bits of shuffled labels vary too much to compare ({half:.1f} bits either way)",
            figure,
            f"{MORE_ROWS}, or more shuffles (--label-shuffles)",
        )
    return _say(
        "no",
        "the labels cost what shuffled ones do: to this architecture they look random",
        figure,
        f"{OTHER_NETWORK}; {MORE_ROWS} show smaller differences",
    )


def _by_growth(true: Estimate, growth: Growth | Skipped, share: str, figure: str) -> Verdict:
    """The last condition: that the bits flatten as rows are added."""
    if isinstance(growth, Skipped):
        return _say("cannot tell", f"{share}; growth: {growth.skipped}", figure, MORE_ROWS)
    if growth.exponent is None or growth.exponent_high is None:
        if true.high <= max(1.0, LEAST_BITS) or "almost all" in growth.reason:
            return _say("yes", f"{share}, and almost any network has them right", figure, "")
        return _say("cannot tell", f"{share}; growth: {growth.reason}", figure, MORE_EFFORT)
    slope = (
        f"rows^{growth.exponent:.2f} (95 % {growth.exponent_low:.2f} to {growth.exponent_high:.2f})"
    )
    if growth.exponent_high < FLAT:
        return _say("yes", f"{share}, at most half, and they grow as {slope}", slope, "")
    return _say(
        "cannot tell",
        f"{share} and at most half, but they grow as {slope}: that they flatten is not shown",
        slope,
        MORE_ROWS,
    )


def _bits(true: Estimate) -> str:
    return f"{true.bits:.1f}" if true.status != "lower bound" else f"at least {true.low:.1f}"


def _say(answer: str, reason: str, figure: str, next_step: str) -> Verdict:
    return Verdict(answer, QUESTION, reason, figure, next_step)
