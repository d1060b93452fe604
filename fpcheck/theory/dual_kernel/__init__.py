"""Dual kernels: what infinitely wide networks make of pairs of inputs."""

from fpcheck.theory.dual_kernel.compose import DualKernel, dual_kernel, dual_kernels
from fpcheck.theory.dual_kernel.spread import (
    DepthPoint,
    DepthProfile,
    KernelSpread,
    depth_profile,
    kernel_spread,
)

__all__ = [
    "DepthPoint",
    "DepthProfile",
    "DualKernel",
    "KernelSpread",
    "depth_profile",
    "dual_kernel",
    "dual_kernels",
    "kernel_spread",
]
