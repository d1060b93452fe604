"""The laws of a spec: what draws weights, biases and inputs, and the preprocessing of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fpcheck.core.errors import DataError, SpecError
from fpcheck.network.initializers import NAMED_LAWS, Law, LawError, parse_law
from fpcheck.network.inputs import INPUT_LAWS, InputLaw
from fpcheck.network.preprocessing import Preprocessing
from fpcheck.network.spec.source import Path, Source, nearest

INIT_KEYS = ("weights", "recurrent_weights", "biases")
PREPROCESSING_KEYS = ("scale", "centre", "clip")

DEFAULT_NOTE = (
    "the spec names no law for {what}: PyTorch's default, U(-1, 1) / sqrt(fan_in); set [init]"
)


@dataclass(frozen=True, slots=True)
class InitLaws:
    """What [init] says. `recurrent_weights`: None where it names no law of its own for the state's
    matrices; `biases`: None for no biases; `notes`: what is left to a default."""

    weights: Law
    biases: Law | None
    recurrent_weights: Law | None
    notes: tuple[str, ...]


def weights_law(source: Source, path: Path, value: object) -> Law:
    """The law of weights at `path`.

    Raises:
        SpecError: with the line of the key at fault.
    """
    if not isinstance(value, str | Mapping):
        raise source.error(
            path,
            f"'weights' is a law's name or table, got {value!r}",
            'such as "he_normal" or { law = "normal", sigma2 = 1.5, scale = "1/sqrt(fan_in)" }',
        )
    try:
        return parse_law(value)
    except LawError as error:
        place = (*path, error.key) if error.key else path
        raise source.error(place, error.message, error.hint) from None


def biases_law(source: Source, path: Path, value: object) -> Law | None:
    """The law of biases at `path`; None for `false`: the layer has no bias.

    Raises:
        SpecError: with the line of the key at fault.
    """
    if value is False:
        return None
    if not isinstance(value, str | Mapping):
        raise source.error(
            path,
            f"'biases' is a law's name or table, or false for none, got {value!r}",
            'such as "zeros" or { law = "normal", sigma2 = 0.05 }',
        )
    law = weights_law(source, path, value)
    if law.name == "orthogonal":
        raise source.error(path, "law 'orthogonal' draws matrices, not biases", 'biases = "zeros"')
    return law


def init_laws(source: Source, document: Mapping[str, object]) -> InitLaws:
    """The laws of [init].

    Without it weights and biases are PyTorch's default, and a note says so; weights of a law of
    their own leave the biases at zero unless they have one too.

    Raises:
        SpecError: with the line of the key at fault.
    """
    default = NAMED_LAWS["torch_default"]
    table = section(source, document, "init", INIT_KEYS)
    notes = []
    weights, recurrent = default, None
    if "weights" in table:
        weights = weights_law(source, ("init", "weights"), table["weights"])
    else:
        what = "weights" if "biases" in table else "weights and biases"
        notes.append(DEFAULT_NOTE.format(what=what))
    if "recurrent_weights" in table:
        place = ("init", "recurrent_weights")
        recurrent = weights_law(source, place, table["recurrent_weights"])
    biases: Law | None = default
    if "biases" in table:
        biases = biases_law(source, ("init", "biases"), table["biases"])
    elif weights != default:
        biases = NAMED_LAWS["zeros"]
        notes.append("[init] names no law for biases: they start at 0")
    return InitLaws(weights, biases, recurrent, tuple(notes))


def inputs_of(source: Source, document: Mapping[str, object]) -> tuple[InputLaw, Preprocessing]:
    """The law of inputs and the preprocessing of data that [inputs] gives.

    Raises:
        SpecError: with the line of the key at fault.
    """
    parameters = {key for names in INPUT_LAWS.values() for key in names}
    known = ("law", *sorted(parameters), *PREPROCESSING_KEYS)
    table = section(source, document, "inputs", known)
    name = table.get("law", "normal")
    if not isinstance(name, str) or name not in INPUT_LAWS:
        hint = nearest(name, INPUT_LAWS) if isinstance(name, str) else f"{', '.join(INPUT_LAWS)}"
        raise source.error(("inputs", "law"), f"unknown law of inputs {name!r}", hint)
    given = {}
    for key in table:
        if key not in parameters:
            continue
        if key not in INPUT_LAWS[name]:
            owner = next(law for law, names in INPUT_LAWS.items() if key in names)
            raise source.error(
                ("inputs", key),
                f"law '{name}' of inputs has no '{key}'",
                f"law = \"{owner}\" has; '{name}' takes {', '.join(INPUT_LAWS[name])}",
            )
        given[key] = _number(source, key, table[key])
    try:
        law = InputLaw(name, given)
    except SpecError as error:
        at = next((key for key in given if f"'{key}'" in error.message), "law")
        raise source.error(("inputs", at), error.message, error.hint) from None
    return law, _preprocessing(source, table)


def section(
    source: Source, document: Mapping[str, object], name: str, known: tuple[str, ...]
) -> Mapping[str, object]:
    """The table [name] of the document, empty where it is missing.

    Raises:
        SpecError: not a table, or a key that is not `known`.
    """
    table = document.get(name, {})
    if not isinstance(table, Mapping):
        raise source.error((name,), f"'{name}' is a table, [{name}]")
    for key in table:
        if key not in known:
            raise source.error((name, key), f"unknown key '{key}' in [{name}]", nearest(key, known))
    return table


def _preprocessing(source: Source, table: Mapping[str, object]) -> Preprocessing:
    scale, centre, clip = (table.get(key) for key in PREPROCESSING_KEYS)
    bounds = None
    if clip is not None:
        if not isinstance(clip, list) or len(clip) != 2:
            raise source.error(("inputs", "clip"), f"'clip' is [low, high], got {clip!r}")
        bounds = (_number(source, "clip", clip[0]), _number(source, "clip", clip[1]))
    try:
        return Preprocessing(
            scale="unit" if scale == "unit" else _number(source, "scale", scale, 1.0),
            centre="mean" if centre == "mean" else _centre(source, centre),
            clip=bounds,
        )
    except DataError as error:
        at = error.message.partition(" ")[0]
        raise source.error(("inputs", at), error.message, error.hint) from None


def _centre(source: Source, value: object) -> float | None:
    return None if value is None else _number(source, "centre", value)


def _number(source: Source, key: str, value: object, default: float | None = None) -> float:
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        words = {"scale": ' or "unit"', "centre": ' or "mean"'}.get(key, "")
        raise source.error(("inputs", key), f"'{key}' is a number{words}, got {value!r}")
    return float(value)
