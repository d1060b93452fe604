"""Enclosures of a whole network: its values and its Jacobian on boxes.

The Jacobian is the hull of all slopes: for any two points a, b of a box, f(a) - f(b) = S (a - b)
for some S in it, at kinks too [Lebourg's mean value theorem, operator by operator].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fpcheck.network.enclosure.ball import Ball, plus, sound, split, tighter
from fpcheck.network.enclosure.reach import box_reach
from fpcheck.network.enclosure.rule import Rule
from fpcheck.network.enclosure.rules import rules
from fpcheck.network.program import Program
from fpcheck.network.skeleton import Node

# Entries of a node's value, over boxes and tangents, that are held at once.
MOST_ENTRIES = 2**22


@dataclass(frozen=True, slots=True, eq=False)
class Enclosing:
    """A program with the enclosure rule of every node."""

    program: Program
    rules: Mapping[str, Rule]


def enclosing(program: Program) -> Enclosing:
    """The program with its rules. Worth keeping where it is enclosed many times."""
    with np.errstate(all="ignore"):  # a constant that is not finite encloses everything
        return Enclosing(program, rules(program))


def enclose(program: Program | Enclosing, box: Ball) -> Ball:
    """Balls that hold f(x) for every x in each box.

    box: (k, n) or (k, *input shape) -> (k, *output shape). The program is `enclosable`. What they
    hold is the exact map of the stored weights, whatever rounding does.
    """
    made = program if isinstance(program, Enclosing) else enclosing(program)
    if not len(box.mid):
        return _nothing(made.program.skeleton.output_shape)
    size = max(map(math.prod, made.program.skeleton.shapes.values()))
    step = max(1, MOST_ENTRIES // size)
    parts = []
    with np.errstate(all="ignore"):
        for start in range(0, len(box.mid), step):
            rows = _rows(made.program, split(box, slice(start, start + step)))
            parts.append(_values(made, rows, keep=False)[made.program.skeleton.nodes[-1].name])
    return _joined(parts)


def enclose_jacobian(program: Program | Enclosing, box: Ball) -> tuple[Ball, Ball]:
    """(values, Jacobians) that hold f and its Jacobian for every point of each box.

    box: (k, n) or (k, *input shape) -> (k, n_out), (k, n_out, n_in). Inside, what a node's value
    can be is also bounded by its own tangents, |v(x) - v(centre)| <= |T| |x - centre|, which does
    not grow with every layer's norm as the plain evaluation does.
    """
    made = program if isinstance(program, Enclosing) else enclosing(program)
    n, out = made.program.input_size, made.program.output_size
    if not len(box.mid):
        return _nothing((out,)), _nothing((out, n))
    size = max(map(math.prod, made.program.skeleton.shapes.values()))
    step = max(1, MOST_ENTRIES // (size * n))
    parts = []
    with np.errstate(all="ignore"):
        for start in range(0, len(box.mid), step):
            rows = _rows(made.program, split(box, slice(start, start + step)))
            parts.append(_block(made, rows, max(1, min(n, MOST_ENTRIES // size))))
    values, jacobians = zip(*parts, strict=True)
    return _joined(list(values)), _joined(list(jacobians))


def _block(made: Enclosing, box: Ball, count: int) -> tuple[Ball, Ball]:
    """Values and Jacobians, `count` tangents at a time."""
    n, boxes = made.program.input_size, len(box.mid)
    last = made.program.skeleton.nodes[-1].name
    if count >= n:
        radius = box.rad.reshape(boxes, n)
        centre = Ball(box.mid, np.zeros_like(box.mid))
        (units,) = _units(made.program, boxes, range(n)).values()
        value, tangents = tangents_within(made, centre, units, lambda t: box_reach(t, radius))
        jacobian = tangents.map(lambda x: x.reshape(boxes, n, -1).swapaxes(1, 2))
        return value.map(lambda x: x.reshape(boxes, -1)), jacobian
    values = _values(made, box, keep=True)
    columns = []
    for start in range(0, n, count):
        along = _units(made.program, boxes, range(start, min(start + count, n)))
        for node in made.program.skeleton.nodes[1:]:
            _advance(made, node, values, along)
        columns.append(along[last].map(lambda x: x.reshape(*x.shape[:2], -1).swapaxes(1, 2)))
    jacobian = Ball(
        np.concatenate([part.mid for part in columns], axis=2),
        np.concatenate([part.rad for part in columns], axis=2),
    )
    return values[last].map(lambda x: x.reshape(boxes, -1)), jacobian


def tangents_within(
    made: Enclosing, centre: Ball, start: Ball, reach: Callable[[Ball], Ball]
) -> tuple[Ball, Ball]:
    """Value and tangents of the last node on a set around every centre.

    centre: (k, n); start: (k, t, n), the tangents A of the input; reach(T): a ball around 0 that
    holds all T u for which c + A u is in the set. Every value is tightened on the way:
    |v(x) - v(c)| is bounded by what the node's own tangents reach.
    """
    skeleton = made.program.skeleton
    first, *rest = skeleton.nodes
    centres = {first.name: _rows(made.program, centre)}
    shape = (*start.shape[:2], *skeleton.input_shape)
    tangents = {first.name: start.map(lambda x: x.reshape(shape))}
    values = {first.name: plus(centres[first.name], reach(tangents[first.name]))}
    for node in rest:
        rule = made.rules[node.name]
        centres[node.name] = rule.value(tuple(centres[name] for name in node.inputs))
        values[node.name] = rule.value(tuple(values[name] for name in node.inputs))
        _advance(made, node, values, tangents)
        by_tangents = plus(centres[node.name], reach(tangents[node.name]))
        values[node.name] = tighter(values[node.name], by_tangents)
        for name in set(node.inputs):
            if skeleton.last_use[name] == node.name:
                del values[name], tangents[name], centres[name]
    last = skeleton.nodes[-1].name
    return values[last], tangents[last]


def _advance(
    made: Enclosing, node: Node, values: Mapping[str, Ball], tangents: dict[str, Ball]
) -> None:
    inputs = tuple(values[name] for name in node.inputs)
    directions = tuple(tangents[name] for name in node.inputs)
    tangents[node.name] = made.rules[node.name].tangent(inputs, values[node.name], directions)


def _values(made: Enclosing, box: Ball, *, keep: bool) -> dict[str, Ball]:
    """Every node's value by name; without `keep` only those that are still needed."""
    skeleton = made.program.skeleton
    values = {skeleton.nodes[0].name: box}
    for node in skeleton.nodes[1:]:
        values[node.name] = made.rules[node.name].value(tuple(values[n] for n in node.inputs))
        for name in () if keep else set(node.inputs):
            if skeleton.last_use[name] == node.name:
                del values[name]
    return values


def _rows(program: Program, box: Ball) -> Ball:
    shaped = box.map(
        lambda x: np.ascontiguousarray(x, dtype=np.float64).reshape(
            -1, *program.skeleton.input_shape
        )
    )
    return sound(shaped.mid, shaped.rad)


def _units(program: Program, boxes: int, columns: range) -> dict[str, Ball]:
    """The unit tangents of these columns for every box, under the input's name."""
    units = np.zeros((boxes, len(columns), program.input_size))
    units[:, np.arange(len(columns)), columns] = 1.0
    shaped = units.reshape(boxes, len(columns), *program.skeleton.input_shape)
    return {program.skeleton.nodes[0].name: Ball(shaped, np.zeros_like(shaped))}


def _nothing(shape: tuple[int, ...]) -> Ball:
    """No boxes."""
    return Ball(np.zeros((0, *shape)), np.zeros((0, *shape)))


def _joined(parts: list[Ball]) -> Ball:
    if len(parts) == 1:
        return parts[0]
    return Ball(
        np.concatenate([part.mid for part in parts]), np.concatenate([part.rad for part in parts])
    )
