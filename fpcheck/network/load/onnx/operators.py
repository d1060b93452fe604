"""Every operator that is read, by its name."""

from __future__ import annotations

from collections.abc import Callable

from fpcheck.network.load.onnx import (
    activations,
    elementwise,
    joining,
    linear,
    normalization,
    structural,
    windows,
)
from fpcheck.network.load.onnx.activations import plain
from fpcheck.network.load.onnx.nodes import Op
from fpcheck.network.load.onnx.values import Arguments, Builder, Value

Rule = Callable[[Op, Arguments, Builder], list[Value]]

RULES: dict[str, Rule] = {
    "Gemm": linear.gemm,
    "MatMul": linear.matmul,
    "Conv": linear.conv,
    "ConvTranspose": linear.conv_transpose,
    "BatchNormalization": normalization.batch_norm,
    "LayerNormalization": normalization.layer_norm,
    "RMSNormalization": normalization.rms_norm,
    "InstanceNormalization": normalization.instance_norm,
    "GroupNormalization": normalization.group_norm,
    "ReduceMean": normalization.reduce_mean,
    "ReduceMax": normalization.reduce_max,
    "ReduceSum": normalization.reduce_sum,
    "Relu": plain("relu"),
    "LeakyRelu": plain("leaky_relu", negative_slope=("alpha", 0.01)),
    "Elu": plain("elu", alpha=("alpha", 1.0)),
    "Sigmoid": plain("sigmoid"),
    "Tanh": plain("tanh"),
    "Softplus": plain("softplus"),
    "Softsign": plain("softsign"),
    "Erf": plain("erf"),
    "Sin": plain("sin"),
    "Cos": activations.cosine,
    "Abs": activations.absolute,
    "Gelu": activations.gelu,
    "Selu": activations.selu,
    "Celu": activations.celu,
    "PRelu": activations.prelu,
    "HardSigmoid": activations.hard_sigmoid,
    "HardSwish": activations.hard_swish,
    "Mish": activations.mish,
    "Swish": activations.swish,
    "Shrink": activations.shrink,
    "Clip": activations.clip,
    "Softmax": activations.softmax,
    "Add": elementwise.add,
    "Sum": elementwise.add,
    "Sub": elementwise.subtract,
    "Mul": elementwise.multiply,
    "Div": elementwise.divide,
    "Neg": elementwise.negate,
    "Pow": elementwise.power,
    "Max": activations.extremum(1.0),
    "Min": activations.extremum(-1.0),
    "MaxPool": windows.max_pool,
    "AveragePool": windows.average_pool,
    "GlobalMaxPool": windows.global_max_pool,
    "GlobalAveragePool": windows.global_average_pool,
    "Identity": structural.same,
    "Dropout": structural.same,
    "Cast": structural.cast,
    "CastLike": structural.cast,
    "Reshape": structural.reshape,
    "Flatten": structural.flatten,
    "Squeeze": structural.squeeze,
    "Unsqueeze": structural.unsqueeze,
    "Transpose": structural.transpose,
    "Concat": joining.concat,
    "Slice": structural.slice_,
    "Split": structural.split,
    "Gather": structural.gather,
    "Pad": structural.pad,
    "Expand": structural.expand,
    "Resize": structural.resize,
    "Upsample": structural.resize,
}
# Operators that take what a Pad left for them.
TAKE_PADDING = frozenset({"Conv", "AveragePool", "MaxPool"})
# Operators of other domains whose standard namesake means the same.
FOREIGN = {"com.microsoft": frozenset({"Gelu"})}
