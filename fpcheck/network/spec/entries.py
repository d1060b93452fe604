"""The grammar of one layer: which keys it may have, and its values read with their types checked.

A layer is an entry of `layers`, such as `{ dense = 48, activation = "tanh" }`, or a node of a
graph, such as `name = "a"`, `op = "dense"`, `units = 48`. Both become an `Entry` with the keys of
the first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from fpcheck.core.errors import SpecError, UnsupportedOperationError
from fpcheck.network.activations import ActivationFunction, activation, parse_activation
from fpcheck.network.spec.source import Path, Source, nearest

LARGEST = 2**31 - 1  # of any size; larger ones are typing errors, and break array shapes

_WEIGHTS = ("weights", "biases", "tensor", "bias_tensor")
_RECURRENT = ("weights", "recurrent_weights", "biases")
_WINDOW = ("kernel", "stride", "padding", "dilation", "groups")
_NORM = ("epsilon", "axes", "affine", "tensor", "bias_tensor", "mean_tensor", "variance_tensor")

# The keys of every kind of layer, besides the key that names the kind and those of every entry.
KINDS: dict[str, tuple[str, ...]] = {
    "dense": _WEIGHTS,
    "conv1d": (*_WINDOW, *_WEIGHTS),
    "conv2d": (*_WINDOW, *_WEIGHTS),
    "pool": ("size", "stride", "padding"),
    "norm": _NORM,
    "flatten": (),
    "reshape": (),
    "residual": (),
    "rnn": _RECURRENT,
    "gru": _RECURRENT,
    "lstm": _RECURRENT,
}
EVERY = ("name", "repeat", "activation")

# The operations of a graph's nodes: the key of `layers` that each stands for, and how a node
# spells that key's value.
OPERATIONS: dict[str, tuple[str, str]] = {
    "dense": ("dense", "units"),
    "conv1d": ("conv1d", "channels"),
    "conv2d": ("conv2d", "channels"),
    "pool": ("pool", "kind"),
    "norm": ("norm", "kind"),
    "flatten": ("flatten", "flatten"),
    "reshape": ("reshape", "shape"),
    "activation": ("activation", "activation"),
    "add": ("add", "add"),
}
NODE = ("name", "op", "inputs", "activation")

LATER = ("concat",)  # in the design's grammar, and not yet in this version


@dataclass(frozen=True, slots=True)
class Entry:
    """One layer as written: its kind, its keys and values, its place in the text.

    `spelled` maps a key of `layers` to the node's key for it.
    """

    source: Source
    path: Path
    kind: str
    table: Mapping[str, object]
    spelled: Mapping[str, str] = field(default_factory=dict)

    def key(self, name: str) -> str:
        """The key as this entry spells it."""
        return self.spelled.get(name, name)

    def error(self, name: str, message: str, hint: str = "") -> SpecError:
        """The error at the key `name`, with its line; "" is the entry as a whole."""
        path = (*self.path, self.key(name)) if name else self.path
        return self.source.error(path, message, hint)

    def wrong(self, name: str, needs: str) -> SpecError:
        """The error that the value of `name` is not what it must be."""
        value = self.table.get(name)
        return self.error(name, f"'{self.key(name)}' of {self.kind} is {needs}, got {value!r}")


def read_entry(source: Source, path: Path, value: object) -> Entry:
    """The entry of `layers` at `path`.

    Raises:
        SpecError: not a table, no kind, two kinds, an unknown key.
    """
    if not isinstance(value, Mapping):
        raise source.error(path, f"a layer is a table, got {value!r}", "such as { dense = 48 }")
    later = [key for key in value if key in LATER]
    if later:
        raise _unsupported(source, (*path, later[0]), later[0], KINDS)
    kinds = [key for key in value if key in KINDS]
    if len(kinds) > 1:
        raise source.error(
            (*path, kinds[1]),
            f"one entry names two layers, '{kinds[0]}' and '{kinds[1]}'",
            "one table { ... } for each layer",
        )
    if not kinds and "activation" not in value:
        unknown = next((key for key in value if key not in EVERY), "")
        fact = f"unknown key '{unknown}'" if unknown else "the entry names no layer"
        hint = nearest(unknown, [*KINDS, "activation"])
        raise source.error((*path, unknown) if unknown else path, fact, hint)
    entry = Entry(source, path, kinds[0] if kinds else "activation", value)
    _check_keys(entry, value, (*kinds, *EVERY, *KINDS.get(entry.kind, ())))
    return entry


def read_node(source: Source, path: Path, value: object) -> Entry:
    """The entry of `[[network.nodes]]` at `path`, in the keys of `layers`.

    Raises:
        SpecError: not a table, no name, no or an unknown operation, an unknown key.
    """
    if not isinstance(value, Mapping):
        raise source.error(path, f"a node is a table, got {value!r}", "[[network.nodes]]")
    for key in ("name", "op"):
        if not isinstance(value.get(key), str) or not value[key]:
            hint = f"op is one of {', '.join(OPERATIONS)}" if key == "op" else 'name = "a"'
            raise source.error((*path, key), f"a node needs '{key}', a text", hint)
    op = value["op"]
    if op in LATER:
        raise _unsupported(source, (*path, "op"), op, OPERATIONS)
    if KINDS.get(op) == _RECURRENT:
        fact = f"a node cannot be a recurrent layer: {op} is the network's one map"
        raise source.error((*path, "op"), fact, f"layers = [ {{ {op} = 64 }} ]")
    if op not in OPERATIONS:
        raise source.error((*path, "op"), f"unknown op '{op}'", nearest(op, OPERATIONS))
    kind, spelled = OPERATIONS[op]
    own = () if spelled == op else (spelled,)
    entry = Entry(source, path, kind, value, {kind: spelled})
    _check_keys(entry, value, (*NODE, *own, *KINDS.get(kind, ())))
    table = {kind if key == spelled else key: given for key, given in value.items()}
    if kind in ("flatten", "add"):
        table[kind] = True
    return Entry(source, path, kind, table, {kind: spelled})


def whole(entry: Entry, name: str, default: int | None = None, least: int = 1) -> int:
    """The whole number under `name`."""
    value = entry.table.get(name, default)
    if value is None:
        raise entry.error("", f"{entry.kind} needs '{entry.key(name)}', a whole number")
    if not _is_size(value, least):
        raise entry.wrong(name, f"a whole number of at least {least}")
    return int(str(value))


def sizes(entry: Entry, name: str, dimensions: int, default: int | None) -> tuple[int, ...]:
    """The positive whole numbers under `name`, one a dimension; a single number is for all."""
    value = entry.table.get(name, default)
    if value is None:
        raise entry.error("", f"{entry.kind} needs '{name}'", f"such as {name} = 3")
    if _is_size(value, 1):
        return (int(str(value)),) * dimensions
    if isinstance(value, list) and len(value) == dimensions and all(_is_size(v, 1) for v in value):
        return tuple(value)
    raise entry.wrong(name, f"a positive whole number or a list of {dimensions}")


def text(entry: Entry, name: str) -> str | None:
    """The text under `name`, None where there is none."""
    value = entry.table.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise entry.wrong(name, "a text")
    return value


def flag(entry: Entry, name: str, default: bool) -> bool:
    """The true or false under `name`."""
    value = entry.table.get(name, default)
    if not isinstance(value, bool):
        raise entry.wrong(name, "true or false")
    return value


def choice(entry: Entry, name: str, known: tuple[str, ...], later: tuple[str, ...] = ()) -> str:
    """The word under `name`, one of `known`."""
    value = entry.table.get(name)
    path = (*entry.path, entry.key(name))
    if isinstance(value, str) and value in later:
        raise _unsupported(entry.source, path, value, known)
    if not isinstance(value, str):
        listed = " or ".join(f'"{word}"' for word in known)
        raise entry.wrong(name, listed)
    if value not in known:
        what = f"unknown {entry.kind} '{value}'"
        raise entry.error(name, what, nearest(value, known))
    return value


def positive(entry: Entry, name: str, default: float) -> float:
    """The positive number under `name`."""
    value = entry.table.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise entry.wrong(name, "a positive number")
    if not 0 < value < math.inf:
        raise entry.wrong(name, "a positive number")
    return float(value)


def pads(entry: Entry, dimensions: int) -> str | tuple[tuple[int, int], ...]:
    """The padding: "same", "valid", or a (before, after) pair a dimension."""
    value = entry.table.get("padding", 0)
    if isinstance(value, str):
        if value in ("same", "valid"):
            return value
        raise entry.error(
            "padding", f"unknown padding '{value}'", nearest(value, ("same", "valid"))
        )
    if _is_size(value, 0):
        return ((int(str(value)),) * 2,) * dimensions
    if isinstance(value, list) and len(value) == dimensions:
        pairs = [[v, v] if _is_size(v, 0) else v for v in value]
        if all(
            isinstance(p, list) and len(p) == 2 and all(_is_size(v, 0) for v in p) for p in pairs
        ):
            return tuple((before, after) for before, after in pairs)
    raise entry.wrong(
        "padding", f'"same", "valid", a whole number, or a list of {dimensions} such as [1, [0, 2]]'
    )


def function(entry: Entry) -> ActivationFunction | None:
    """The entry's activation function, None where it names none."""
    value = entry.table.get("activation")
    if value is None:
        return None
    place: Path = (*entry.path, "activation")
    try:
        if isinstance(value, str):
            return parse_activation(value)
        if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
            raise entry.source.error(
                place,
                f"an activation is a name or a table with 'name', got {value!r}",
                'such as "tanh", "crelu(1.04, 1.17)" or { name = "crelu", tau = 1.04, m = 1.17 }',
            )
        parameters = {key: given for key, given in value.items() if key != "name"}
        for key, given in parameters.items():
            if isinstance(given, bool) or not isinstance(given, int | float):
                raise entry.source.error((*place, key), f"'{key}' is a number, got {given!r}")
        return activation(value["name"], parameters)
    except UnsupportedOperationError as error:
        raise entry.source.error(place, error.message, error.hint) from None


def _is_size(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= LARGEST


def _check_keys(entry: Entry, table: Mapping[str, object], known: tuple[str, ...]) -> None:
    for key in table:
        if key in known:
            continue
        owners = [kind for kind, keys in KINDS.items() if key in keys]
        if owners:
            fact = f"{entry.kind} takes no '{key}'"
            hint = f"'{key}' belongs to {', '.join(owners)}"
        else:
            fact = f"unknown key '{key}' of {entry.kind}"
            hint = nearest(key, known)
        raise entry.source.error((*entry.path, key), fact, hint)


def _unsupported(
    source: Source, path: Path, word: str, known: Mapping[str, object] | tuple[str, ...]
) -> SpecError:
    return source.error(
        path, f"'{word}' is not supported in this version", f"supported: {', '.join(known)}"
    )
