"""Motion without end: what the starts do that settle on no fixed point or short cycle."""

from __future__ import annotations

from fpcheck.attractors.motion.classify import classify
from fpcheck.attractors.motion.exponents import Spectrum, kaplan_yorke, lyapunov_spectrum
from fpcheck.attractors.motion.result import (
    NO_SET,
    Exponent,
    Kind,
    KindShare,
    Motion,
    MotionSet,
)

__all__ = [
    "NO_SET",
    "Exponent",
    "Kind",
    "KindShare",
    "Motion",
    "MotionSet",
    "Spectrum",
    "classify",
    "kaplan_yorke",
    "lyapunov_spectrum",
]
