"""The program that torch.fx traces from a module, as nodes of a skeleton."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import FpcheckError
from fpcheck.network.load.graph_file import GraphFile
from fpcheck.network.load.live.activations import ACTIVATIONS
from fpcheck.network.load.live.attention import ATTENTION
from fpcheck.network.load.live.emitter import Emitter, Handler, Traced
from fpcheck.network.load.live.kinds import Foreign
from fpcheck.network.load.live.layers import LAYERS
from fpcheck.network.load.live.modules import MODULES
from fpcheck.network.load.live.recurrent import is_recurrent
from fpcheck.network.load.live.structure import STRUCTURE
from fpcheck.network.load.live.transformer import SEVERAL, kind_of_layer
from fpcheck.network.load.onnx.assembly import assemble
from fpcheck.network.load.onnx.graph import Graph
from fpcheck.network.load.onnx.nodes import Op
from fpcheck.network.load.onnx.translate import Translated, entrance_of
from fpcheck.network.load.onnx.values import (
    ANY_BATCH,
    Builder,
    Rows,
    Stopped,
    UnsupportedError,
    Value,
)
from fpcheck.network.skeleton import Shape

FUNCTIONS: dict[str, Handler] = {**STRUCTURE, **ACTIVATIONS, **LAYERS, **ATTENTION}
# What may be computed from sizes in which a number stands for any number of rows.
ARITHMETIC = ("_operator", "builtins", "math")
OUTPUT = "output"
OPSET = 23


@dataclass
class Walk:
    """The traced graph on its way through: every node's value, and where values end."""

    modules: Mapping[str, Foreign]
    emitter: Emitter
    values: dict[str, Foreign] = field(default_factory=dict)
    ends: list[tuple[Rows, Stopped]] = field(default_factory=list)


def traced_graph(model: Foreign) -> Foreign:
    """The graph of a module in evaluation mode; arguments with defaults keep them.

    Raises:
        Exception: whatever the module raises when it is traced; its control flow depends on values.
    """
    from torch.fx import Graph as Program
    from torch.fx import Tracer

    if is_recurrent(model) or kind_of_layer(model) in SEVERAL:
        # One layer, which is not looked into.
        program = Program()
        x = program.placeholder("x")
        given = (x,) * arguments_of(model)
        name = kind_of_layer(model).lower()
        program.output(program.create_node("call_module", "", given, name=name))
        return program
    arguments = list(inspect.signature(model.forward).parameters.values())[1:]
    fixed = {
        one.name: one.default for one in arguments if one.default is not inspect.Parameter.empty
    }
    try:
        return Tracer().trace(model, concrete_args=fixed or None)
    except Exception:  # a buffer that is cut to the input's size has to be traced too
        tracer = Tracer()
        tracer.proxy_buffer_attributes = True
        with contextlib.suppress(Exception):
            return tracer.trace(model, concrete_args=fixed or None)
        raise


def arguments_of(model: Foreign) -> int:
    """How often a module takes its one input: self-attention as query, key and value."""
    return 3 if kind_of_layer(model) == "MultiheadAttention" else 1


