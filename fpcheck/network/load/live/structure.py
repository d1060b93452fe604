"""PyTorch's arithmetic and what only moves numbers, with its own signatures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fpcheck.network.load.live.emitter import Emitter, Handler, Traced
from fpcheck.network.load.onnx.values import Rows, UnsupportedError, axis_of


def binary(kind: str, *, turned: bool = False) -> Handler:
    """An operator on two values; `turned`: its arguments come the other way round."""

    def handler(
        e: Emitter, x: Traced, other: Traced, alpha: float = 1, rounding_mode: None = None
    ) -> Rows:
        if rounding_mode is not None:
            raise UnsupportedError("it rounds")
        if alpha != 1:
            other = e.emit("Mul", other, float(alpha), suffix=".alpha")
        return e.emit(kind, other, x) if turned else e.emit(kind, x, other)

    return handler


def same(e: Emitter, x: Traced, *_: object, **__: object) -> Traced:
    """The value itself."""
    return x


def converted(e: Emitter, x: Traced, *to: Traced, **named: Traced) -> Traced:
    """The value itself, where it is converted to another type of real numbers or device."""
    for what in (*to, named.get("dtype")):
        if getattr(what, "is_floating_point", True) is False:
            raise UnsupportedError("it rounds its input to whole numbers")
    return x


def negated(e: Emitter, x: Traced) -> Rows:
    """-x."""
    return e.emit("Neg", x)


def power(e: Emitter, x: Traced, exponent: float = 2) -> Rows:
    """A small whole power."""
    return e.emit("Pow", x, exponent)


def flattened(e: Emitter, x: Traced, start_dim: int = 0, end_dim: int = -1) -> Rows:
    """Some axes in one."""
    full = _full(e, x)
    first, last = axis_of(start_dim, len(full)), axis_of(end_dim, len(full))
    return _reshape(e, x, [*full[:first], math.prod(full[first : last + 1]), *full[last + 1 :]])


def unflattened(e: Emitter, x: Traced, dim: int, sizes: Sequence[int]) -> Rows:
    """One axis in some."""
    full = _full(e, x)
    axis = axis_of(dim, len(full))
    known = math.prod(n for n in sizes if n != -1)
    inner = [full[axis] // known if n == -1 else int(n) for n in sizes]
    return _reshape(e, x, [*full[:axis], *inner, *full[axis + 1 :]])


def reshaped(e: Emitter, x: Traced, *shape: Traced) -> Rows:
    """The entries in another shape."""
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    if not all(isinstance(n, int) for n in sizes):
        raise UnsupportedError("it changes the type, or its shape is not constant")
    return _reshape(e, x, list(sizes))


def permuted(e: Emitter, x: Traced, *dims: Traced) -> Rows:
    """The axes in another order."""
    order = dims[0] if len(dims) == 1 and isinstance(dims[0], Sequence) else dims
    rank = len(_full(e, x))
    return e.emit("Transpose", x, perm=tuple(axis_of(axis, rank) for axis in order))


def transposed(e: Emitter, x: Traced, dim0: int, dim1: int, suffix: str = "") -> Rows:
    """Two axes in each other's place."""
    rank = len(_full(e, x))
    order = list(range(rank))
    one, two = axis_of(dim0, rank), axis_of(dim1, rank)
    order[one], order[two] = two, one
    return e.emit("Transpose", x, perm=tuple(order), suffix=suffix)


def squeezed(e: Emitter, x: Traced, dim: Traced = None) -> Rows:
    """Without axes of size 1."""
    if dim is None:
        return e.emit("Squeeze", x)
    full = _full(e, x)
    axes = [axis_of(axis, len(full)) for axis in (dim if isinstance(dim, Sequence) else (dim,))]
    ones = [axis for axis in axes if full[axis] == 1]
    return e.emit("Squeeze", x, ones) if ones else x


