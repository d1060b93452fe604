"""What an ONNX value becomes: a constant, or a node of the skeleton with its batch axis."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from fpcheck.core.errors import FpcheckError
from fpcheck.network.load.onnx.nodes import Op
from fpcheck.network.load.onnx.tensors import Tensor
from fpcheck.network.skeleton import Node, Shape
from fpcheck.network.skeleton.shapes import output_shape

# Stands for an unknown number of rows while shapes are computed: a prime that no layer's size has,
# so that what becomes of the batch axis can be told from the numbers.
ANY_BATCH = 2_147_483_629
MOST_ENTRIES = 2**31  # of one row of a value
MOST_FOLDED = 2**26  # entries of all constants that are computed, beside those of the file


class UnsupportedError(Exception):
    """An operator, or a form of it, that cannot be expressed. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor of the file, or one computed from them.

    `name` is that of the file's tensor behind it; `transposed`: it is that tensor's transpose;
    `of_rows`: it was computed from the number of rows, which is not known.
    """

    array: Tensor
    name: str
    transposed: bool = False
    of_rows: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """The value of the node called `node`.

    `shape` is of one row; the ONNX value has the batch axis at `batch` besides. `padding`: zeros
    that a Pad put around its spatial axes and that no node holds; `shape` counts them.
    """

    node: str
    shape: Shape
    batch: int = 0
    padding: tuple[tuple[int, int], ...] = ()

    def full(self, rows: int) -> Shape:
        """The shape of the ONNX value."""
        return (*self.shape[: self.batch], rows, *self.shape[self.batch :])

    @property
    def rank(self) -> int:
        """The number of axes of the ONNX value."""
        return len(self.shape) + 1


@dataclass(frozen=True, slots=True)
class Stopped:
    """A value that could not be computed, and the operator where that began."""

    op: Op
    reason: str


Value: TypeAlias = Constant | Rows
Arguments: TypeAlias = "tuple[Value | None, ...]"


@dataclass
class Builder:
    """The skeleton in the making.

    batch: the number of rows that the file states, or ANY_BATCH.
    """

    batch: int
    opset: int
    uses: Counter[str]
    nodes: dict[str, Node] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    parameters: dict[str, Tensor] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    folded: int = 0
    read: Counter[str] = field(default_factory=Counter)
    fed: set[str] = field(default_factory=set)

    def name(self, wanted: str) -> str:
        """`wanted`, or what makes it a name that no node has yet."""
        wanted = wanted or "node"
        if wanted not in self.nodes:
            return wanted
        number = 2
        while f"{wanted}.{number}" in self.nodes:
            number += 1
        return f"{wanted}.{number}"

    def add(self, node: Node, batch: int = 0) -> Rows:
        """The value of a new node.

        Raises:
            UnsupportedError: its inputs' shapes do not fit it.
        """
        try:
            shape = output_shape(node, tuple(self.shapes[name] for name in node.inputs))
        except FpcheckError as error:
            raise UnsupportedError(error.message) from None
        if math.prod(shape) > MOST_ENTRIES:
            raise UnsupportedError(f"a row of it has the absurd shape {list(shape)}")
        self.nodes[node.name] = node
        self.shapes[node.name] = shape
        self.fed.update(node.inputs)
        return Rows(node.name, shape, batch)

    def parameter(self, constant: Constant, array: Tensor | None = None) -> str:
        """The name of a parameter: the constant itself, or an `array` derived from it.

        Raises:
            UnsupportedError: it depends on the number of rows.
        """
        if constant.of_rows:
            raise UnsupportedError("its constant is computed from the number of rows")
        tensor = constant.array if array is None else array
        wanted, number = constant.name, 2
        if wanted in self.parameters and not _same(self.parameters[wanted], tensor):
            while f"{wanted}.{number}" in self.parameters:
                number += 1
            wanted = f"{wanted}.{number}"
        self.parameters[wanted] = tensor
        self.origins[wanted] = constant.name
        return wanted

    def stands_for(self, value: str, node: str) -> None:
        """Remember that an ONNX value is a node's, and how often it is used."""
        self.read[node] += self.uses[value]

    def feeds(self, node: str) -> bool:
        """Whether more than one operator uses what a node gives."""
        return self.read[node] > 1 or node in self.fed

    def fold(self, entries: int) -> None:
        """Account for a computed constant.

        Raises:
            UnsupportedError: there are too many of them.
        """
        self.folded += entries
        if self.folded > MOST_FOLDED:
            raise UnsupportedError("constants that are computed grow too large")


