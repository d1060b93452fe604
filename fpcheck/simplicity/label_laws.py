"""Which law draws the random weights: the spec's, one that is asked for, or uniform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fpcheck.core.errors import UsageError
from fpcheck.network.initializers import NAMED_LAWS, Law, LawError, parse_law
from fpcheck.theory.layer_scales import LayerLaws

UNIFORM = Law("uniform", {"low": -1.0, "high": 1.0})
NORMAL = Law("normal", {"sigma2": 1.0})
# An odd number of levels on [-1, 1] has 0 among them, as the theorem on redundant units needs it.
LATTICE_LEVELS = 9
ZEROS = Law("zeros")
FLAG = "--label-law"
# Schemes of initialisation in which biases start at zero, and the law that only matrices have.
WITHOUT_BIASES = (*(name for name in NAMED_LAWS if name != "torch_default"), "orthogonal")


@dataclass(frozen=True, slots=True)
class ChosenLaws:
    """The laws of weights and biases.

    everywhere: of layers that `by_layer` does not name, None where it names all. words: for the
    report.
    """

    by_layer: Mapping[str, tuple[Law, Law]]
    everywhere: tuple[Law, Law] | None
    words: str

    def of(self, layer: str) -> tuple[Law, Law] | None:
        """The laws of one layer's weights and biases, None where it has none."""
        return self.by_layer.get(layer, self.everywhere)


def choose_laws(name: str, laws: LayerLaws | None) -> ChosenLaws:
    """The laws that `name` (settings.label_law) and the spec's `laws` come to.

    Raises:
        UsageError: no law has this name.
    """
    if not name and laws:
        known = {layer: (weights, biases or ZEROS) for layer, (weights, biases) in laws.items()}
        return ChosenLaws(known, None, f"the spec's: {_in_short(known)}")
    weights = parse_label_law(name or "uniform")
    if not name:
        words = "every weight and bias uniform on [-1, 1]; there is no spec to say otherwise"
        return ChosenLaws({}, (weights, weights), words)
    if name not in WITHOUT_BIASES:
        return ChosenLaws({}, (weights, weights), f"every weight and bias {weights.label}")
    given = {layer: (weights, biases or ZEROS) for layer, (_, biases) in (laws or {}).items()}
    biases = "biases by the spec's laws" if any(b != ZEROS for _, b in given.values()) else ""
    words = f"every weight {weights.label}, {biases or 'biases zero'}"
    return ChosenLaws(given, (weights, ZEROS), words)


def parse_label_law(name: str) -> Law:
    """The law called `name`: uniform, normal, lattice, lattice:Q, or a law's name of a spec.

    Raises:
        UsageError: no law has this name, or it draws nothing.
    """
    family, colon, levels = name.partition(":")
    if family == "uniform" and not colon:
        return UNIFORM
    if family == "normal" and not colon:
        return NORMAL
    if family == "lattice":
        return _lattice(levels if colon else str(LATTICE_LEVELS), name)
    if name == "zeros":
        raise UsageError("label law 'zeros' draws nothing", where=FLAG, hint=f"one of {_names()}")
    try:
        return parse_law(name)
    except LawError as error:
        raise UsageError(
            f"unknown label law '{name}'",
            where=FLAG,
            hint=error.hint or f"one of {_names()}",
        ) from None


def _lattice(levels: str, name: str) -> Law:
    try:
        return parse_law({"law": "lattice", "levels": int(levels)})
    except (ValueError, LawError):
        raise UsageError(
            f"label law '{name}': the number of levels is a whole number, 2 or more",
            where=FLAG,
            hint=f"such as lattice:{LATTICE_LEVELS}",
        ) from None


def _names() -> str:
    known = ["uniform", "normal", "lattice", "lattice:Q", *(n for n in NAMED_LAWS if n != "zeros")]
    return ", ".join(known)


def _in_short(laws: Mapping[str, tuple[Law, Law]]) -> str:
    """The laws in words, each pair once."""
    pairs = dict.fromkeys((weights.label, biases.label) for weights, biases in laws.values())
    return "; ".join(f"weights {weights}, biases {biases}" for weights, biases in pairs)


def scale_law(law: Law) -> Law:
    """The law of the random scale of a unit whose weights have `law`: the family without the scale.

    An amplitude of 1/sqrt(fan_in) belongs to sums over inputs, of which a scale has none.
    """
    if law.name == "orthogonal":
        return Law("normal", {"sigma2": law.parameters["gain"] ** 2})
    return Law(law.name, law.parameters)
