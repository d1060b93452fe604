"""PyTorch's recurrent modules in a live model as cells: maps of their state at a held input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.activations import activation
from fpcheck.network.constant_input import ZEROS, ConstantInput
from fpcheck.network.load.cells import MOST_CELLS, FoundCells
from fpcheck.network.load.cells import find_cells as find_stored
from fpcheck.network.load.live.emitter import as_array
from fpcheck.network.load.live.kinds import Foreign
from fpcheck.network.load.onnx.values import UnsupportedError
from fpcheck.network.recurrent import Cell
from fpcheck.network.settled import held_behind

STACKS = ("RNN", "GRU", "LSTM")
SINGLE = ("RNNCell", "GRUCell", "LSTMCell")
RECURRENT = frozenset((*STACKS, *SINGLE))
PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
# What only moves the entries of a sequence of states, or does nothing in evaluation mode.
MOVES = frozenset(
    ("transpose", "permute", "contiguous", "swapaxes", "clone", "dropout", "float", "double")
)
REST = frozenset(("Dropout", "Identity"))
BEHIND = "."  # stands for what is behind other layers behind a cell; no module is called so


def is_recurrent(module: Foreign) -> bool:
    """Whether a module is one of torch.nn's recurrent ones."""
    own = type(module)
    kind = own.__name__.removeprefix("Parametrized")
    known = kind in RECURRENT
    return known and own.__module__.startswith(("torch.nn.modules.", "torch.nn.utils.parametrize"))


def find_cells(model: Foreign, graph: Foreign | None, held: ConstantInput) -> FoundCells:
    """The cells of all recurrent modules of a model, in its own order.

    graph: as torch.fx traced it, which tells whose states a module takes; None where it could not.

    Raises:
        DataError: the constant input fits no cell that takes the model's input.
    """
    modules = {name: module for name, module in model.named_modules() if is_recurrent(module)}
    sources = {} if graph is None else _sources(graph, model, modules)
    cells: list[Cell] = []
    first: list[Cell] = []
    last: dict[str, list[Cell]] = {}
    notes: list[str] = []
    for name in _in_order(modules, sources):
        module, source = modules[name], sources.get(name, "")
        size = int(module.input_size)
        if source:
            own = held_behind(last.get(source, ()), size)
        else:
            own = held if held.fits(size) else ZEROS
        found = _found(name, module, own)
        cells += found.cells
        notes += found.notes
        first += [] if source else found.cells[:1]
        last[name] = list(found.cells[-2 if getattr(module, "bidirectional", False) else -1 :])
    if first and not any(held.fits(cell.input_size) for cell in first):
        held.of_size(first[0].name, first[0].input_size)
    if len(cells) > MOST_CELLS:
        notes.append(f"{len(cells) - MOST_CELLS} more cells are left out: {MOST_CELLS} are taken")
    used = frozenset(name for cell in cells for name in cell.network.parameters)
    return FoundCells(tuple(cells[:MOST_CELLS]), used, tuple(dict.fromkeys(notes)))


def _found(name: str, module: Foreign, held: ConstantInput) -> FoundCells:
    """The cells of one module, called as those of a file with its state dict are."""
    function = None
    if hasattr(module, "nonlinearity"):
        function = activation(str(module.nonlinearity))
    try:
        tensors = dict(_tensors(f"{name}." if name else "", module))
    except UnsupportedError as error:
        return FoundCells((), frozenset(), (f"cell '{name}' is left out: {error}",))
    return find_stored(tensors, function=function, held=held)


def _tensors(prefix: str, module: Foreign) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """The weights as the module uses them, parametrised ones too."""
    suffixes = [""]
    if hasattr(module, "num_layers"):
        backs = ("", "_reverse") if module.bidirectional else ("",)
        suffixes = [f"_l{layer}{back}" for layer in range(module.num_layers) for back in backs]
    for suffix in suffixes:
        for part in PARTS:
            tensor = getattr(module, f"{part}{suffix}", None)
            if tensor is not None:
                yield f"{prefix}{part}{suffix}", as_array(tensor)


def _sources(graph: Foreign, model: Foreign, modules: Mapping[str, Foreign]) -> dict[str, str]:
    """Whose states a module takes: the other's name, BEHIND behind other layers, "" of none."""
    origins: dict[str, str] = {}  # of every node: the module whose states it is, BEHIND, or ""
    sources: dict[str, str] = {}
    for node in graph.nodes:
        taken = [origins.get(one.name, "") for one in node.all_input_nodes]
        target = str(node.target)
        if node.op == "call_module" and target in modules:
            given = node.args[0] if node.args else node.kwargs.get("input")
            sources.setdefault(target, origins.get(getattr(given, "name", ""), ""))
            origins[node.name] = target
        elif len(taken) == 1 and _keeps(model, node):
            origins[node.name] = taken[0]
        else:
            origins[node.name] = BEHIND if any(taken) else ""
    return sources


def _keeps(model: Foreign, node: Foreign) -> bool:
    """Whether an operation of one input gives the same states: the first of several values too."""
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if node.op == "call_module":
        return type(model.get_submodule(node.target)).__name__ in REST
    return name in MOVES or (name == "getitem" and node.args[1] == 0)


def _in_order(modules: Mapping[str, Foreign], sources: Mapping[str, str]) -> list[str]:
    """The modules in the model's order, each behind the one whose states it takes."""
    order: list[str] = []
    waiting = list(modules)
    while waiting:
        ready = [name for name in waiting if sources.get(name, "") not in waiting]
        order += ready[:1] or waiting[:1]
        waiting.remove(order[-1])
    return order
