"""Operators that exporters spell out in smaller ones, put back together: SiLU, GELU, LayerNorm.

A pattern is folded only where nothing else uses what lies inside it; elsewhere its parts are read
one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fpcheck.network.load.onnx.graph import Graph
from fpcheck.network.load.onnx.nodes import Op
from fpcheck.network.load.onnx.tensors import Tensor
from fpcheck.network.load.onnx.values import scalar

OF_TWO = frozenset({"Add", "Sub", "Mul", "Div", "Pow"})
# How near a constant is to the 1/2, sqrt 2 or 1 that it stands for, in files of half precision too.
CLOSE, CLOSE_IN_HALF = 1e-6, 1e-3


@dataclass(frozen=True)
class Finder:
    """The graph by value: who makes it, how often it is used; `close`: the relative error that
    constants may have."""

    makers: Mapping[str, Op]
    uses: Mapping[str, int]
    constants: Mapping[str, Tensor | None]
    close: float

    def maker(self, value: str, kind: str, uses: int = 1) -> Op | None:
        """The operator of type `kind` that makes `value`, if it is used as often as stated."""
        op = self.makers.get(value)
        if op is None or op.type != kind or self.uses.get(value, 0) != uses or op.domain:
            return None
        return op if len(op.inputs) >= (2 if kind in OF_TWO else 1) else None

    def number(self, value: str) -> float | None:
        """The one number that a constant holds."""
        array = self.constants.get(value)
        return None if array is None or array.size != 1 or array.ndim > 1 else scalar(array)

    def factors(self, op: Op) -> tuple[str, float] | None:
        """(value, number) of an operator on a value and a number, whichever stands first."""
        if len(op.inputs) != 2:
            return None
        for value, other in (op.inputs, op.inputs[::-1]):
            number = self.number(other)
            if number is not None:
                return value, number
        return None


def put_together(graph: Graph) -> Graph:
    """The graph with known patterns as single operators."""
    known = {**graph.constants, **graph.constant_nodes()}
    makers = {name: op for op in graph.ops for name in op.outputs}
    half = any(array is not None and array.dtype == np.float16 for array in known.values())
    finder = Finder(makers, graph.uses(), known, CLOSE_IN_HALF if half else CLOSE)
    replaced: dict[int, Op] = {}
    gone: set[int] = set()
    for op in graph.ops:
        for pattern in PATTERNS.get(op.type, ()):
            found = pattern(op, finder)
            if found is not None:
                whole, inside = found
                replaced[op.place] = whole
                gone |= {part.place for part in inside}
                break
    ops = tuple(replaced.get(op.place, op) for op in graph.ops if op.place not in gone)
    return replace(graph, ops=ops)


Found = tuple[Op, tuple[Op, ...]] | None


def _silu(op: Op, find: Finder) -> Found:
    """x * Sigmoid(x)."""
    for value, gate in _both(op):
        inner = find.maker(gate, "Sigmoid")
        if inner is not None and inner.inputs == (value,):
            return replace(op, type="Swish", inputs=(value,), attributes={}), (inner,)
    return None


def _gelu(op: Op, find: Finder) -> Found:
    """x/2 (1 + erf(x / sqrt 2)), its three factors in any order."""
    inside: list[Op] = []
    terms: list[str] = []
    half = 1.0
    waiting = list(op.inputs)
    if op.type == "Div":
        divisor = find.number(op.inputs[1]) if len(op.inputs) == 2 else None
        if not divisor:
            return None
        waiting, half = [op.inputs[0]], 1.0 / divisor
    while waiting and len(inside) < 4:
        name = waiting.pop()
        number = find.number(name)
        inner = find.maker(name, "Mul") or find.maker(name, "Div")
        if number is not None:
            half *= number
        elif inner is not None and (pair := find.factors(inner)) and inner.inputs[0] == pair[0]:
            half = half / pair[1] if inner.type == "Div" and pair[1] else half * pair[1]
            inside.append(inner)
            waiting.append(pair[0])
        elif inner is not None and inner.type == "Mul":
            inside.append(inner)
            waiting += inner.inputs
        else:
            terms.append(name)
    if len(terms) != 2 or not math.isclose(half, 0.5, rel_tol=find.close):
        return None
    for value, gate in (terms, terms[::-1]):
        parts = _one_plus_erf(gate, value, find)
        if parts is not None:
            whole = replace(op, type="Gelu", inputs=(value,), attributes={})
            return whole, (*inside, *parts)
    return None


def _one_plus_erf(gate: str, value: str, find: Finder) -> tuple[Op, ...] | None:
    """The operators of 1 + erf(value / sqrt 2)."""
    plus = find.maker(gate, "Add")
    pair = find.factors(plus) if plus is not None else None
    if plus is None or pair is None or not math.isclose(pair[1], 1.0, rel_tol=find.close):
        return None
    error = find.maker(pair[0], "Erf")
    scale = error and (find.maker(error.inputs[0], "Div") or find.maker(error.inputs[0], "Mul"))
    if not error or not scale:
        return None
    inner = find.factors(scale)
    if inner is None or inner[0] != value or not inner[1]:
        return None
    factor = 1.0 / inner[1] if scale.type == "Div" else inner[1]
    if scale.type == "Div" and scale.inputs[0] != value:
        return None
    close = math.isclose(factor, math.sqrt(0.5), rel_tol=find.close)
    return (plus, error, scale) if close else None


def _layer_norm(op: Op, find: Finder) -> Found:
    """(x - mean x) / sqrt(mean (x - mean x)^2 + epsilon) over the last axis."""
    if len(op.inputs) != 2:
        return None
    deviation = find.maker(op.inputs[1], "Sqrt")
    plus = deviation and find.maker(deviation.inputs[0], "Add")
    pair = plus and find.factors(plus)
    if not deviation or not plus or not pair:
        return None
    square_mean = find.maker(pair[0], "ReduceMean")
    squared = square_mean and find.maker(square_mean.inputs[0], "Pow")
    centred = find.maker(op.inputs[0], "Sub", uses=2)
    if not square_mean or not squared or not centred or squared.inputs[0] != op.inputs[0]:
        return None
    mean = find.maker(centred.inputs[1], "ReduceMean")
    if mean is None or mean.inputs[0] != centred.inputs[0]:
        return None
    if find.number(squared.inputs[1]) != 2.0 or not (
        _last(mean, find) and _last(square_mean, find)
    ):
        return None
    whole = replace(
        op,
        type="LayerNormalization",
        inputs=(centred.inputs[0],),
        attributes={"axis": -1, "epsilon": pair[1]},
    )
    return whole, (deviation, plus, square_mean, squared, centred, mean)


def _last(op: Op, find: Finder) -> bool:
    """Whether a reduction is over the last axis alone and keeps it."""
    axes = op.attributes.get("axes")
    if len(op.inputs) > 1:
        number = find.number(op.inputs[1])
        return number == -1.0 and op.attributes.get("keepdims", 1) == 1
    return axes == (-1,) and op.attributes.get("keepdims", 1) == 1


def _both(op: Op) -> tuple[tuple[str, ...], ...]:
    return (op.inputs, op.inputs[::-1]) if len(op.inputs) == 2 else ()


PATTERNS: dict[str, tuple[Callable[[Op, Finder], Found], ...]] = {
    "Mul": (_silu, _gelu),
    "Div": (_layer_norm, _gelu),
}
