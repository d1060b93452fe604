"""Building the law of random networks from a skeleton, its laws and the labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import FpcheckError
from fpcheck.core.settings import Settings
from fpcheck.network.initializers import Law, amplitude
from fpcheck.network.network import needed_parameters
from fpcheck.network.skeleton import (
    BatchNorm,
    BlackBox,
    Conv,
    ConvTranspose,
    Dense,
    GroupNorm,
    LayerNorm,
    RMSNorm,
    Scale,
    Skeleton,
    fan_in,
    fan_out,
    stored_shape,
)
from fpcheck.simplicity.architecture import fit_architecture, hidden_dense
from fpcheck.simplicity.label_laws import ChosenLaws, choose_laws, scale_law
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.latent import latents_an_entry
from fpcheck.simplicity.networks import Block, Kind, Prior
from fpcheck.theory.layer_scales import LayerLaws

__all__ = ["Block", "Prior", "make_prior"]

Weighted = Dense | Conv | ConvTranspose
Tensors = Mapping[str, NDArray[np.generic]]


def make_prior(
    skeleton: Skeleton,
    laws: LayerLaws | None,
    settings: Settings,
    labelling: Labelling,
    *,
    width_factor: float = 1.0,
    depth: int | None = None,
    tensors: Tensors | None = None,
) -> Prior | str:
    """The law of random networks of the skeleton, with outputs as the labels need them.

    Args:
        skeleton: of the network in question.
        laws: of weights and biases by layer, from a spec; None or {}: all uniform on [-1, 1],
            unless settings say otherwise.
        settings: label_law, scaled_neurons.
        labelling: what is to be answered.
        width_factor: of hidden units and channels.
        depth: the number of hidden layers, of a plain chain; None leaves it.
        tensors: the network's, of which the constants of Scale nodes are taken.

    Returns:
        Or why there is none.

    Raises:
        UsageError: no law is called label_law.
    """
    chosen = choose_laws(settings.label_law, laws)
    fitted = fit_architecture(skeleton, labelling, width_factor, depth)
    if isinstance(fitted, str):
        return fitted
    found = fitted.skeleton
    constants = _constants(found, tensors or {})
    if isinstance(constants, str):
        return constants
    if why := _without_law(found, chosen, fitted.origins):
        return why
    blocks = tuple(_blocks(found, chosen, fitted.origins, scaled=settings.scaled_neurons))
    if not any(block.latent.stop > block.latent.start for block in blocks):
        return "the network has no random weights"
    words = chosen.words
    if settings.scaled_neurons:
        words += "; every hidden unit's weights times a random scale of the weights' law"
    prior = Prior(found, blocks, constants, words, fitted.notes)
    try:
        prior.network(np.zeros(prior.parameter_size))
    except FpcheckError as error:  # constants of another width
        return error.message
    return prior


def _without_law(skeleton: Skeleton, laws: ChosenLaws, origins: Mapping[str, str]) -> str:
    for node in skeleton.nodes:
        if isinstance(node, Weighted) and laws.of(origins.get(node.name, node.name)) is None:
            return f"layer '{node.name}' has no law; --label-law gives one to all"
    return ""


def _blocks(
    skeleton: Skeleton, laws: ChosenLaws, origins: Mapping[str, str], *, scaled: bool
) -> Iterator[Block]:
    """The blocks in the skeleton's order; a layer's scales follow its weights."""
    hidden = hidden_dense(skeleton) if scaled else ()
    latent = place = 0
    seen: set[str] = set()
    for node in skeleton.nodes:
        if not isinstance(node, Weighted):
            continue
        input_shape = skeleton.shapes[node.inputs[0]]
        pair = laws.of(origins.get(node.name, node.name))
        assert pair is not None  # _without_law
        sides = fan_in(node, input_shape), fan_out(node)
        units = node.units if isinstance(node, Dense) else node.channels
        parts: list[tuple[str | None, Kind, tuple[int, ...], Law]] = [
            (node.weight, "weight", weight_shape(node, input_shape), pair[0])
        ]
        if node.name in hidden:
            parts.append((f"{node.weight} (scale)", "scale", (units,), scale_law(pair[0])))
        parts.append((node.bias, "bias", (units,), pair[1]))
        weights = slice(place, place)
        for name, kind, shape, law in parts:
            if name is None or name in seen:
                continue
            seen.add(name)
            size = math.prod(shape)
            taken = slice(latent, latent + size * latents_an_entry(law))
            span = weights if kind == "scale" else slice(place, place + size)
            yield Block(node.name, name, kind, shape, law, amplitude(law, *sides), taken, span)
            weights = span
            latent, place = taken.stop, span.stop


def weight_shape(node: Weighted, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """(out, in, *kernel), whatever the layout; of a transposed convolution as it is stored."""
    shape = stored_shape(node, input_shape)
    if isinstance(node, ConvTranspose) or node.layout == "out_in":
        return shape
    *kernel, inputs, outputs = shape
    return (outputs, inputs, *kernel)


def _constants(skeleton: Skeleton, tensors: Tensors) -> dict[str, NDArray[np.generic]] | str:
    """What is not drawn: norms at their start, the constants of Scale nodes; or why not."""
    sizes = {name: shape for _, name, shape in needed_parameters(skeleton)}
    constants: dict[str, NDArray[np.generic]] = {}
    for node in skeleton.nodes:
        if isinstance(node, BlackBox):
            return f"what is inside '{node.name}' is not known, so it cannot be drawn again"
        if isinstance(node, BatchNorm):
            return (
                f"'{node.name}' normalises by the statistics of a batch, "
                "which random networks do not have"
            )
        if isinstance(node, LayerNorm | GroupNorm | RMSNorm):
            bias = None if isinstance(node, RMSNorm) else node.bias
            if node.weight is not None:
                constants[node.weight] = np.ones(sizes[node.weight])
            if bias is not None:
                constants[bias] = np.zeros(sizes[bias])
        elif isinstance(node, Scale):
            for name in (node.factor, node.shift):
                if name is None:
                    continue
                if name not in tensors:
                    return f"the constant '{name}' of '{node.name}' is not known"
                found = tensors[name]
                constants[name] = found
    return constants
