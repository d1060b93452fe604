"""Proofs about all fixed points at once: that there is one, or that a list of them is complete."""

from fpcheck.attractors.uniqueness.complete_list import CompleteList, branch_and_bound
from fpcheck.attractors.uniqueness.invariant import InvariantBall, inside, invariant_ball
from fpcheck.attractors.uniqueness.ladder import Rung, Uniqueness, prove_unique

__all__ = [
    "CompleteList",
    "InvariantBall",
    "Rung",
    "Uniqueness",
    "branch_and_bound",
    "inside",
    "invariant_ball",
    "prove_unique",
]