def _same(one: Tensor, other: Tensor) -> bool:
    return one is other or (
        one.shape == other.shape and one.dtype == other.dtype and np.array_equal(one, other)
    )


def rows(value: Value | None, what: str = "its input") -> Rows:
    """`value` as rows with the batch axis first.

    Raises:
        UnsupportedError: it is constant, or its batch axis is not the first.
    """
    if not isinstance(value, Rows):
        raise UnsupportedError(f"{what} is constant")
    if value.batch:
        raise UnsupportedError(f"the batch axis of {what} is not its first")
    return value


def constant(value: Value | None, what: str) -> Constant:
    """`value` as a constant.

    Raises:
        UnsupportedError: it depends on the network's input.
    """
    if not isinstance(value, Constant):
        raise UnsupportedError(f"{what} is not constant")
    return value


def given(arguments: Arguments, index: int) -> Value | None:
    """The argument at `index`, None where it is left out."""
    return arguments[index] if index < len(arguments) else None


def integer(op: Op, name: str, default: int) -> int:
    """The whole number that an attribute holds."""
    value = op.attributes.get(name, default)
    if not isinstance(value, int):
        raise UnsupportedError(f"its attribute '{name}' is no whole number")
    return value


def number(op: Op, name: str, default: float) -> float:
    """The number that an attribute holds."""
    value = op.attributes.get(name, default)
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise UnsupportedError(f"its attribute '{name}' is no finite number")
    return float(value)


def integers(op: Op, name: str) -> tuple[int, ...] | None:
    """The whole numbers that an attribute holds, None where it is not given."""
    value = op.attributes.get(name)
    if value is None:
        return None
    if not isinstance(value, tuple) or not all(isinstance(entry, int) for entry in value):
        raise UnsupportedError(f"its attribute '{name}' holds no whole numbers")
    return tuple(int(entry) for entry in value)


def word(op: Op, name: str, default: str) -> str:
    """The word that an attribute holds."""
    value = op.attributes.get(name, default)
    return value if isinstance(value, str) else default


def listed(op: Op, arguments: Arguments, index: int, name: str) -> tuple[int, ...] | None:
    """Whole numbers that newer opsets give as an input and older ones as an attribute."""
    value = given(arguments, index)
    if value is None:
        return integers(op, name)
    array = constant(value, f"its input '{name}'").array
    if array.ndim > 1 or array.size > 64 or array.dtype.kind not in "iu":
        raise UnsupportedError(f"its input '{name}' is no short list of whole numbers")
    return tuple(int(entry) for entry in array.reshape(-1))


def axis_of(axis: int, rank: int) -> int:
    """`axis` counted from the front."""
    if not -rank <= axis < rank:
        raise UnsupportedError(f"there is no axis {axis} among {rank}")
    return axis % rank


def row_axis(axis: int, value: Rows) -> int:
    """The axis of a row that axis `axis` of the ONNX value is.

    Raises:
        UnsupportedError: it is the batch axis.
    """
    place = axis_of(axis, value.rank)
    if place == value.batch:
        raise UnsupportedError("it works across the rows of a batch")
    return place - (place > value.batch)


def scalar_beside(known: Constant, value: Rows) -> float | None:
    """The one number that a constant holds which broadcasts to `value`, None where they differ.

    Raises:
        UnsupportedError: it has more axes than the value, or depends on the number of rows.
    """
    if known.array.ndim > value.rank:
        raise UnsupportedError("its constant adds axes to its input")
    if known.of_rows:
        raise UnsupportedError("its constant is computed from the number of rows")
    return scalar(known.array)


def scalar(array: Tensor) -> float | None:
    """The one number that all entries of `array` are, None where they differ."""
    if not array.size or array.dtype.kind not in "fiu":
        return None
    first = array.reshape(-1)[0]
    return float(first) if np.all(array == first) else None