def read_graph(
    graph: Foreign,
    model: Foreign,
    tensors: Mapping[str, NDArray[np.generic]],
    shape: Shape,
    batch: int = 0,
) -> tuple[GraphFile, int]:
    """(the network of a traced graph, or the part before what is not supported; the axis of the
    output along which its rows lie).

    tensors: of the state dict, by name; shape: of one row of the input, which lie along its axis
    `batch`.
    """
    nodes = [node for node in graph.nodes if node.op not in ("placeholder", "output")]
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    ops = tuple(_op(node, place, model) for place, node in enumerate(nodes, 1))
    output, several = _output(graph)
    known = Graph(
        ops=ops,
        inner=(),
        constants=dict(tensors),
        inputs=(),
        outputs=(output,),
        opset=OPSET,
        total=max(1, len(ops)),
    )
    builder = Builder(ANY_BATCH, OPSET, known.uses())
    names = {id(tensor): name for name, tensor in _named_tensors(model)}
    walk = Walk(dict(model.named_modules()), Emitter(builder, names))
    walk.values[inputs[0].name] = replace(entrance_of(inputs[0].name, shape, builder), batch=batch)
    for node in inputs[1:]:
        walk.values[node.name] = node.args[0] if node.args else None
    for node, op in zip(nodes, ops, strict=True):
        _visit(walk, node, op, model)
    firsts = {name: next(_leaves(value), None) for name, value in walk.values.items()}
    values: dict[str, Value | Stopped] = {
        name: value for name, value in firsts.items() if isinstance(value, Rows | Stopped)
    }
    end = values.get(output)
    axis = end.batch if isinstance(end, Rows) else 0
    if isinstance(end, Rows) and batch:
        values[output] = replace(end, batch=0)
    read = assemble(known, builder, Translated(values, tuple(walk.ends)), output)
    notes = (f"of {several} outputs the first is analyzed",) if several > 1 else ()
    found = GraphFile(
        tensors={**tensors, **read.tensors},
        network=read.network,
        no_network=read.no_network,
        hint=read.hint,
        outline=read.outline,
        notes=notes,
        unused=read.unused,
        partial=read.partial,
    )
    return found, axis


def _visit(walk: Walk, node: Foreign, op: Op, model: Foreign) -> None:
    """Find the value of one node of the graph."""
    arguments, named = _resolved(walk, node)
    flat = list(_leaves([arguments, named]))
    stopped = next((value for value in flat if isinstance(value, Stopped)), None)
    if stopped is not None:
        walk.values[node.name] = stopped
        walk.ends += [(value, stopped) for value in flat if isinstance(value, Rows)]
        return
    walk.emitter.label = (str(node.target) if node.op == "call_module" else "") or node.name
    walk.emitter.place = op.place
    shown = [value for value in flat if isinstance(value, Rows)]
    try:
        if shown:
            found = _of_rows(walk, node, arguments, named)
        else:
            found = _constant(walk, node, arguments, named, model)
    except UnsupportedError as error:
        found = Stopped(op, str(error))
    except FpcheckError as error:
        found = Stopped(op, error.message)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError):
        found = Stopped(op, "this form of it is not read")
    if isinstance(found, Stopped):
        walk.ends += [(value, found) for value in shown]
    for value in _leaves(found):
        if isinstance(value, Rows):
            walk.emitter.builder.stands_for(node.name, value.node)
    walk.values[node.name] = found


def _of_rows(
    walk: Walk, node: Foreign, arguments: list[Foreign], named: dict[str, Foreign]
) -> Traced:
    """The value of an operation on rows."""
    if node.op == "call_module":
        module = walk.modules[node.target]
        kind = kind_of_layer(module)
        if kind in SEVERAL:
            return SEVERAL[kind](walk.emitter, module, *arguments, **named)
        if is_recurrent(module):
            raise UnsupportedError("a recurrent layer is a map of its state, not of its input")
        rule = MODULES.get(kind)
        if rule is None or len(arguments) != 1 or named:
            raise UnsupportedError("it is not a layer that fpcheck knows")
        return rule(walk.emitter, module, arguments[0])
    name = _function_name(node)
    if name == "getitem" and isinstance(arguments[0], tuple):
        return arguments[0][arguments[1]]
    handler = FUNCTIONS.get(name)
    if handler is None or not _is_known(node):
        raise UnsupportedError("it is not an operation that fpcheck knows")
    named.pop("inplace", None)
    if "input" in named:  # torch's name of the first argument
        arguments = [named.pop("input"), *arguments]
    return handler(walk.emitter, *arguments, **named)


