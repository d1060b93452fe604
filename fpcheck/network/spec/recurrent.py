"""The recurrent layer of a spec: one cell, and behind it at most a dense readout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fpcheck.core.errors import SpecError
from fpcheck.network.activations import ActivationFunction
from fpcheck.network.initializers import Law
from fpcheck.network.recurrent import CellKind
from fpcheck.network.skeleton import Shape
from fpcheck.network.spec.entries import Entry, function, read_entry, text, whole
from fpcheck.network.spec.laws import InitLaws, biases_law, weights_law
from fpcheck.network.spec.source import Path, Source

RECURRENT: dict[str, CellKind] = {"rnn": "rnn", "gru": "gru", "lstm": "lstm"}


@dataclass(frozen=True, slots=True)
class RecurrentLayer:
    """A cell as a spec gives it.

    Args:
        name, kind: `name` is "cell" unless given.
        input_size, hidden: entries of an input row, and units.
        function: of an Elman cell; None for tanh.
        weights, recurrent_weights: the laws of the input's matrices and of the state's.
        biases: of the one bias of every gate, None for none.
        readout: the names of the dense layers behind it, which are no part of the map.
    """

    name: str
    kind: CellKind
    input_size: int
    hidden: int
    function: ActivationFunction | None
    weights: Law
    recurrent_weights: Law
    biases: Law | None
    readout: tuple[str, ...] = ()


def recurrent_layer(
    source: Source, path: Path, value: object, shape: Shape, init: InitLaws
) -> RecurrentLayer | None:
    """The cell in the list of layers at `path`; None where the list has none.

    Raises:
        SpecError: with the line; the cell is not the first layer, or what follows is not dense.
    """
    items = value if isinstance(value, list) else []
    if not any(isinstance(item, Mapping) and set(item) & set(RECURRENT) for item in items):
        return None
    first, *rest = (read_entry(source, (*path, i), item) for i, item in enumerate(items))
    if first.kind not in RECURRENT:
        later = next(entry for entry in rest if entry.kind in RECURRENT)
        raise misplaced(later)
    for entry in rest:
        if entry.kind in RECURRENT:
            raise misplaced(entry)
        if entry.kind != "dense":
            raise entry.error(
                "", f"{entry.kind} stands behind a recurrent layer", "only dense layers may"
            )
    names = tuple(text(entry, "name") or f"dense{n}" for n, entry in enumerate(rest, 1))
    return _layer(first, shape, init, names)


def misplaced(entry: Entry) -> SpecError:
    """The error that a recurrent layer stands where it is not the one map of its spec."""
    return entry.error(
        entry.kind,
        f"{entry.kind} is not the first layer: a recurrent spec is one cell",
        f"layers = [ {{ {entry.kind} = 64 }}, {{ dense = 10 }} ], the dense readout at will",
    )


def _layer(entry: Entry, shape: Shape, init: InitLaws, readout: tuple[str, ...]) -> RecurrentLayer:
    kind = RECURRENT[entry.kind]
    if len(shape) != 1:
        raise entry.source.error(
            ("network", "input"),
            f"{kind} takes rows of features, got input {list(shape)}",
            "input = 28, the number of features at one time",
        )
    if whole(entry, "repeat", 1) > 1:
        raise entry.error("repeat", f"{kind} is one cell, so it is not repeated")
    if kind != "rnn" and "activation" in entry.table:
        raise entry.error(
            "activation", f"the functions of {kind} are fixed", "leave 'activation' out"
        )
    weights, recurrent, biases = init.weights, init.recurrent_weights, init.biases
    if "weights" in entry.table:
        weights = weights_law(entry.source, (*entry.path, "weights"), entry.table["weights"])
    if "recurrent_weights" in entry.table:
        place = (*entry.path, "recurrent_weights")
        recurrent = weights_law(entry.source, place, entry.table["recurrent_weights"])
    if "biases" in entry.table:
        biases = biases_law(entry.source, (*entry.path, "biases"), entry.table["biases"])
    return RecurrentLayer(
        name=text(entry, "name") or "cell",
        kind=kind,
        input_size=shape[0],
        hidden=whole(entry, entry.kind),
        function=function(entry),
        weights=weights,
        recurrent_weights=recurrent or weights,
        biases=biases,
        readout=readout,
    )
