"""Singular values of the input-output Jacobian at some of the inputs."""

from __future__ import annotations

import math

import numpy as np

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.core.progress import Monitor
from fpcheck.network.layers import layers
from fpcheck.network.network import Network
from fpcheck.network.program import jacobian
from fpcheck.signal.result import JacobianResult, SingularValues, Skipped
from fpcheck.theory.quadrature import Array

POINTS = 8  # inputs at which the Jacobian is taken, fewer where it is expensive
MAX_ENTRIES = 1 << 20  # n_in x n_out: above, one decomposition takes more than a second
MAX_OPERATIONS = 4e9  # multiplications over all points, about half a second of one core


def jacobian_spectrum(
    network: Network, inputs: Array, monitor: Monitor
) -> JacobianResult | Skipped:
    """The Jacobian's singular values pooled over the first inputs, as many as are affordable.

    inputs: (n, *input shape).
    """
    program = network.program
    n_in, n_out = program.input_size, program.output_size
    if n_in * n_out > MAX_ENTRIES:
        return Skipped(f"a Jacobian of {n_out} x {n_in} entries is too large to decompose here")
    points = min(POINTS, len(inputs), int(MAX_OPERATIONS / _operations(network)))
    if points < 1:
        return Skipped("one Jacobian of this network takes too many operations")
    values = []
    for x in inputs[:points]:
        monitor.check()
        try:
            at_x = jacobian(program, x)
        except UnsupportedOperationError as error:
            return Skipped(error.message)
        if not np.all(np.isfinite(at_x)):
            return Skipped("the Jacobian is not finite at the inputs")
        values.append(np.linalg.svd(at_x, compute_uv=False))
    return _summary(np.array(values), max(n_in, n_out))


def _operations(network: Network) -> float:
    """Multiplications for one Jacobian and its decomposition."""
    n_in, n_out = network.program.input_size, network.program.output_size
    smaller = min(n_in, n_out)
    forward = sum(math.prod(layer.shape) * layer.fan_in for layer in layers(network.skeleton))
    return float(smaller * forward + 20 * smaller * n_in * n_out + 1)


def _summary(values: Array, size: int) -> JacobianResult:
    """values: (points, min(n_in, n_out)), descending. What is below rounding counts as 0."""
    largest = values[:, :1]
    kept = values > np.finfo(np.float64).eps * size * largest
    values = np.where(kept, values, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        conditions = np.where(values[:, -1] > 0.0, values[:, 0] / values[:, -1], np.inf)
    return JacobianResult(
        points=len(values),
        singular_values=SingularValues(
            min=float(values.min()), median=float(np.median(values)), max=float(values.max())
        ),
        rank=float(np.median(kept.sum(axis=1))),
        condition=float(np.median(conditions)),
    )
