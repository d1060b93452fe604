"""A PyTorch module as a subject: traced where torch.fx can, called where it cannot."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.load.graph_file import GraphFile
from fpcheck.network.load.live.black_box import Array, Function, described, open_black_box
from fpcheck.network.load.live.emitter import as_array
from fpcheck.network.load.live.fingerprint import fingerprint
from fpcheck.network.load.live.kinds import Foreign
from fpcheck.network.load.live.subject import SHAPE_HINT
from fpcheck.network.load.live.tracing import read_graph, traced_graph
from fpcheck.network.load.onnx.values import UnsupportedError
from fpcheck.network.network import Network
from fpcheck.network.program import forward
from fpcheck.network.skeleton import Shape
from fpcheck.network.subject import Subject

Tensors = dict[str, NDArray[np.generic]]
HASHED = "the SHA-256 is of the state dict's names and bytes"
TRIAL_ROWS = 2
# How far our network and the module may differ, of the largest output: in double precision what
# a straight line of softplus above 20 and an epsilon of single precision make out; else rounding.
AGREEMENT = {"float64": 1e-6, "float32": 1e-3, "float16": 5e-2, "bfloat16": 2e-1}


def torch_subject(name: str, model: Foreign, shape: Shape | None) -> Subject:
    """The subject of a torch.nn.Module, which is left as it was.

    Raises:
        ModelFileError: it cannot be traced, and calling it fails too.
    """
    with _at_rest(model):
        tensors, notes = _state(model)
        read = _read(name, model, tensors, shape)
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
        partial=read.partial,
    )


def _read(name: str, model: Foreign, tensors: Tensors, shape: Shape | None) -> GraphFile:
    """The module's network: traced, or a part of it, or as a black box."""
    try:
        graph = traced_graph(model)
    except Exception as error:  # whatever the module's own code raises under tracing
        why = f"torch.fx cannot trace it ({described(error)})"
        return _called(name, model, tensors, shape, why)
    row = shape or _stated_shape(graph, model)
    if row is None:
        why = "the shape of its input is not known from its first layer"
        return GraphFile(tensors, no_network=why, hint=SHAPE_HINT)
    read = read_graph(graph, model, tensors, row)
    if read.network is None:
        return _called(name, model, tensors, row, read.no_network)
    if read.partial is None and not _agrees(model, read.network):
        why = "what torch.fx traced does not give what the module gives"
        return _called(name, model, tensors, row, why)
    return read


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


def _agrees(model: Foreign, network: Network) -> bool:
    """Whether the network gives what the module gives, on rows that are tried."""
    x = np.random.default_rng(0).standard_normal((TRIAL_ROWS, *network.skeleton.input_shape))
    exact, kind = _exact(model)
    try:
        wanted = np.asarray(_function(exact, kind)(x), dtype=np.float64)
        found = forward(network.program, x)
    except Exception:  # the black box that comes next says what it is
        return False
    if wanted.shape != found.shape:
        return False
    finite = np.isfinite(wanted)
    limit = AGREEMENT.get(kind, 0.0) * max(1.0, float(np.abs(wanted[finite]).max(initial=0.0)))
    same = np.array_equal(finite, np.isfinite(found))
    return same and bool((np.abs(wanted - found)[finite] <= limit).all())


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
            value = model(torch.as_tensor(x, dtype=dtype, device=device))
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


def _stated_shape(graph: Foreign, model: Foreign) -> Shape | None:
    """The shape of a row that the first layer determines, if it does."""
    node = next(one for one in graph.nodes if one.op == "placeholder")
    modules: Mapping[str, Foreign] = dict(model.named_modules())
    while True:
        users = list(node.users)
        if len(users) != 1:
            kinds = [_width(modules.get(str(one.target))) for one in users]
            known = [width for width in kinds if width is not None]
            return known[0] if known else None
        (node,) = users
        if node.op != "call_module":
            function = getattr(node.target, "__name__", node.target)
            if str(function) in PASSING:
                continue
            weight = _weight(node, model) if function == "linear" else None
            return None if weight is None else (int(weight.shape[1]),)
        width = _width(modules.get(str(node.target)))
        if width is not None:
            return width
        if type(modules[str(node.target)]).__name__ not in PASSING_MODULES:
            return None


# What keeps the number of entries of a row on the way to the first layer.
PASSING = ("flatten", "relu", "tanh", "sigmoid", "contiguous", "float", "double")
PASSING_MODULES = ("Flatten", "Identity", "Dropout", "ReLU", "Tanh", "Sigmoid", "GELU", "SiLU")


def _weight(node: Foreign, model: Foreign) -> Foreign:
    """The matrix of a functional linear layer, None where it is computed."""
    source = node.args[1] if len(node.args) > 1 else node.kwargs.get("weight")
    if getattr(source, "op", "") != "get_attr":
        return None
    return dict(model.named_parameters()).get(str(source.target))


def _width(module: Foreign) -> Shape | None:
    """The shape of a row that a layer works on, None where it works on more than one."""
    kind = type(module).__name__
    if kind == "Linear":
        return (int(module.in_features),)
    if kind == "BatchNorm1d":
        return (int(module.num_features),)
    if kind in ("LayerNorm", "RMSNorm"):
        return tuple(int(size) for size in module.normalized_shape)
    return None
