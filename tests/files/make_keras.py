"""Writes tests/files/keras: the reference networks and recurrent layers, by Keras 3 on PyTorch.

    KERAS_BACKEND=torch python tests/files/make_keras.py

`cnn` takes channels-first rows as the reference does; `cnn_last` is the same network on rows with
the channels last. `keras2.h5` is written with h5py as Keras 2.3 laid its files out.
"""

from __future__ import annotations

import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import h5py
import keras
import numpy as np
from reference import CNN_INPUT, FOLDER, MLP_INPUT, cnn, mlp

TARGET = FOLDER / "keras"
layers = keras.layers


def save(name: str, model: keras.Model) -> None:
    """Write a model in both of Keras's formats."""
    for suffix in (".keras", ".h5"):
        model.save(TARGET / f"{name}{suffix}")


def mlp_model() -> keras.Model:
    """The MLP: kernels are (in, out)."""
    parts = [layers.Dense(len(bias), name=name) for name, (_, bias) in mlp().items()]
    for part in parts[:-1]:
        part.activation = keras.activations.tanh
    model = keras.Sequential([keras.Input(MLP_INPUT), *parts])
    for part, (weight, bias) in zip(parts, mlp().values(), strict=True):
        part.set_weights([weight.T, bias])
    return model


def cnn_model(data_format: str) -> keras.Model:
    """The CNN: kernels are (height, width, in, out)."""
    last = data_format == "channels_last"
    shape = (*CNN_INPUT[1:], CNN_INPUT[0]) if last else CNN_INPUT
    kept = {"data_format": data_format}
    conv1 = layers.Conv2D(3, 3, padding="same", activation="relu", name="conv1", **kept)
    conv2 = layers.Conv2D(4, 3, activation="relu", name="conv2", **kept)
    output = layers.Dense(5, name="output")
    start = keras.Input(shape)
    x = layers.MaxPooling2D(2, name="pool1", **kept)(conv1(start))
    model = keras.Model(start, output(layers.Flatten()(conv2(x))))
    weights = cnn()
    for part in (conv1, conv2):
        weight, bias = weights[part.name]
        part.set_weights([weight.transpose(2, 3, 1, 0), bias])
    weight, bias = weights["output"]
    if last:  # the flat features lie (height, width, channel), not (channel, height, width)
        weight = weight.reshape(5, 4, 2, 2).transpose(0, 2, 3, 1).reshape(5, 16)
    output.set_weights([weight.T, bias])
    return model


def recurrent_model() -> keras.Model:
    """A bidirectional GRU behind an LSTM behind an Elman layer, seven steps long."""
    parts = [
        layers.SimpleRNN(3, return_sequences=True, name="elman"),
        layers.LSTM(4, return_sequences=True, name="lstm"),
        layers.Bidirectional(layers.GRU(2), name="both"),
        layers.Dense(2, name="output"),
    ]
    model = keras.Sequential([keras.Input((7, 5)), *parts])
    rng = np.random.default_rng(11)
    for weight in model.weights:
        weight.assign(rng.standard_normal(weight.shape) * 0.5)
    return model


def keras2_file() -> None:
    """An `.h5` file as Keras 2.3 laid it out: `:0` behind names, no module, batch_input_shape."""
    names = list(mlp())
    entries = [
        {
            "class_name": "Dense",
            "config": {
                "name": name,
                "trainable": True,
                "dtype": "float32",
                "units": len(bias),
                "activation": "linear" if name == names[-1] else "tanh",
                "use_bias": True,
            },
        }
        for name, (_, bias) in mlp().items()
    ]
    entries[0]["config"]["batch_input_shape"] = [None, *MLP_INPUT]
    config = {"class_name": "Sequential", "config": {"name": "sequential_1", "layers": entries}}
    with h5py.File(TARGET / "keras2.h5", "w") as file:
        file.attrs["keras_version"] = b"2.3.1"
        file.attrs["backend"] = b"tensorflow"
        file.attrs["model_config"] = json.dumps(config).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in names]
        for name, (weight, bias) in mlp().items():
            own = group.create_group(name)
            own.attrs["weight_names"] = [f"{name}/{part}:0".encode() for part in ("kernel", "bias")]
            own.create_dataset(f"{name}/kernel:0", data=weight.T)
            own.create_dataset(f"{name}/bias:0", data=bias)


if __name__ == "__main__":
    TARGET.mkdir(exist_ok=True)
    save("mlp", mlp_model())
    save("cnn", cnn_model("channels_first"))
    save("cnn_last", cnn_model("channels_last"))
    save("recurrent", recurrent_model())
    keras2_file()
