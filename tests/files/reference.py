"""The two networks that every format's test file holds, as NumPy arrays.

(a) MLP: 6 -> 5 -> 4 -> 6, tanh behind the hidden layers, linear out.
(b) CNN: row 2 x 8 x 8, conv 3 (3 x 3, padding 1), relu, max pool 2, conv 4 (3 x 3), relu, flatten,
    dense 5.

Weights are in (out, in, *kernel) order, float32. Imported by tests as `files.reference`, by the
scripts beside it as `reference`.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent

MLP_SHAPES = {"hidden1": (5, 6), "hidden2": (4, 5), "output": (6, 4)}
CNN_SHAPES = {"conv1": (3, 2, 3, 3), "conv2": (4, 3, 3, 3), "output": (5, 16)}
MLP_INPUT = (6,)
CNN_INPUT = (2, 8, 8)
BIAS_STD = 0.1  # biases are N(0, 0.01)

Layers = dict[str, tuple[np.ndarray, np.ndarray]]


def _drawn(shapes: dict[str, tuple[int, ...]]) -> Layers:
    """(weight, bias) of every layer: N(0, 1/fan_in) and N(0, 0.01), layer by layer."""
    rng = np.random.default_rng(7)
    layers = {}
    for name, shape in shapes.items():
        weight = rng.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))
        bias = rng.standard_normal(shape[0]) * BIAS_STD
        layers[name] = (weight.astype(np.float32), bias.astype(np.float32))
    return layers


def mlp() -> Layers:
    """The MLP's layers in order: name -> (weight (out, in), bias (out,))."""
    return _drawn(MLP_SHAPES)


def cnn() -> Layers:
    """The CNN's layers in order: name -> (weight (out, in, *kernel), bias (out,))."""
    return _drawn(CNN_SHAPES)


def mlp_outputs(rows: np.ndarray) -> np.ndarray:
    """The MLP's outputs (n, 6) of rows (n, 6), in float64."""
    values = np.asarray(rows, dtype=np.float64)
    layers = list(mlp().values())
    for weight, bias in layers[:-1]:
        values = np.tanh(values @ weight.T.astype(np.float64) + bias)
    weight, bias = layers[-1]
    return values @ weight.T.astype(np.float64) + bias


def cnn_outputs(images: np.ndarray) -> np.ndarray:
    """The CNN's outputs (n, 5) of images (n, 2, 8, 8), in float64."""
    layers = cnn()
    values = np.maximum(_convolved(np.asarray(images, np.float64), *layers["conv1"], padding=1), 0)
    n, channels, height, width = values.shape
    values = values.reshape(n, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5))
    values = np.maximum(_convolved(values, *layers["conv2"], padding=0), 0)
    weight, bias = layers["output"]
    return values.reshape(n, -1) @ weight.T.astype(np.float64) + bias


def _convolved(
    images: np.ndarray, weight: np.ndarray, bias: np.ndarray, padding: int
) -> np.ndarray:
    """The cross-correlation of images (n, in, h, w) with weight (out, in, kh, kw)."""
    edges = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    padded = np.pad(images, edges)
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(2, 3))
    values = np.einsum("nihwab,oiab->nohw", windows, weight.astype(np.float64))
    return values + bias[:, None, None]
