"""Where batch norms stand in a chain of dense layers, as far as names and shapes determine it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fpcheck.network.load.chain_order import SPEC_HINT, Placed, last_number
from fpcheck.network.load.naming import natural, stem

EPSILON = 1e-5  # PyTorch's default; a file does not say it


@dataclass(frozen=True, slots=True)
class NormTensors:
    """A batch norm's tensors by role, and the number of its channels."""

    name: str
    size: int
    mean: str
    variance: str
    weight: str | None
    bias: str | None


@dataclass(frozen=True, slots=True)
class NormPlaces:
    """The norm behind each dense layer, by the layer's name, "" for the network's input; `late`
    holds the layers whose activation comes before the norm. Or the reason why it is not known."""

    behind: Mapping[str, NormTensors]
    late: frozenset[str] = frozenset()
    reason: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()


def place_norms(
    layers: Sequence[Placed], norms: Sequence[NormTensors], names: Sequence[str], *, ordered: bool
) -> NormPlaces:
    """The place of every norm: by order, by number, or by width where only one layer has it.

    names: of all layers and norms, in the order of the file.
    """
    if not norms:
        return NormPlaces({})
    found = (
        _by_order(layers, norms, names, ordered=ordered)
        or _by_number(layers, norms)
        or _by_width(layers, norms)
    )
    if found is None:
        return NormPlaces(
            {},
            reason=f"names and shapes do not say behind which layer '{norms[0].name}' stands",
            hint=SPEC_HINT,
        )
    return _with_activations(layers, found)


def _by_order(
    layers: Sequence[Placed], norms: Sequence[NormTensors], names: Sequence[str], *, ordered: bool
) -> dict[str, NormTensors] | None:
    """Norms that stand directly behind a layer of their width in the file or by number."""
    if not ordered:
        if len({stem(name) for name in names}) != 1:
            return None
        names = sorted(names, key=natural)
    widths = {place.tensors.name: place.units for place in layers}
    widths[""] = layers[0].fan_in
    by_name = {norm.name: norm for norm in norms}
    behind: dict[str, NormTensors] = {}
    before = ""
    for name in names:
        norm = by_name.get(name)
        if norm is None:
            before = name
        elif before in behind or widths[before] != norm.size:
            return None
        else:
            behind[before] = norm
    return behind


def _by_number(
    layers: Sequence[Placed], norms: Sequence[NormTensors]
) -> dict[str, NormTensors] | None:
    """`bn2` behind `fc2`, where all widths agree."""
    numbers = {last_number(place.tensors.name): place for place in layers}
    behind = {}
    for norm in norms:
        place = numbers.get(last_number(norm.name))
        if place is None or place.units != norm.size:
            return None
        behind[place.tensors.name] = norm
    return behind if len(behind) == len(norms) and len(numbers) == len(layers) else None


def _by_width(
    layers: Sequence[Placed], norms: Sequence[NormTensors]
) -> dict[str, NormTensors] | None:
    """Behind the one layer that has the norm's width."""
    behind = {}
    for norm in norms:
        wide = [place for place in layers if place.units == norm.size]
        if len(wide) != 1 or layers[0].fan_in == norm.size:
            return None
        behind[wide[0].tensors.name] = norm
    return behind if len(behind) == len(norms) else None


def _with_activations(layers: Sequence[Placed], behind: dict[str, NormTensors]) -> NormPlaces:
    """The places, with the order of norm and activation read from the numbers of a sequence.

    In `0 dense, 1 norm` nothing stands between the two; in `0 dense, 2 norm, 3 dense` only the
    activation can be number 1; in `0 dense, 2 norm, 4 dense` it may be number 1 or 3.
    """
    late = set()
    assumed = False
    for i, place in enumerate(layers[:-1]):
        name = place.tensors.name
        norm = behind.get(name)
        if norm is None:
            continue
        order = _order(name, norm.name, layers[i + 1].tensors.name)
        if order is None:
            return NormPlaces(
                {},
                reason=f"whether the activation stands before or behind '{norm.name}' is not known",
                hint=SPEC_HINT,
            )
        if order == "late":
            late.add(name)
        assumed |= order == "assumed"
    notes = [f"batch norm: epsilon {EPSILON:g} is assumed, the file does not say it"]
    if assumed:
        notes.append("batch norm: the order dense, norm, activation is assumed")
    return NormPlaces(behind, frozenset(late), notes=tuple(notes))


def _order(
    dense: str, norm: str, following: str
) -> Literal["norm first", "late", "assumed"] | None:
    if len({stem(dense), stem(norm), stem(following)}) != 1:
        return "assumed"
    numbers = [last_number(name) for name in (dense, norm, following)]
    first, second, third = (n if n is not None else 0 for n in numbers)
    if second - first == 1:
        return "norm first"
    return "late" if third - second == 1 else None
