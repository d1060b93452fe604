"""A law of weights or biases: its family, parameters and scale, read from a spec's value."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fpcheck.core.errors import SpecError
from fpcheck.network.initializers.families import FAMILIES, SCALES


class LawError(SpecError):
    """A law that cannot be read. `key` is the key at fault inside it, "" for the whole value."""

    def __init__(self, message: str, *, hint: str = "", key: str = "") -> None:
        super().__init__(message, hint=hint)
        self.key = key


@dataclass(frozen=True, slots=True)
class Law:
    """The law of one tensor's entries: amplitude(scale) times a draw of the family.

    `parameters` holds every parameter of the family by name, defaults filled in; `given` is the
    name under which the law was asked for, such as `he_normal`, where that is not the family's.
    """

    name: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    scale: str = "1"
    given: str = field(default="", compare=False)

    @property
    def label(self) -> str:
        """The law in a line, such as `normal(sigma2 = 1.5) * 1/sqrt(fan_in)`."""
        inner = ", ".join(f"{key} = {value:g}" for key, value in self.parameters.items())
        text = f"{self.name}({inner})" if inner else self.name
        if self.scale != "1":
            text = f"{text} * {self.scale}"
        return f"{self.given}: {text}" if self.given else text


def _named(given: str, name: str, parameters: Mapping[str, float], scale: str) -> Law:
    return Law(name, dict(parameters), scale, given)


def _symmetric(given: str, bound: float, scale: str) -> Law:
    return _named(given, "uniform", {"low": -bound, "high": bound}, scale)


# he: variance 2 / fan_in [He et al. 2015, eq. 10]; glorot: 2 / (fan_in + fan_out) [Glorot, Bengio
# 2010, eq. 12, 16]; lecun: 1 / fan_in. The uniform ones have bound sqrt(3 variance). The normal
# ones are not truncated, as in PyTorch; Keras truncates at two standard deviations and rescales to
# the same variance, which is law = "truncated_normal". torch_default is nn.Linear's and nn.Conv's
# for weights and biases: kaiming_uniform with a = sqrt(5), which is U(-1, 1) / sqrt(fan_in).
NAMED_LAWS: dict[str, Law] = {
    law.given: law
    for law in (
        _named("he_normal", "normal", {"sigma2": 2.0}, "1/sqrt(fan_in)"),
        _symmetric("he_uniform", math.sqrt(6.0), "1/sqrt(fan_in)"),
        _named("glorot_normal", "normal", {"sigma2": 1.0}, "1/sqrt(fan_avg)"),
        _symmetric("glorot_uniform", math.sqrt(3.0), "1/sqrt(fan_avg)"),
        _named("lecun_normal", "normal", {"sigma2": 1.0}, "1/sqrt(fan_in)"),
        _symmetric("lecun_uniform", math.sqrt(3.0), "1/sqrt(fan_in)"),
        _symmetric("torch_default", 1.0, "1/sqrt(fan_in)"),
    )
} | {"zeros": Law("zeros")}


def stability_index(law: Law) -> float:
    """The index alpha of the stable law that sums of draws tend to: 2 where the variance is finite.

    This is the alpha of the scale rule `fan_in^(-1/alpha)`.
    """
    if law.name == "alpha_stable":
        return law.parameters["alpha"]
    if law.name == "cauchy":
        return 1.0
    if law.name == "student_t":
        return min(law.parameters["df"], 2.0)
    return 2.0


def amplitude(law: Law, fan_in: int, fan_out: int) -> float:
    """The factor that the law's scale puts on a draw of its family.

    Raises:
        ValueError: the scale is none of SCALES, which `parse_law` rules out.
    """
    match law.scale:
        case "1":
            return 1.0
        case "1/sqrt(fan_in)":
            return 1.0 / math.sqrt(fan_in)
        case "1/fan_in":
            return 1.0 / fan_in
        case "fan_in^(-1/alpha)":
            return float(fan_in ** (-1.0 / stability_index(law)))
        case "1/sqrt(fan_out)":
            return 1.0 / math.sqrt(fan_out)
        case "1/sqrt(fan_avg)":
            return math.sqrt(2.0 / (fan_in + fan_out))
    raise ValueError(f"unknown scale {law.scale!r}")


def second_moment(law: Law, fan_in: int, fan_out: int, units: int | None = None) -> float:
    """The expected square of one entry, scale included; inf where the law has none.

    units: the rows of the weight matrix, which the orthogonal law's moment depends on (its
    entries' mean square is gain^2 / max(units, fan_in)); None: fan_out, right for a dense layer.
    """
    factor = amplitude(law, fan_in, fan_out) ** 2
    if law.name == "orthogonal":
        rows = fan_out if units is None else units
        return factor * law.parameters["gain"] ** 2 / max(rows, fan_in)
    return factor * FAMILIES[law.name].second_moment(law.parameters)


def parse_law(value: str | Mapping[str, object]) -> Law:
    """The law that a spec's value names: `"he_normal"` or `{law = "normal", sigma2 = 1.5, ...}`.

    A bare name is a named variant, or a family whose parameters all have defaults. A table's
    `law` is a family's name or, alone, a variant's.

    Raises:
        LawError: an unknown name or key, a missing or bad parameter, an unknown scale.
    """
    if isinstance(value, str):
        return _by_name(value, {})
    if not isinstance(value, Mapping):
        raise LawError(
            f"a law is a name or a table, got {value!r}",
            hint='such as "he_normal" or { law = "normal", sigma2 = 1.5 }',
        )
    rest = dict(value)
    name = rest.pop("law", None)
    if name is None:
        near = difflib.get_close_matches("law", rest, n=1, cutoff=0.5)
        hint = f"did you mean 'law' for '{near[0]}'?" if near else f"known: {_names()}"
        raise LawError("a law's table needs the key 'law'", hint=hint, key=near[0] if near else "")
    if not isinstance(name, str):
        raise LawError(f"'law' is a name, got {name!r}", hint=f"known: {_names()}", key="law")
    return _by_name(name, rest)


def _names() -> str:
    return ", ".join([*FAMILIES, *(name for name in NAMED_LAWS if name not in FAMILIES)])


def _by_name(name: str, rest: dict[str, object]) -> Law:
    variant = NAMED_LAWS.get(name)
    if variant is not None:
        if rest:
            raise LawError(
                f"law '{name}' takes no parameters, got '{next(iter(rest))}'",
                hint=f"write its family out: {variant.label.partition(': ')[2] or variant.label}",
                key=next(iter(rest)),
            )
        return variant
    family = FAMILIES.get(name)
    if family is None:
        if name == "empirical":
            raise LawError(
                "law 'empirical' is not supported in this version",
                hint=f"supported: {_names()}",
                key="law",
            )
        raise LawError(
            f"unknown law '{name}'", hint=_near(name, [*FAMILIES, *NAMED_LAWS]), key="law"
        )
    scale = _scale(rest)
    labels = [label for label, _ in family.parameters]
    for key in rest:
        if key not in labels:
            known = [*labels, "scale"]
            raise LawError(f"law '{name}' has no key '{key}'", hint=_near(key, known), key=key)
    parameters = {
        label: _number(name, label, rest, default) for label, default in family.parameters
    }
    wrong = family.check(parameters)
    if wrong is not None:
        key, fact = wrong
        raise LawError(
            f"law '{name}': '{key}' {fact}, got {parameters[key]:g}", key=key if key in rest else ""
        )
    return Law(name, parameters, scale)


def _scale(rest: dict[str, object]) -> str:
    given = rest.pop("scale", "1")
    if not isinstance(given, str | int | float) or isinstance(given, bool):
        raise LawError(f"'scale' is one of {', '.join(SCALES)}, got {given!r}", key="scale")
    text = "".join(str(given).split())
    if text not in SCALES:
        near = difflib.get_close_matches(text, SCALES, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise LawError(
            f"unknown scale '{given}'", hint=f"{hint}known: {', '.join(SCALES)}", key="scale"
        )
    return text


def _number(name: str, label: str, rest: dict[str, object], default: float | None) -> float:
    value = rest.get(label, default)
    if value is None:
        raise LawError(f"law '{name}' needs '{label}'", hint=f"such as {label} = 1.0")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise LawError(f"law '{name}': '{label}' is a finite number, got {value!r}", key=label)
    return float(value)


def _near(word: str, known: Iterable[str]) -> str:
    names = list(dict.fromkeys(known))
    near = difflib.get_close_matches(word, names, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"
