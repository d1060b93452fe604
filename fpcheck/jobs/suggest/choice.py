"""Which sigma_w^2 and sigma_b^2 each layer should start with.

Every layer aims at a variance q of its pre-activation: at the q* of the edge of chaos of its own
activation function where that is one point, else (ReLU, linear layers, layers with a norm behind
them) at the q that it finds. Then sigma_w^2 = (q - sigma_b^2) / m, m the second moment of what
enters: between equal layers that is the edge's own sigma_w^2, and first layers, changes of
activation and pooling are met on the way. A layer that is added to a stream aims at a share 1/B of
the stream, B the number of such sums, so that B blocks together multiply it by at most e.
[Hayou et al. 2021, stable ResNet]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from fpcheck.jobs.suggest.fresh import Array
from fpcheck.jobs.suggest.result import Edge
from fpcheck.network.activations import ActivationFunction
from fpcheck.network.layers import Layer, layers
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Flatten,
    GroupNorm,
    Input,
    LayerNorm,
    Node,
    Reshape,
    RMSNorm,
    Skeleton,
    Transpose,
)
from fpcheck.theory import moments

ROUNDING = 1e-9  # a sigma_w^2 this near to the edge's own is the edge's own
NORMS = (BatchNorm, LayerNorm, RMSNorm, GroupNorm)
EdgeOf = Callable[[ActivationFunction, bool], Edge]


@dataclass(frozen=True, slots=True)
class Choice:
    """A layer's scales, the q that they aim at, and whether what enters was measured."""

    sigma_w2: float
    sigma_b2: float
    q: float
    entering: str
    note: str


