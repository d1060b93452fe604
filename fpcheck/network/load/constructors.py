"""The constructors that a PyTorch checkpoint may name, and what each one turns into here.

Nothing of the file is ever called: a constructor is a row of this table, its result inert data.
What is not in the table is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fpcheck.network.load.stored import Opaque, entry_count


@dataclass(frozen=True, slots=True)
class Constructor:
    """A name of the allow-list; `build` is None where the file may name it but not call it."""

    name: str
    build: Callable[[tuple[object, ...]], object] | None = None


@dataclass(frozen=True, slots=True)
class Storage:
    """A block of numbers in the archive: its entry, its element type, its number of elements."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True, slots=True)
class View:
    """A tensor: a strided view of a storage. Offset and strides count elements of `dtype`."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Attributes(dict[object, object]):
    """The attributes of an object of a TorchScript program, by name."""


class BadArgumentsError(ValueError):
    """The arguments of an allowed constructor are not what it takes."""


# A storage type's element type; sizes are in views.py.
STORAGES = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
    "torch.ComplexFloatStorage": "complex64",
    "torch.ComplexDoubleStorage": "complex128",
    "torch.storage.UntypedStorage": "bytes",
}

_DTYPES = (
    "float64 double float32 float float16 half bfloat16 int64 long int32 int int16 short int8 "
    "uint8 uint16 uint32 uint64 bool complex32 complex64 complex128 float8_e4m3fn float8_e5m2 "
    "float8_e4m3fnuz float8_e5m2fnuz"
)
DTYPES = frozenset(f"torch.{name}" for name in _DTYPES.split())

# Kinds of tensors that are known and not read, with what to do about them.
QUANTIZED = ("a quantized tensor", "save the model from before its quantization")
REFUSED_TENSORS = {
    "_rebuild_sparse_tensor": ("a sparse tensor", "save it dense: tensor.to_dense()"),
    "_rebuild_sparse_csr_tensor": ("a sparse tensor", "save it dense: tensor.to_dense()"),
    "_rebuild_qtensor": ("a quantized tensor", "save it as floats: tensor.dequantize()"),
    "qint8": QUANTIZED,
    "quint8": QUANTIZED,
    "qint32": QUANTIZED,
    "_rebuild_nested_tensor": ("a nested tensor", "save its parts one by one"),
    "_rebuild_meta_tensor_no_storage": ("a tensor without data", "save it from a real device"),
    "_rebuild_wrapper_subclass": ("a tensor subclass", "save plain tensors"),
    "_rebuild_device_tensor_from_numpy": ("a tensor of another device", "move it to the CPU"),
    "_rebuild_device_tensor_from_cpu_tensor": ("a device's tensor", "move it to the CPU"),
}


def constructor(name: str) -> Constructor | None:
    """The allow-list's entry for `name` (module.attribute); None if it is refused."""
    if name in STORAGES or name in DTYPES:
        return Constructor(name)
    return _TABLE.get(name)


def storage_of(persistent_id: object) -> Storage:
    """The storage that a persistent id names: ("storage", type, key, device, count, ...).

    Raises:
        BadArgumentsError: it is no such tuple.
    """
    if not isinstance(persistent_id, tuple) or len(persistent_id) not in (5, 6):
        raise BadArgumentsError("a persistent id that is no storage")
    word, kind, key, _, count = persistent_id[:5]
    if (
        word != "storage"
        or not isinstance(kind, Constructor)
        or kind.name not in STORAGES
        or not isinstance(key, str)
        or type(count) is not int
        or entry_count([count]) is None
        or (len(persistent_id) == 6 and persistent_id[5] is not None)
    ):
        raise BadArgumentsError("a persistent id that is no storage")
    return Storage(key, STORAGES[kind.name], count)


def _tensor(arguments: tuple[object, ...]) -> View:
    """_rebuild_tensor(storage, offset, size, stride, ...); the rest is for gradients."""
    if len(arguments) < 4 or not isinstance(arguments[0], Storage):
        raise BadArgumentsError("a tensor without a storage")
    return _view(arguments[0], arguments[0].dtype, *arguments[1:4])


def _tensor_of_type(arguments: tuple[object, ...]) -> View:
    """_rebuild_tensor_v3(storage, offset, size, stride, grad, hooks, dtype, ...)."""
    if len(arguments) < 7 or not isinstance(arguments[0], Storage):
        raise BadArgumentsError("a tensor without a storage")
    dtype = arguments[6]
    if not isinstance(dtype, Constructor) or dtype.name not in DTYPES:
        raise BadArgumentsError("a tensor without a type")
    return _view(arguments[0], dtype.name.removeprefix("torch."), *arguments[1:4])


