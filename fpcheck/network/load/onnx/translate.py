"""From the graph to skeleton nodes, operator by operator, as far as it goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpcheck.core.errors import FpcheckError
from fpcheck.network.load.onnx import folding
from fpcheck.network.load.onnx.graph import STANDARD, Graph
from fpcheck.network.load.onnx.nodes import Op
from fpcheck.network.load.onnx.operators import FOREIGN, RULES, TAKE_PADDING
from fpcheck.network.load.onnx.recurrent import KINDS
from fpcheck.network.load.onnx.values import (
    Arguments,
    Builder,
    Constant,
    Rows,
    Stopped,
    UnsupportedError,
    Value,
)
from fpcheck.network.skeleton import Input

NOT_READ = "no layer of fpcheck does what it does"


@dataclass(frozen=True)
class Translated:
    """What became of every value, and where values end that lead no further: (value, what stopped
    it), the file's order."""

    values: dict[str, Value | Stopped]
    ends: tuple[tuple[Rows, Stopped], ...]


def translate(
    graph: Graph, output: str, entrance: Rows, source: str, builder: Builder
) -> Translated:
    """The nodes of everything that `output` depends on, made in `builder`.

    entrance: the value of the graph's input, called `source`.
    """
    values = constants_of(graph)
    values[source] = entrance
    needed = graph.needed(output)
    ends: list[tuple[Rows, Stopped]] = []
    for op in graph.ops:
        if not needed.intersection(op.outputs) or source in op.outputs:
            continue
        found = _read(op, values, builder)
        if isinstance(found, Stopped):
            shown = (values.get(name) for name in op.inputs)
            ends += [(value, found) for value in shown if isinstance(value, Rows)]
            values.update({name: found for name in op.outputs if name})
            continue
        for name, value in zip(op.outputs, found, strict=False):
            if name:
                values[name] = value
                if isinstance(value, Rows):
                    builder.stands_for(name, value.node)
        missing = [name for name in op.outputs[len(found) :] if name]
        values.update({name: Stopped(op, f"its output '{name}' is not read") for name in missing})
    return Translated(values, tuple(ends))


def fold_rest(graph: Graph, values: dict[str, Value | Stopped], builder: Builder) -> None:
    """Compute what else is constant, inside other operators too: the weights of cells."""
    for op in (*graph.ops, *graph.inner):
        known = (values.get(name) for name in op.inputs if name)
        new = any(name and name not in values for name in op.outputs)
        if new and all(isinstance(value, Constant) for value in known):
            found = _read(op, values, builder)
            if not isinstance(found, Stopped):
                values.update(zip(op.outputs, found, strict=False))


def constants_of(graph: Graph) -> dict[str, Value | Stopped]:
    """The constants of the graph by name."""
    return {
        name: Constant(array, name) for name, array in graph.constants.items() if array is not None
    }


def entrance_of(name: str, shape: tuple[int, ...], builder: Builder) -> Rows:
    """The value of the network's input."""
    own = builder.name(name or "input")
    value = builder.add(Input(own, shape))
    builder.stands_for(name, own)
    return value


def _read(op: Op, values: dict[str, Value | Stopped], builder: Builder) -> list[Value] | Stopped:
    """The values that an operator gives, or what stopped it."""
    arguments: list[Value | None] = []
    for name in op.inputs:
        value = values.get(name) if name else None
        if isinstance(value, Stopped):
            return value
        if name and value is None:
            return Stopped(op, f"its input '{name}' holds no numbers, or is another input")
        arguments.append(value)
    while arguments and arguments[-1] is None:
        arguments.pop()
    try:
        with np.errstate(all="ignore"):
            return _apply(op, tuple(arguments), builder)
    except UnsupportedError as error:
        return Stopped(op, str(error))
    except FpcheckError as error:
        return Stopped(op, error.message)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        # What the rules take for granted of an operator's inputs and attributes does not hold.
        return Stopped(op, "its inputs or attributes are not as its definition says")


def _apply(op: Op, arguments: Arguments, builder: Builder) -> list[Value]:
    if op.domain not in STANDARD and op.type not in FOREIGN.get(op.domain, ()):
        raise UnsupportedError(f"it is of the domain '{op.domain}'")
    if op.type == "Constant":
        return folding.constant_node(op, arguments, builder)
    if op.type in ("Shape", "Size"):
        return folding.shape_of(op, arguments, builder)
    if not any(isinstance(value, Rows) for value in arguments):
        return folding.fold(op, arguments, builder)
    if op.type in KINDS:
        raise UnsupportedError("its cells are analyzed as maps of their state")
    rule = RULES.get(op.type)
    if rule is None:
        raise UnsupportedError(NOT_READ)
    if op.type not in TAKE_PADDING:
        for value in arguments:
            if isinstance(value, Rows) and value.padding:
                raise UnsupportedError("zeros are padded before it, which only windows can take")
    return rule(op, arguments, builder)
