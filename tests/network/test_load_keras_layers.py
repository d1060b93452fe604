"""Every layer of Keras that is read gives Keras's own numbers, from `.keras` and from `.h5`."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import pytest
from keras_models import WARNINGS, check, randomise, saved

pytest.importorskip("h5py")
pytest.importorskip("torch")
keras = pytest.importorskip("keras")
L = keras.layers

pytestmark = [pytest.mark.filterwarnings(words) for words in WARNINGS]

VECTOR, SERIES, IMAGE = (6,), (7, 4), (8, 6, 4)
SCALARS = [
    "relu", "sigmoid", "tanh", "softplus", "softsign", "elu", "selu", "gelu", "silu", "swish",
    "leaky_relu", "relu6", "hard_sigmoid", "hard_silu", "hard_swish", "mish", "celu", "hard_tanh",
    "soft_shrink", "tanh_shrink", "log_sigmoid", "sparse_sigmoid", "linear", "softmax",
]  # fmt: skip

CASES = {
    **{f"dense {x}": (VECTOR, lambda x=x: L.Dense(5, activation=x)) for x in SCALARS},
    "dense without bias": (VECTOR, lambda: L.Dense(3, use_bias=False)),
    "dense over positions": (SERIES, lambda: L.Dense(3, activation="tanh")),
    "dense with an activation layer": (VECTOR, lambda: L.Dense(5, activation=L.LeakyReLU(0.3))),
    "activation": (SERIES, lambda: L.Activation("tanh")),
    "relu": (VECTOR, L.ReLU),
    "relu bounded": (VECTOR, lambda: L.ReLU(max_value=0.5)),
    "relu sloped": (VECTOR, lambda: L.ReLU(negative_slope=0.25)),
    "relu bounded and sloped": (VECTOR, lambda: L.ReLU(max_value=0.5, negative_slope=0.25)),
    "leaky": (VECTOR, lambda: L.LeakyReLU(negative_slope=0.4)),
    "elu": (VECTOR, lambda: L.ELU(alpha=0.7)),
    "prelu": (IMAGE, L.PReLU),
    "prelu shared": (IMAGE, lambda: L.PReLU(shared_axes=[1, 2])),
    "softmax": (SERIES, L.Softmax),
    "softmax of positions": (SERIES, lambda: L.Softmax(axis=1)),
    "conv1d": (SERIES, lambda: L.Conv1D(3, 3, strides=2, activation="relu")),
    "conv1d same": (SERIES, lambda: L.Conv1D(3, 4, strides=2, padding="same")),
    "conv1d causal": (SERIES, lambda: L.Conv1D(3, 3, padding="causal", dilation_rate=2)),
    "conv2d": (IMAGE, lambda: L.Conv2D(3, (3, 2), strides=(2, 1))),
    "conv2d same": (IMAGE, lambda: L.Conv2D(3, (4, 3), strides=(3, 2), padding="same")),
    "conv2d dilated": (IMAGE, lambda: L.Conv2D(3, 3, dilation_rate=(2, 1), padding="same")),
    "conv2d grouped": (IMAGE, lambda: L.Conv2D(6, 3, groups=2, activation="gelu")),
    "conv2d channels first": (IMAGE, lambda: L.Conv2D(3, 3, data_format="channels_first")),
    "conv2d softmax": (IMAGE, lambda: L.Conv2D(3, 3, activation="softmax")),
    "depthwise": (IMAGE, lambda: L.DepthwiseConv2D(3, depth_multiplier=2, padding="same")),
    "depthwise1d": (SERIES, lambda: L.DepthwiseConv1D(3, depth_multiplier=2)),
    "separable": (IMAGE, lambda: L.SeparableConv2D(5, 3, depth_multiplier=2, activation="tanh")),
    "separable1d": (SERIES, lambda: L.SeparableConv1D(5, 3, padding="same")),
    "transposed": (IMAGE, lambda: L.Conv2DTranspose(3, 3, strides=2)),
    "transposed same": (IMAGE, lambda: L.Conv2DTranspose(3, 4, strides=2, padding="same")),
    "transposed apart": (IMAGE, lambda: L.Conv2DTranspose(3, 2, strides=3)),
    "transposed1d": (SERIES, lambda: L.Conv1DTranspose(3, 3, strides=2)),
    "batch norm": (IMAGE, L.BatchNormalization),
    "batch norm of a vector": (VECTOR, lambda: L.BatchNormalization(scale=False)),
    "batch norm of axis 1": (IMAGE, lambda: L.BatchNormalization(axis=1, center=False)),
    "batch norm of axis 2": (IMAGE, lambda: L.BatchNormalization(axis=2, epsilon=0.1)),
    "layer norm": (SERIES, L.LayerNormalization),
    "layer norm of two axes": (IMAGE, lambda: L.LayerNormalization(axis=[2, 3], scale=False)),
    "group norm": (IMAGE, lambda: L.GroupNormalization(groups=2)),
    "instance norm": (IMAGE, lambda: L.GroupNormalization(groups=-1)),
    "rms norm": (SERIES, L.RMSNormalization),
    "rescaling": (IMAGE, lambda: L.Rescaling(0.5, offset=-1.0)),
    "normalization": (VECTOR, lambda: L.Normalization(mean=0.5, variance=4.0)),
    "max pool": (IMAGE, lambda: L.MaxPooling2D((3, 2), strides=2, padding="same")),
    "max pool 1d": (SERIES, lambda: L.MaxPooling1D(3)),
    # Keras's PyTorch backend repeats the edge where the padding is uneven; TensorFlow and JAX
    # leave it out, and so do we: here it is even.
    "mean pool": (IMAGE, lambda: L.AveragePooling2D(2, strides=2, padding="same")),
    "mean pool 1d": (SERIES, lambda: L.AveragePooling1D(2)),
    "global mean": (IMAGE, L.GlobalAveragePooling2D),
    "global max": (IMAGE, lambda: L.GlobalMaxPooling2D(keepdims=True)),
    "global mean 1d": (SERIES, L.GlobalAveragePooling1D),
    "global max 1d": (SERIES, L.GlobalMaxPooling1D),
    "flatten": (IMAGE, L.Flatten),
    "flatten channels first": (IMAGE, lambda: L.Flatten(data_format="channels_first")),
    "reshape": (IMAGE, lambda: L.Reshape((-1, 8))),
    "permute": (IMAGE, lambda: L.Permute((3, 1, 2))),
    "repeat": (VECTOR, lambda: L.RepeatVector(3)),
    "zero padding": (IMAGE, lambda: L.ZeroPadding2D(((1, 2), (0, 3)))),
    "zero padding 1d": (SERIES, lambda: L.ZeroPadding1D((2, 1))),
    "cropping": (IMAGE, lambda: L.Cropping2D(((1, 2), (0, 3)))),
    "cropping 1d": (SERIES, lambda: L.Cropping1D((2, 1))),
    "upsampling": (IMAGE, lambda: L.UpSampling2D((2, 3))),
    "upsampling 1d": (SERIES, lambda: L.UpSampling1D(3)),
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("case", CASES)
def test_a_layer_gives_the_numbers_of_keras(tmp_path, case, suffix):
    shape, make = CASES[case]
    model = keras.Sequential([keras.Input(shape), make()])
    randomise(model)
    check(model, saved(model, tmp_path, suffix))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_what_acts_in_training_alone_is_passed_over(tmp_path, suffix):
    layers = [keras.Input(VECTOR), L.Dropout(0.5), L.Dense(3), L.GaussianNoise(0.5)]
    model = keras.Sequential(layers)
    randomise(model)
    check(model, saved(model, tmp_path, suffix))