def unsqueezed(e: Emitter, x: Traced, dim: int) -> Rows:
    """With a new axis of size 1."""
    return e.emit("Unsqueeze", x, [int(dim)])


def joined(e: Emitter, tensors: Sequence[Traced], dim: int = 0, axis: int | None = None) -> Rows:
    """Values joined along an axis."""
    return e.emit("Concat", *tensors, axis=int(dim if axis is None else axis))


def stacked(e: Emitter, tensors: Sequence[Traced], dim: int = 0) -> Rows:
    """Values joined along a new axis."""
    wide = [e.emit("Unsqueeze", x, [int(dim)], suffix=f".{i}") for i, x in enumerate(tensors)]
    return e.emit("Concat", *wide, axis=int(dim))


def chunked(e: Emitter, x: Traced, chunks: int, dim: int = 0) -> Traced:
    """Parts of equal size, the last one smaller."""
    size = _full(e, x)[dim]
    return parted(e, x, math.ceil(size / chunks), dim)


def parted(e: Emitter, x: Traced, split_size: Traced, dim: int = 0) -> Traced:
    """Parts of stated sizes."""
    size = _full(e, x)[dim]
    if isinstance(split_size, Sequence):
        sizes = [int(n) for n in split_size]
    else:
        sizes = [min(split_size, size - start) for start in range(0, size, split_size)]
    return tuple(e.emit_all("Split", x, sizes, outputs=len(sizes), axis=int(dim)))


def unbound(e: Emitter, x: Traced, dim: int = 0) -> Traced:
    """The entries along an axis one by one."""
    return tuple(selected(e, x, dim, index) for index in range(_full(e, x)[dim]))


def selected(e: Emitter, x: Traced, dim: int, index: int) -> Rows:
    """One entry along an axis."""
    return e.emit("Gather", x, int(index), axis=int(dim), suffix=f".{index}")


def narrowed(e: Emitter, x: Traced, dim: int, start: int, length: int) -> Rows:
    """A range along an axis."""
    return e.emit("Slice", x, [int(start)], [int(start) + int(length)], [int(dim)])


def indexed(e: Emitter, x: Traced, index: Traced) -> Traced:
    """x[index] with whole numbers, ranges, ... and None."""
    words = list(index) if isinstance(index, tuple) else [index]
    rank = len(_full(e, x))
    given = sum(word is not None and word is not Ellipsis for word in words)
    if Ellipsis in words:
        place = words.index(Ellipsis)
        words[place : place + 1] = [slice(None)] * (rank - given)
    axis = 0
    for number, word in enumerate(words):
        suffix = f".{number}"
        if word is None:
            x = e.emit("Unsqueeze", x, [axis], suffix=suffix)
            axis += 1
        elif isinstance(word, slice):
            x = _ranged(e, x, axis, word, suffix)
            axis += 1
        elif isinstance(word, int):
            x = e.emit("Gather", x, word, axis=axis, suffix=suffix)
        else:
            raise UnsupportedError("its index is no number and no range")
    return x


def averaged(kind: str) -> Handler:
    """A reduction over stated axes."""

    def handler(e: Emitter, x: Traced, dim: Traced = None, keepdim: bool = False) -> Rows:
        if dim is None:
            raise UnsupportedError("it works across the rows of a batch")
        axes = [int(axis) for axis in (dim if isinstance(dim, Sequence) else (dim,))]
        if not isinstance(x, Rows) or not x.batch:
            return e.emit(kind, x, axes, keepdims=int(keepdim))
        # The batch axis to the front, and behind the reduction back to its place.
        axes = [axis_of(axis, x.rank) for axis in axes]
        order = [x.batch, *(axis for axis in range(x.rank) if axis != x.batch)]
        turned = e.emit("Transpose", x, perm=tuple(order), suffix=".turned")
        places = [order.index(axis) for axis in axes]
        reduced = e.emit(kind, turned, places, keepdims=int(keepdim))
        left = [axis for axis in order if keepdim or axis not in axes]
        perm = tuple(left.index(axis) for axis in sorted(left))
        return e.emit("Transpose", reduced, perm=perm, suffix=".back")

    return handler


