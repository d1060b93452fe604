"""A PyTorch module as a subject: traced where torch.fx can, called where it cannot."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.constant_input import ZEROS, ConstantInput
from fpcheck.network.load.cells import NO_CHAIN_HINT
from fpcheck.network.load.graph_file import GraphFile
from fpcheck.network.load.live.black_box import Array, Function, described, open_black_box
from fpcheck.network.load.live.emitter import as_array
from fpcheck.network.load.live.entrance import SHAPE_HINT, stated_shape
from fpcheck.network.load.live.fingerprint import fingerprint
from fpcheck.network.load.live.kinds import Foreign
from fpcheck.network.load.live.recurrent import find_cells
from fpcheck.network.load.live.tracing import arguments_of, read_graph, traced_graph
from fpcheck.network.load.live.watched import passes_by
from fpcheck.network.load.onnx.values import UnsupportedError
from fpcheck.network.network import Network
from fpcheck.network.program import forward
from fpcheck.network.skeleton import Shape
from fpcheck.network.subject import Subject

Tensors = dict[str, NDArray[np.generic]]
HASHED = "the SHA-256 is of the state dict's names and bytes"
SECOND_AXIS = "rows lie along the second axis of the model's input (batch_first=False)"
TRIAL_ROWS = 2
# How far our network and the module may differ, of the largest output: in double precision what
# a straight line of softplus above 20 and an epsilon of single precision make out; else rounding.
AGREEMENT = {"float64": 1e-6, "float32": 1e-3, "float16": 5e-2, "bfloat16": 2e-1}


def torch_subject(
    name: str, model: Foreign, shape: Shape | None, held: ConstantInput = ZEROS
) -> Subject:
    """The subject of a torch.nn.Module, which is left as it was.

    held: the input at which recurrent cells are held.

    Raises:
        ModelFileError: it cannot be traced, and calling it fails too.
        DataError: the constant input fits no cell.
    """
    with _at_rest(model):
        tensors, notes = _state(model)
        read = _read(name, model, tensors, shape, held)
    return Subject(
        name=name,
        format="torch",
        sha256=fingerprint(tensors),
        tensors=read.tensors,
        network=read.network,
        no_network=read.no_network,
        hint=read.hint,
        outline=read.outline,
        notes=(*notes, HASHED, *read.notes),
        unused=read.unused,
        cells=read.cells,
        partial=read.partial,
    )


def _read(
    name: str, model: Foreign, tensors: Tensors, shape: Shape | None, held: ConstantInput
) -> GraphFile:
    """The module's cells; and its network: traced, or a part of it, or as a black box."""
    graph, why = None, ""
    try:
        graph = traced_graph(model)
    except Exception as error:  # whatever the module's own code raises under tracing
        why = f"torch.fx cannot trace it ({described(error)})"
    row = shape or (None if graph is None else stated_shape(graph, model))
    found = find_cells(model, graph, held)
    read, why = (None, why) if graph is None else _traced(graph, model, tensors, row)
    if found.cells and (read is None or read.network is None):
        read = GraphFile(tensors, no_network=why, hint=NO_CHAIN_HINT)
    elif read is None or (read.network is None and row is not None):
        read = _called(name, model, tensors, row, why)
    return replace(read, cells=found.cells, notes=(*found.notes, *read.notes))


def _traced(
    graph: Foreign, model: Foreign, tensors: Tensors, row: Shape | None
) -> tuple[GraphFile | None, str]:
    """(what the traced graph gives, None where that is not what the module gives; why)."""
    if row is None:
        why = "the shape of its input is not known from its first layer"
        return GraphFile(tensors, no_network=why, hint=SHAPE_HINT), why
    batch = 0
    read, end = read_graph(graph, model, tensors, row)
    if (read.network is None or read.partial is not None) and _sequences_first(model):
        turned, axis = read_graph(graph, model, tensors, row, batch=1)
        if _share(turned) > _share(read):
            batch, end = 1, axis
            read = replace(turned, notes=(*turned.notes, SECOND_AXIS))
    if read.network is None:
        return read, read.no_network
    if read.partial is None and not _agrees(model, read.network, (batch, end)):
        return None, "what torch.fx traced does not give what the module gives"
    if read.partial is not None and not _passes_by(
        model, graph, read.network, batch, read.partial.place
    ):
        return None, "what torch.fx traced is not what the module computes on its way"
    return read, ""


def _share(read: GraphFile) -> float:
    """How much of the graph was read, of 1."""
    if read.network is None:
        return 0.0
    return 1.0 if read.partial is None else read.partial.node_share


def _sequences_first(model: Foreign) -> bool:
    """Whether a layer of the model takes positions along the first axis, rows along the second."""
    return any(getattr(module, "batch_first", True) is False for module in model.modules())


