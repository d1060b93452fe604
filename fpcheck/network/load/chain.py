"""A chain of dense layers inferred from the names and shapes of a state dict.

What names and shapes do not determine is said and never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fpcheck.network.activations import ActivationFunction
from fpcheck.network.load.chain_layers import Tensors, UndeterminedError, chain_layers
from fpcheck.network.load.chain_order import Placed, order_layers
from fpcheck.network.load.norm_places import EPSILON, NormPlaces, NormTensors, place_norms
from fpcheck.network.skeleton import (
    Activation,
    BatchNorm,
    Dense,
    Input,
    Layout,
    Node,
    Skeleton,
)


@dataclass(frozen=True, slots=True)
class Chain:
    """What a state dict says about its network.

    Args:
        skeleton: the network; None where something is not determined.
        outline: the same layers where only the activation is missing, without activations.
        reason: why there is no skeleton, "" if there is one.
        hint: the flag that gives the rest.
        notes: what was assumed.
        unused: tensors that no layer uses.
    """

    skeleton: Skeleton | None
    outline: Skeleton | None = None
    reason: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


def infer_chain(
    tensors: Tensors,
    *,
    ordered: bool,
    activation: ActivationFunction | None = None,
    output_activation: ActivationFunction | None = None,
    layout: Layout | None = None,
) -> Chain:
    """The chain that `tensors` form.

    ordered: whether their order is the one in which they were saved.
    layout: the orientation of all matrices; None: as their names say.
    """
    unused: tuple[str, ...] = ()
    try:
        parts = chain_layers(tensors, layout)
        unused = tuple(parts.unused)
        order = order_layers(parts.dense, ordered=ordered)
        if not order.layers:
            raise UndeterminedError(order.reason, order.hint)
        places = place_norms(order.layers, parts.norms, parts.names, ordered=ordered)
        if places.reason:
            raise UndeterminedError(places.reason, places.hint)
    except UndeterminedError as error:
        return Chain(None, reason=error.reason, hint=error.hint, unused=unused)
    notes = [*order.notes, *places.notes]
    layers = order.layers
    if len(layers) > 1 and activation is None:
        return Chain(
            None,
            _skeleton(layers, places, None, output_activation),
            "the activation of the hidden layers is not in the file",
            "--activation NAME, such as --activation tanh, or --spec FILE",
            tuple(notes),
            unused,
        )
    if len(layers) == 1 and output_activation is None:
        notes.append("one layer, taken as linear; --output-activation gives it another activation")
    if len(layers) == 1 and activation is not None:
        notes.append("--activation has no effect on one layer, which is the last")
    skeleton = _skeleton(layers, places, activation, output_activation)
    return Chain(skeleton, skeleton, notes=tuple(notes), unused=unused)


def _skeleton(
    layers: tuple[Placed, ...],
    places: NormPlaces,
    activation: ActivationFunction | None,
    output_activation: ActivationFunction | None,
) -> Skeleton:
    taken = {place.tensors.name for place in layers} | {n.name for n in places.behind.values()}
    place = "input"
    while place in taken:
        place += "_"
    nodes: list[Node] = [Input(place, (layers[0].fan_in,))]
    if "" in places.behind:
        nodes.append(_norm_node(places.behind[""], place))
        place = nodes[-1].name
    for layer in layers:
        tensors = layer.tensors
        behind: list[Node] = []
        nodes.append(
            Dense(tensors.name, (place,), layer.units, tensors.weight, tensors.bias, layer.layout)
        )
        phi = output_activation if layer is layers[-1] else activation
        place = tensors.name
        norm = places.behind.get(tensors.name)
        if norm is not None:
            behind.append(_norm_node(norm, place))
        if phi is not None:
            own = Activation(f"{tensors.name}.activation", (place,), phi)
            behind.insert(0 if tensors.name in places.late else len(behind), own)
        for node in behind:
            nodes.append(replace(node, inputs=(place,)))
            place = node.name
    return Skeleton(tuple(nodes))


def _norm_node(norm: NormTensors, source: str) -> BatchNorm:
    return BatchNorm(
        norm.name, (source,), norm.mean, norm.variance, norm.weight, norm.bias, EPSILON
    )
