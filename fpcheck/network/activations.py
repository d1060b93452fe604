"""The one registry of activation functions: phi, its derivative, kinks, bounds, opcode.

The NumPy bodies here are the definition; the compiled pass in `kernels` is held against them.
At a kink the derivative is the one that PyTorch takes.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import UnsupportedOperationError

Array: TypeAlias = NDArray[np.float64]
Function: TypeAlias = Callable[[Array, float, float], Array]

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717
SQRT_2 = math.sqrt(2.0)
INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)
GELU_TANH_SCALE = math.sqrt(2.0 / math.pi)
GELU_TANH_CUBIC = 0.044715
INFINITY = math.inf


@dataclass(frozen=True, slots=True)
class ActivationKind:
    """A family of activation functions with up to two parameters.

    `slopes` and `values` are (infimum, supremum) of phi' and phi over the real line.
    """

    name: str
    opcode: int
    phi: Function
    derivative: Function | None  # None: zero almost everywhere, so of no use
    parameters: tuple[tuple[str, float | None], ...] = ()  # names and defaults; None: required
    kinks: Callable[[float, float], tuple[float, ...]] = lambda a, b: ()
    slopes: Callable[[float, float], tuple[float, float]] = lambda a, b: (0.0, 1.0)
    values: Callable[[float, float], tuple[float, float]] = lambda a, b: (-INFINITY, INFINITY)
    odd: bool = False
    monotone: bool = True


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


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return np.asarray(erf(x))


def _sigmoid(x: Array, a: float = 0.0, b: float = 0.0) -> Array:
    decayed = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, decayed) / (1.0 + decayed)


def _sigmoid_slope(x: Array, a: float, b: float) -> Array:
    decayed = np.exp(-np.abs(x))
    return decayed / (1.0 + decayed) ** 2


def _tanh_slope(x: Array, a: float, b: float) -> Array:
    # 1 - tanh^2 loses every digit for large |x|; sech^2 does not.
    decayed = np.exp(-2.0 * np.abs(x))
    return 4.0 * decayed / (1.0 + decayed) ** 2


def _elu(x: Array, alpha: float, b: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def _elu_slope(x: Array, alpha: float, b: float) -> Array:
    return np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0.0)))


def _gelu(x: Array, a: float, b: float) -> Array:
    from scipy.special import ndtr

    return x * np.asarray(ndtr(x))


def _gelu_slope(x: Array, a: float, b: float) -> Array:
    from scipy.special import ndtr

    return np.asarray(ndtr(x)) + x * INV_SQRT_2PI * np.exp(-0.5 * x * x)


def _gelu_tanh(x: Array, a: float, b: float) -> Array:
    # 0.5 (1 + tanh u) is the logistic function of 2u, which keeps its digits for negative u.
    return x * _sigmoid(2.0 * GELU_TANH_SCALE * (x + GELU_TANH_CUBIC * x**3))


def _gelu_tanh_slope(x: Array, a: float, b: float) -> Array:
    inner = 2.0 * GELU_TANH_SCALE * (x + GELU_TANH_CUBIC * x**3)
    slope = 2.0 * GELU_TANH_SCALE * (1.0 + 3.0 * GELU_TANH_CUBIC * x * x)
    return _sigmoid(inner) + x * _sigmoid_slope(inner, 0.0, 0.0) * slope


def _silu_slope(x: Array, a: float, b: float) -> Array:
    return _sigmoid(x) + x * _sigmoid_slope(x, a, b)


def _crelu(x: Array, tau: float, m: float) -> Array:
    return np.minimum(np.maximum(x - tau, 0.0), m)


def _soft_threshold(x: Array, tau: float, b: float) -> Array:
    return np.sign(x) * np.maximum(np.abs(x) - tau, 0.0)


def _cst(x: Array, tau: float, m: float) -> Array:
    return np.sign(x) * np.minimum(np.maximum(np.abs(x) - tau, 0.0), m)


def _where(condition: NDArray[np.bool_]) -> Array:
    return condition.astype(np.float64)


# inf and sup of slope and value, where they are not round numbers (minimised by mpmath).
_GELU_SLOPES = (-0.12890414518515479, 1.1289041451851548)
_GELU_LOWEST = -0.16997120747990369
_GELU_TANH_SLOPES = (-0.12899306865877177, 1.1289930686587718)
_GELU_TANH_LOWEST = -0.17004075057125412
_SILU_SLOPES = (-0.09983932012886686, 1.0998393201288669)
_SILU_LOWEST = -0.27846454276107379

_KINDS = (
    ActivationKind(
        "identity",
        0,
        lambda x, a, b: np.array(x, dtype=np.float64),
        lambda x, a, b: np.ones_like(x),
        slopes=lambda a, b: (1.0, 1.0),
        odd=True,
    ),
    ActivationKind(
        "tanh",
        1,
        lambda x, a, b: np.tanh(x),
        _tanh_slope,
        values=lambda a, b: (-1.0, 1.0),
        odd=True,
    ),
    ActivationKind(
        "sigmoid",
        2,
        _sigmoid,
        _sigmoid_slope,
        slopes=lambda a, b: (0.0, 0.25),
        values=lambda a, b: (0.0, 1.0),
    ),
    ActivationKind(
        "relu",
        3,
        lambda x, a, b: np.maximum(x, 0.0),
        lambda x, a, b: _where(x > 0),
        kinks=lambda a, b: (0.0,),
        values=lambda a, b: (0.0, INFINITY),
    ),
    ActivationKind(
        "leaky_relu",
        4,
        lambda x, a, b: np.where(x > 0, x, a * x),
        lambda x, a, b: np.where(x > 0, 1.0, a),
        (("negative_slope", 0.01),),
        kinks=lambda a, b: (0.0,),
        slopes=lambda a, b: (min(a, 1.0), max(a, 1.0)),
        values=lambda a, b: (-INFINITY if a > 0 else 0.0, INFINITY),
    ),
    ActivationKind(
        "elu",
        5,
        _elu,
        _elu_slope,
        (("alpha", 1.0),),
        kinks=lambda a, b: (0.0,),
        slopes=lambda a, b: (min(0.0, a), max(1.0, a)),
        values=lambda a, b: (min(0.0, -a), INFINITY),
    ),
    ActivationKind(
        "selu",
        6,
        lambda x, a, b: SELU_SCALE * _elu(x, SELU_ALPHA, 0.0),
        lambda x, a, b: SELU_SCALE * _elu_slope(x, SELU_ALPHA, 0.0),
        kinks=lambda a, b: (0.0,),
        slopes=lambda a, b: (0.0, SELU_SCALE * SELU_ALPHA),
        values=lambda a, b: (-SELU_SCALE * SELU_ALPHA, INFINITY),
    ),
    ActivationKind(
        "gelu",
        7,
        _gelu,
        _gelu_slope,
        slopes=lambda a, b: _GELU_SLOPES,
        values=lambda a, b: (_GELU_LOWEST, INFINITY),
        monotone=False,
    ),
    ActivationKind(
        "gelu_tanh",
        8,
        _gelu_tanh,
        _gelu_tanh_slope,
        slopes=lambda a, b: _GELU_TANH_SLOPES,
        values=lambda a, b: (_GELU_TANH_LOWEST, INFINITY),
        monotone=False,
    ),
    ActivationKind(
        "silu",
        9,
        lambda x, a, b: x * _sigmoid(x),
        _silu_slope,
        slopes=lambda a, b: _SILU_SLOPES,
        values=lambda a, b: (_SILU_LOWEST, INFINITY),
        monotone=False,
    ),
    ActivationKind(
        "softplus",
        10,
        lambda x, a, b: np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))),
        _sigmoid,
        values=lambda a, b: (0.0, INFINITY),
    ),
    ActivationKind(
        "softsign",
        11,
        lambda x, a, b: x / (1.0 + np.abs(x)),
        lambda x, a, b: 1.0 / (1.0 + np.abs(x)) ** 2,
        kinks=lambda a, b: (0.0,),
        values=lambda a, b: (-1.0, 1.0),
        odd=True,
    ),
    ActivationKind(
        "erf",
        12,
        lambda x, a, b: _erf(x),
        lambda x, a, b: 2.0 / math.sqrt(math.pi) * np.exp(-x * x),
        slopes=lambda a, b: (0.0, 2.0 / math.sqrt(math.pi)),
        values=lambda a, b: (-1.0, 1.0),
        odd=True,
    ),
    ActivationKind(
        "hardtanh",
        13,
        lambda x, a, b: np.clip(x, a, b),
        lambda x, a, b: _where((x > a) & (x < b)),
        (("low", -1.0), ("high", 1.0)),
        kinks=lambda a, b: (a, b),
        values=lambda a, b: (a, b),
    ),
    ActivationKind(
        "sin",
        14,
        lambda x, a, b: np.sin(x),
        lambda x, a, b: np.cos(x),
        slopes=lambda a, b: (-1.0, 1.0),
        values=lambda a, b: (-1.0, 1.0),
        odd=True,
        monotone=False,
    ),
    ActivationKind(
        "shifted_relu",
        15,
        lambda x, tau, b: np.maximum(x - tau, 0.0),
        lambda x, tau, b: _where(x > tau),
        (("tau", None),),
        kinks=lambda tau, b: (tau,),
        values=lambda tau, b: (0.0, INFINITY),
    ),
    ActivationKind(
        "soft_threshold",
        16,
        _soft_threshold,
        lambda x, tau, b: _where(np.abs(x) > tau),
        (("tau", None),),
        kinks=lambda tau, b: (-tau, tau),
        odd=True,
    ),
    ActivationKind(
        "crelu",
        17,
        _crelu,
        lambda x, tau, m: _where((x > tau) & (x < tau + m)),
        (("tau", None), ("m", None)),
        kinks=lambda tau, m: (tau, tau + m),
        values=lambda tau, m: (0.0, m),
    ),
    ActivationKind(
        "cst",
        18,
        _cst,
        lambda x, tau, m: _where((np.abs(x) > tau) & (np.abs(x) < tau + m)),
        (("tau", None), ("m", None)),
        kinks=lambda tau, m: (-tau - m, -tau, tau, tau + m),
        values=lambda tau, m: (-m, m),
        odd=True,
    ),
    ActivationKind(
        "step",
        19,
        lambda x, a, b: _where(x > 0),
        None,
        kinks=lambda a, b: (0.0,),
        slopes=lambda a, b: (0.0, INFINITY),
        values=lambda a, b: (0.0, 1.0),
    ),
)

ACTIVATIONS: dict[str, ActivationKind] = {kind.name: kind for kind in _KINDS}

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
