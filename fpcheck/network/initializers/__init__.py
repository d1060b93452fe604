"""The laws that draw weights and biases: families, scale rules, named variants, and the drawing."""

from fpcheck.network.initializers.draw import draw_law, draw_network, draw_weight
from fpcheck.network.initializers.families import FAMILIES, SCALES
from fpcheck.network.initializers.law import (
    NAMED_LAWS,
    Law,
    LawError,
    amplitude,
    parse_law,
    second_moment,
    stability_index,
)

__all__ = [
    "FAMILIES",
    "NAMED_LAWS",
    "SCALES",
    "Law",
    "LawError",
    "amplitude",
    "draw_law",
    "draw_network",
    "draw_weight",
    "parse_law",
    "second_moment",
    "stability_index",
]
