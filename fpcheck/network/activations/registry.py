"""The one registry of activation functions; opcodes are stable, kernels branch on them."""

from __future__ import annotations

import math

import numpy as np

from fpcheck.network.activations.formulas import (
    crelu,
    cst,
    elu,
    elu_slope,
    erf,
    gelu,
    gelu_slope,
    gelu_tanh,
    gelu_tanh_slope,
    indicator,
    sigmoid,
    sigmoid_slope,
    silu_slope,
    soft_threshold,
    tanh_slope,
)
from fpcheck.network.activations.kind import INFINITY, ActivationKind

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717

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
        tanh_slope,
        values=lambda a, b: (-1.0, 1.0),
        odd=True,
    ),
    ActivationKind(
        "sigmoid",
        2,
        sigmoid,
        sigmoid_slope,
        slopes=lambda a, b: (0.0, 0.25),
        values=lambda a, b: (0.0, 1.0),
    ),
    ActivationKind(
        "relu",
        3,
        lambda x, a, b: np.maximum(x, 0.0),
        lambda x, a, b: indicator(x > 0),
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
        elu,
        elu_slope,
        (("alpha", 1.0),),
        kinks=lambda a, b: (0.0,),
        slopes=lambda a, b: (min(0.0, a), max(1.0, a)),
        values=lambda a, b: (min(0.0, -a), INFINITY),
    ),
    ActivationKind(
        "selu",
        6,
        lambda x, a, b: SELU_SCALE * elu(x, SELU_ALPHA, 0.0),
        lambda x, a, b: SELU_SCALE * elu_slope(x, SELU_ALPHA, 0.0),
        kinks=lambda a, b: (0.0,),
        slopes=lambda a, b: (0.0, SELU_SCALE * SELU_ALPHA),
        values=lambda a, b: (-SELU_SCALE * SELU_ALPHA, INFINITY),
    ),
    ActivationKind(
        "gelu",
        7,
        gelu,
        gelu_slope,
        slopes=lambda a, b: _GELU_SLOPES,
        values=lambda a, b: (_GELU_LOWEST, INFINITY),
        monotone=False,
    ),
    ActivationKind(
        "gelu_tanh",
        8,
        gelu_tanh,
        gelu_tanh_slope,
        slopes=lambda a, b: _GELU_TANH_SLOPES,
        values=lambda a, b: (_GELU_TANH_LOWEST, INFINITY),
        monotone=False,
    ),
    ActivationKind(
        "silu",
        9,
        lambda x, a, b: x * sigmoid(x),
        silu_slope,
        slopes=lambda a, b: _SILU_SLOPES,
        values=lambda a, b: (_SILU_LOWEST, INFINITY),
        monotone=False,
    ),
    ActivationKind(
        "softplus",
        10,
        lambda x, a, b: np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))),
        sigmoid,
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
        lambda x, a, b: erf(x),
        lambda x, a, b: 2.0 / math.sqrt(math.pi) * np.exp(-x * x),
        slopes=lambda a, b: (0.0, 2.0 / math.sqrt(math.pi)),
        values=lambda a, b: (-1.0, 1.0),
        odd=True,
    ),
    ActivationKind(
        "hardtanh",
        13,
        np.clip,
        lambda x, a, b: indicator((x > a) & (x < b)),
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
        lambda x, tau, b: indicator(x > tau),
        (("tau", None),),
        kinks=lambda tau, b: (tau,),
        values=lambda tau, b: (0.0, INFINITY),
    ),
    ActivationKind(
        "soft_threshold",
        16,
        soft_threshold,
        lambda x, tau, b: indicator(np.abs(x) > tau),
        (("tau", None),),
        kinks=lambda tau, b: (-tau, tau),
        odd=True,
    ),
    ActivationKind(
        "crelu",
        17,
        crelu,
        lambda x, tau, m: indicator((x > tau) & (x < tau + m)),
        (("tau", None), ("m", None)),
        kinks=lambda tau, m: (tau, tau + m),
        values=lambda tau, m: (0.0, m),
    ),
    ActivationKind(
        "cst",
        18,
        cst,
        lambda x, tau, m: indicator((np.abs(x) > tau) & (np.abs(x) < tau + m)),
        (("tau", None), ("m", None)),
        kinks=lambda tau, m: (-tau - m, -tau, tau, tau + m),
        values=lambda tau, m: (-m, m),
        odd=True,
    ),
    ActivationKind(
        "step",
        19,
        lambda x, a, b: indicator(x > 0),
        None,
        kinks=lambda a, b: (0.0,),
        slopes=lambda a, b: (0.0, INFINITY),
        values=lambda a, b: (0.0, 1.0),
    ),
)

ACTIVATIONS: dict[str, ActivationKind] = {kind.name: kind for kind in _KINDS}