def _view(storage: Storage, dtype: str, offset: object, shape: object, strides: object) -> View:
    if (
        type(offset) is not int
        or entry_count([offset]) is None
        or not isinstance(shape, tuple)
        or not isinstance(strides, tuple)
        or len(shape) != len(strides)
        or entry_count(shape) is None
        or any(type(step) is not int for step in strides)
    ):
        raise BadArgumentsError("a tensor whose offset, shape or strides are none")
    return View(storage, dtype, offset, shape, strides)


def _parameter(arguments: tuple[object, ...]) -> View:
    """_rebuild_parameter(tensor, requires_grad, hooks, [state])."""
    if not arguments or not isinstance(arguments[0], View):
        raise BadArgumentsError("a parameter without a tensor")
    return arguments[0]


def _from_type(arguments: tuple[object, ...]) -> object:
    """_rebuild_from_type_v2(constructor, type, arguments, state), for plain tensors alone."""
    if (
        len(arguments) != 4
        or not isinstance(arguments[0], Constructor)
        or arguments[0].build not in (_tensor, _tensor_of_type, _parameter)
        or not isinstance(arguments[1], Constructor)
        or arguments[1].name not in _TENSOR_TYPES
        or not isinstance(arguments[2], tuple)
    ):
        raise BadArgumentsError("a tensor of an unknown type")
    return arguments[0].build(arguments[2])


def _mapping(arguments: tuple[object, ...]) -> dict[object, object]:
    """An ordered dictionary, from nothing or from a list of pairs."""
    if not arguments:
        return {}
    if len(arguments) != 1 or not isinstance(arguments[0], list):
        raise BadArgumentsError("a dictionary of something else than pairs")
    out: dict[object, object] = {}
    for pair in arguments[0]:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or type(pair[0]) is not str:
            raise BadArgumentsError("a dictionary of something else than pairs")
        out[pair[0]] = pair[1]
    return out


def _default_mapping(arguments: tuple[object, ...]) -> dict[object, object]:
    """A defaultdict: a dictionary whose factory is of no interest."""
    return _mapping(arguments[1:])


def _size(arguments: tuple[object, ...]) -> tuple[object, ...]:
    if len(arguments) != 1 or not isinstance(arguments[0], tuple | list):
        raise BadArgumentsError("a size that is no tuple")
    return tuple(arguments[0])


def _opaque(name: str) -> Callable[[tuple[object, ...]], Opaque]:
    def build(arguments: tuple[object, ...]) -> Opaque:
        return Opaque(name)

    return build


_TENSOR_TYPES = frozenset(
    ("torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter",
     "torch.nn.parameter.Buffer")
)  # fmt: skip

# Values that checkpoints carry beside the tensors; of each one only the name is kept.
_INERT = (
    "_codecs.encode argparse.Namespace builtins.set builtins.frozenset builtins.bytearray "
    "builtins.complex builtins.slice builtins.range __builtin__.set __builtin__.frozenset "
    "__builtin__.bytearray __builtin__.complex collections.Counter collections.deque "
    "datetime.date datetime.datetime datetime.time datetime.timedelta datetime.timezone "
    "decimal.Decimal fractions.Fraction uuid.UUID pathlib.PosixPath pathlib.WindowsPath "
    "pathlib.PurePosixPath pathlib.PureWindowsPath pathlib.Path numpy.dtype numpy.ndarray "
    "numpy.core.multiarray.scalar numpy._core.multiarray.scalar "
    "numpy.core.multiarray._reconstruct numpy._core.multiarray._reconstruct "
    "numpy.core.numeric._frombuffer numpy._core.numeric._frombuffer "
    "torch.device torch.serialization._get_layout"
)
# Plain types that a defaultdict or a numpy array names without calling them.
_NAMED = ("list", "dict", "tuple", "int", "long", "float", "str", "unicode", "bool", "bytes")

_TABLE: Mapping[str, Constructor] = {
    entry.name: entry
    for entry in (
        Constructor("torch._utils._rebuild_tensor", _tensor),
        Constructor("torch._utils._rebuild_tensor_v2", _tensor),
        Constructor("torch._utils._rebuild_tensor_v3", _tensor_of_type),
        Constructor("torch._utils._rebuild_parameter", _parameter),
        Constructor("torch._utils._rebuild_parameter_with_state", _parameter),
        Constructor("torch._tensor._rebuild_from_type_v2", _from_type),
        Constructor("collections.OrderedDict", _mapping),
        Constructor("collections.defaultdict", _default_mapping),
        Constructor("torch.Size", _size),
        *(Constructor(name) for name in sorted(_TENSOR_TYPES)),
        *(Constructor(name, _opaque(name)) for name in _INERT.split()),
        *(Constructor(f"builtins.{name}") for name in _NAMED),
        *(Constructor(f"__builtin__.{name}") for name in _NAMED),
    )
}
