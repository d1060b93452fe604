"""The architecture that answers the labels: its last layer fitted to them, its width and depth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fpcheck.core.errors import SpecError
from fpcheck.network.skeleton import (
    Activation,
    Dense,
    Flatten,
    Node,
    Reshape,
    Skeleton,
    Softmax,
)
from fpcheck.network.widening import widened
from fpcheck.simplicity.labelling import Labelling, Rule

# Functions that the side of zero sees through, sigmoid by convention: its 1/2 is its input's 0.
KEEP_SIGN = (
    "identity", "tanh", "sigmoid", "relu", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh",
    "silu", "softsign", "erf",
)  # fmt: skip
# Functions that keep the order of different outputs.
KEEP_ORDER = ("identity", "tanh", "sigmoid", "elu", "selu", "softplus", "softsign", "erf")


@dataclass(frozen=True, slots=True)
class Architecture:
    """A skeleton that answers the labels.

    origins: for each layer that was added, the layer that it is a copy of. notes: what was changed.
    """

    skeleton: Skeleton
    origins: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def fit_architecture(
    skeleton: Skeleton, labelling: Labelling, width_factor: float = 1.0, depth: int | None = None
) -> Architecture | str:
    """The skeleton without its output activation, with as many outputs as the labels need.

    Args:
        skeleton: of the network in question.
        labelling: whose rule says how many outputs are needed.
        width_factor: of hidden units and channels.
        depth: hidden layers of a plain chain, by leaving out the last ones or repeating the last.

    Returns:
        Or why there is none.
    """
    try:
        cut, notes = _without_output_activation(skeleton, labelling.rule)
        origins: dict[str, str] = {}
        if depth is not None:
            cut, origins = _of_depth(cut, depth)
        if width_factor != 1.0:
            last = _last_dense(cut)
            if last is None:
                return "the network ends in no dense layer, before which to widen it"
            cut = widened(cut, last, width_factor)
        wanted, found = labelling.outputs_wanted, math.prod(cut.output_shape)
        if found != wanted:
            last = _last_dense(cut)
            name = cut.nodes[-1].name if last is None else last.name
            if last is None or len(cut.output_shape) != 1:
                return (
                    f"the labels need {wanted} output{'s' * (wanted != 1)} and the network has "
                    f"{found}, which come from '{name}', no dense layer that could be resized"
                )
            cut = _swap(cut, {name: replace(last, units=wanted)})
            notes += (f"the last layer '{name}' has {wanted} instead of {found} outputs",)
    except SpecError as error:
        return error.message
    return Architecture(cut, origins, notes)


def hidden_dense(skeleton: Skeleton) -> tuple[str, ...]:
    """The names of the dense layers but the one that gives the output."""
    last = _last_dense(skeleton)
    return tuple(
        node.name
        for node in skeleton.nodes
        if isinstance(node, Dense) and (last is None or node.name != last.name)
    )


def _without_output_activation(skeleton: Skeleton, rule: Rule) -> tuple[Skeleton, tuple[str, ...]]:
    """The skeleton without the activation at its end, where the answer can do without."""
    *rest, last = skeleton.nodes
    if isinstance(last, Activation) and _dispensable(last, rule):
        kind = last.function.name
    elif isinstance(last, Softmax):
        kind = "softmax"
    else:
        return skeleton, ()
    if last.inputs[0] != rest[-1].name:
        return skeleton, ()
    return Skeleton(tuple(rest)), (f"answers are read before the {kind} '{last.name}' at the end",)


def _dispensable(node: Activation, rule: Rule) -> bool:
    """Whether the answer is the same without it; numbers in a band would be beyond its reach."""
    if rule == "band":
        return True
    return node.function.name in (KEEP_SIGN if rule == "sign" else KEEP_ORDER)


def _last_dense(skeleton: Skeleton) -> Dense | None:
    """The dense layer whose outputs are the network's, at most behind changes of shape."""
    by_name = {node.name: node for node in skeleton.nodes}
    node = skeleton.nodes[-1]
    while isinstance(node, Flatten | Reshape | Activation):
        node = by_name[node.inputs[0]]
    return node if isinstance(node, Dense) else None


def _swap(skeleton: Skeleton, new: Mapping[str, Node]) -> Skeleton:
    return Skeleton(tuple(new.get(node.name, node) for node in skeleton.nodes))


def _of_depth(skeleton: Skeleton, depth: int) -> tuple[Skeleton, dict[str, str]]:
    """The plain chain with `depth` hidden layers, and the origins of those that were added.

    Raises:
        SpecError: it is no plain chain of dense layers and activations with a hidden layer.
    """
    head, hidden, tail = _hidden_layers(skeleton)
    kept: list[list[Node]] = hidden[:depth]
    origins: dict[str, str] = {}
    for number in range(len(hidden), depth):
        copied = [_copy(node, number + 1) for node in hidden[-1]]
        origins[copied[0].name] = hidden[-1][0].name
        kept.append(copied)
    chain, before = [*head], head[-1].name
    for node in [node for layer in kept for node in layer] + tail:
        chain.append(replace(node, inputs=(before,)))
        before = node.name
    return Skeleton(tuple(chain)), origins


def _hidden_layers(skeleton: Skeleton) -> tuple[list[Node], list[list[Node]], list[Node]]:
    """What stands before the first layer, the hidden layers, and the last layer."""
    head: list[Node] = [skeleton.nodes[0]]
    layers: list[list[Node]] = []
    for before, node in zip(skeleton.nodes, skeleton.nodes[1:], strict=False):
        shapeless = isinstance(node, Flatten | Reshape) and not layers
        if node.inputs != (before.name,) or not (shapeless or isinstance(node, Dense | Activation)):
            raise SpecError(f"'{node.name}' makes it more than a plain chain of dense layers")
        if isinstance(node, Dense):
            layers.append([node])
        else:
            (layers[-1] if layers else head).append(node)
    if len(layers) < 2:
        raise SpecError("the network has no hidden layer to repeat or to leave out")
    return head, layers[:-1], layers[-1]


def _copy(node: Node, number: int) -> Node:
    name = f"{node.name} ({number})"
    if isinstance(node, Dense):
        bias = None if node.bias is None else f"{node.bias} ({number})"
        return replace(node, name=name, weight=f"{node.weight} ({number})", bias=bias)
    return replace(node, name=name)
