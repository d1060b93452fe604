"""Certificates: a point proved to exist and to be the only one near, its stability, its ball."""

from fpcheck.attractors.certify.certificate import (
    AttractingBall,
    Certificate,
    inside,
    same_point,
)
from fpcheck.attractors.certify.proof import certify

__all__ = ["AttractingBall", "Certificate", "certify", "inside", "same_point"]
