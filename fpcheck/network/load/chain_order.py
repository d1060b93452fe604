"""The order and the orientation of dense layers, as far as names and shapes determine them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from fpcheck.network.load.naming import natural, stem
from fpcheck.network.skeleton import Layout

MOST_STATES = 200_000  # of the search through interleavings; a real file has a few hundred


@dataclass(frozen=True, slots=True)
class DenseTensors:
    """A dense layer's tensors: its name, the names of its weight and bias, the stored shape, and
    the orientations that name and bias leave open."""

    name: str
    weight: str
    bias: str | None
    shape: tuple[int, int]
    layouts: tuple[Layout, ...]

    def widths(self, layout: Layout) -> tuple[int, int]:
        """(in, out) under an orientation."""
        first, second = self.shape
        return (second, first) if layout == "out_in" else (first, second)


@dataclass(frozen=True, slots=True)
class Placed:
    """A dense layer in the chain, its orientation fixed."""

    tensors: DenseTensors
    layout: Layout

    @property
    def fan_in(self) -> int:
        """The width of its input."""
        return self.tensors.widths(self.layout)[0]

    @property
    def units(self) -> int:
        """The width of its output."""
        return self.tensors.widths(self.layout)[1]


@dataclass(frozen=True, slots=True)
class Order:
    """The layers in order; or none, with the reason and the flag that decides."""

    layers: tuple[Placed, ...]
    reason: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()


SPEC_HINT = (
    "analyze the model itself, package.module:factory, or export it to .onnx; or describe it: "
    "--spec FILE, which `fpcheck new mlp` writes to start from"
)
LAYOUT_HINT = "--layout out_in if rows are units (PyTorch), --layout in_out if columns are"


def order_layers(layers: Sequence[DenseTensors], *, ordered: bool) -> Order:
    """The one chain that all layers form, in the file's order or in that of their numbers.

    ordered: whether the file keeps the order in which tensors were saved.
    """
    by_number = _by_number(layers)
    if not ordered:
        return _decide(_chains(by_number), by_number)
    in_file = _chains([list(layers)])
    numbered = sorted(layers, key=lambda layer: natural(layer.name))
    if len(by_number) > 1 or numbered == list(layers):
        return _decide(in_file, [list(layers)])
    in_numbers = _chains([numbered])
    if in_file and in_numbers:
        first = next(a for a, b in zip(layers, numbered, strict=True) if a != b)
        return Order(
            (),
            f"the file's order and the layers' numbers disagree at '{first.name}', and the shapes "
            "allow both",
            SPEC_HINT,
        )
    if in_numbers:
        note = "layers are taken in the order of their numbers, which the file does not keep"
        found = _decide(in_numbers, [numbered])
        return Order(found.layers, found.reason, found.hint, (*found.notes, note))
    return _decide(in_file, [list(layers)])


def _by_number(layers: Sequence[DenseTensors]) -> list[list[DenseTensors]]:
    """Layers whose names differ in numbers alone, together and sorted by them."""
    groups: dict[str, list[DenseTensors]] = {}
    for layer in layers:
        groups.setdefault(stem(layer.name), []).append(layer)
    return [sorted(group, key=lambda layer: natural(layer.name)) for group in groups.values()]


def _decide(chains: list[tuple[Placed, ...]] | None, groups: list[list[DenseTensors]]) -> Order:
    if chains is None:
        return Order((), "there are too many orders in which the layers might chain", SPEC_HINT)
    if len(chains) == 1:
        return Order(chains[0])
    if not chains:
        turned = [[_turned(layer) for layer in group] for group in groups]
        hint = LAYOUT_HINT if _chains(turned) else SPEC_HINT
        return Order((), _break(groups), hint)
    first, second = chains
    if [place.tensors for place in first] == [place.tensors for place in second]:
        name = next(
            a.tensors.weight for a, b in zip(first, second, strict=True) if a.layout != b.layout
        )
        reason = f"the shapes allow '{name}' to be stored as (out, in) and as (in, out)"
        return Order((), reason, LAYOUT_HINT)
    a, b = next((a, b) for a, b in zip(first, second, strict=True) if a.tensors != b.tensors)
    return Order(
        (),
        "the file does not keep the layers' order, and the shapes allow "
        f"'{a.tensors.name}' and '{b.tensors.name}' in the same place",
        SPEC_HINT,
    )


def _turned(layer: DenseTensors) -> DenseTensors:
    """The layer in the other orientation; in none where its bias decides."""
    turned: tuple[Layout, ...] = ("in_out",) if layer.layouts == ("out_in",) else ("out_in",)
    return replace(layer, layouts=turned if layer.bias is None else ())


def _break(groups: list[list[DenseTensors]]) -> str:
    """Where the layers do not chain."""
    if len(groups) > 1:
        return "the layers' shapes form no chain in any order that their numbers allow"
    for before, after in zip(groups[0], groups[0][1:], strict=False):
        gives = {before.widths(layout)[1] for layout in before.layouts}
        takes = {after.widths(layout)[0] for layout in after.layouts}
        if not gives & takes:
            return (
                f"layer '{after.name}' takes {_sizes(takes)} inputs, "
                f"'{before.name}' before it gives {_sizes(gives)}"
            )
    return "the layers' shapes form no chain"


def _sizes(sizes: set[int]) -> str:
    return " or ".join(str(size) for size in sorted(sizes))


def _chains(groups: list[list[DenseTensors]]) -> list[tuple[Placed, ...]] | None:
    """At most two chains of all layers that keep the order inside every group; None: too many
    orders to try.

    A search over how far each group has been used, with dead ends remembered.
    """
    total = sum(len(group) for group in groups)
    dead: set[tuple[tuple[int, ...], int | None]] = set()
    found: list[tuple[Placed, ...]] = []
    path: list[Placed] = []
    used = (0,) * len(groups)
    # (used, width, choices still to try, chains found before): a stack, as chains may be long.
    stack = [(used, cast("int | None", None), iter(_choices(groups, used, None)), 0)]
    while stack and len(found) < 2:
        if len(dead) > MOST_STATES:
            return None
        used, width, choices, before = stack[-1]
        step = next(choices, None)
        if step is not None:
            which, placed = step
            following = tuple(n + (i == which) for i, n in enumerate(used))
            if (following, placed.units) not in dead:
                path.append(placed)
                nexts = iter(_choices(groups, following, placed.units))
                stack.append((following, placed.units, nexts, len(found)))
            continue
        if len(path) == total:
            found.append(tuple(path))
        elif len(found) == before:
            dead.add((used, width))
        stack.pop()
        if path:
            path.pop()
    return found


def _choices(
    groups: list[list[DenseTensors]], used: tuple[int, ...], width: int | None
) -> list[tuple[int, Placed]]:
    """What can follow: (group, its next layer in an orientation that takes `width` inputs)."""
    steps = []
    for which, (group, n) in enumerate(zip(groups, used, strict=True)):
        if n == len(group):
            continue
        for layout in group[n].layouts:
            placed = Placed(group[n], layout)
            if width is None or placed.fan_in == width:
                steps.append((which, placed))
    return steps


def last_number(name: str) -> int | None:
    """The last number in a name; None where it has none."""
    numbers: list[str] = re.findall(r"\d+", name)
    return int(numbers[-1][:18]) if numbers else None