def _constant(
    walk: Walk, node: Foreign, arguments: list[Foreign], named: dict[str, Foreign], model: Foreign
) -> Traced:
    """The value of an operation that does not depend on the input: computed by PyTorch."""
    if node.op == "get_attr":
        found = model
        for part in str(node.target).split("."):
            found = getattr(found, part)
        return found
    if node.op == "call_module":
        return walk.modules[node.target](*arguments, **named)
    if node.op == "call_method":
        given = _of_one_row(node.target, arguments[0], arguments[1:])
        return getattr(arguments[0], node.target)(*given, **named)
    home = getattr(node.target, "__module__", None)
    sizes = (value for value in _leaves([arguments, named]) if isinstance(value, int))
    if home not in ARITHMETIC and any(abs(size) >= ANY_BATCH for size in sizes):
        raise UnsupportedError("it makes a tensor whose size is that of the batch")
    return node.target(*arguments, **named)


def _of_one_row(method: str, tensor: Foreign, given: list[Foreign]) -> list[Foreign]:
    """The arguments of a method of a constant, which is repeated once where it is for every row."""
    sizes = list(_leaves(given))
    if not any(isinstance(size, int) and abs(size) >= ANY_BATCH for size in sizes):
        return given
    if method not in ("expand", "repeat"):
        raise UnsupportedError("it makes a tensor whose size is that of the batch")
    new = len(sizes) - tensor.dim()
    return [
        size if size != ANY_BATCH else -1 if method == "expand" and place >= new else 1
        for place, size in enumerate(sizes)
    ]


def _resolved(walk: Walk, node: Foreign) -> tuple[list[Foreign], dict[str, Foreign]]:
    """The arguments of a node with values in the place of nodes."""
    from torch.fx import Node
    from torch.fx.node import map_arg

    def value(one: Node) -> Foreign:
        return walk.values[one.name]

    arguments = [_plain(map_arg(one, value)) for one in node.args]
    return arguments, {name: _plain(map_arg(one, value)) for name, one in node.kwargs.items()}


def _plain(value: Foreign) -> Foreign:
    """fx's immutable lists and dicts as plain ones."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(_plain(one) for one in value)
    return value


def _leaves(value: Foreign) -> Iterator[Foreign]:
    if isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, slice):
        yield from (value.start, value.stop, value.step)
    else:
        yield value


def _op(node: Foreign, place: int, model: Foreign) -> Op:
    """A node of the traced graph as a record: what it is, and what it takes."""
    taken = [one.name for one in node.all_input_nodes]
    kind = _function_name(node)
    label = node.name
    if node.op == "call_module":
        module = model.get_submodule(node.target)
        kind, label = type(module).__name__, str(node.target) or node.name
        prefix = f"{node.target}." if node.target else ""
        taken += [f"{prefix}{name}" for name in module.state_dict()]
    elif node.op == "get_attr":
        kind = "get_attr"
        taken.append(str(node.target))
    return Op(
        type=kind,
        domain="",
        name=label,
        inputs=tuple(taken),
        outputs=(node.name,),
        attributes={},
        place=place,
    )


def _function_name(node: Foreign) -> str:
    """`relu` of torch.relu, F.relu, x.relu and x.relu_."""
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return str(name).rstrip("_") or str(name)


def _is_known(node: Foreign) -> bool:
    """Whether a function is PyTorch's or Python's own, and not one of the user's by that name."""
    if node.op == "call_method":
        return True
    home = getattr(node.target, "__module__", None) or "torch"
    return str(home).split(".")[0] in ("torch", "torchvision") or home in ARITHMETIC


def _output(graph: Foreign) -> tuple[str, int]:
    """(the node that the program returns, the number of all of them)."""
    (node,) = (one for one in graph.nodes if one.op == "output")
    given = [one for one in _leaves(_plain(node.args[0])) if hasattr(one, "op")]
    return (given[0].name if given else OUTPUT), len(given)


def _named_tensors(model: Foreign) -> Iterator[tuple[str, Foreign]]:
    yield from model.named_parameters()
    yield from model.named_buffers()
