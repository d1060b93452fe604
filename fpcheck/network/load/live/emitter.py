"""What PyTorch's operations become: through the rules that read ONNX, which has the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.load.onnx.nodes import Attribute, Op
from fpcheck.network.load.onnx.operators import RULES
from fpcheck.network.load.onnx.values import Builder, Constant, Rows, UnsupportedError, Value
from fpcheck.network.skeleton import Node

# A value of the traced program: rows, or something that does not depend on the input.
Traced: TypeAlias = Any
Handler: TypeAlias = Callable[..., Traced]


@dataclass
class Emitter:
    """Appends nodes for one operation of the traced program after the other.

    `label`: of the operation at work; `names`: the parameters' names by the tensors' identity.
    """

    builder: Builder
    names: Mapping[int, str]
    label: str = ""
    place: int = 0

    def emit(self, kind: str, *inputs: Traced, suffix: str = "", **attributes: Attribute) -> Rows:
        """The value of an ONNX operator.

        Raises:
            UnsupportedError: this form of it cannot be expressed.
        """
        (value,) = self._values(kind, inputs, suffix, 1, attributes)
        if not isinstance(value, Rows):
            raise UnsupportedError("it does not depend on the input")
        return value

    def emit_all(
        self,
        kind: str,
        *inputs: Traced,
        suffix: str = "",
        outputs: int = 1,
        **attributes: Attribute,
    ) -> list[Value]:
        """All values of an ONNX operator with several outputs."""
        return self._values(kind, inputs, suffix, outputs, attributes)

    def _values(
        self,
        kind: str,
        inputs: tuple[Traced, ...],
        suffix: str,
        outputs: int,
        attributes: Mapping[str, Attribute],
    ) -> list[Value]:
        label = f"{self.label}{suffix}"
        names = tuple("" if value is None else "value" for value in inputs)
        made = tuple(f"{label}.{number}" for number in range(outputs))
        op = Op(
            type=kind,
            domain="",
            name=label,
            inputs=names,
            outputs=made,
            attributes=attributes,
            place=self.place,
        )
        arguments = [self.value(value) for value in inputs]
        while arguments and arguments[-1] is None:
            arguments.pop()
        for value in arguments:
            if isinstance(value, Rows) and value.padding and kind not in TAKE_PADDING:
                raise UnsupportedError("zeros are padded before it, which only windows can take")
        return RULES[kind](op, tuple(arguments), self.builder)

    def add(self, node: Node, like: Rows) -> Rows:
        """The value of a node of ours, its batch axis where that of `like` is."""
        return self.builder.add(node, like.batch)

    def name(self, suffix: str = "") -> str:
        """A free name for a node."""
        return self.builder.name(f"{self.label}{suffix}")

    @contextmanager
    def under(self, suffix: str) -> Iterator[None]:
        """Nodes that are made meanwhile are called by the label with a suffix."""
        label, self.label = self.label, f"{self.label}{suffix}".lstrip(".")
        try:
            yield
        finally:
            self.label = label

    def value(self, thing: Traced) -> Value | None:
        """A tensor, number or list as a constant; rows as they are."""
        if thing is None or isinstance(thing, Rows | Constant):
            return thing
        if isinstance(thing, bool | int | float | list | tuple):
            return Constant(np.array(thing), f"{self.label}.constant")
        return Constant(as_array(thing), self.names.get(id(thing), f"{self.label}.constant"))

    def parameter(self, thing: Traced) -> str | None:
        """The name of a tensor as a parameter of the network; None for None."""
        if thing is None:
            return None
        known = self.value(thing)
        if not isinstance(known, Constant):
            raise UnsupportedError("its parameters depend on the input")
        return self.builder.parameter(known)


TAKE_PADDING = frozenset({"Conv", "AveragePool", "MaxPool"})


def as_array(tensor: Traced) -> NDArray[np.generic]:
    """A copy of a PyTorch tensor in its own type; bfloat16 as float32, exactly.

    Raises:
        UnsupportedError: NumPy has no such type, or it is no tensor.
    """
    try:
        plain = tensor.detach().cpu()
        if str(plain.dtype) == "torch.bfloat16":
            plain = plain.float()
        return np.array(plain.numpy())
    except (AttributeError, TypeError, RuntimeError, NotImplementedError):
        raise UnsupportedError(f"{type(tensor).__name__} holds no plain numbers") from None


def rows_of(thing: Traced) -> Rows:
    """`thing` as rows with the batch axis first.

    Raises:
        UnsupportedError: it is constant, or its batch axis is elsewhere.
    """
    if not isinstance(thing, Rows):
        raise UnsupportedError("its input is constant")
    if thing.batch:
        raise UnsupportedError("the batch axis of its input is not the first")
    return thing


def real(thing: Traced, what: str) -> float:
    """`thing` as a number.

    Raises:
        UnsupportedError: it is none.
    """
    try:
        return float(thing)
    except (TypeError, ValueError, RuntimeError):
        raise UnsupportedError(f"{what} is no number") from None
