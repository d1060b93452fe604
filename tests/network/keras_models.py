"""Keras models of these tests: random weights, files, and our outputs against Keras's own."""

from __future__ import annotations

import numpy as np

from fpcheck.network.load import load
from fpcheck.network.program import forward

# Keras computes in float32: sums of up to some hundred products of order one.
FLOAT32 = {"rtol": 2e-5, "atol": 2e-5}
# What Keras itself warns of while it saves.
WARNINGS = (
    "ignore:You are saving your model as an HDF5 file",
    "ignore:__array__ implementation doesn't accept a copy keyword",
)


def randomise(model, seed=0):
    """Weights of order one, variances positive: nothing stays at the 0 or 1 that it starts at."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "seed" in weight.path or weight.shape == ():
            continue
        drawn = rng.normal(size=weight.shape) * (0.5 if len(weight.shape) > 1 else 1.0)
        weight.assign(np.abs(drawn) + 0.3 if "variance" in weight.path else drawn)


def saved(model, tmp_path, suffix):
    """The file of the model, written by Keras."""
    path = tmp_path / f"model{suffix}"
    model.save(path)
    return path


def check(model, path, seed=1, rows=4):
    """Our outputs equal Keras's on the same rows; the subject."""
    subject = load(path)
    assert subject.network is not None, (subject.no_network, subject.partial)
    assert subject.partial is None
    x = np.random.default_rng(seed).normal(size=(rows, *model.input_shape[1:])).astype("float32")
    expected = np.asarray(model(x).detach())
    assert subject.network.skeleton.input_shape == model.input_shape[1:]
    found = forward(subject.network.program, x.astype(np.float64))
    np.testing.assert_allclose(found, expected, **FLOAT32)
    return subject
