"""What the trial starts found, as the rows, notes and code of the suggestion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fpcheck.jobs.suggest.choice import Choice
from fpcheck.jobs.suggest.code import FRAMEWORKS, framework_code
from fpcheck.jobs.suggest.fresh import Array
from fpcheck.jobs.suggest.result import Present, SuggestedLayer
from fpcheck.jobs.suggest.spec_text import spec_text
from fpcheck.network.layers import Layer, layers
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Conv, ConvTranspose
from fpcheck.network.subject import Subject
from fpcheck.signal.input_moments import input_moments
from fpcheck.signal.prediction import predict
from fpcheck.signal.result import Skipped
from fpcheck.theory.layer_scales import layer_scales

# Inputs whose mean square is outside are better scaled before the network than by its weights.
USUAL_Q = (0.01, 100.0)


def suggested_layers(
    network: Network,
    subject: Subject,
    choices: Mapping[str, Choice],
    measured: Mapping[str, float],
    lsuv: Mapping[str, float],
) -> tuple[SuggestedLayer, ...]:
    """One row a weight tensor, for the first layer that has it."""
    present_scales = layer_scales(network, subject.layer_laws)
    rows = []
    for layer in layers(network.skeleton):
        if layer.name not in choices:  # its weights are another layer's
            continue
        choice, scale = choices[layer.name], present_scales[layer.name]
        rows.append(
            SuggestedLayer(
                name=layer.name,
                kind=layer.kind,
                activation=layer.activation.label,
                fan_in=layer.fan_in,
                units=layer.units,
                biases=layer.node.bias is not None,
                present_w2=scale.sigma_w2,
                present_b2=scale.sigma_b2,
                sigma_w2=choice.sigma_w2,
                sigma_b2=choice.sigma_b2,
                orthogonal_gain=orthogonal_gain(choice.sigma_w2, layer.units, layer.fan_in),
                q=choice.q,
                q_measured=measured[layer.name],
                lsuv_w2=lsuv.get(layer.name, math.nan),
                entering=choice.entering,
                note=_with_padding(layer, choice.note),
            )
        )
    return tuple(rows)


def orthogonal_gain(sigma_w2: float, units: int, fan_in: int) -> float:
    """The factor on a semi-orthogonal matrix (units, fan_in) that gives it this sigma_w^2.

    Its entries' mean square is gain^2 / max(units, fan_in).
    """
    return math.sqrt(sigma_w2 * max(units, fan_in) / fan_in)


def q_ratios(rows: tuple[SuggestedLayer, ...]) -> tuple[float, float]:
    """The smallest and the largest measured q by the one aimed at."""
    ratios = [row.q_measured / row.q if row.q > 0.0 else math.nan for row in rows]
    return min(ratios), max(ratios)


def present(network: Network, subject: Subject, inputs: Array) -> Present:
    """The network as it is, at infinite width. inputs: (n, *input shape)."""
    depth = len(layers(network.skeleton))
    with np.errstate(all="ignore"):  # what overflows at the present scales is the finding
        theory = predict(network, input_moments(inputs), subject.layer_laws)
    if isinstance(theory, Skipped):
        return Present(depth, "none", None, None, (theory.skipped,))
    return Present(depth, theory.phase, theory.chi1, theory.usable_depth, theory.notes)


def notes(network: Network, inputs: Array) -> tuple[str, ...]:
    """What must be known beside the rows. inputs: (n, *input shape)."""
    found = []
    q = float(np.mean(inputs * inputs))
    if not USUAL_Q[0] <= q <= USUAL_Q[1]:
        found.append(
            f"the inputs' mean square is {q:.3g}: scale them to about 1 rather than leave it to "
            "the first layer's weights"
        )
    if any(isinstance(node, ConvTranspose) for node in network.skeleton.nodes):
        found.append("transposed convolutions are left as they are")
    return tuple(found)


def code(
    network: Network, subject: Subject, rows: tuple[SuggestedLayer, ...], method: str
) -> dict[str, str]:
    """The suggestion as a spec and as Python source, by `spec` and framework."""
    orthogonal = method != "normal"
    if method == "lsuv":
        rows = tuple(_by_lsuv(row) for row in rows)
    law = subject.input_law
    stated = (("law", f'"{law.law}"'), *law.parameters.items()) if law else ()
    inputs = tuple((key, str(value)) for key, value in stated)
    scales = {row.name: row for row in rows}
    spec = spec_text(subject.name, network.skeleton, scales, inputs, orthogonal=orthogonal)
    return {"spec": spec} | {
        name: framework_code(name, subject.name, rows, method=method) for name in FRAMEWORKS
    }


def _by_lsuv(row: SuggestedLayer) -> SuggestedLayer:
    """The row with the scales that LSUV found; as it is where nothing entered the layer."""
    if not math.isfinite(row.lsuv_w2):
        return row
    gain = orthogonal_gain(row.lsuv_w2, row.units, row.fan_in)
    return replace(row, sigma_w2=row.lsuv_w2, sigma_b2=0.0, orthogonal_gain=gain)


def _with_padding(layer: Layer, note: str) -> str:
    padded = isinstance(layer.node, Conv) and any(sum(pad) for pad in layer.node.padding)
    words = "q is aimed at inside: zero padding lowers it at the borders" if padded else ""
    return "; ".join(part for part in (note, words) if part)
