"""Writes tests/files/onnx: the reference networks and one graph that stops, by onnx.helper.

    python tests/files/make_onnx.py

Each operator's own files are made while its test runs (tests/network/test_load_onnx_operators.py).
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from reference import CNN_INPUT, FOLDER, MLP_INPUT, cnn, mlp

OPSET = 17
TARGET = FOLDER / "onnx"


def save(
    name: str,
    nodes: list[onnx.NodeProto],
    weights: dict[str, np.ndarray],
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    kind: int = TensorProto.FLOAT,
    external: str = "",
) -> None:
    """Write a model with a dynamic batch axis, its input `x`, its output `y`."""
    inputs, outputs = (
        [helper.make_tensor_value_info(value, kind, ["batch", *shape])]
        for value, shape in zip("xy", shapes, strict=True)
    )
    stored = [numpy_helper.from_array(array, key) for key, array in weights.items()]
    graph = helper.make_graph(nodes, name, inputs, outputs, stored)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8, producer_name="fpcheck")
    onnx.checker.check_model(model, full_check=True)
    path = str(TARGET / f"{name}.onnx")
    if external:
        (TARGET / external).unlink(missing_ok=True)  # it would be appended to
        onnx.save(
            model,
            path,
            save_as_external_data=True,
            location=external,
            size_threshold=0,
        )
    else:
        onnx.save(model, path)


def tensors(layers: dict[str, tuple[np.ndarray, np.ndarray]], kind: type) -> dict[str, np.ndarray]:
    """Weights and biases under the names that PyTorch's exporter gives them."""
    return {
        f"{layer}.{part}": array.astype(kind)
        for layer, pair in layers.items()
        for part, array in zip(("weight", "bias"), pair, strict=True)
    }


def mlp_nodes() -> list[onnx.NodeProto]:
    """Gemm, Tanh, Gemm, Tanh, Gemm."""
    nodes, value = [], "x"
    for layer in mlp():
        out = "y" if layer == "output" else f"{layer}.out"
        inputs = [value, f"{layer}.weight", f"{layer}.bias"]
        nodes.append(helper.make_node("Gemm", inputs, [out], layer, transB=1))
        if layer != "output":
            nodes.append(helper.make_node("Tanh", [out], [f"{layer}.tanh"], f"{layer}.tanh"))
            value = f"{layer}.tanh"
    return nodes


def mlp_products(weights: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    """The same with MatMul and Add, as Keras's exporters write it: matrices are (in, out)."""
    nodes, value = [], "x"
    for layer in mlp():
        weights[f"{layer}.weight"] = np.ascontiguousarray(weights[f"{layer}.weight"].T)
        out = "y" if layer == "output" else f"{layer}.out"
        product = [f"{layer}.product"]
        nodes.append(helper.make_node("MatMul", [value, f"{layer}.weight"], product, layer))
        nodes.append(helper.make_node("Add", [*product, f"{layer}.bias"], [out]))
        if layer != "output":
            nodes.append(helper.make_node("Tanh", [out], [f"{layer}.tanh"], f"{layer}.tanh"))
            value = f"{layer}.tanh"
    return nodes


def cnn_nodes() -> list[onnx.NodeProto]:
    """Conv, Relu, MaxPool, Conv, Relu, Flatten, Gemm."""
    make = helper.make_node
    return [
        make("Conv", ["x", "conv1.weight", "conv1.bias"], ["a"], "conv1", pads=[1, 1, 1, 1]),
        make("Relu", ["a"], ["b"], "relu1"),
        make("MaxPool", ["b"], ["c"], "pool1", kernel_shape=[2, 2], strides=[2, 2]),
        make("Conv", ["c", "conv2.weight", "conv2.bias"], ["d"], "conv2"),
        make("Relu", ["d"], ["e"], "relu2"),
        make("Flatten", ["e"], ["f"], "flatten"),
        make("Gemm", ["f", "output.weight", "output.bias"], ["y"], "output", transB=1),
    ]


def main() -> None:
    """Write all files."""
    TARGET.mkdir(exist_ok=True)
    single = tensors(mlp(), np.float32)
    flat = (MLP_INPUT, (6,))
    save("mlp", mlp_nodes(), single, flat)
    save("mlp_external", mlp_nodes(), single, flat, external="mlp_external.bin")
    save("mlp_double", mlp_nodes(), tensors(mlp(), np.float64), flat, TensorProto.DOUBLE)
    products = dict(single)
    save("mlp_matmul", mlp_products(products), products, flat)
    save("cnn", cnn_nodes(), tensors(cnn(), np.float32), (CNN_INPUT, (5,)))
    stopped = mlp_nodes()
    stopped[3] = helper.make_node("ThresholdedRelu", ["hidden2.out"], ["hidden2.tanh"], "stop")
    save("mlp_stopped", stopped, single, flat)


if __name__ == "__main__":
    main()
