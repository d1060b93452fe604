"""Rigorous enclosures of a network's values and Jacobians by midpoint and radius."""

from fpcheck.network.enclosure.ball import Ball
from fpcheck.network.enclosure.network import Enclosing, enclose, enclose_jacobian, enclosing
from fpcheck.network.enclosure.rules import enclosable

__all__ = ["Ball", "Enclosing", "enclosable", "enclose", "enclose_jacobian", "enclosing"]
