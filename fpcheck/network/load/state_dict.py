"""Which of a file's mappings is the network: the state dict, by the order of habit or by `key`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load.files import ModelFile, shown
from fpcheck.network.load.stored import Contents, Opaque, Stored

# Of several state dicts in a file, this one is the network [design, section 4].
PREFERRED = ("ema", "model", "state_dict", "model_state_dict")
# What training saves beside the weights, under the names that frameworks and scripts use.
TRAINING_STATE = re.compile(
    r"(?:optim(?:izer)?|lr_?scheduler|scheduler|(?:grad_?)?scaler|amp|(?:torch_|cuda_)?rng|random|"
    r"loops?|callbacks?)(?:_?states?(?:_?dicts?)?|s)?"
)
# What the state dict of every optimizer of PyTorch holds.
OPTIMIZER = frozenset({"state", "param_groups"})
OPTIMIZER_HINT = "name the file of the weights; --key state looks at the optimizer's tensors"
# What wrappers put before every name.
WRAPPERS = ("module.", "_orig_mod.")


@dataclass(frozen=True, slots=True)
class StateDict:
    """The tensors of a network by name. `key`: where they stand in the file, "" for its top."""

    key: str
    tensors: Mapping[str, Stored]
    notes: tuple[str, ...]


def choose(file: ModelFile, contents: Contents, key: str | None) -> StateDict:
    """The state dict of `contents`: what `key` names, or what habit says.

    Raises:
        ModelFileError: there are no tensors, no such key, or two tensors of one name.
    """
    tree = contents.tree
    if not any(True for _ in _flat(tree)):
        raise _without_tensors(file, tree)
    if key is None and tree.keys() >= OPTIMIZER:
        raise file.fault("holds the state of an optimizer, not a model", hint=OPTIMIZER_HINT)
    if key is not None:
        chosen, path = _by_key(file, tree, key), key
        notes: tuple[str, ...] = ()
    else:
        chosen, path, notes = _by_habit(tree)
    tensors: dict[str, Stored] = {}
    for name, tensor in _flat(chosen):
        if name in tensors:
            raise file.fault(f"two tensors are called '{shown(name)}'")
        tensors[name] = tensor
    return StateDict(path, _unwrapped(tensors), (*contents.notes, *notes))


def _flat(tree: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, Stored]]:
    """(dotted name, tensor) of every tensor in the tree, in order."""
    for name, value in tree.items():
        if isinstance(value, Stored):
            yield prefix + name, value
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")


def _by_key(file: ModelFile, tree: Mapping[str, object], key: str) -> Mapping[str, object]:
    """The mapping that `key` names: its path in the tree, or the prefix of flat names."""
    place: object = tree
    for part in key.split("."):
        place = place.get(part) if isinstance(place, Mapping) else None
    if isinstance(place, Mapping) and any(True for _ in _flat(place)):
        return place
    prefix = f"{key}."
    below = {
        name.removeprefix(prefix): tensor for name, tensor in _flat(tree) if name.startswith(prefix)
    }
    if not below:
        known = ", ".join(shown(name) for name in _mappings(tree)[:12])
        raise file.fault(
            f"has no tensors under the key '{shown(key)}'",
            hint=f"there are: {known}" if known else "there is one mapping; leave --key out",
        )
    return below


def _mappings(tree: Mapping[str, object]) -> list[str]:
    """The names that `--key` takes: mappings with tensors, two levels deep, or flat prefixes."""
    names = []
    for name, value in tree.items():
        if isinstance(value, Mapping) and any(True for _ in _flat(value)):
            names.append(name)
            names += [
                f"{name}.{inner}"
                for inner, below in value.items()
                if isinstance(below, Mapping) and any(True for _ in _flat(below))
            ]
    flat = Counter(name.split(".", 1)[0] for name in tree if "." in name)
    return names or list(flat)


def _by_habit(tree: Mapping[str, object]) -> tuple[Mapping[str, object], str, tuple[str, ...]]:
    """(mapping, its path, notes): the preferred name, the only one, or everything."""
    path: list[str] = []
    notes: list[str] = []
    while True:
        holding = {name: value for name, value in tree.items() if _holds_tensors(value)}
        mappings = [name for name, value in holding.items() if isinstance(value, Mapping)]
        own = [name for name in holding if not TRAINING_STATE.fullmatch(name.lower())]
        name = next((name for name in PREFERRED if name in mappings), None)
        if name is None and len(own) == 1 and own[0] in mappings:
            name = own[0]
        if name is None:
            break
        path.append(name)
        others = [other for other in mappings if other != name]
        if others:
            full = ".".join(path)
            notes.append(f"read '{shown(full)}'; --key chooses another of: {_listed(others)}")
        tree = cast("Mapping[str, object]", holding[name])
    left_out = [name for name in holding if TRAINING_STATE.fullmatch(name.lower())]
    if own and left_out:
        notes.append(f"left out as training state: {_listed(left_out)}")
        tree = {name: holding[name] for name in own}
    return tree, ".".join(path), tuple(notes)


def _holds_tensors(value: object) -> bool:
    return isinstance(value, Stored) or (
        isinstance(value, Mapping) and any(True for _ in _flat(value))
    )


def _listed(names: list[str]) -> str:
    listed = ", ".join(shown(name) for name in names[:6])
    return listed if len(names) <= 6 else f"{listed} and {len(names) - 6} more"


def _unwrapped(tensors: Mapping[str, Stored]) -> Mapping[str, Stored]:
    """The same tensors without wrappers' prefixes, unless two names would become one."""
    short = {}
    for name, tensor in tensors.items():
        start = 0
        while name.startswith(WRAPPERS, start):
            start = name.index(".", start) + 1
        short[name[start:] or name] = tensor
    return short if len(short) == len(tensors) else tensors


def _without_tensors(file: ModelFile, tree: Mapping[str, object]) -> ModelFileError:
    kinds = {value.name for value in tree.values() if isinstance(value, Opaque)}
    if any("multiarray" in kind for kind in kinds):
        return file.fault(
            "holds NumPy arrays inside a pickle and no tensors",
            hint="save them with np.savez(file, **arrays)",
        )
    return file.fault(
        "holds no tensors", hint=f"it holds: {_listed(list(tree))}" if tree else "it is empty"
    )
