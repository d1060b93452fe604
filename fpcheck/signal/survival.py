"""Whether a sparse network of this width keeps its signal and gradient over its depth."""

from __future__ import annotations

import math

from fpcheck.network.layers import layers
from fpcheck.network.network import Network
from fpcheck.signal.result import SurvivalResult, TheoryResult
from fpcheck.signal.stack import typical_stack
from fpcheck.theory.edge_of_chaos import SIDES
from fpcheck.theory.finite_width_law import survival
from fpcheck.theory.layer_scales import LayerLaws, layer_scales


def sparse_survival(
    network: Network, theory: TheoryResult, laws: LayerLaws | None
) -> SurvivalResult | None:
    """The chances of a chain of alike hidden layers with a sparse activation; None for others.

    Only there is it known that criticality is not enough: where q strays above q*, chi_1 does too.
    None too where infinite width keeps no signal, which is another matter.
    """
    hidden = layers(network.skeleton)[:-1]
    if not theory.homogeneous or not hidden or hidden[0].activation.name not in SIDES:
        return None
    alike = typical_stack(network.skeleton, layer_scales(network, laws))
    start_q = theory.layers[0].q
    if alike is None or not start_q or theory.q_star == 0.0:
        return None
    dense = hidden[0].kind == "dense"
    width = hidden[0].units
    positions = 1 if dense else min(math.prod(layer.shape[1:]) for layer in hidden)
    found = survival(alike.map, width, len(hidden), start_q=start_q, positions=positions)
    return SurvivalResult(
        width=width,
        depth=len(hidden),
        positions=positions,
        lost_signal=found.lost_signal,
        lost_gradient=found.lost_gradient,
        lost=found.lost,
        q_sd=found.q_sd,
        return_layers=tuple(found.return_layers),
        mean_log_chi=found.mean_log_chi,
        verdict=found.verdict,
    )
