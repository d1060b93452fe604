"""What kind of model an object is; no framework is imported to find out."""

from __future__ import annotations

import sys
from typing import Any, Literal, TypeAlias

from fpcheck.network.network import Network

# An object of a framework; naming its class would import the framework.
Foreign: TypeAlias = Any
Kind: TypeAlias = Literal["keras", "torch", "network", "callable"]


def is_model(thing: object) -> bool:
    """Whether `thing` is a model of a framework, or one of ours, and no class of models."""
    return kind_of(thing) in ("keras", "torch", "network")


def kind_of(thing: object) -> Kind | None:
    """The kind of model that `thing` is, None if it is none.

    An instance of a framework's class means that the framework has been imported.
    """
    if isinstance(thing, Network):
        return "network"
    # A Keras model on the PyTorch backend is an nn.Module too.
    if _instance(thing, "keras", "Model"):
        return "keras"
    if _instance(thing, "torch.nn", "Module"):
        return "torch"
    return "callable" if callable(thing) else None


def _instance(thing: object, module: str, name: str) -> bool:
    known = getattr(sys.modules.get(module), name, None)
    return isinstance(known, type) and isinstance(thing, known)
