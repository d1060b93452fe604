"""How Keras's configurations name the values that a call of a layer takes."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load.files import shown

Key: TypeAlias = tuple[str, int]
Fault: TypeAlias = Callable[[str], ModelFileError]


@dataclass(frozen=True, slots=True)
class History:
    """Output number `tensor` of call number `call` of the layer `layer`."""

    layer: str
    call: int
    tensor: int

    def key(self, known: Container[Key]) -> Key:
        """(layer, call); the layer's first call where it is the only one among `known`, for Keras
        2 counts calls outside of the model too."""
        key = (self.layer, self.call)
        return key if key in known or (self.layer, 1) in known else (self.layer, 0)


def history(value: object) -> History | None:
    """The history that a list [layer, call, tensor, ...] is."""
    if not (isinstance(value, list) and len(value) >= 3):
        return None
    layer, call, tensor = value[:3]
    if not (isinstance(layer, str) and type(call) is int and type(tensor) is int):
        return None
    return History(layer, call, tensor) if 0 <= call < 2**20 and 0 <= tensor < 2**20 else None


def endpoints(model: Mapping[str, object], key: str) -> list[History]:
    """A model's inputs or outputs, one history or a list or mapping of them; [] if damaged."""
    found = model.get(key)
    if isinstance(found, Mapping):
        found = list(found.values())
    items = found if isinstance(found, list) else []
    if items and isinstance(items[0], str):
        items = [items]
    histories = [known for item in items if (known := history(item)) is not None]
    return histories if len(histories) == len(items) else []


def arguments(node: object, label: str, fault: Fault) -> tuple[list[object], dict[str, object]]:
    """(arguments in order, those by name) of one call as Keras 3 or Keras 2 writes them.

    Raises:
        ModelFileError: the record is damaged.
    """
    if isinstance(node, Mapping):
        return _arguments(node, label, fault)
    positional: list[object] = []
    keywords: dict[str, object] = {}
    entries = node if isinstance(node, list) else [None]
    for entry in [entries] if entries and isinstance(entries[0], str) else entries:
        found = history(entry)
        if found is None or not isinstance(entry, list):
            raise fault(f"layer '{shown(label)}' has a damaged inbound node")
        positional.append(found)
        if len(entry) > 3 and isinstance(entry[3], Mapping):
            for word, value in entry[3].items():
                keywords[word] = history(value) or value
    return positional, keywords


def _arguments(
    node: Mapping[str, object], label: str, fault: Fault
) -> tuple[list[object], dict[str, object]]:
    positional: list[object] = []
    _collect(node.get("args"), positional)
    keywords: dict[str, object] = {}
    named = node.get("kwargs")
    for word, value in named.items() if isinstance(named, Mapping) else ():
        items: list[object] = []
        _collect(value, items)
        if len(items) > 1 and any(isinstance(item, History) for item in items):
            raise fault(f"layer '{shown(label)}': '{shown(word)}' is a list")
        keywords[word] = items[0] if len(items) == 1 else None
    return positional, keywords


def _collect(value: object, out: list[object]) -> None:
    """The values of an argument, lists opened, tensors as histories."""
    if isinstance(value, list):
        for item in value:
            _collect(item, out)
    elif isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        config = value.get("config")
        out.append(history(config.get("keras_history")) if isinstance(config, Mapping) else None)
    else:
        out.append(value)
