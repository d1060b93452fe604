"""One activation function with its parameters, and how it is named."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations.kind import ActivationKind, Array
from fpcheck.network.activations.registry import ACTIVATIONS

# What frameworks and users call them.
ALIASES = {
    "linear": "identity",
    "none": "identity",
    "logistic": "sigmoid",
    "swish": "silu",
    "leakyrelu": "leaky_relu",
    "hard_tanh": "hardtanh",
    "heaviside": "step",
    "softshrink": "soft_threshold",
    "sine": "sin",
}


@dataclass(frozen=True, slots=True)
class ActivationFunction:
    """One activation function: a family's name and its parameters, in the registry's order."""

    name: str
    parameters: tuple[float, ...] = ()

    @property
    def kind(self) -> ActivationKind:
        """The registry's entry."""
        return ACTIVATIONS[self.name]

    @property
    def opcode(self) -> int:
        """The integer that kernels branch on."""
        return self.kind.opcode

    @property
    def p0(self) -> float:
        """The first parameter, 0 where there is none."""
        return self.parameters[0] if self.parameters else 0.0

    @property
    def p1(self) -> float:
        """The second parameter, 0 where there is none."""
        return self.parameters[1] if len(self.parameters) > 1 else 0.0

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where phi or phi' jumps, ascending."""
        return self.kind.kinks(self.p0, self.p1)

    @property
    def slopes(self) -> tuple[float, float]:
        """Infimum and supremum of phi'."""
        return self.kind.slopes(self.p0, self.p1)

    @property
    def values(self) -> tuple[float, float]:
        """Infimum and supremum of phi."""
        return self.kind.values(self.p0, self.p1)

    @property
    def label(self) -> str:
        """The name with its parameters, such as `crelu(1.04, 1.17)`."""
        if not self.parameters:
            return self.name
        return f"{self.name}({', '.join(f'{p:g}' for p in self.parameters)})"

    def phi(self, x: Array) -> Array:
        """phi(x), elementwise. x: any shape."""
        return self.kind.phi(x, self.p0, self.p1)

    def derivative(self, x: Array) -> Array:
        """phi'(x), elementwise. x: any shape.

        Raises:
            UnsupportedOperationError: the function is a step, whose derivative says nothing.
        """
        if self.kind.derivative is None:
            raise UnsupportedOperationError(
                f"activation '{self.name}' has no useful derivative: it is zero almost everywhere",
                hint="gradients, Jacobians and stability need a differentiable activation",
            )
        return self.kind.derivative(x, self.p0, self.p1)


def activation(name: str, parameters: Mapping[str, float] | None = None) -> ActivationFunction:
    """The activation function called `name`, with its named parameters.

    Raises:
        UnsupportedOperationError: no such function, or a missing, unknown or bad parameter.
    """
    given = dict(parameters or {})
    key = ALIASES.get(name.lower(), name.lower())
    kind = ACTIVATIONS.get(key)
    if kind is None:
        near = difflib.get_close_matches(key, [*ACTIVATIONS, *ALIASES], n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(ACTIVATIONS)}"
        raise UnsupportedOperationError(f"unknown activation '{name}'", hint=hint)
    values = tuple(_parameter(kind, label, default, given) for label, default in kind.parameters)
    if given:
        known = ", ".join(label for label, _ in kind.parameters) or "none"
        raise UnsupportedOperationError(
            f"activation '{key}' has no parameter '{next(iter(given))}'",
            hint=f"its parameters: {known}",
        )
    _check_parameters(kind.name, values)
    return ActivationFunction(key, values)


def parse_activation(text: str) -> ActivationFunction:
    """The activation function that a flag names: `tanh`, `leaky_relu(0.2)`, `crelu(1.04, 1.17)`.

    Raises:
        UnsupportedOperationError: as `activation`.
    """
    name, bracket, rest = text.strip().partition("(")
    if not bracket:
        return activation(name)
    kind_name = ALIASES.get(name.lower(), name.lower())
    labels = (
        [label for label, _ in ACTIVATIONS[kind_name].parameters]
        if (kind_name in ACTIVATIONS)
        else []
    )
    try:
        numbers = [float(part) for part in rest.rstrip(") ").split(",") if part.strip()]
    except ValueError:
        raise UnsupportedOperationError(
            f"cannot read the parameters of activation '{text}'",
            hint="write numbers in brackets, such as crelu(1.04, 1.17)",
        ) from None
    if len(numbers) > len(labels) and labels:
        raise UnsupportedOperationError(
            f"activation '{kind_name}' takes {len(labels)} parameters, got {len(numbers)}",
            hint=f"its parameters: {', '.join(labels)}",
        )
    padded = labels + [f"parameter {i + 1}" for i in range(len(numbers) - len(labels))]
    return activation(name, dict(zip(padded, numbers, strict=False)))


def _parameter(
    kind: ActivationKind, label: str, default: float | None, given: dict[str, float]
) -> float:
    if label in given:
        return float(given.pop(label))
    if default is None:
        needs = ", ".join(name for name, _ in kind.parameters)
        raise UnsupportedOperationError(
            f"activation '{kind.name}' needs '{label}'", hint=f"its parameters: {needs}"
        )
    return default


def _check_parameters(name: str, values: tuple[float, ...]) -> None:
    if not all(math.isfinite(v) for v in values):
        raise UnsupportedOperationError(f"activation '{name}': parameters must be finite numbers")
    if name in ("soft_threshold", "cst") and values[0] < 0:
        raise UnsupportedOperationError(f"activation '{name}': tau must not be negative")
    if name in ("crelu", "cst") and not values[1] > 0:
        raise UnsupportedOperationError(f"activation '{name}': m must be positive")
    if name == "hardtanh" and not values[0] < values[1]:
        raise UnsupportedOperationError("activation 'hardtanh': low must lie below high")