def _called(
    name: str, model: Foreign, tensors: Tensors, shape: Shape | None, why: str
) -> GraphFile:
    """The module as a black box."""
    if shape is None:
        return GraphFile(tensors, no_network=why, hint=SHAPE_HINT)
    opened = open_black_box(name, _function(*_exact(model)), shape)
    return GraphFile(
        tensors, opened.network, outline=opened.network.skeleton, notes=(why, *opened.notes)
    )


def _agrees(model: Foreign, network: Network, axes: tuple[int, int]) -> bool:
    """Whether the network gives what the module gives, on rows that are tried.

    axes: along which the module has the rows of its input and of its output.
    """
    x = np.random.default_rng(0).standard_normal((TRIAL_ROWS, *network.skeleton.input_shape))
    exact, kind = _exact(model)
    try:
        given = np.ascontiguousarray(np.moveaxis(x, 0, axes[0]))
        wanted = np.asarray(_function(exact, kind)(given), dtype=np.float64)
        wanted = np.moveaxis(wanted, axes[1], 0)
        found = forward(network.program, x)
    except Exception:  # the black box that comes next says what it is
        return False
    if wanted.shape != found.shape:
        return False
    finite = np.isfinite(wanted)
    limit = AGREEMENT.get(kind, 0.0) * max(1.0, float(np.abs(wanted[finite]).max(initial=0.0)))
    same = np.array_equal(finite, np.isfinite(found))
    return same and bool((np.abs(wanted - found)[finite] <= limit).all())


def _passes_by(model: Foreign, graph: Foreign, network: Network, batch: int, place: int) -> bool:
    """Whether the module computes what the network, a part of it, gives on rows that are tried.

    batch: the axis along which the module has the rows of its input; place: of the operation that
    stopped the reading.
    """
    import torch

    x = np.random.default_rng(0).standard_normal((TRIAL_ROWS, *network.skeleton.input_shape))
    exact, kind = _exact(model)
    first = next(exact.parameters(), torch.zeros(0))
    given = np.ascontiguousarray(np.moveaxis(x, 0, batch))
    rows = torch.as_tensor(given, dtype=getattr(torch, kind), device=first.device)
    found = forward(network.program, x)
    return passes_by(exact, graph, rows, found, AGREEMENT.get(kind, 0.0), place)


def _exact(model: Foreign) -> tuple[Foreign, str]:
    """(a copy in double precision, float64), or the module itself where it cannot be copied."""
    import torch

    try:
        twin = copy.deepcopy(model).double().eval()
        if next((t.device.type for t in twin.parameters()), "cpu") in ("cpu", "cuda"):
            return twin, "float64"
    except Exception:  # a module's own copying may raise anything
        twin = None
    first = next((t for t in model.parameters() if t.is_floating_point()), torch.zeros(1))
    return model, str(first.dtype).removeprefix("torch.")


def _function(model: Foreign, kind: str) -> Function:
    """The module as a function of arrays, without gradients and without touching random states."""
    import torch

    first = next(model.parameters(), torch.zeros(0))
    dtype, device = getattr(torch, kind), first.device
    devices = [device] if device.type == "cuda" else []

    def function(x: Array) -> object:
        with torch.no_grad(), torch.random.fork_rng(devices=devices), _evaluating(model):
            given = torch.as_tensor(x, dtype=dtype, device=device)
            value = model(*(given,) * arguments_of(model))
            while isinstance(value, list | tuple | dict):
                value = next(iter(value.values() if isinstance(value, dict) else value))
            return as_array(value)

    return function


@contextmanager
def _at_rest(model: Foreign) -> Iterator[None]:
    """The module in evaluation mode, no gradients, the random state restored."""
    import torch

    device = next((t.device for t in model.parameters()), torch.device("cpu"))
    devices = [device] if device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices=devices), _evaluating(model):
        yield


@contextmanager
def _evaluating(model: Foreign) -> Iterator[None]:
    """Every submodule in evaluation mode, each one's own flag restored."""
    flags = [(module, module.training) for module in model.modules()]
    for module, _ in flags:
        module.training = False
    try:
        yield
    finally:
        for module, flag in flags:
            module.training = flag


def _state(model: Foreign) -> tuple[Tensors, tuple[str, ...]]:
    """The state dict as arrays, and notes on what is left out or converted."""
    tensors: Tensors = {}
    notes = []
    converted = False
    for name, tensor in model.state_dict().items():
        try:
            tensors[name] = as_array(tensor)
        except UnsupportedError as error:
            notes.append(f"tensor '{name}' is left out: {error}")
            continue
        converted = converted or str(tensor.dtype) == "torch.bfloat16"
    if converted:
        notes.append("bfloat16 tensors are read as float32, exactly")
    return tensors, tuple(notes)
