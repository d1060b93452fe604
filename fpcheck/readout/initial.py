"""Fresh random networks of a skeleton: by its spec's laws, or by each layer's own measured scale.

A network of other widths keeps every layer's sigma_w^2 = fan_in x mean square weight and sigma_b^2,
so that all of them share one infinite-width limit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import FpcheckError
from fpcheck.core.memory import require_memory
from fpcheck.network.initializers import Law, draw_law, draw_weight, second_moment
from fpcheck.network.network import Network, needed_parameters
from fpcheck.network.skeleton import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    GroupNorm,
    LayerNorm,
    Node,
    RMSNorm,
    Scale,
    Skeleton,
    fan_in,
    fan_out,
)
from fpcheck.network.widening import widened
from fpcheck.readout.features import last_dense
from fpcheck.theory.layer_scales import LayerLaws, LayerScale, layer_scales

Array = NDArray[np.float64]
Weighted = Dense | Conv | ConvTranspose
Laws = tuple[Law, Law]

BYTES_PER_ENTRY = 24  # a float64, and two passing copies of the largest tensor


@dataclass(frozen=True, slots=True)
class NotPossible:
    """Why a skeleton has no such random networks."""

    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Initial:
    """What random networks are drawn from.

    laws: of weights and biases by layer; factors: what their draws are multiplied by. scales:
    sigma_w^2 and sigma_b^2 by layer, as `dual_kernel` takes them. constants: the parameters that
    are not drawn, norms at their start. law: in words.
    """

    skeleton: Skeleton
    laws: Mapping[str, Laws]
    factors: Mapping[str, tuple[float, float]]
    scales: Mapping[str, LayerScale]
    constants: Mapping[str, Array]
    law: str

    def draw(self, rng: np.random.Generator) -> Network:
        """One network, its layers drawn in the skeleton's order; shared tensors are drawn once."""
        entries = sum(math.prod(shape) for _, _, shape in needed_parameters(self.skeleton))
        require_memory(BYTES_PER_ENTRY * entries, f"drawing {entries:,} parameters")
        parameters: dict[str, NDArray[np.generic]] = {}
        for node in self.skeleton.nodes:
            if isinstance(node, Weighted):
                shape = self.skeleton.shapes[node.inputs[0]]
                (weights, biases), (w, b) = self.laws[node.name], self.factors[node.name]
                sides = fan_in(node, shape), fan_out(node)
                drawn = _weight(node, weights, self.skeleton, rng)
                parameters.setdefault(node.weight, w * drawn)
                if node.bias is not None:
                    parameters.setdefault(
                        node.bias, b * draw_law(biases, _units(node), *sides, rng)
                    )
        return Network(self.skeleton, {**parameters, **self.constants})


def initial(
    network: Network,
    laws: LayerLaws | None = None,
    *,
    width_factor: float = 1.0,
    bias_share: float | None = None,
) -> Initial | NotPossible:
    """What fresh random networks of this skeleton are drawn from.

    Args:
        network: whose skeleton it is, and whose layers are measured where no law is known.
        laws: of weights and biases by layer, from a spec; None or {}: normal with each layer's own
            sigma_w^2 and sigma_b^2.
        width_factor: of hidden units and channels; input and output keep theirs.
        bias_share: beta of the bias correction: weights' variances times 1 - beta, biases of
            variance beta in every layer, whether it had any or not.
    """
    scales = layer_scales(network, laws)
    skeleton = network.skeleton
    if width_factor != 1.0:
        wider = _widened(network, width_factor)
        if isinstance(wider, NotPossible):
            return wider
        skeleton = wider
    if bias_share is not None:
        scales = {
            name: replace(scale, sigma_w2=(1.0 - bias_share) * scale.sigma_w2, sigma_b2=bias_share)
            for name, scale in scales.items()
        }
        skeleton = Skeleton(tuple(map(_with_bias, skeleton.nodes)))
    chosen: dict[str, Laws] = {}
    factors: dict[str, tuple[float, float]] = {}
    for node in skeleton.nodes:
        if isinstance(node, Weighted):
            given = (laws or {}).get(node.name)
            chosen[node.name] = pair = _laws(given, scales[node.name], bias_share)
            factors[node.name] = _factors(node, skeleton, pair, scales[node.name])
    constants = _constants(skeleton, network)
    return Initial(skeleton, chosen, factors, scales, constants, _in_words(laws, bias_share))


def redraw(
    network: Network,
    laws: LayerLaws | None,
    rng: np.random.Generator,
    *,
    width_factor: float = 1.0,
    bias_share: float | None = None,
) -> Network | NotPossible:
    """One fresh random network of the skeleton; the arguments are those of `initial`."""
    start = initial(network, laws, width_factor=width_factor, bias_share=bias_share)
    return start if isinstance(start, NotPossible) else start.draw(rng)


