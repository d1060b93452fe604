"""A chain of layers turned so that it starts behind its narrowest layer.

Let f = g o h with h: R^n -> R^m. Fixed points of g o h and of h o g correspond one to one:
y = h(x), x = g(y). So an autoencoder with a narrow code is searched in the space of its codes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.program import Program, compile_program
from fpcheck.network.skeleton import Activation, Dense, Flatten, Input, Node, Reshape, Skeleton


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """A self-map h o g of m numbers in place of g o h of n.

    turned: the map to search; ahead: h, from the network's states to its; back: g, from its states
    to the network's. The last two are None where it is the network itself.
    """

    turned: Program
    ahead: Program | None
    back: Program | None

    @property
    def size(self) -> int:
        """The number of entries of a state of the turned map."""
        return self.turned.input_size


def turned(program: Program) -> Turned:
    """The map in its narrowest space: the network itself if that is its own, or it is no chain."""
    steps = _steps(program)
    if not steps:
        return Turned(program, None, None)
    # Behind which step the state has fewest entries; the last one is the network's own state.
    sizes = [program.skeleton.shapes[step[-1].name][-1] for step in steps]
    place = min(range(len(sizes)), key=lambda i: (sizes[i], -i))
    if sizes[place] >= program.input_size:
        return Turned(program, None, None)
    head, tail = steps[: place + 1], steps[place + 1 :]
    return Turned(
        _chain(program, [*tail, *head], sizes[place]),
        _chain(program, head, program.input_size),
        _chain(program, tail, sizes[place]),
    )


def _steps(program: Program) -> list[list[Node]]:
    """The dense layers of a plain chain of flat states, each with its activations; else none."""
    if program.chain is None:
        return []
    steps: list[list[Node]] = []
    for node in program.skeleton.nodes[1:]:
        if isinstance(node, Dense):
            steps.append([node])
        elif isinstance(node, Activation) and steps:
            steps[-1].append(node)
        elif not isinstance(node, Flatten | Reshape):
            return []
    return steps


def _chain(program: Program, steps: list[list[Node]], size: int) -> Program:
    """The program of these layers one behind the other."""
    nodes: list[Node] = [Input("state", (size,))]
    parameters: dict[str, NDArray[np.generic]] = {}
    for number, step in enumerate(steps):
        for node in step:
            name, source = f"{number}.{node.name}", (nodes[-1].name,)
            if isinstance(node, Activation):
                nodes.append(Activation(name, source, node.function))
            elif isinstance(node, Dense):
                nodes.append(Dense(name, source, node.units, node.weight, node.bias, node.layout))
                names = (node.weight, node.bias) if node.bias else (node.weight,)
                parameters |= {each: program.parameters[each] for each in names}
    return compile_program(Skeleton(tuple(nodes)), parameters)
