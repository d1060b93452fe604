"""Certificates: a point proved to exist and to be the only one near, its stability, its ball."""

from fpcheck.attractors.certify.certificate import (
    AttractingBall,
    Certificate,
    inside,
    same_point,
)
from fpcheck.attractors.certify.proof import blocks, certify, certify_block, proving

__all__ = [
    "AttractingBall",
    "Certificate",
    "blocks",
    "certify",
    "certify_block",
    "inside",
    "proving",
    "same_point",
]
