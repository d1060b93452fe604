"""Where a network begins: its one input, or what an embedding makes of it."""

from __future__ import annotations

from dataclasses import replace

from fpcheck.network.load.files import shown
from fpcheck.network.load.onnx.graph import Graph, GraphInput
from fpcheck.network.load.onnx.tensors import FLOATS

MOST_NOTED = 6  # names that a line lists
WHOLE = (2, 3, 4, 5, 6, 7, 12, 13)  # TensorProto.DataType of whole numbers


def behind_embedding(graph: Graph, value: GraphInput) -> GraphInput:
    """The value that a table makes of an input of whole numbers; the input itself without one."""
    if value.kind not in WHOLE or value.shape is None:
        return value
    names = {value.name}
    tables = {**graph.constants, **graph.constant_nodes()}
    found = []
    for op in graph.ops:
        if op.type in ("Cast", "Identity") and names.intersection(op.inputs):
            names.update(op.outputs)
        if op.type != "Gather" or len(op.inputs) != 2 or op.inputs[1] not in names:
            continue
        table = tables.get(op.inputs[0])
        if table is not None and table.ndim == 2 and not op.attributes.get("axis", 0):
            found.append(
                GraphInput(
                    op.outputs[0],
                    FLOATS[0],
                    (*value.shape, table.shape[1]),
                    (*value.symbols, str(table.shape[1])),
                )
            )
    return found[0] if len(found) == 1 else value


def sized(value: GraphInput, shape: tuple[int, ...] | None) -> GraphInput:
    """The input with the sizes that the file leaves open taken from `shape`, of one row."""
    if shape is None or value.shape is None or len(value.shape) != len(shape) + 1:
        return value
    first, *rest = value.shape
    sizes = (own or given for own, given in zip(rest, shape, strict=True))
    return replace(value, shape=(first, *sizes))


def no_entrance(entrances: list[GraphInput]) -> tuple[str, str]:
    """(why the input cannot be an input of a network, what helps); "" if it can."""
    if len(entrances) != 1:
        listed = ", ".join(f"'{shown(value.name)}'" for value in entrances[:MOST_NOTED])
        count = f"{len(entrances)} inputs, {listed}" if entrances else "no input"
        return f"the graph has {count}; a network of one input is analyzed", (
            "export it with one input, the others as constants"
        )
    value = entrances[0]
    name = shown(value.name)
    if value.kind not in FLOATS:
        return f"the input '{name}' does not hold real numbers", (
            "export the part behind the embedding"
        )
    if value.shape is None or len(value.shape) < 2:
        shape = "no shape" if value.shape is None else f"the shape [{', '.join(value.symbols)}]"
        return f"the input '{name}' has {shape}; a batch axis and one more are needed", (
            "export it with a batch axis first"
        )
    unknown = [
        f"axis {axis} ('{shown(value.symbols[axis])}')"
        for axis, size in enumerate(value.shape)
        if axis and size is None
    ]
    if unknown:
        return f"the input '{name}' has unknown sizes: {', '.join(unknown[:MOST_NOTED])}", (
            "--input-shape gives the shape of one row, such as 3,224,224"
        )
    return "", ""
