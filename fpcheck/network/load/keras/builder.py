"""The network of a Keras model while it grows: nodes, parameters, and the order of axes.

Keras's rows are channels last, our convolutions are channels first. A value knows which of the
two its node holds; a Transpose is put in where the next layer needs the other one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.network.load.files import shown
from fpcheck.network.load.keras.graph import Call
from fpcheck.network.skeleton import (
    Activation,
    Add,
    Multiply,
    Node,
    Scale,
    Shape,
    Transpose,
    output_shape,
)

Tensor = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Value:
    """A layer's result: the node that holds it, and whether the node has the last axis of Keras's
    row in front (`moved`)."""

    node: str
    moved: bool = False


@dataclass
class Builder:
    """Grows nodes and parameters. `find` gives a layer's tensors by role; `tensors`: by name."""

    tensors: dict[str, Tensor]
    find: Callable[[Call, str, tuple[str, ...]], tuple[str, ...]]
    keras2: bool
    nodes: list[Node] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    parameters: dict[str, Tensor] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    turned: dict[Value, Value] = field(default_factory=dict)
    numbers: dict[tuple[str, int], int] = field(default_factory=dict)

    def add(self, node: Node) -> str:
        """Append `node`, its name made unique by the caller; its name.

        Raises:
            SpecError: shapes do not fit.
        """
        self.shapes[node.name] = output_shape(node, tuple(self.shapes[n] for n in node.inputs))
        self.nodes.append(node)
        return node.name

    def name(self, wanted: str) -> str:
        """`wanted`, numbered where a node has that name already."""
        return self._free(wanted, self.shapes)

    def use(self, name: str) -> str:
        """Take the tensor `name` as a parameter; its name."""
        self.parameters[name] = self.tensors[name]
        return name

    def reshaped(self, name: str, shape: Shape) -> str:
        """Take the tensor `name` in another shape of as many entries; its name."""
        self.tensors[name] = self.tensors[name].reshape(shape)
        return self.use(name)

    def constant(self, wanted: str, value: Tensor) -> str:
        """Add a derived constant; its name."""
        name = self._free(wanted, self.parameters, self.tensors)
        self.parameters[name] = value
        return name

    def _free(self, wanted: str, *taken: Mapping[str, object]) -> str:
        """`wanted`, or the first of its numbers, from 2 on, that none of these has."""
        name, number = wanted, self.numbers.get((wanted, len(taken)), 1)
        if number > 1:  # a layer may be called ten thousand times: go on where the last one ended
            name = f"{wanted}#{number}"
        while any(name in names for names in taken):
            number += 1
            name = f"{wanted}#{number}"
        self.numbers[wanted, len(taken)] = number
        return name

    def shape(self, value: Value) -> Shape:
        """The shape of Keras's row."""
        shape = self.shapes[value.node]
        return (*shape[1:], shape[0]) if value.moved else shape

    def native(self, value: Value) -> str:
        """The node that holds `value` in Keras's order of axes."""
        return self._as(value, moved=False)

    def moved(self, value: Value) -> str:
        """The node that holds `value` with the last axis of Keras's row in front."""
        return self._as(value, moved=True)

    def _as(self, value: Value, *, moved: bool) -> str:
        if value.moved == moved:
            return value.node
        if value not in self.turned:
            rank = len(self.shapes[value.node])
            last_first = (rank - 1, *range(rank - 1))
            first_last = (*range(1, rank), 0)
            if rank < 2:
                return value.node
            word = "channels_first" if moved else "channels_last"
            name = self.name(f"{value.node}.{word}")
            order = last_first if moved else first_last
            self.turned[value] = Value(self.add(Transpose(name, (value.node,), order)), moved)
        return self.turned[value].node

    # What layers are composed of, by node name.

    def scaled(
        self, name: str, source: str, factor: float | None = None, shift: float | None = None
    ) -> str:
        """source * factor + shift."""
        names = [
            None if value is None else self.constant(f"{name}.{word}", np.full(1, float(value)))
            for word, value in (("factor", factor), ("shift", shift))
        ]
        return self.add(Scale(self.name(name), (source,), *names))

    def applied(self, name: str, source: str, function: ActivationFunction | str) -> str:
        """function(source)."""
        if isinstance(function, str):
            function = activation(function)
        return self.add(Activation(self.name(name), (source,), function))

    def product(self, name: str, *sources: str) -> str:
        """The elementwise product."""
        return self.add(Multiply(self.name(name), sources))

    def total(self, name: str, *sources: str) -> str:
        """The sum."""
        return self.add(Add(self.name(name), sources))


def unsupported(call: Call, why: str) -> UnsupportedOperationError:
    """An error about a layer that cannot be expressed, to be raised."""
    return UnsupportedOperationError(
        f"layer '{shown(call.path.label)}' ({shown(call.config.class_name)}): {why}"
    )


def pick(call: Call, flags: Mapping[str, bool]) -> tuple[str, ...]:
    """The roles among `flags` that the layer has, in Keras's order."""
    return tuple(role for role, has in flags.items() if has)
