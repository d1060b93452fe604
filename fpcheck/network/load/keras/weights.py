"""Which tensor of a Keras file is which layer's kernel, bias or statistic.

A `.keras` file numbers the variables of a layer in a folder of its own; an `.h5` file names them.
Both come out as `layer/kernel`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from fpcheck.core.errors import ModelFileError, UnsupportedOperationError
from fpcheck.network.load.files import shown
from fpcheck.network.load.keras.graph import LayerPath
from fpcheck.network.load.naming import natural

T = TypeVar("T")

# Other names of a variable or of a part of a layer in files with names.
ROLE_ALIASES = {"depthwise_kernel": "kernel"}
PART_ALIASES = {
    "query_dense": "query",
    "key_dense": "key",
    "value_dense": "value",
    "output_dense": "attention_output",
}
# The order of the variables of a class, for files that number them and hold no configuration.
NUMBERED = {
    "dense": ("kernel", "bias"),
    "conv1d": ("kernel", "bias"),
    "conv2d": ("kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "layer_normalization": ("gamma", "beta"),
    "cell": ("kernel", "recurrent_kernel", "bias"),
}
# What Keras 2 calls a layer's folder of sublayers.
SUBLAYERS = ("layers", "_layer_checkpoint_dependencies")


class Weights(Protocol):
    """The tensors of a file by layer and role."""

    def find(self, path: LayerPath, sub: str, roles: tuple[str, ...]) -> tuple[str, ...]:
        """The datasets of a layer's variables in the order of `roles`; `sub`: a part of it."""

    def named(self, path: LayerPath) -> dict[str, str]:
        """What a layer's variables are called, by dataset, where the file does not say it."""


class NumberedWeights:
    """Variables by folder and number, as Keras 3 writes them."""

    def __init__(self, datasets: Iterable[str]) -> None:
        self.counts: dict[str, int] = {}
        for path in datasets:
            folder, _, _ = path.rpartition("/")
            self.counts[folder] = self.counts.get(folder, 0) + 1

    def find(self, path: LayerPath, sub: str, roles: tuple[str, ...]) -> tuple[str, ...]:
        """The datasets of a layer's variables.

        Raises:
            ModelFileError: the layer has another number of them.
        """
        folder = self._folder(path, sub)
        count = self.counts.get(folder, 0)
        if count < len(roles):
            raise ModelFileError(
                f"layer '{shown(path.label)}' needs {len(roles)} tensors "
                f"({', '.join(roles)}), the file has {count}",
                where=folder,
            )
        return tuple(f"{folder}/{number}" for number in range(len(roles)))

    def named(self, path: LayerPath) -> dict[str, str]:
        """`layer/kernel` by dataset, of a layer whose class tells the order of its variables. Its
        folder does not tell its name: `conv2d_1` is the model's second one, whatever it is called.
        """
        folder = self._folder(path, "")
        roles = NUMBERED.get(re.sub(r"_\d+$", "", path.folders[-1]), ())
        count = self.counts.get(folder, 0)
        if count != len(roles) and roles[:count] != ("kernel",):
            return {}
        pairs = enumerate(roles[:count])
        return {f"{folder}/{number}": f"{path.label}/{role}" for number, role in pairs}

    def _folder(self, path: LayerPath, sub: str) -> str:
        tail = f"{sub}/vars" if sub else "vars"
        folders = [f"{word}/{f'/{word}/'.join(path.folders)}/{tail}" for word in SUBLAYERS]
        return next((name for name in folders if name in self.counts), folders[0])