@dataclass(slots=True)
class Chooser:
    """What is known on the way through a skeleton: second moments by theory, and each node's q.

    input_q: E x_i^2 of the inputs by their law, None where only rows are known. second: E x_i^2 of
    a node's value where theory has it. size: the same in the trial draw. stream: the variance that
    the pre-activation of a layer behind the node should keep if its activation does not ask for
    another one. gaussian: nodes whose units are Gaussian at infinite width. layers: those whose
    scales are chosen. taken: the edges that layers aim at, in their order.
    """

    skeleton: Skeleton
    edge_of: EdgeOf
    input_q: float | None = None
    second: dict[str, float | None] = field(default_factory=dict)
    stream: dict[str, float] = field(default_factory=dict)
    size: dict[str, float] = field(default_factory=dict)
    gaussian: set[str] = field(default_factory=set)
    layers: set[str] = field(default_factory=set)
    taken: dict[Edge, None] = field(default_factory=dict)
    branches: dict[str, tuple[str, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.branches = branch_ends(self.skeleton)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The edges that layers aim at, each once."""
        return tuple(self.taken)

    def choose(self, layer: Layer, entering: Array) -> Choice:
        """The layer's scales, and note them. entering: the values that enter it in a trial draw."""
        source = layer.node.inputs[0]
        known = self.second.get(source)
        m = float(np.mean(entering * entering)) if known is None else known
        choice = self._aimed(layer, m, self.stream[source], "sampled" if known is None else "")
        self.second[layer.name] = self.stream[layer.name] = choice.q
        self.gaussian.add(layer.name)
        self.layers.add(layer.name)
        return choice

    def follow(self, node: Node, value: Array) -> None:
        """Note what is known of a node that is no layer. value: in the trial draw."""
        name = node.name
        self.size[name] = float(np.mean(value * value))
        if name in self.layers:
            return
        if isinstance(node, Input):
            known = self.size[name] if self.input_q is None else self.input_q
            self.second[name] = self.stream[name] = known
            return
        sources = node.inputs
        self.stream[name] = self.stream[sources[0]]
        before = [self.second.get(source) for source in sources]
        self.second[name] = None
        if isinstance(node, Flatten | Reshape | Transpose):
            self.second[name] = before[0]
            self._keep_gaussian(name, sources[0])
        elif isinstance(node, Activation):
            q = before[0]
            if q is not None and (sources[0] in self.gaussian or node.function.name == "identity"):
                self.second[name] = moments.second_moment(node.function, q)
        elif isinstance(node, NORMS):
            self.stream[name] = self.size[name]
            if sources[0] in self.gaussian:
                self.second[name] = self.stream[name] = 1.0
                self.gaussian.add(name)
        elif isinstance(node, Add):
            self._add(node)

    def _add(self, node: Add) -> None:
        """The sum: its terms' seconds add up where all but one are fresh layers, of mean zero."""
        name, terms = node.name, [self.second.get(source) for source in node.inputs]
        fresh = [source in self.layers for source in node.inputs]
        if sum(fresh) >= len(fresh) - 1 and None not in terms:
            self.second[name] = sum(term for term in terms if term is not None)
            if all(source in self.gaussian for source in node.inputs):
                self.gaussian.add(name)
        self.stream[name] = self._size(name)

    def _size(self, name: str) -> float:
        """E x_i^2 of a node's value, by theory where it is known."""
        known = self.second.get(name)
        return self.size[name] if known is None else known

    def _keep_gaussian(self, name: str, source: str) -> None:
        if source in self.gaussian:
            self.gaussian.add(name)

    def _aimed(self, layer: Layer, m: float, stream: float, entering: str) -> Choice:
        biases = layer.node.bias is not None
        function, note, sigma_b2, q = layer.activation, "", 0.0, stream
        edge: Edge | None = None
        branch = self.branches.get(layer.name)
        if _normalised(self.skeleton, layer):
            note = "a norm behind it: its scale does not reach the signal"
        elif branch is not None:
            beside, sums = branch
            q = (self._size(beside) if beside in self.size else stream) / sums
            note = f"adds 1/{sums} to the stream, one of {sums} sums" if sums > 1 else ""
        elif layer.preactivation == layer.name and function.name != "identity":
            edge = self.edge_of(function, biases)
            self.taken[edge] = None
            sigma_b2, note = edge.sigma_b2, edge.note
            if edge.q_star is not None:  # q* = 0 is nothing to aim at: q goes there by itself
                q = edge.q_star or edge.sigma_w2 * m
        if not (m > 0.0 and q > 0.0 and math.isfinite(q / m)):
            fallback = edge.sigma_w2 if edge else 1.0
            words = "nothing enters it on these inputs"
            return Choice(fallback, sigma_b2, fallback * m + sigma_b2, "sampled", words)
        sigma_w2 = (q - sigma_b2) / m
        if edge and abs(sigma_w2 - edge.sigma_w2) <= ROUNDING * edge.sigma_w2:
            sigma_w2 = edge.sigma_w2
        return Choice(sigma_w2, sigma_b2, q, entering or "numerical", note)


def branch_ends(skeleton: Skeleton) -> dict[str, tuple[str, int]]:
    """For the last layer of every branch that a sum adds to its stream: the stream's node, and the
    number of such branches.

    Of the terms of a sum the one with fewest layers behind it is the stream.
    """
    count = _layers_before(skeleton)
    ends: dict[str, str] = {}
    for node in skeleton.nodes:
        if not isinstance(node, Add):
            continue
        depths = [count[name] for name in node.inputs]
        stream = depths.index(min(depths))
        for i, name in enumerate(node.inputs):
            end = _last_layer(skeleton, name) if i != stream else None
            if end is not None:
                ends[end] = node.inputs[stream]
    return {end: (beside, len(ends)) for end, beside in ends.items()}


def _layers_before(skeleton: Skeleton) -> dict[str, int]:
    names = {layer.name for layer in layers(skeleton)}
    count: dict[str, int] = {}
    for node in skeleton.nodes:
        most = max((count[name] for name in node.inputs), default=0)
        count[node.name] = most + (node.name in names)
    return count


def _last_layer(skeleton: Skeleton, name: str) -> str | None:
    """The layer that the node `name` comes straight from, norms between them included."""
    by_name = {node.name: node for node in skeleton.nodes}
    names = {layer.name for layer in layers(skeleton)}
    while name not in names:
        node = by_name[name]
        if len(node.inputs) != 1 or not isinstance(node, (*NORMS, Flatten, Reshape, Transpose)):
            return None
        name = node.inputs[0]
    return name


def _normalised(skeleton: Skeleton, layer: Layer) -> bool:
    """Whether a norm follows the layer at once."""
    behind = skeleton.consumers(layer.name)
    return len(behind) == 1 and isinstance(behind[0], NORMS)