def _in_words(laws: LayerLaws | None, bias_share: float | None) -> str:
    text = (
        "drawn by the spec's laws"
        if laws
        else "normal, each layer with the sigma_w^2 and sigma_b^2 measured from its own entries"
    )
    if bias_share is None:
        return text
    return (
        f"{text}, with weights' variances times {1.0 - bias_share:g} and biases of variance "
        f"{bias_share:g}"
    )


def _laws(
    given: tuple[Law, Law | None] | None, scale: LayerScale, bias_share: float | None
) -> Laws:
    """The laws of a layer's weights and biases."""
    weights = Law("normal", {"sigma2": scale.sigma_w2}, "1/sqrt(fan_in)")
    biases = Law("normal", {"sigma2": scale.sigma_b2})
    if given is None:
        return weights, biases
    return given[0], biases if bias_share is not None else given[1] or Law("zeros")


def _factors(
    node: Weighted, skeleton: Skeleton, laws: Laws, scale: LayerScale
) -> tuple[float, float]:
    """What brings the draws to the stated sigma_w^2 and sigma_b^2; 1 where a law has none."""
    shape = skeleton.shapes[node.inputs[0]]
    sides = fan_in(node, shape), fan_out(node)
    w2 = sides[0] * second_moment(laws[0], *sides, _units(node)[0])
    return _ratio(scale.sigma_w2, w2), _ratio(scale.sigma_b2, second_moment(laws[1], *sides))


def _ratio(wanted: float, found: float) -> float:
    if wanted == found or not (0.0 < found < math.inf and math.isfinite(wanted)):
        return 1.0
    factor = math.sqrt(wanted / found)
    return 1.0 if abs(factor - 1.0) < 1e-12 else factor  # rounding alone


def _units(node: Weighted) -> tuple[int]:
    return (node.units if isinstance(node, Dense) else node.channels,)


def _weight(node: Weighted, law: Law, skeleton: Skeleton, rng: np.random.Generator) -> Array:
    shape = skeleton.shapes[node.inputs[0]]
    if not isinstance(node, ConvTranspose):
        return draw_weight(law, node, shape, rng)
    stored = next(size for _, name, size in needed_parameters(skeleton) if name == node.weight)
    return draw_law(law, stored, fan_in(node, shape), fan_out(node), rng)


def _with_bias(node: Node) -> Node:
    if isinstance(node, Weighted) and node.bias is None:
        return replace(node, bias=f"{node.name} (bias of the correction)")
    return node


def _constants(skeleton: Skeleton, network: Network) -> dict[str, Array]:
    """All that is not drawn: norms as identities of what they normalise, Scale nodes as they are.

    In a widened skeleton a Scale keeps its constants only where they broadcast, which Network
    checks.
    """
    sizes = {name: shape for _, name, shape in needed_parameters(skeleton)}
    kept: dict[str, Array] = {}
    for node in skeleton.nodes:
        ones: tuple[str | None, ...] = ()
        zeros: tuple[str | None, ...] = ()
        if isinstance(node, BatchNorm):
            ones, zeros = (node.weight, node.variance), (node.bias, node.mean)
        elif isinstance(node, LayerNorm | GroupNorm):
            ones, zeros = (node.weight,), (node.bias,)
        elif isinstance(node, RMSNorm):
            ones = (node.weight,)
        elif isinstance(node, Scale):
            for name in (node.factor, node.shift):
                if name is not None:
                    kept[name] = np.asarray(network.parameters[name], dtype=np.float64)
        kept |= {name: np.ones(sizes[name]) for name in ones if name is not None}
        kept |= {name: np.zeros(sizes[name]) for name in zeros if name is not None}
    return kept


def _widened(network: Network, factor: float) -> Skeleton | NotPossible:
    """The skeleton with hidden units and channels times `factor`, at least one each."""
    skeleton = network.skeleton
    last = last_dense(skeleton)
    if isinstance(last, str):
        return NotPossible(last)
    try:
        found = widened(skeleton, last, factor)
    except FpcheckError as error:
        return NotPossible(error.message)
    try:
        _check_constants(found, network)
    except FpcheckError as error:
        return NotPossible(f"at {factor:g} times the width, {error.message}")
    return found


def _check_constants(skeleton: Skeleton, network: Network) -> None:
    """Raise where a constant does not broadcast to the new widths, or shared tensors disagree."""
    empty = {
        name: np.broadcast_to(np.float64(0.0), shape)
        for _, name, shape in needed_parameters(skeleton)
    }
    scaled = {
        name: network.parameters[name]
        for node in skeleton.nodes
        if isinstance(node, Scale)
        for name in (node.factor, node.shift)
        if name is not None
    }
    Network(skeleton, {**empty, **scaled})
