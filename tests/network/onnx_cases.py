"""Small ONNX graphs, one an operator or a form of it, made with onnx.helper."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

RNG = np.random.default_rng(11)
BATCH = "batch"


def drawn(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape) * 0.7


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


@dataclass(frozen=True)
class Case:
    """Nodes as (op, inputs, outputs, attributes), from `x` to `y`. `double`: whether the peer
    computes them in double, so that they are held to a tighter tolerance."""

    name: str
    nodes: list[tuple]
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    shape: tuple[int, ...] = (5,)
    opset: int = 18
    double: bool = True
    batch: str | int = BATCH


def one(op: str, shape=(5,), weights=None, name="", opset=18, double=True, **attributes) -> Case:
    weights = weights or {}
    nodes = [(op, ["x", *weights], ["y"], attributes)]
    return Case(name or op, nodes, weights, shape, opset, double)


IMAGE, LINE, TOKENS = (4, 6, 5), (4, 9), (3, 4)
single = {"double": False}

LINEAR = [
    one("Gemm", weights={"w": drawn(3, 5), "b": drawn(3)}, transB=1),
    one("Gemm", weights={"w": drawn(5, 3)}, name="Gemm without bias"),
    one(
        "Gemm",
        weights={"w": drawn(5, 3), "b": drawn(1, 3)},
        name="Gemm scaled",
        alpha=0.5,
        beta=2.0,
    ),
    one(
        "Gemm", weights={"w": drawn(3, 5), "b": np.array(0.3)}, name="Gemm with a scalar", transB=1
    ),
    one("MatMul", weights={"w": drawn(5, 3)}),
    one("MatMul", (3, 5), {"w": drawn(5, 2)}, name="MatMul of tokens"),
    Case(
        "MatMul by a transpose",
        [
            ("Transpose", ["w"], ["t"], {"perm": [1, 0]}),
            ("MatMul", ["x", "t"], ["y"], {}),
        ],
        {"w": drawn(3, 5)},
    ),
    Case("MatMul from the left", [("MatMul", ["w", "x"], ["y"], {})], {"w": drawn(2, 3)}, (3, 4)),
    Case(
        "MatMul and Add",
        [
            ("MatMul", ["x", "w"], ["m"], {}),
            ("Add", ["b", "m"], ["y"], {}),
        ],
        {"w": drawn(5, 3), "b": drawn(3)},
    ),
    Case(
        "attention scores",
        [
            ("MatMul", ["x", "q"], ["a"], {}),
            ("MatMul", ["x", "k"], ["b"], {}),
            ("Transpose", ["b"], ["t"], {"perm": [0, 2, 1]}),
            ("MatMul", ["a", "t"], ["s"], {}),
            ("Div", ["s", "root"], ["d"], {}),
            ("Softmax", ["d"], ["p"], {"axis": -1}),
            ("MatMul", ["p", "x"], ["y"], {}),
        ],
        {"q": drawn(4, 4), "k": drawn(4, 4), "root": np.array(2.0)},
        TOKENS,
    ),
    one("Conv", IMAGE, {"w": drawn(6, 4, 3, 2), "b": drawn(6)}, pads=[1, 0, 2, 1], **single),
    one(
        "Conv",
        IMAGE,
        {"w": drawn(8, 2, 3, 3)},
        name="Conv in groups, strided, dilated",
        group=2,
        strides=[2, 1],
        dilations=[1, 2],
        pads=[1, 2, 1, 2],
        **single,
    ),
    one(
        "Conv",
        IMAGE,
        {"w": drawn(4, 1, 3, 3)},
        name="Conv depthwise, SAME_UPPER",
        group=4,
        auto_pad="SAME_UPPER",
        strides=[2, 2],
        **single,
    ),
    one(
        "Conv",
        LINE,
        {"w": drawn(3, 4, 4)},
        name="Conv of a sequence, SAME_LOWER",
        auto_pad="SAME_LOWER",
        **single,
    ),
    one("Conv", LINE, {"w": drawn(3, 4, 4)}, name="Conv VALID", auto_pad="VALID", **single),
    one(
        "ConvTranspose",
        IMAGE,
        {"w": drawn(4, 3, 3, 3), "b": drawn(3)},
        strides=[2, 2],
        pads=[1, 0, 1, 1],
        output_padding=[1, 0],
        **single,
    ),
    one(
        "ConvTranspose",
        LINE,
        {"w": drawn(4, 2, 3)},
        name="ConvTranspose in groups",
        group=2,
        dilations=[2],
        **single,
    ),
    one(
        "ConvTranspose",
        IMAGE,
        {"w": drawn(4, 2, 3, 3)},
        name="ConvTranspose to a shape",
        strides=[2, 2],
        output_shape=[12, 10],
        **single,
    ),
    one(
        "ConvTranspose",
        IMAGE,
        {"w": drawn(4, 2, 3, 3)},
        name="ConvTranspose SAME_UPPER",
        strides=[2, 2],
        auto_pad="SAME_UPPER",
        **single,
    ),
    one(
        "ConvTranspose",
        IMAGE,
        {"w": drawn(4, 2, 3, 3)},
        name="ConvTranspose SAME_LOWER",
        strides=[2, 2],
        auto_pad="SAME_LOWER",
        **single,
    ),
    Case(
        "Pad and Conv",
        [
            ("Pad", ["x", "pads"], ["p"], {}),
            ("Conv", ["p", "w"], ["y"], {}),
        ],
        {"pads": whole(0, 0, 1, 2, 0, 0, 0, 1), "w": drawn(2, 4, 3, 3)},
        IMAGE,
        **single,
    ),
    Case(
        "Conv and Add",
        [
            ("Conv", ["x", "w"], ["c"], {}),
            ("Add", ["c", "b"], ["y"], {}),
        ],
        {"w": drawn(2, 4, 3, 3), "b": drawn(2, 1, 1)},
        IMAGE,
        **single,
    ),
]

ACTIVATIONS = [
    *(
        one(op)
        for op in (
            "Relu",
            "Sigmoid",
            "Tanh",
            "Softplus",
            "Softsign",
            "Sin",
            "Cos",
            "Abs",
            "Neg",
            "Identity",
            "Elu",
            "Mish",
        )
    ),
    # The peer computes these in single precision whatever the type, or has no double.
    *(one(op, **single) for op in ("Erf", "Selu", "LeakyRelu", "HardSigmoid", "HardSwish", "Celu")),
    one("Cast", to=1, **single),
    one("Elu", name="Elu of another alpha", alpha=0.4),
    one("Selu", name="Selu of other constants", alpha=0.5, gamma=1.5),
    one("Celu", name="Celu of another alpha", alpha=0.4, **single),
    one("LeakyRelu", name="LeakyRelu of another slope", alpha=0.3),
    one("HardSigmoid", name="HardSigmoid of other constants", alpha=0.3, beta=0.4),
    one("Shrink", name="Shrink as a soft threshold", lambd=0.4, bias=0.4, **single),
    one("Gelu", opset=20, **single),
    one("Gelu", opset=20, name="Gelu by tanh", approximate="tanh", **single),
    one("PRelu", IMAGE, {"s": drawn(4, 1, 1)}),
    one("PRelu", weights={"s": np.array([0.2])}, name="PRelu of one slope"),
    one("Clip", weights={"low": np.array(-0.3), "high": np.array(0.6)}),
    one("Clip", weights={"low": np.array(0.2)}, name="Clip from below"),
    Case("Clip from above", [("Clip", ["x", "", "h"], ["y"], {})], {"h": np.array(0.4)}),
    one("Max", weights={"low": np.array(0.0)}),
    one("Min", weights={"h": np.array(0.5)}),
    one("Softmax", IMAGE, axis=1),
    one("Softmax", TOKENS, name="Softmax of all axes", opset=11, axis=1),
    Case(
        "GELU spelt out",
        [
            ("Div", ["x", "r"], ["d"], {}),
            ("Erf", ["d"], ["e"], {}),
            ("Add", ["e", "one"], ["a"], {}),
            ("Mul", ["x", "a"], ["m"], {}),
            ("Mul", ["m", "half"], ["y"], {}),
        ],
        {"r": np.array(2**0.5), "one": np.array(1.0), "half": np.array(0.5)},
        **single,
    ),
    Case("SiLU spelt out", [("Sigmoid", ["x"], ["s"], {}), ("Mul", ["x", "s"], ["y"], {})]),
    one("Dropout"),
]

NORMS = [
    one(
        "BatchNormalization",
        IMAGE,
        {"s": drawn(4), "b": drawn(4), "m": drawn(4), "v": np.abs(drawn(4))},
        epsilon=0.01,
        opset=15,
    ),
    one("LayerNormalization", TOKENS, {"s": drawn(4), "b": drawn(4)}),
    one(
        "LayerNormalization",
        TOKENS,
        {"s": drawn(3, 4)},
        name="LayerNormalization of two axes",
        axis=1,
    ),
    one("InstanceNormalization", IMAGE, {"s": drawn(4), "b": drawn(4)}, **single),
    one(
        "GroupNormalization",
        IMAGE,
        {"s": drawn(4), "b": drawn(4)},
        opset=21,
        num_groups=2,
        **single,
    ),
    one("RMSNormalization", TOKENS, {"s": drawn(4)}, opset=23, **single),
    Case(
        "LayerNorm spelt out",
        [
            ("ReduceMean", ["x"], ["m"], {"axes": [-1]}),
            ("Sub", ["x", "m"], ["c"], {}),
            ("Pow", ["c", "two"], ["q"], {}),
            ("ReduceMean", ["q"], ["v"], {"axes": [-1]}),
            ("Add", ["v", "eps"], ["a"], {}),
            ("Sqrt", ["a"], ["r"], {}),
            ("Div", ["c", "r"], ["n"], {}),
            ("Mul", ["n", "s"], ["t"], {}),
            ("Add", ["t", "b"], ["y"], {}),
        ],
        {"two": np.array(2.0), "eps": np.array(1e-3), "s": drawn(4), "b": drawn(4)},
        TOKENS,
        17,
        **single,
    ),
]

POOLS = [
    one("MaxPool", IMAGE, kernel_shape=[2, 3], strides=[2, 1], pads=[1, 1, 0, 1]),
    one(
        "MaxPool",
        IMAGE,
        name="MaxPool SAME_UPPER",
        kernel_shape=[3, 3],
        strides=[2, 2],
        auto_pad="SAME_UPPER",
    ),
    one(
        "MaxPool",
        IMAGE,
        name="MaxPool with ceil_mode",
        kernel_shape=[3, 2],
        strides=[2, 2],
        ceil_mode=1,
    ),
    one("AveragePool", IMAGE, kernel_shape=[2, 3], strides=[2, 1], pads=[1, 1, 0, 1], **single),
    one(
        "AveragePool",
        LINE,
        name="AveragePool that counts padding",
        kernel_shape=[4],
        strides=[2],
        pads=[1, 1],
        count_include_pad=1,
        **single,
    ),
    one(
        "AveragePool",
        IMAGE,
        name="AveragePool with ceil_mode",
        kernel_shape=[3, 2],
        strides=[2, 2],
        ceil_mode=1,
        opset=19,
        **single,
    ),
    one("GlobalAveragePool", IMAGE, **single),
    one("GlobalMaxPool", LINE, **single),
    one("ReduceMean", IMAGE, {"axes": whole(2, 3)}, keepdims=0),
    one("ReduceMean", IMAGE, opset=13, name="ReduceMean of one axis", axes=[1]),
    one("ReduceSum", IMAGE, {"axes": whole(-1)}),
    one("ReduceMax", TOKENS, {"axes": whole(1)}),
]

ARITHMETIC = [
    one("Add", IMAGE, {"c": drawn(4, 1, 1)}),
    one("Sub", weights={"c": drawn(5)}),
    one("Mul", IMAGE, {"c": drawn(1, 4, 1, 5)}),
    one("Div", weights={"c": drawn(5)}),
    Case("Sub from a constant", [("Sub", ["c", "x"], ["y"], {})], {"c": drawn(5)}),
    Case("Sub of two values", [("Tanh", ["x"], ["t"], {}), ("Sub", ["t", "x"], ["y"], {})]),
    Case("Sum of three", [("Tanh", ["x"], ["t"], {}), ("Sum", ["t", "x", "x"], ["y"], {})]),
    one("Pow", weights={"e": np.array(2.0)}),
    one("Pow", weights={"e": np.array(3.0)}, name="cube"),
    Case(
        "squeeze and excite",
        [
            ("GlobalAveragePool", ["x"], ["g"], {}),
            ("Conv", ["g", "w"], ["c"], {}),
            ("Sigmoid", ["c"], ["s"], {}),
            ("Mul", ["x", "s"], ["y"], {}),
        ],
        {"w": drawn(4, 4, 1, 1)},
        IMAGE,
        **single,
    ),
]

MOVES = [
    one("Flatten", IMAGE), one("Transpose", IMAGE, perm=[0, 3, 1, 2]),
    one("Reshape", IMAGE, {"s": whole(0, -1)}), one("Reshape", IMAGE, {"s": whole(-1, 2, 60)},
                                                   name="Reshape to three axes"),
    one("Squeeze", (1, 5, 1), {"axes": whole(1, -1)}), one("Unsqueeze", weights={"a": whole(1)}),
    one("Slice", IMAGE, {"a": whole(1, -4), "b": whole(3, 2**62), "c": whole(1, 2),
                         "d": whole(1, 2)}),
    one("Gather", IMAGE, {"i": np.array(2)}, axis=1), one("Gather", IMAGE, {"i": whole(3, 0, 0)},
                                                         name="Gather of several", axis=2),
    Case("Split and Concat", [
        ("Split", ["x", "s"], ["a", "b"], {"axis": 2}), ("Tanh", ["a"], ["t"], {}),
        ("Concat", ["b", "t", "b"], ["y"], {"axis": 2}),
    ], {"s": whole(2, 4)}, IMAGE),
    Case("two transposes that move the batch", [
        ("Transpose", ["x"], ["t"], {"perm": [1, 0, 2]}), ("MatMul", ["t", "w"], ["m"], {}),
        ("Relu", ["m"], ["r"], {}), ("Transpose", ["r"], ["y"], {"perm": [1, 0, 2]}),
    ], {"w": drawn(4, 2)}, TOKENS),
    Case("a shape that is computed", [
        ("Shape", ["x"], ["s"], {}), ("Gather", ["s", "zero"], ["n"], {"axis": 0}),
        ("Unsqueeze", ["n", "first"], ["u"], {}), ("Concat", ["u", "rest"], ["t"], {"axis": 0}),
        ("Reshape", ["x", "t"], ["y"], {}),
    ], {"zero": np.array(0), "first": whole(0), "rest": whole(-1, 10)}, IMAGE),
    Case("Reshape of a fixed batch", [("Reshape", ["x", "s"], ["y"], {})], {"s": whole(2, 120)},
         IMAGE, batch=2),
    Case("Resize by whole factors", [
        ("Resize", ["x", "", "f"], ["y"], {"mode": "nearest", "nearest_mode": "floor",
                                           "coordinate_transformation_mode": "asymmetric"}),
    ], {"f": np.array([1.0, 1.0, 2.0, 3.0], dtype=np.float32)}, IMAGE, **single),
    one("Expand", weights={"s": whole(1, 5)}),
    Case(
        "class token",
        [
            ("Shape", ["x"], ["n"], {"end": 1}),
            ("Concat", ["n", "sizes"], ["s"], {"axis": 0}),
            ("Expand", ["token", "s"], ["t"], {}),
            ("Concat", ["t", "x"], ["z"], {"axis": 1}),
            ("Mul", ["z", "z"], ["y"], {}),
        ],
        {"sizes": whole(2, 4), "token": drawn(1, 2, 4)},
        TOKENS,
    ),
    Case(
        "bounds and remainders of sizes",
        [
            ("Shape", ["x"], ["n"], {"start": 1}),
            ("Mod", ["n", "five"], ["m"], {}),
            ("Clip", ["m", "", "two"], ["c"], {}),
            ("Tile", ["c", "one"], ["t"], {}),
            ("Max", ["t", "one", "two"], ["s"], {}),
            ("Concat", ["minus", "s"], ["r"], {"axis": 0}),
            ("Reshape", ["x", "r"], ["y"], {}),
        ],
        {"five": whole(5), "two": whole(2), "one": whole(1), "minus": whole(-1, 3)},
        (6,),
    ),
]  # fmt: skip

CASES = [*LINEAR, *ACTIVATIONS, *NORMS, *POOLS, *ARITHMETIC, *MOVES]


def write(case: Case, path: Path, kind: type) -> Path:
    """The model of a case in floating type `kind`, its batch axis dynamic unless the case fixes
    it."""
    import onnx
    from onnx import helper, numpy_helper

    stored = [
        numpy_helper.from_array(w.astype(kind) if w.dtype.kind == "f" and name != "f" else w, name)
        for name, w in case.weights.items()
    ]
    code = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    nodes = [
        helper.make_node(op, inputs, outputs, f"{op}{place}", **attributes)
        for place, (op, inputs, outputs, attributes) in enumerate(case.nodes)
    ]
    value = helper.make_tensor_value_info("x", code, [case.batch, *case.shape])
    result = helper.make_tensor_value_info("y", code, None)
    graph = helper.make_graph(nodes, "case", [value], [result], stored)
    opset = helper.make_opsetid("", case.opset)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), path)
    return path
