"""The graph of an ONNX file as plain records: operators in topological order, constants, inputs."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fpcheck.network.load.files import ModelFile, shown
from fpcheck.network.load.onnx.nodes import Op, initializers, op_of
from fpcheck.network.load.onnx.subgraphs import Inner, look_inside
from fpcheck.network.load.onnx.tensors import Tensor, TensorReader, text_of

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

STANDARD = ("", "ai.onnx")
OLDEST_OPSET = 7  # before it, broadcasting was an attribute


@dataclass(frozen=True)
class GraphInput:
    """An input that is no initialiser. A size is None where the file does not state it."""

    name: str
    kind: int
    shape: tuple[int | None, ...] | None
    symbols: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """The operators in topological order; constants by name, None for types without numbers.

    `inner`: the operators inside others; their constants are among `constants`.
    """

    ops: tuple[Op, ...]
    inner: tuple[Op, ...]
    constants: Mapping[str, Tensor | None]
    inputs: tuple[GraphInput, ...]
    outputs: tuple[str, ...]
    opset: int
    total: int

    def uses(self) -> Counter[str]:
        """How often every value is used, as an input or as an output of the graph."""
        used = Counter(name for op in self.ops for name in op.inputs if name)
        used.update(name for op in self.ops for name in op.captures)
        used.update(self.outputs)
        return used

    def constant_nodes(self) -> dict[str, Tensor]:
        """The tensors that Constant nodes hold, by the values that they give, in file order."""
        found: dict[str, Tensor] = {}
        for op in (*sorted(self.ops, key=lambda op: op.place), *self.inner):
            value = op.attributes.get("value")
            if op.type == "Constant" and isinstance(value, np.ndarray) and op.outputs:
                found[op.outputs[0]] = value
        return found

    def needed(self, output: str) -> frozenset[str]:
        """All values that `output` depends on, itself included."""
        found = {output}
        for op in reversed(self.ops):
            if found.intersection(op.outputs):
                found.update(name for name in op.inputs if name)
                found.update(op.captures)
        return frozenset(found)


def graph_of(file: ModelFile, model: ModelProto, reader: TensorReader) -> Graph:
    """The graph of a parsed model.

    Raises:
        ModelFileError: cycles, values that nothing defines, two values of one name, broken
            tensors.
    """
    graph = model.graph
    constants = initializers(file, graph, reader)
    values = (_input(value) for value in graph.input)
    inputs = tuple(value for value in values if value.name not in constants)
    ops, inner = _ops(file, model, reader)
    if not ops and not inputs:
        raise file.fault("holds no graph")
    _check_names(file, ops, constants, inputs)
    outputs = tuple(dict.fromkeys(text_of(value.name) for value in graph.output))
    defined = {name for op in ops for name in op.outputs} | {value.name for value in inputs}
    lost = [name for name in outputs if name not in defined and name not in constants]
    if lost or not outputs:
        which = f"'{shown(lost[0])}', which nothing computes" if lost else "nothing"
        raise file.fault(f"its output is {which}")
    sources = {value.name for value in inputs} | set(constants)
    order = _ordered(file, ops, sources)
    everything = {**constants, **inner.constants}
    opset = _opset(model)
    return Graph(order, tuple(inner.ops), everything, inputs, outputs, opset, len(ops))


def _ops(file: ModelFile, model: ModelProto, reader: TensorReader) -> tuple[list[Op], Inner]:
    """The operators of the graph, and what lies inside them."""
    ops, inside = [], Inner()
    for place, node in enumerate(model.graph.node, 1):
        op = op_of(file, node, place, reader)
        inside.captured.clear()
        look_inside(file, node, op.label, reader, inside)
        ops.append(replace(op, captures=tuple(sorted(inside.captured))))
    return ops, inside


def _opset(model: ModelProto) -> int:
    return max((o.version for o in model.opset_import if o.domain in STANDARD), default=1)


def _input(value: ValueInfoProto) -> GraphInput:
    name = text_of(value.name)
    if not value.type.HasField("tensor_type"):
        return GraphInput(name, 0, None, ())
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return GraphInput(name, tensor.elem_type, None, ())
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    known = tuple(size if size is not None and size > 0 else None for size in sizes)
    symbols = tuple(text_of(dim.dim_param) or "?" for dim in tensor.shape.dim)
    return GraphInput(name, tensor.elem_type, known, symbols)


def _check_names(
    file: ModelFile, ops: list[Op], constants: Mapping[str, object], inputs: tuple[GraphInput, ...]
) -> None:
    """Every value has one definition."""
    names = [value.name for value in inputs]
    names += [name for op in ops for name in op.outputs if name]
    seen: set[str] = set(constants)
    for name in names:
        if name in seen:
            raise file.fault(f"two values are called '{shown(name)}'")
        seen.add(name)


def _ordered(file: ModelFile, ops: list[Op], sources: set[str]) -> tuple[Op, ...]:
    """The operators, each behind those that it takes its inputs from."""
    makers = {name: index for index, op in enumerate(ops) for name in op.outputs if name}
    waiting = [0] * len(ops)
    behind: list[list[int]] = [[] for _ in ops]
    for index, op in enumerate(ops):
        for name in op.inputs:
            if not name or name in sources:
                continue
            if name not in makers:
                raise file.fault(
                    f"node '{shown(op.label)}' needs '{shown(name)}', which nothing defines",
                    entry=f"node {op.place}",
                )
            waiting[index] += 1
            behind[makers[name]].append(index)
    ready = [index for index, count in enumerate(waiting) if not count]
    order: list[Op] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(ops[index])
        for later in behind[index]:
            waiting[later] -= 1
            if not waiting[later]:
                heapq.heappush(ready, later)
    if len(order) != len(ops):
        stuck = next(op for op, count in zip(ops, waiting, strict=True) if count)
        raise file.fault(
            f"its graph has a cycle through node '{shown(stuck.label)}'",
            entry=f"node {stuck.place}",
        )
    return tuple(order)
