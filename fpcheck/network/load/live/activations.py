"""PyTorch's activation functions, with its own signatures."""

from __future__ import annotations

from fpcheck.network.load.live.emitter import Emitter, Handler, Traced, real
from fpcheck.network.load.onnx.values import Rows, UnsupportedError


def simple(kind: str) -> Handler:
    """A function without parameters; `inplace` does not matter."""

    def handler(e: Emitter, x: Traced, inplace: bool = False) -> Rows:
        return e.emit(kind, x)

    return handler


def leaky_relu(e: Emitter, x: Traced, negative_slope: float = 0.01, inplace: bool = False) -> Rows:
    """x above zero, a multiple of it below."""
    return e.emit("LeakyRelu", x, alpha=real(negative_slope, "its slope"))


def rrelu(
    e: Emitter,
    x: Traced,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Rows:
    """Outside of training a leaky ReLU of the mean slope."""
    if training:
        raise UnsupportedError("it is in training mode")
    return leaky_relu(e, x, (lower + upper) / 2)


def elu(e: Emitter, x: Traced, alpha: float = 1.0, inplace: bool = False) -> Rows:
    """alpha (exp(x) - 1) below zero."""
    return e.emit("Elu", x, alpha=real(alpha, "its alpha"))


def celu(e: Emitter, x: Traced, alpha: float = 1.0, inplace: bool = False) -> Rows:
    """alpha (exp(x / alpha) - 1) below zero."""
    return e.emit("Celu", x, alpha=real(alpha, "its alpha"))


def gelu(e: Emitter, x: Traced, approximate: str = "none") -> Rows:
    """GELU, exact or by tanh."""
    return e.emit("Gelu", x, approximate=approximate)


def softplus(e: Emitter, x: Traced, beta: float = 1.0, threshold: float = 20.0) -> Rows:
    """log(1 + exp(beta x)) / beta; PyTorch's straight line above `threshold` is 2e-9 off."""
    if real(beta, "its beta") == 1.0:
        return e.emit("Softplus", x)
    inner = e.emit("Mul", x, float(beta), suffix=".in")
    return e.emit("Div", e.emit("Softplus", inner, suffix=".softplus"), float(beta))


def logsigmoid(e: Emitter, x: Traced) -> Rows:
    """-softplus(-x)."""
    return e.emit("Neg", e.emit("Softplus", e.emit("Neg", x, suffix=".in"), suffix=".softplus"))


def hardtanh(
    e: Emitter, x: Traced, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Rows:
    """x, clipped."""
    return e.emit("Clip", x, real(min_val, "its bound"), real(max_val, "its bound"))


def relu6(e: Emitter, x: Traced, inplace: bool = False) -> Rows:
    """x, clipped to 0 and 6."""
    return e.emit("Clip", x, 0.0, 6.0)


def clamp(e: Emitter, x: Traced, *bounds: float | None, **named: float | None) -> Rows:
    """x, clipped at one or both ends; they are called `min` and `max`."""
    given = [*bounds, None, None][:2]
    ends = (named.get("min", given[0]), named.get("max", given[1]))
    low, high = (None if end is None else real(end, "its bound") for end in ends)
    return e.emit("Clip", x, low, high)


def hardsigmoid(e: Emitter, x: Traced, inplace: bool = False) -> Rows:
    """x / 6 + 1/2, clipped to 0 and 1."""
    return e.emit("HardSigmoid", x, alpha=1.0 / 6.0, beta=0.5)


def silu(e: Emitter, x: Traced, inplace: bool = False) -> Rows:
    """x sigmoid(x)."""
    return e.emit("Swish", x, alpha=1.0)


def prelu(e: Emitter, x: Traced, weight: Traced) -> Rows:
    """A leaky ReLU whose slopes are weights, one for all or one a channel."""
    if isinstance(x, Rows) and weight.numel() > 1:
        slope = e.value(weight.reshape(-1, *(1,) * (x.rank - 2)))
        name = e.names.get(id(weight))
        if name is not None and slope is not None and not isinstance(slope, Rows):
            slope = type(slope)(slope.array, name)
        return e.emit("PRelu", x, slope)
    return e.emit("PRelu", x, weight)


def threshold(e: Emitter, x: Traced, limit: float, value: float, inplace: bool = False) -> Rows:
    """x above the limit, else the value; max(x, limit) where the two agree."""
    if limit != value:
        raise UnsupportedError("its value is not its threshold")
    return clamp(e, x, limit)


def softshrink(e: Emitter, x: Traced, lambd: float = 0.5) -> Rows:
    """The soft threshold."""
    return e.emit("Shrink", x, lambd=float(lambd), bias=float(lambd))


def tanhshrink(e: Emitter, x: Traced) -> Rows:
    """x - tanh(x)."""
    return e.emit("Sub", x, e.emit("Tanh", x, suffix=".tanh"))


def glu(e: Emitter, x: Traced, dim: int = -1) -> Rows:
    """One half times the sigmoid of the other."""
    if not isinstance(x, Rows):
        raise UnsupportedError("its input is constant")
    size = x.full(e.builder.batch)[dim]
    halves = e.emit_all(
        "Split", x, [size // 2, size - size // 2], outputs=2, axis=dim, suffix=".half"
    )
    return e.emit("Mul", halves[0], e.emit("Sigmoid", halves[1], suffix=".gate"))


def softmax(
    e: Emitter, x: Traced, dim: int | None = None, _stacklevel: int = 3, dtype: Traced = None
) -> Rows:
    """Softmax along an axis."""
    if not isinstance(x, Rows):
        raise UnsupportedError("its input is constant")
    if dim is None:  # PyTorch's own choice
        dim = 0 if x.rank in (0, 1, 3) else 1
    return e.emit("Softmax", x, axis=int(dim))


ACTIVATIONS: dict[str, Handler] = {
    "relu": simple("Relu"),
    "tanh": simple("Tanh"),
    "sigmoid": simple("Sigmoid"),
    "selu": simple("Selu"),
    "softsign": simple("Softsign"),
    "erf": simple("Erf"),
    "sin": simple("Sin"),
    "cos": simple("Cos"),
    "abs": simple("Abs"),
    "hardswish": simple("HardSwish"),
    "mish": simple("Mish"),
    "leaky_relu": leaky_relu,
    "rrelu": rrelu,
    "elu": elu,
    "celu": celu,
    "gelu": gelu,
    "softplus": softplus,
    "logsigmoid": logsigmoid,
    "hardtanh": hardtanh,
    "relu6": relu6,
    "clamp": clamp,
    "clip": clamp,
    "hardsigmoid": hardsigmoid,
    "silu": silu,
    "prelu": prelu,
    "threshold": threshold,
    "softshrink": softshrink,
    "tanhshrink": tanhshrink,
    "glu": glu,
    "softmax": softmax,
}
