"""From a live object to a subject."""

from __future__ import annotations

from collections.abc import Sequence

from fpcheck.core.errors import ModelFileError, UsageError
from fpcheck.network.constant_input import ZEROS, ConstantInput
from fpcheck.network.load.live.black_box import Function, open_black_box
from fpcheck.network.load.live.entrance import SHAPE_HINT
from fpcheck.network.load.live.kinds import kind_of
from fpcheck.network.load.live.target import import_target
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Shape
from fpcheck.network.subject import Subject


def live_subject(
    model: object, input_shape: Sequence[int] | None = None, held: ConstantInput = ZEROS
) -> Subject:
    """The subject of a live model, or of what a target stands for.

    Args:
        model: a torch.nn.Module, a keras.Model, a Network, a function f(x) -> y on batches, or
            `package.module:factory`.
        input_shape: of one row; needed where the model does not tell.
        held: the input at which recurrent cells are held.

    Raises:
        ModelFileError: the model cannot be imported, or is none, or cannot be called.
        UsageError: a function without an input shape, or a shape that is none.
        DataError: the constant input fits no recurrent cell.
    """
    name = ""
    if isinstance(model, str):
        name, model = model, import_target(model)
    shape = _checked(input_shape)
    kind = kind_of(model)
    own = getattr(model, "__qualname__", None)
    name = name or (own if isinstance(own, str) else type(model).__name__)
    if kind == "torch":
        from fpcheck.network.load.live.torch_model import torch_subject

        return torch_subject(name, model, shape, held)
    if kind == "keras":
        from fpcheck.network.load.live.keras_model import keras_subject

        return keras_subject(name, model, shape, held)
    if isinstance(model, Network):
        return _of_network(name, model)
    if callable(model):
        return _of_callable(name, model, shape)
    raise ModelFileError(
        f"{type(model).__name__} is no model",
        hint="a path, an nn.Module, a keras.Model, a Network, or a function of a batch of rows",
    )


def _of_network(name: str, network: Network) -> Subject:
    from fpcheck.network.load.live.fingerprint import fingerprint

    return Subject(
        name=name,
        format="network",
        sha256=fingerprint(network.parameters),
        tensors=network.parameters,
        network=network,
        outline=network.skeleton,
        notes=("the SHA-256 is of the parameters' names and bytes",),
    )


def _of_callable(name: str, function: Function, shape: Shape | None) -> Subject:
    if shape is None:
        raise UsageError(f"{name} is a function: the shape of its input is needed", hint=SHAPE_HINT)
    opened = open_black_box(name, function, shape)
    return Subject(
        name=name,
        format="callable",
        sha256="",
        tensors={},
        network=opened.network,
        outline=opened.network.skeleton,
        notes=opened.notes,
    )


def _checked(shape: Sequence[int] | None) -> Shape | None:
    if shape is None:
        return None
    sizes = tuple(shape)
    if not sizes or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise UsageError(f"the input shape {list(sizes)} is no shape of a row", hint=SHAPE_HINT)
    return sizes
