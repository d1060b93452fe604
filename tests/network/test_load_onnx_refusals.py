"""Forms of ONNX operators that look like ones that are read, and are others: refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_cases import Case, one, whole, write

from fpcheck.network.load import load
from fpcheck.network.program import forward

pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

SINGLE = 1e-6  # of the largest output: the peer rounds to float32
WINDOW = {"kernel_shape": [2], "strides": [2], "ceil_mode": 1}
HALF, ROOT = np.array(0.5), np.array(np.sqrt(2.0))
FOUR = [np.linspace(0.5, 2.0, 4) + shift for shift in (0.0, 0.1, 0.2, 0.3)]


def gelu(halved: tuple) -> list[tuple]:
    """x (1 + erf(x / root)), and how it is `halved`."""
    return [
        ("Div", ["x", "root"], ["d"], {}),
        ("Erf", ["d"], ["e"], {}),
        ("Add", ["e", "one"], ["a"], {}),
        ("Mul", ["x", "a"], ["p"], {}),
        halved,
    ]


def around_transpose(kind: str, inner: str) -> list[tuple]:
    """A layer, its batch axis moved to the second place, a constant added, and moved back."""
    order = [1, 0, 2, 3] if kind == "Conv" else [1, 0]
    return [
        (kind, ["x", "w"], ["c"], {}),
        ("Transpose", ["c"], ["t"], {"perm": order}),
        ("Add", ["t", inner], ["u"], {}),
        ("Transpose", ["u"], ["y"], {"perm": order}),
    ]


BATCH_NORM = {"s": FOUR[0], "b": FOUR[1], "m": FOUR[2], "v": FOUR[3]}
RELU = ("Relu", ["x"], ["r"], {})
REFUSED = [
    (
        Case(
            "ReduceMean of no axes is of all",
            [RELU, ("ReduceMean", ["r", "axes"], ["y"], {"noop_with_empty_axes": 0})],
            {"axes": whole()},
        ),
        "works across the rows",
    ),
    (
        Case(
            "BatchNormalization that gives its statistics",
            [RELU, ("BatchNormalization", ["r", *BATCH_NORM], ["y", "1", "2", "3", "4"], {})],
            BATCH_NORM,
            (4,),
            opset=9,
        ),
        "training mode",
    ),
    (
        Case(
            "CastLike whole numbers",
            [
                RELU,
                ("CastLike", ["r", "like"], ["c"], {}),
                ("CastLike", ["c", "real"], ["y"], {}),
            ],
            {"like": whole(1), "real": np.ones(1)},
        ),
        "whole numbers",
    ),
    (
        Case(
            "MatMul with a factor of more axes",
            [RELU, ("MatMul", ["r", "w"], ["y"], {})],
            {"w": np.ones((1, 5, 2))},
        ),
        "adds axes",
    ),
    (
        Case(
            "Max with a number of more axes",
            [RELU, ("Max", ["r", "w"], ["y"], {})],
            {"w": np.full((1, 1, 1), 0.2)},
        ),
        "adds axes",
    ),
    (
        Case(
            "Resize that keeps the aspect ratio",
            [
                ("Relu", ["x"], ["r"], {}),
                (
                    "Resize",
                    ["r", "", "", "sizes"],
                    ["y"],
                    {
                        "coordinate_transformation_mode": "asymmetric",
                        "nearest_mode": "floor",
                        "keep_aspect_ratio_policy": "not_larger",
                    },
                ),
            ],
            {"sizes": whole(1, 2, 6, 16)},
            (2, 3, 4),
            batch=1,
        ),
        "not the ones that it states",
    ),
    (
        Case(
            "a number of rows among the numbers",
            [
                ("Shape", ["x"], ["s"], {}),
                ("Gather", ["s", "zero"], ["n"], {"axis": 0}),
                ("Cast", ["n"], ["f"], {"to": 1}),
                RELU,
                ("Div", ["r", "f"], ["y"], {}),
            ],
            {"zero": np.array(0)},
            double=False,
        ),
        "number of rows",
    ),
    (
        Case(
            "a constant along the moved batch axis of a convolution",
            around_transpose("Conv", "b"),
            {"w": np.ones((3, 2, 1, 1)), "b": np.arange(3.0).reshape(3, 1, 1)},
            (2, 4, 4),
            batch=3,
        ),
        "between the rows",
    ),
    (
        Case(
            "a constant along the moved batch axis of a product",
            around_transpose("MatMul", "b"),
            {"w": np.ones((2, 3)), "b": np.arange(3.0)},
            (2,),
            batch=3,
        ),
        "between the rows",
    ),
    (
        Case(
            "a half divided by the rest of a GELU",
            gelu(("Div", ["half", "p"], ["y"], {})),
            {"root": ROOT, "one": np.array(1.0), "half": HALF},
        ),
        "divides by a value",
    ),
    (
        Case(
            "AveragePool beyond the end of what a Pad added",
            [
                ("Pad", ["x", "pads"], ["p"], {}),
                ("AveragePool", ["p"], ["y"], WINDOW),
            ],
            {"pads": whole(0, 0, 1, 0, 0, 1)},
            (1, 5),
        ),
        "under ceil_mode",
    ),
    (
        one(
            "AveragePool",
            (1, 9),
            name="AveragePool that leaves out entries at both ends",
            kernel_shape=[1],
            strides=[3],
            auto_pad="SAME_UPPER",
        ),
        "leave out entries",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("case", "reason"), REFUSED, ids=[case.name for case, _ in REFUSED])
def test_a_form_that_means_something_else_is_refused_by_name(
    case: Case, reason: str, tmp_path: Path
):
    subject = load(write(case, tmp_path / "case.onnx", np.float32))
    said = subject.no_network if subject.partial is None else subject.partial.reason
    assert reason in said


EQUAL = [
    Case(
        "nearly half a GELU",
        gelu(("Mul", ["p", "half"], ["y"], {})),
        {"root": ROOT, "one": np.array(1.0), "half": np.array(0.5004)},
    ),
    Case(
        "a GELU with four digits of the root",
        gelu(("Mul", ["p", "half"], ["y"], {})),
        {"root": np.array(1.4142), "one": np.array(1.0), "half": HALF},
    ),
    Case(
        "four times a GELU by division",
        gelu(("Div", ["p", "half"], ["y"], {})),
        {"root": ROOT, "one": np.array(1.0), "half": HALF},
    ),
    one(
        "ConvTranspose",
        (2, 4),
        {"w": np.linspace(-1.0, 1.0, 12).reshape(2, 3, 2)},
        name="ConvTranspose to a shape beyond its own",
        strides=[2],
        output_shape=[9],
    ),
    one(
        "ConvTranspose",
        (2, 4),
        {"w": np.linspace(-1.0, 1.0, 12).reshape(2, 3, 2)},
        name="ConvTranspose whose windows leave gaps",
        strides=[3],
        auto_pad="SAME_UPPER",
    ),
]


@pytest.mark.parametrize("case", EQUAL, ids=[case.name for case in EQUAL])
def test_what_is_near_to_a_known_form_is_computed_as_it_is(case: Case, tmp_path: Path):
    path = write(case, tmp_path / "case.onnx", np.float32)
    rows = np.random.default_rng(3).standard_normal((2, *case.shape)).astype(np.float32)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    (expected,) = ort.InferenceSession(str(path), options).run(None, {"x": rows})
    subject = load(path)
    assert subject.network is not None, subject.no_network
    assert subject.partial is None
    found = forward(subject.network.program, rows.astype(np.float64))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=SINGLE * np.abs(expected).max())
