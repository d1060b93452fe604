"""How far a network is from a bifurcation: its fixed points followed as its weights are scaled."""

from fpcheck.attractors.continuation.result import Branch, Event, GainMargin

__all__ = ["Branch", "Event", "GainMargin"]
