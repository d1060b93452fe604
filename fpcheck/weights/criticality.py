"""What a recognised initialiser means for the signal: chi_1 with the layer's activation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fpcheck.network.activations import ActivationFunction
from fpcheck.network.layers import Layer, layers
from fpcheck.network.network import Network
from fpcheck.theory.closed_forms import scale_free_gain
from fpcheck.theory.variance_map import VarianceMap, settled
from fpcheck.weights.law_result import MatrixLaw, alternatives

LARGEST_DENOMINATOR = 12  # of the fractions that are written as such
ROUNDING = 1e-8
SPOKEN = {"torch_default": "PyTorch's default"}


@dataclass(frozen=True, slots=True)
class Criticality:
    """chi_1 of a deep stack of layers with one initialiser and activation, at infinite width.

    Args:
        initialiser: its name; several that have one scale here are joined by " or ".
        activation: of the layers.
        sigma_w2, sigma_b2: by the initialiser; sigma_b2 as measured where biases are neither
            zero nor PyTorch's; its mean over the layers.
        chi1: sigma_w2 E phi'(h)^2 at the variance of h that the stack settles on.
        layers: the layers that look like it.
        sentence: all of it in words.
    """

    initialiser: str
    activation: str
    sigma_w2: float
    sigma_b2: float
    chi1: float
    layers: tuple[str, ...]
    sentence: str


def criticality(network: Network, laws: Mapping[str, MatrixLaw]) -> tuple[Criticality, ...]:
    """One entry an initialiser and activation of the network's hidden layers.

    laws: by the weight tensor's name. Left out are layers that no named initialiser is certain
    for (or several of one scale), layers with a norm or a sum before the activation, which
    rescale what enters it, linear layers, and those whose variance settles nowhere.
    """
    alike: dict[tuple[str, float, ActivationFunction], list[tuple[str, float]]] = {}
    for layer in layers(network.skeleton):
        law = laws.get(layer.node.weight)
        if law is None or layer.preactivation != layer.name or layer.activation.name == "identity":
            continue
        named = _scale(law)
        if named is not None:
            group = alike.setdefault((*named, layer.activation), [])
            group.append((layer.name, _bias_scale(layer, law, network)))
    found = []
    for (name, sigma_w2, function), members in alike.items():
        sigma_b2 = math.fsum(scale for _, scale in members) / len(members)
        chi1 = _chi1(VarianceMap(function, sigma_w2, sigma_b2))
        if chi1 is not None:
            names = tuple(layer for layer, _ in members)
            sentence = _sentence(name, function.label, sigma_w2, chi1, names)
            entry = Criticality(name, function.label, sigma_w2, sigma_b2, chi1, names, sentence)
            found.append(entry)
    return tuple(found)


def fraction(value: float) -> str:
    """The number as a small fraction where it is one, else in three digits."""
    near = Fraction(value).limit_denominator(LARGEST_DENOMINATOR)
    return str(near) if abs(float(near) - value) <= ROUNDING * abs(value) else f"{value:.3g}"


def _scale(law: MatrixLaw) -> tuple[str, float] | None:
    """(name, sigma_w^2) of the initialiser, or of several that agree in it; else None."""
    names = (law.initialiser,) if law.initialiser else alternatives(law)
    if law.initialiser is None and law.reason.startswith("too few"):
        return None
    scales = [entry.sigma_w2 for entry in law.candidates if entry.name in names]
    if not scales or max(scales) - min(scales) > ROUNDING * max(scales):
        return None
    return " or ".join(names), float(f"{scales[0]:.9g}")  # 1/3 from every fan_in


def _bias_scale(layer: Layer, law: MatrixLaw, network: Network) -> float:
    if layer.node.bias is None or law.bias in ("", "zeros"):
        return 0.0
    if law.bias == "as PyTorch's default":
        return 1.0 / (3.0 * layer.fan_in)
    bias = np.asarray(network.parameters[layer.node.bias], dtype=np.float64).ravel()
    return float(np.dot(bias, bias)) / bias.size


def _chi1(v: VarianceMap) -> float | None:
    """chi_1 where iterating V from q = 1 settles; for a function without a scale, anywhere."""
    if scale_free_gain(v.function) is not None:
        return v.chi1(1.0)
    point = settled(v, 1.0)
    return None if point is None or point.chi1 is None else point.chi1


def _sentence(
    name: str, activation: str, sigma_w2: float, chi1: float, names: tuple[str, ...]
) -> str:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    looks = "looks" if len(names) == 1 else "look"
    if math.isclose(chi1, 1.0, abs_tol=ROUNDING):
        meaning = "critical"
    else:
        meaning = "gradients shrink with depth" if chi1 < 1.0 else "gradients grow with depth"
    return (
        f"{shown} {looks} like {SPOKEN.get(name, name)} (σ_w² = {fraction(sigma_w2)}), "
        f"which with {activation} is χ₁ = {fraction(chi1)}: {meaning}"
    )
