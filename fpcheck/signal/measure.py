"""Measures how a signal passes through the network, beside what infinite width predicts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fpcheck.core.errors import DataError, UnsupportedOperationError
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.layers import layers
from fpcheck.network.network import Network
from fpcheck.network.program import backward, trace
from fpcheck.network.skeleton import Activation
from fpcheck.signal.gain import gains
from fpcheck.signal.input_moments import input_moments, input_scatter
from fpcheck.signal.length import length_map
from fpcheck.signal.prediction import predict
from fpcheck.signal.result import MeasuredResult, NoVariance, SignalResult, Skipped, TheoryResult
from fpcheck.signal.row_moments import RowMoments
from fpcheck.signal.singular_values import jacobian_spectrum
from fpcheck.signal.statistics import (
    LayerStatistics,
    chance_spreads,
    measured_input,
    measured_layer,
)
from fpcheck.signal.survival import sparse_survival
from fpcheck.theory.layer_scales import LayerLaws
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
        theory = _theory(network, chosen, layer_laws)
        expected = _mean_square(network, theory) if isinstance(theory, TheoryResult) else None
        return SignalResult(
            theory=theory,
            measured=measured,
            jacobian=jacobian_spectrum(network, chosen, monitor, expected),
        )


def _theory(
    network: Network, inputs: Array, laws: LayerLaws | None
) -> TheoryResult | NoVariance | Skipped:
    """The prediction, with the gains and the chances that follow from it."""
    theory = predict(
        network,
        input_moments(inputs),
        laws,
        inputs=len(inputs),
        scatter=input_scatter(inputs),
    )
    if isinstance(theory, Skipped):
        length = length_map(network, inputs, laws)
        return theory if length is None else NoVariance(theory.skipped, length)
    return replace(
        theory,
        gains=gains(network.skeleton, theory),
        survival=sparse_survival(network, theory, laws),
    )


def _mean_square(network: Network, theory: TheoryResult) -> float | None:
    """E s^2 of the input-output Jacobian's singular values at infinite width, where it is known.

    chi_1 from layer to layer multiplies up to the growth of a difference's mean square over the
    units. A mean over the outputs becomes one over the singular values by n_out / min(n_in, n_out).
    """
    if layers(network.skeleton)[-1].preactivation != network.skeleton.nodes[-1].name:
        return None
    factors = [layer.chi1 for layer in theory.layers]
    if any(factor is None for factor in factors):
        return None
    n_in, n_out = network.program.input_size, network.program.output_size
    return math.prod(f for f in factors if f is not None) * n_out / min(n_in, n_out)


def _measured(
    network: Network, inputs: Array, source: str, rng: np.random.Generator, monitor: Monitor
) -> MeasuredResult:
    """One pass over the inputs, block by block, forward and backward."""
    program = network.program
    stack = layers(network.skeleton)
    gathered = [LayerStatistics(layer) for layer in stack]
    at_input = RowMoments()
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
            measured_layer(each, i < len(gathered) - 1, chance)
            for i, (each, chance) in enumerate(zip(gathered, chance_spreads(stack), strict=True))
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
