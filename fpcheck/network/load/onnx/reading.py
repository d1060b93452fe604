"""From an ONNX file to its network: parse, choose input and output, translate, assemble."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fpcheck.core.errors import ModelFileError
from fpcheck.core.memory import require_memory
from fpcheck.network.load.files import TRUNCATED_HINT, ModelFile, shown
from fpcheck.network.load.graph_file import GraphFile, GraphRequest
from fpcheck.network.load.onnx.assembly import ALONE, assemble, stored_tensors
from fpcheck.network.load.onnx.entrance import behind_embedding, no_entrance, sized
from fpcheck.network.load.onnx.graph import OLDEST_OPSET, Graph, graph_of
from fpcheck.network.load.onnx.guard import check_records
from fpcheck.network.load.onnx.patterns import put_together
from fpcheck.network.load.onnx.recurrent import find_cells
from fpcheck.network.load.onnx.tensors import Tensor, TensorReader
from fpcheck.network.load.onnx.translate import (
    Translated,
    constants_of,
    entrance_of,
    fold_rest,
    translate,
)
from fpcheck.network.load.onnx.values import ANY_BATCH, Builder, UnsupportedError

if TYPE_CHECKING:
    from onnx import ModelProto

CONVERT = "convert it: onnx.version_converter.convert_version(model, 18)"
MOST_NOTED = 6  # names that a note lists


def read_onnx(file: ModelFile, request: GraphRequest) -> GraphFile:
    """The network in an ONNX file, or the part of it before an operator that is not supported.

    Raises:
        ModelFileError: the file cannot be read, or the extra `onnx` is missing.
        MemoryLimitError: it does not fit into memory.
    """
    reader = TensorReader(file)
    graph = put_together(graph_of(file, _parsed(file), reader))
    output, notes = _output(file, graph, request.key)
    if reader.external:
        names = sorted({shown(location) for location, _, _ in reader.external})
        listed = ", ".join(names[:MOST_NOTED])
        notes += (f"weights lie in {listed}, which the SHA-256 does not cover",)
    if graph.opset < OLDEST_OPSET:
        why = f"its opset is {graph.opset}, graphs are read from opset {OLDEST_OPSET} on"
        return GraphFile(stored_tensors(graph), no_network=why, hint=CONVERT, notes=notes)
    known = constants_of(graph)
    builder = Builder(ANY_BATCH, graph.opset, graph.uses())
    found = _translated(graph, output, request)
    if isinstance(found, GraphFile):
        read = found
    else:
        builder, translated = found
        known = translated.values
        read = assemble(graph, builder, translated, output)
        if not any(value.name in translated.values for value in graph.inputs):
            notes += ("the input is taken behind the embedding: rows of numbers, not of its table",)
        if builder.batch not in (1, ANY_BATCH):
            notes += (f"the file's batch size is {builder.batch}; rows are taken one by one",)
    fold_rest(graph, known, builder)
    cells, left_out = find_cells(graph, known, request.constant)
    whole = [array for array in graph.constants.values() if array is not None and _quantized(array)]
    if whole:
        count = sum(array.size for array in whole)
        notes += (
            f"{len(whole)} tensors of {count} whole numbers, quantized weights, are left out",
        )
    if any(value is None for value in graph.constants.values()):
        notes += ("tensors of other types than real and whole numbers are left out",)
    return replace(read, cells=cells, notes=(*notes, *read.notes, *left_out))


def _translated(
    graph: Graph, output: str, request: GraphRequest
) -> tuple[Builder, Translated] | GraphFile:
    """The graph up to `output` as nodes; or, without a usable input, the weights alone."""
    needed = graph.needed(output)
    entrances = [value for value in graph.inputs if value.name in needed]
    if len(entrances) == 1:
        entrances = [sized(behind_embedding(graph, entrances[0]), request.shape)]
    reason, hint = no_entrance(entrances)
    if reason:
        return GraphFile(stored_tensors(graph), no_network=reason, hint=hint)
    source = entrances[0]
    first, *rest = source.shape or ()
    builder = Builder(first if first is not None else ANY_BATCH, graph.opset, graph.uses())
    shape = tuple(size for size in rest if size is not None)
    try:
        entrance = entrance_of(source.name, shape, builder)
    except UnsupportedError as error:
        return GraphFile(stored_tensors(graph), no_network=f"the input: {error}", hint=ALONE)
    return builder, translate(graph, output, entrance, source.name, builder)


def _quantized(array: Tensor) -> bool:
    """Whether a tensor of bytes is too large to be a list of sizes or indices."""
    return array.dtype.kind in "iu" and array.itemsize == 1 and array.size >= 16


def _parsed(file: ModelFile) -> ModelProto:
    """The model that the file's bytes are."""
    try:
        from google.protobuf.message import DecodeError
        from onnx import ModelProto
    except ImportError:
        raise ModelFileError(
            f"{file.name}: reading ONNX needs the package onnx",
            where=file.name,
            hint="pip install 'fpcheck[onnx]'",
        ) from None
    require_memory(3 * file.size, f"reading {file.name}")
    data = file.read_at(0, file.size)
    check_records(file, data)
    try:
        model: ModelProto = ModelProto.FromString(bytes(data))
    except (DecodeError, ValueError, RecursionError) as error:
        reason = shown(str(error).splitlines()[0] if str(error) else "")
        raise file.fault(
            f"is not an ONNX file, or it is truncated: {reason}", hint=TRUNCATED_HINT
        ) from None
    return model


def _output(file: ModelFile, graph: Graph, key: str | None) -> tuple[str, tuple[str, ...]]:
    """(the output that is analyzed, notes): what `key` names, or the first one."""
    names = [shown(name) for name in graph.outputs]
    if key is not None:
        if key not in graph.outputs:
            raise file.fault(
                f"has no output '{shown(key)}'", hint=f"its outputs: {', '.join(names)}"
            )
        return key, ()
    if len(names) == 1:
        return graph.outputs[0], ()
    listed = ", ".join(names[:MOST_NOTED])
    note = f"{len(names)} outputs: {listed}; '{names[0]}' is analyzed, --key NAME chooses another"
    return graph.outputs[0], (note,)
