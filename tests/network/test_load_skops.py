"""scikit-learn's networks in skops files are read with their activations, without scikit-learn."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
from files.reference import FOLDER

from fpcheck.core.errors import ModelFileError, UsageError
from fpcheck.network.load import load
from fpcheck.network.program import forward

# Two orders of one float64 sum.
TOLERANCE = 1e-12

README = (FOLDER.parents[1] / "README.md").read_text("utf-8")
(RECIPE,) = (text for text in re.findall(r"```python\n(.*?)```", README, re.S) if "coefs_" in text)


def fitted(kind, targets, **options):
    from sklearn.exceptions import ConvergenceWarning

    rows = np.random.default_rng(1).standard_normal((60, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return kind(max_iter=20, random_state=0, **options).fit(rows, targets(rows)), rows


@pytest.mark.parametrize("function", ["identity", "logistic", "tanh", "relu"])
def test_a_regressor_computes_what_scikit_learn_predicts(tmp_path, function):
    io = pytest.importorskip("skops.io")
    from sklearn.neural_network import MLPRegressor

    model, rows = fitted(
        MLPRegressor, lambda x: x[:, :2] ** 2, activation=function, hidden_layer_sizes=(7, 4)
    )
    io.dump(model, tmp_path / "model.skops")
    network = load(tmp_path / "model.skops").network
    found = forward(network.program, rows)
    np.testing.assert_allclose(found, model.predict(rows), atol=TOLERANCE)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_classifier_gives_its_probabilities(tmp_path, classes):
    io = pytest.importorskip("skops.io")
    from sklearn.neural_network import MLPClassifier

    model, rows = fitted(MLPClassifier, lambda x: np.arange(len(x)) % classes)
    io.dump(model, tmp_path / "model.skops")
    network = load(tmp_path / "model.skops").network
    expected = model.predict_proba(rows)
    found = forward(network.program, rows)
    np.testing.assert_allclose(found, expected[:, 1:] if classes == 2 else expected, atol=TOLERANCE)


def test_a_pipelines_other_steps_are_named():
    subject = load(FOLDER / "skops/pipeline.skops")
    assert any("StandardScaler" in note for note in subject.notes)


def test_a_file_that_says_its_activation_takes_none():
    with pytest.raises(UsageError):
        load(FOLDER / "skops/mlp.skops", activation="relu")


def test_an_estimator_that_is_no_network_is_named(tmp_path):
    io = pytest.importorskip("skops.io")
    from sklearn.linear_model import LinearRegression

    rows = np.random.default_rng(1).standard_normal((9, 3))
    io.dump(LinearRegression().fit(rows, rows), tmp_path / "model.skops")
    with pytest.raises(ModelFileError, match="holds 0 networks") as caught:
        load(tmp_path / "model.skops")
    assert "LinearRegression" in caught.value.hint


def test_an_unfitted_network_is_refused(tmp_path):
    io = pytest.importorskip("skops.io")
    from sklearn.neural_network import MLPRegressor

    io.dump(MLPRegressor(), tmp_path / "model.skops")
    with pytest.raises(ModelFileError, match="not fitted"):
        load(tmp_path / "model.skops")


def test_reading_imports_neither_scikit_learn_nor_skops():
    code = (
        "import sys; from fpcheck.network.load import load; "
        f"load({str(FOLDER / 'skops/classifier.skops')!r}); "
        "print([m for m in ('sklearn', 'skops') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_recipe_for_npz_gives_the_same_network(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    from sklearn.neural_network import MLPRegressor

    model, rows = fitted(
        MLPRegressor, lambda x: x[:, :2], activation="tanh", hidden_layer_sizes=(5, 5)
    )
    monkeypatch.chdir(tmp_path)
    exec(RECIPE, {"model": model})
    assert capsys.readouterr().out.strip() == "fpcheck analyze mlp.npz --activation tanh"
    network = load("mlp.npz", activation="tanh").network
    np.testing.assert_allclose(forward(network.program, rows), model.predict(rows), atol=TOLERANCE)


@pytest.mark.parametrize("function", ["identity", "logistic", "tanh", "relu"])
def test_fpcheck_knows_scikit_learns_words_for_activations(function):
    from fpcheck.network.activations import parse_activation

    assert parse_activation(function).name