def padded(
    e: Emitter, x: Traced, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Rows:
    """Zeros around the last axes."""
    pairs = [(pad[place], pad[place + 1]) for place in range(0, len(pad), 2)][::-1]
    missing = len(_full(e, x)) - len(pairs)
    whole = [(0, 0)] * missing + pairs
    pads = [before for before, _ in whole] + [after for _, after in whole]
    return e.emit("Pad", x, pads, float(value or 0.0), mode=mode)


def sizes(e: Emitter, x: Traced, dim: int | None = None) -> Traced:
    """The shape of x, its batch axis a number that stands for any."""
    full = _full(e, x)
    return full if dim is None else full[dim]


def attribute(e: Emitter, x: Traced, name: str) -> Traced:
    """x.shape, x.ndim, x.T."""
    if not isinstance(x, Rows):
        raise UnsupportedError("it is of no tensor")
    if name == "shape":
        return _full(e, x)
    if name == "ndim":
        return x.rank
    if name in ("T", "mT") and x.rank >= 2:
        order = list(range(x.rank))
        order[-2:] = order[:-3:-1]
        if name == "mT" or x.rank == 2:
            return e.emit("Transpose", x, perm=tuple(order))
    raise UnsupportedError(f"it asks for .{name}")


def _ranged(e: Emitter, x: Rows, axis: int, word: slice, suffix: str) -> Rows:
    size = _full(e, x)[axis]
    low, high, step = word.indices(size)
    if (low, high, step) == (0, size, 1):
        return x
    return e.emit("Slice", x, [low], [high], [axis], [step], suffix=suffix)


def _full(e: Emitter, x: Traced) -> tuple[int, ...]:
    if not isinstance(x, Rows):
        raise UnsupportedError("its input is constant")
    return x.full(e.builder.batch)


def _reshape(e: Emitter, x: Rows, target: list[int]) -> Rows:
    return e.emit("Reshape", x, target, allowzero=1)


STRUCTURE: dict[str, Handler] = {
    "add": binary("Add"),
    "iadd": binary("Add"),
    "sub": binary("Sub"),
    "isub": binary("Sub"),
    "rsub": binary("Sub", turned=True),
    "subtract": binary("Sub"),
    "mul": binary("Mul"),
    "imul": binary("Mul"),
    "multiply": binary("Mul"),
    "div": binary("Div"),
    "truediv": binary("Div"),
    "itruediv": binary("Div"),
    "matmul": binary("MatMul"),
    "bmm": binary("MatMul"),
    "neg": negated,
    "pow": power,
    "square": power,
    "flatten": flattened,
    "unflatten": unflattened,
    "reshape": reshaped,
    "view": reshaped,
    "permute": permuted,
    "transpose": transposed,
    "swapaxes": transposed,
    "squeeze": squeezed,
    "unsqueeze": unsqueezed,
    "cat": joined,
    "concat": joined,
    "stack": stacked,
    "chunk": chunked,
    "split": parted,
    "unbind": unbound,
    "select": selected,
    "narrow": narrowed,
    "getitem": indexed,
    "mean": averaged("ReduceMean"),
    "sum": averaged("ReduceSum"),
    "amax": averaged("ReduceMax"),
    "pad": padded,
    "size": sizes,
    "getattr": attribute,
    "contiguous": same,
    "clone": same,
    "detach": same,
    "to": converted,
    "type": converted,
    "type_as": same,
    "float": same,
    "double": same,
    "half": same,
    "bfloat16": same,
    "cpu": same,
    "cuda": same,
}


def rank_of(e: Emitter, x: Traced) -> int:
    """x.dim()."""
    return len(_full(e, x))


STRUCTURE["dim"] = STRUCTURE["ndimension"] = rank_of