class NamedWeights:
    """Variables by name, as Keras 2 and Keras 3's `.h5` files write them."""

    def __init__(self, datasets: Iterable[str], root: str) -> None:
        self.paths: dict[str, list[str]] = {}
        for path in datasets:
            inside = path.removeprefix(f"{root}/") if root else path
            if not root or path.startswith(f"{root}/"):
                self.paths.setdefault(inside.split("/", 1)[0], []).append(path)

    def find(self, path: LayerPath, sub: str, roles: tuple[str, ...]) -> tuple[str, ...]:
        """The datasets of a layer's variables.

        Raises:
            ModelFileError: one is missing.
            UnsupportedOperationError: the layer has a low-rank update besides.
        """
        candidates = self._group(path)
        for word in (*path.names[1:], *filter(None, sub.split("/"))):
            inner = [name for name in candidates if _mentions(name, word)]
            candidates = inner or candidates
        if any(role_of(name).startswith("lora_") for name in candidates):
            raise UnsupportedOperationError(
                f"layer '{shown(path.label)}': its kernel and its low-rank update (LoRA) lie apart",
                hint="save it as .keras, which stores their sum",
            )
        found = []
        for role in roles:
            matches = [name for name in candidates if role_of(name) == role]
            if not matches and role in ROLE_ALIASES:
                matches = [name for name in candidates if role_of(name) == ROLE_ALIASES[role]]
            if len(matches) != 1:
                state = "is not there" if not matches else f"is there {len(matches)} times"
                raise ModelFileError(f"layer '{shown(path.label)}': its tensor '{role}' {state}")
            found.append(matches[0])
        return tuple(found)

    def named(self, path: LayerPath) -> dict[str, str]:
        """Nothing: the names are in the file."""
        return {}

    def _group(self, path: LayerPath) -> list[str]:
        """The datasets of the outermost model or layer of `path`."""
        return self.paths.get(path.names[0], [])


def role_of(dataset: str) -> str:
    """`kernel` of `dense_1/kernel:0`; `variable` of one that was given no name, `variable_3`."""
    role = dataset.rsplit("/", 1)[-1].split(":", maxsplit=1)[0]
    return "variable" if re.fullmatch(r"variable_\d+", role) else role


def _mentions(dataset: str, word: str) -> bool:
    parts = dataset.split("/")[:-1]
    if word in ("forward_layer", "backward_layer"):  # `forward_lstm` in files with names
        start = word.removesuffix("layer")
        return any(part.startswith(start) for part in parts)
    return word in parts or PART_ALIASES.get(word) in parts


def plain_names(paths: Iterable[str]) -> dict[str, str]:
    """What every dataset is called where no layer names it: `dense/kernel` of
    `model_weights/dense/dense/kernel:0` and of `layers/dense/vars/0`; unique."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for path in paths:
        parts = path.removeprefix("model_weights/").split("/")
        name = _numbered(parts) or "/".join([*_without_repeats(parts[:-1]), role_of(path)])
        while name in taken:
            name += "'"
        taken.add(name)
        names[path] = name
    return names


def _numbered(parts: list[str]) -> str:
    """`dense_1/kernel` of layers, dense_1, vars, 0; "" where the class is not known."""
    if len(parts) < 4 or parts[-2] != "vars" or not parts[-1].isdecimal() or len(parts[-1]) > 3:
        return ""
    layer = [part for part in parts[:-2] if part not in SUBLAYERS]
    known = NUMBERED.get(re.sub(r"_\d+$", "", layer[-1])) if layer else None
    if known is None or int(parts[-1]) >= len(known):
        return ""
    return "/".join([*(part for part in layer if part != "cell"), known[int(parts[-1])]])


def _without_repeats(parts: list[str]) -> Iterator[str]:
    for place, part in enumerate(parts):
        if place == 0 or part != parts[place - 1]:
            yield part


def same_class(names: Iterable[str]) -> bool:
    """Whether all layers are of one class, so that its numbers give their order."""
    layers = {name.rpartition("/")[0] for name in names}
    return len({re.sub(r"_\d+$", "", layer) for layer in layers}) == 1


def in_order(tree: Mapping[str, T]) -> dict[str, T]:
    """The tensors in natural order of their layers' names, each layer's as they stand."""
    layers = sorted({name.rpartition("/")[0] for name in tree}, key=natural)
    place = {layer: number for number, layer in enumerate(layers)}
    return dict(sorted(tree.items(), key=lambda item: place[item[0].rpartition("/")[0]]))
