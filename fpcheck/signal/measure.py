"""Measures how a signal passes through the network, beside what infinite width predicts."""

from __future__ import annotations

import math

import numpy as np

from fpcheck.core.errors import DataError, UnsupportedOperationError
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.layers import layers
from fpcheck.network.network import Network
from fpcheck.network.program import backward, trace
from fpcheck.network.skeleton import Activation
from fpcheck.signal.prediction import predict
from fpcheck.signal.result import MeasuredResult, SignalResult
from fpcheck.signal.singular_values import jacobian_spectrum
from fpcheck.signal.statistics import (
    LayerStatistics,
    RowStatistics,
    measured_input,
    measured_layer,
)
from fpcheck.theory.layer_scales import LayerLaws
from fpcheck.theory.propagation import UnitMoments
from fpcheck.theory.quadrature import Array

# Rows that pass at once, fewer where a network's values and gradients would not fit; always even,
# because neighbouring rows make the pairs whose correlation is followed.
BLOCK_ROWS = 64
BLOCK_BYTES = 256 << 20
MEASURED = "measured"


def measure(
    network: Network,
    inputs: Array,
    source: str,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
    layer_laws: LayerLaws | None = None,
) -> SignalResult:
    """The signal question's answer on up to `settings.samples` of the inputs, drawn at random.

    inputs: (n, *input shape), n >= 1; source says where they come from. layer_laws: the laws that
    drew the layers, by layer name, where they are known: the theory then uses their sigma_w^2 and
    sigma_b^2, else the layers' own mean squares.

    Raises:
        DataError: there is no input.
    """
    if len(inputs) < 1:
        raise DataError("the signal needs at least one input", hint="pass --samples 1 or more")
    chosen = inputs[rng.permutation(len(inputs))[: settings.samples]]
    with np.errstate(all="ignore"):  # a network that overflows is a finding, not a warning
        measured = _measured(network, chosen, source, rng, monitor)
        return SignalResult(
            theory=predict(network, input_moments(chosen), layer_laws),
            measured=measured,
            jacobian=jacobian_spectrum(network, chosen, monitor),
        )


def input_moments(inputs: Array) -> UnitMoments:
    """The moments over entries of the inputs, k over neighbouring pairs (0 for a single input).

    inputs: (n, *input shape).
    """
    rows = inputs.reshape(len(inputs), -1)
    pairs = len(rows) // 2
    q = float(np.mean(rows * rows))
    products = rows[0 : 2 * pairs : 2] * rows[1 : 2 * pairs : 2]
    k = float(np.mean(products)) if pairs else 0.0
    return UnitMoments(q=q, k=min(q, max(-q, k)), mean=float(np.mean(rows)))


def _measured(
    network: Network, inputs: Array, source: str, rng: np.random.Generator, monitor: Monitor
) -> MeasuredResult:
    """One pass over the inputs, block by block, forward and backward."""
    program = network.program
    stack = layers(network.skeleton)
    gathered = [LayerStatistics(layer) for layer in stack]
    at_input = RowStatistics()
    first, last = network.skeleton.nodes[0].name, network.skeleton.nodes[-1].name
    gradient = _gradient_status(network)
    rows_at_once = block_rows(network)
    for start in range(0, len(inputs), rows_at_once):
        monitor.check()
        monitor.report("signal", start, len(inputs))
        values = trace(program, inputs[start : start + rows_at_once])
        rows = len(values[first])
        at_input.add(values[first].reshape(rows, -1))
        directions = _unit_directions(rng, values[last].shape)
        gradients = backward(program, values, directions) if gradient == MEASURED else {}
        for each in gathered:
            incoming = values[each.layer.node.inputs[0]].reshape(rows, -1)
            before = values[each.layer.preactivation].reshape(rows, -1)
            after = values[each.layer.postactivation].reshape(rows, -1)
            along = gradients.get(each.layer.preactivation)
            each.add(incoming, before, after, None if along is None else along.reshape(rows, -1))
    return MeasuredResult(
        source=source,
        inputs=len(inputs),
        input=measured_input(at_input),
        layers=tuple(
            measured_layer(each, hidden=i < len(gathered) - 1) for i, each in enumerate(gathered)
        ),
        gradient=gradient,
    )


def _gradient_status(network: Network) -> str:
    """ "measured", or why there are no gradients."""
    for node in network.skeleton.nodes:
        if isinstance(node, Activation):
            try:
                node.function.derivative(np.zeros(1))
            except UnsupportedOperationError as error:
                return error.message
    return MEASURED


def _unit_directions(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Random unit vectors of the output space, one a row."""
    directions = rng.standard_normal((shape[0], math.prod(shape[1:])))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return directions.reshape(shape)


def block_rows(network: Network) -> int:
    """An even number of rows whose values, gradients and scratch stay within BLOCK_BYTES."""
    entries = sum(math.prod(shape) for shape in network.skeleton.shapes.values())
    affordable = BLOCK_BYTES // (3 * 8 * entries)
    return max(2, min(BLOCK_ROWS, affordable - affordable % 2))
