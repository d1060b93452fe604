"""The sample signals: a tooth at a random place, which a convolution reads and dense layers do not.

The figures are those that scikit-learn gives by hand on the same splits.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from readout_cases import SETTINGS

from fpcheck.core.progress import Monitor
from fpcheck.core.streams import random_stream
from fpcheck.network.data import load_data
from fpcheck.network.load import load
from fpcheck.readout.measure import measure
from fpcheck.readout.result import ReadoutResult
from fpcheck.readout.splits import random_split

SAMPLES = Path(__file__).parents[2] / "samples"
SIGNALS = SAMPLES / "signals.npz"


@cache
def read_out(name) -> ReadoutResult:
    subject = load(SAMPLES / f"signals_{name}.toml")
    result = measure(
        subject.network, load_data(SIGNALS), SETTINGS, random_stream(0, "readout"), Monitor(),
        trained=False, laws=subject.layer_laws,
    )  # fmt: skip
    assert isinstance(result, ReadoutResult), result
    return result


def model(result, name):
    return next(one for one in result.models if one.name == name)


def test_the_skeleton_decides_before_anything_is_trained():
    """The intervals of the two kernels are far apart, and so are those of finite networks."""
    for name in ("infinite_nngp", "last_layer_at_init"):
        assert model(read_out("conv"), name).low > model(read_out("dense"), name).high + 0.2
    assert read_out("conv").verdict == "enough"
    assert read_out("dense").verdict != "enough"


def test_widening_helps_the_convolution_and_not_the_dense_layers():
    narrow, *_, wide = read_out("conv").width_curve.points
    assert wide.low > narrow.high
    narrow, *_, wide = read_out("dense").width_curve.points
    assert wide.low < narrow.high


def test_the_pooled_layer_is_where_the_score_is_made():
    probes = {probe.node: probe for probe in read_out("conv").probes.probes}
    assert probes["flatten1"].low > probes["conv1.activation"].high + 0.2


def test_scores_are_those_of_scikit_learn_by_hand():
    linear_model = pytest.importorskip("sklearn.linear_model")
    with np.load(SIGNALS) as file:
        rows, labels = file["X"].astype(np.float64), file["y"].astype(np.int64)
    right = []
    for child in random_stream(0, "readout").spawn(SETTINGS.splits):
        split = random_split(len(rows), SETTINGS.test_share, child, labels)
        train = rows[split.train] - rows[split.train].mean(axis=0)
        grid = np.sum(train**2) / 64 * 10.0 ** np.arange(-8.0, 4.25, 0.5)
        peer = linear_model.RidgeCV(alphas=grid, alpha_per_target=False)
        peer.fit(rows[split.train], np.eye(2)[labels[split.train]])
        found = peer.predict(rows[split.test]).argmax(axis=1)
        right.append(np.mean(found == labels[split.test]))
    assert read_out("dense").linear_on_input == pytest.approx(np.mean(right), rel=1e-8)
    assert np.mean(right) < 0.65


def test_the_file_is_what_its_script_makes(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    found = importlib.util.spec_from_file_location("make_samples", SAMPLES / "make_samples.py")
    script = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    monkeypatch.setattr(script, "HERE", tmp_path)
    script.signals()
    assert SIGNALS.stat().st_size < 60_000
    with np.load(tmp_path / "signals.npz") as made, np.load(SIGNALS) as kept:
        assert_array_equal(made["X"], kept["X"])
        assert_array_equal(made["y"], kept["y"])
