"""How many states are followed, and how long: counted in work, never in time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fpcheck.network.program import Program, dense_chain
from fpcheck.network.skeleton import BlackBox, Conv, ConvTranspose, Dense, Node

# States that are followed: picked by chance among all at first, then among those that lie near
# nothing that was followed.
FIRST_WAVE = 24
SECOND_WAVE = 12
FEWEST = 4
# Steps that a state is followed at most: a power of two in this range.
SHORTEST = 1024
LONGEST = 16384
# What all of it may cost, in nominal seconds, made of a call's and a multiplication's.
BUDGET = 1.2
CALL = 8e-6  # a pass over a block of rows, of which a layer of a chain takes about two a step
NODE = 4e-5  # a node of another program with its tangent
MULTIPLICATION = 1e-10
# A black box is called three times a step; what it does inside is not known.
BOX_CALLS = 3
BOX = 2e-5


@dataclass(frozen=True, slots=True)
class Budget:
    """How many states the two waves may follow, and for how many steps."""

    first: int
    second: int
    steps: int


def budget(program: Program) -> Budget:
    """What the width and depth of a program leave room for."""
    fixed, by_row = _step_cost(program)
    lanes = FIRST_WAVE
    while lanes > FEWEST and SHORTEST * (fixed + lanes * by_row) > BUDGET:
        lanes -= 1
    steps = SHORTEST
    while 2 * steps <= LONGEST and 2 * steps * (fixed + lanes * by_row) <= BUDGET:
        steps *= 2
    return Budget(lanes, max(2, lanes * SECOND_WAVE // FIRST_WAVE), steps)


def _step_cost(program: Program) -> tuple[float, float]:
    """Nominal seconds of a step and its tangent: once, and for every row."""
    nodes = [node for node in program.skeleton.nodes if node.inputs]
    multiplications = sum(_multiplications(program, node) for node in nodes)
    chain = dense_chain(program)
    if chain is not None:
        return 5.0 * CALL * len(chain), 2.0 * multiplications * MULTIPLICATION
    boxes = sum(isinstance(node, BlackBox) for node in nodes)
    return NODE * len(nodes) + BOX_CALLS * BOX * boxes, 2.0 * multiplications * MULTIPLICATION


def _multiplications(program: Program, node: Node) -> float:
    """Multiplications for one row, and ten for every entry that a node writes."""
    shapes = program.skeleton.shapes
    entries = math.prod(shapes[node.name])
    before = shapes[node.inputs[0]]
    if isinstance(node, Dense):
        return float(entries * before[-1] + 10 * entries)
    if isinstance(node, Conv):
        return float(entries * before[0] // node.groups * math.prod(node.kernel) + 10 * entries)
    if isinstance(node, ConvTranspose):
        inside = math.prod(before) * node.channels // node.groups
        return float(inside * math.prod(node.kernel) + 10 * entries)
    return float(10 * entries)
