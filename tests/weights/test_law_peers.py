"""Layers initialised by PyTorch, Keras and JAX themselves are recognised by the right name."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from drawn_laws import known, not_excluded

from fpcheck.weights.matrix_laws import laws

SHAPE = (300, 200)  # PyTorch's (units, fan_in)


@pytest.fixture
def torch():
    module = pytest.importorskip("torch")
    module.manual_seed(3)
    return module


TORCH = {
    "he_normal": lambda init, w: init.kaiming_normal_(w),
    "he_uniform": lambda init, w: init.kaiming_uniform_(w),
    "he_normal_fan_out": lambda init, w: init.kaiming_normal_(w, mode="fan_out"),
    "glorot_normal": lambda init, w: init.xavier_normal_(w),
    "glorot_uniform": lambda init, w: init.xavier_uniform_(w),
    "lecun_normal": lambda init, w: init.kaiming_normal_(w, nonlinearity="linear"),
    "torch_default": lambda init, w: init.kaiming_uniform_(w, a=math.sqrt(5)),
    "orthogonal": lambda init, w: init.orthogonal_(w),
    "orthogonal_gain_sqrt2": lambda init, w: init.orthogonal_(w, gain=math.sqrt(2)),
    "normal_0.02": lambda init, w: init.normal_(w, std=0.02),
    "normal_0.02_truncated": lambda init, w: init.trunc_normal_(w, std=0.02, a=-0.04, b=0.04),
    "zeros": lambda init, w: init.zeros_(w),
}


@pytest.mark.parametrize("name", TORCH)
def test_torch_nn_init(torch, name):
    weight = torch.empty(SHAPE)
    TORCH[name](torch.nn.init, weight)
    law = known(weight.numpy().astype(np.float64))
    assert (law.initialiser, law.initialiser_status) == (name, "certain")


@pytest.mark.parametrize("kind", ["Linear", "Conv2d", "Conv1d"])
def test_pytorch_s_layers_start_at_the_default_with_its_bias(torch, kind):
    layer = {
        "Linear": lambda: torch.nn.Linear(200, 100),
        "Conv2d": lambda: torch.nn.Conv2d(16, 32, 3),
        "Conv1d": lambda: torch.nn.Conv1d(16, 64, 5, groups=2),
    }[kind]()
    tensors = {name: value.numpy() for name, value in layer.state_dict().items()}
    law = laws(tensors, None)["weight"]
    assert (law.initialiser, law.bias) == ("torch_default", "as PyTorch's default")


def test_pytorch_s_embedding_is_standard_normal(torch):
    weight = torch.nn.Embedding(500, 64).weight.detach().numpy()
    assert laws({"weight": weight}, None)["weight"].initialiser == "standard_normal"


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_pytorch_s_recurrent_layers_start_at_their_own_default(torch, kind):
    cell = getattr(torch.nn, kind)(60, 100)
    tensors = {name: value.numpy() for name, value in cell.state_dict().items()}
    found = laws(tensors, None)
    assert found["weight_ih_l0"].initialiser == "torch_rnn_default"
    assert found["weight_hh_l0"].initialiser == "torch_default"


KERAS = {
    "HeNormal": "he_normal_truncated",
    "HeUniform": "he_uniform",
    "GlorotNormal": "glorot_normal_truncated",
    "GlorotUniform": "glorot_uniform",
    "LecunNormal": "lecun_normal_truncated",
    "LecunUniform": "lecun_uniform",
    "RandomNormal": "normal_0.05",
    "RandomUniform": "uniform_0.05",
    "Orthogonal": "orthogonal",
}


@pytest.mark.parametrize("shape", [(200, 300), (3, 3, 24, 40)], ids=["dense", "conv"])
@pytest.mark.parametrize("name", KERAS)
def test_keras_initialisers(monkeypatch, name, shape):
    pytest.importorskip("torch")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its imports and conversions
        keras = pytest.importorskip("keras")
        drawn = getattr(keras.initializers, name)(seed=4)(shape)
        tensor = keras.ops.convert_to_numpy(drawn)
    law = laws({"dense/kernel": tensor}, None)["dense/kernel"]
    assert (law.initialiser or not_excluded(law)) == KERAS[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("he_normal", "he_normal_truncated"),
        ("lecun_normal", "lecun_normal_truncated"),
        ("glorot_uniform", "glorot_uniform"),
        ("orthogonal", "orthogonal"),
    ],
)
def test_jax_initialisers(name, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jax = pytest.importorskip("jax")
    drawn = getattr(jax.nn.initializers, name)()(jax.random.key(5), (200, 300))
    law = laws({"params/Dense_0/kernel": np.asarray(drawn)}, None)["params/Dense_0/kernel"]
    assert law.initialiser == expected
