"""Every question's view, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.settings import QUESTIONS
from fpcheck.core.tables import Panel

View: TypeAlias = Callable[[Section, tuple[Finding, ...]], Panel]


def views() -> dict[str, View]:
    """Every question's `view` by name."""
    from fpcheck.attractors.view import view as attractors
    from fpcheck.escape.view import view as escape
    from fpcheck.readout.view import view as readout
    from fpcheck.signal.view import view as signal
    from fpcheck.simplicity.view import view as simplicity
    from fpcheck.weights.view import view as weights

    table = {
        "weights": weights,
        "signal": signal,
        "attractors": attractors,
        "readout": readout,
        "simplicity": simplicity,
        "escape": escape,
    }
    return {question: table[question] for question in QUESTIONS}
