"""Singular values of the input-output Jacobian at some of the inputs."""

from __future__ import annotations

import math

import numpy as np

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.core.progress import Monitor
from fpcheck.network.layers import layers
from fpcheck.network.network import Network
from fpcheck.network.program import backward, jacobian, trace
from fpcheck.signal.result import (
    Isometry,
    JacobianResult,
    LayerJacobian,
    SingularValues,
    Skipped,
)
from fpcheck.signal.sampling import median, plain_mean, positive_mean
from fpcheck.theory.quadrature import Array

POINTS = 8  # inputs at which the Jacobian is taken, fewer where it is expensive
MAX_ENTRIES = 1 << 20  # n_in x n_out: above, one decomposition takes more than a second
MAX_OPERATIONS = 4e9  # multiplications over all points, about half a second of one core
# Layer by layer: fewer points and operations, for there are as many decompositions as layers.
LAYER_POINTS = 4
MAX_LAYER_OPERATIONS = 1e9


def jacobian_spectrum(
    network: Network, inputs: Array, monitor: Monitor, mean_square_theory: float | None = None
) -> JacobianResult | Skipped:
    """The Jacobian's singular values at the first inputs, as many as are affordable.

    inputs: (n, *input shape). mean_square_theory: of the squares at infinite width, where known.
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
        values.append(_singular_values(at_x))
    found = _without_rounding(np.array(values), max(n_in, n_out))
    return _summary(found, mean_square_theory, _by_layer(network, inputs, monitor))


def _operations(network: Network) -> float:
    """Multiplications for one Jacobian and its decomposition."""
    n_in, n_out = network.program.input_size, network.program.output_size
    smaller = min(n_in, n_out)
    forward = sum(math.prod(layer.shape) * layer.fan_in for layer in layers(network.skeleton))
    return float(smaller * forward + 20 * smaller * n_in * n_out + 1)


def _singular_values(matrix: Array) -> Array:
    return np.asarray(np.linalg.svd(matrix, compute_uv=False), dtype=np.float64)


def _without_rounding(values: Array, size: int) -> Array:
    """Singular values with those below rounding set to 0. values: (points, k), descending."""
    kept = values > np.finfo(np.float64).eps * size * values[:, :1]
    found: Array = np.where(kept, values, 0.0)
    return found


def _summary(
    values: Array, mean_square_theory: float | None, by_layer: list[tuple[str, Array]]
) -> JacobianResult:
    """values: (points, min(n_in, n_out)), descending."""
    with np.errstate(divide="ignore", invalid="ignore"):
        conditions = np.where(values[:, -1] > 0.0, values[:, 0] / values[:, -1], np.inf)
    condition, condition_range = median(conditions)
    smallest, smallest_range = median(values[:, -1])
    largest, largest_range = median(values[:, 0])
    return JacobianResult(
        points=len(values),
        singular_values=SingularValues(
            min=float(values.min()), median=float(np.median(values)), max=float(values.max())
        ),
        smallest=smallest,
        smallest_low=smallest_range.low,
        smallest_high=smallest_range.high,
        largest=largest,
        largest_low=largest_range.low,
        largest_high=largest_range.high,
        rank=float(np.median(np.count_nonzero(values, axis=1))),
        condition=condition,
        condition_low=condition_range.low,
        condition_high=condition_range.high,
        isometry=isometry(values),
        mean_square_theory=mean_square_theory,
        layer_points=len(by_layer[0][1]) if by_layer else 0,
        layers=tuple(LayerJacobian(name, isometry(each)) for name, each in by_layer),
    )


def isometry(values: Array) -> Isometry:
    """The summary of singular values (points, k), those below rounding 0."""
    largest = values[:, :1]
    with np.errstate(all="ignore"):
        mean_square, mean_square_range = positive_mean(np.mean(values**2, axis=1))
        squares = (values / largest) ** 2  # relative, for the squares themselves may overflow
        shares = squares / squares.sum(axis=1, keepdims=True)
        ranks = np.where(largest[:, 0] > 0.0, 1.0 / np.sum(shares**2, axis=1), 0.0)
    spread, spread_range = plain_mean(np.array([_log_spread(row) for row in values]))
    rank, rank_range = plain_mean(ranks)
    return Isometry(
        mean_square=mean_square,
        mean_square_low=mean_square_range.low,
        mean_square_high=mean_square_range.high,
        log_spread=spread,
        log_spread_low=max(0.0, spread_range.low),
        log_spread_high=spread_range.high,
        effective_rank=rank,
        effective_rank_low=max(0.0, rank_range.low),
        effective_rank_high=rank_range.high,
    )


def _log_spread(values: Array) -> float:
    """The standard deviation of log s over the positive ones; 0 for fewer than two."""
    positive = values[values > 0.0]
    return float(np.log(positive).std()) if len(positive) > 1 else 0.0


def _by_layer(network: Network, inputs: Array, monitor: Monitor) -> list[tuple[str, Array]]:
    """(name, singular values (points, k)) of the Jacobian from each layer to the output.

    Of all layers in one backward pass a point, with the unit vectors of the outputs.
    """
    program, stack = network.program, layers(network.skeleton)
    n_out = program.output_size
    sizes = [math.prod(layer.shape) for layer in stack]
    decompositions = 20.0 * sum(n_out * size * min(n_out, size) for size in sizes)
    passes = float(n_out * sum(math.prod(x.shape) * x.fan_in for x in stack))
    points = min(LAYER_POINTS, len(inputs), int(MAX_LAYER_OPERATIONS / (decompositions + passes)))
    gathered: dict[str, list[Array]] = {layer.name: [] for layer in stack}
    units = np.eye(n_out).reshape(n_out, *network.skeleton.output_shape)
    for x in inputs[:points]:
        monitor.check()
        gradients = backward(program, trace(program, x[None]), units)
        for layer, size in zip(stack, sizes, strict=True):
            along = gradients.get(layer.preactivation)
            matrix = np.zeros((n_out, size)) if along is None else along.reshape(n_out, size)
            if not np.all(np.isfinite(matrix)):
                return []
            gathered[layer.name].append(_singular_values(matrix))
    if not points:
        return []
    return [
        (layer.name, _without_rounding(np.array(gathered[layer.name]), max(n_out, size)))
        for layer, size in zip(stack, sizes, strict=True)
    ]
