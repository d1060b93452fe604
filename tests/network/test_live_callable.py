"""A callable is a black box: its fixed points, and Jacobians by central differences."""

import json

import numpy as np
import pytest

import fpcheck
from fpcheck.core.errors import ModelFileError, UsageError
from fpcheck.core.settings import Settings
from fpcheck.network.load import load
from fpcheck.network.program import forward, jacobian, jvp, trace, vjp
from fpcheck.report.schema import violations

RNG = np.random.default_rng(5)
W = RNG.standard_normal((4, 4))
# A central difference of step h = eps^(1/3): h^2 |f'''| / 6 + eps / h, some 1e-10.
DIFFERENCE = 1e-8
SMALL = Settings(starts=64)


def tanh_map(x):
    return np.tanh(x @ W.T)


def exact_jacobian(x):
    return (1 - np.tanh(W @ x) ** 2)[:, None] * W


def test_its_products_are_those_of_the_exact_jacobian():
    program = load(tanh_map, input_shape=(4,)).network.program
    rows, directions = RNG.standard_normal((3, 4)), RNG.standard_normal((3, 4))
    directions[1] = 0.0
    values = trace(program, rows)
    forwards = np.stack([exact_jacobian(x) @ t for x, t in zip(rows, directions, strict=True)])
    backwards = np.stack([exact_jacobian(x).T @ t for x, t in zip(rows, directions, strict=True)])
    assert np.abs(jacobian(program, rows[0]) - exact_jacobian(rows[0])).max() < DIFFERENCE
    assert np.abs(jvp(program, values, directions) - forwards).max() < DIFFERENCE
    assert np.abs(vjp(program, values, directions) - backwards).max() < DIFFERENCE


def test_the_step_grows_with_the_point():
    # At 1e6 a step of 6e-6 would leave 1e-4 of rounding in a difference of squares.
    program = load(lambda x: x**2, input_shape=(2,)).network.program
    at = np.array([1e6, 3.0])
    assert np.allclose(jacobian(program, at), np.diag(2 * at), rtol=1e-9, atol=1e-3)


def test_its_attractors_are_those_of_the_same_network_as_a_file(tmp_path):
    weight = np.linalg.qr(W)[0] * 1.7
    np.savez(tmp_path / "net.npz", **{"0.weight": weight, "0.bias": np.zeros(4)})
    known = fpcheck.analyze(
        tmp_path / "net.npz", output_activation="tanh", layout="out_in", settings=SMALL
    ).document
    called = fpcheck.analyze(
        lambda x: np.tanh(x @ weight.T), input_shape=(4,), settings=SMALL
    ).document
    (theirs,), (ours,) = known["attractors"]["maps"], called["attractors"]["maps"]
    for kind in ("fixed_points", "cycles"):
        assert len(ours[kind]) == len(theirs[kind])
    for one, other in zip(ours["fixed_points"], theirs["fixed_points"], strict=True):
        assert one["kind"] == other["kind"]
        assert one["share"] == other["share"]
        assert one["spectral_radius"] == pytest.approx(other["spectral_radius"], abs=DIFFERENCE)


def test_its_report_says_what_it_rests_on():
    document = fpcheck.analyze(tanh_map, input_shape=(4,), settings=SMALL).document
    subject = document["subject"]
    assert (subject["name"], subject["format"], subject["sha256"]) == ("tanh_map", "callable", None)
    assert any("finite differences" in note for note in subject["notes"])
    for question in ("weights", "signal", "readout"):
        assert document[question]["skipped"]
    for point in document["attractors"]["maps"][0]["fixed_points"]:
        assert point["status"] == "numerical"
        assert point["note"] == "Jacobian by finite differences"
    assert violations(json.loads(json.dumps(document))) == []


def test_single_precision_is_iterated_without_derivatives():
    def halved(x):
        return (0.5 * x).astype(np.float32)

    document = fpcheck.analyze(halved, input_shape=(2,), settings=SMALL).document
    (point,) = document["attractors"]["maps"][0]["fixed_points"]
    assert point["kind"] == "stable"
    assert point["status"] == "sampled"
    assert any("single precision" in note for note in document["subject"]["notes"])


def test_a_map_between_shapes_has_no_attractors():
    document = fpcheck.analyze(lambda x: x[:, :2], input_shape=(4,), settings=SMALL).document
    assert "not a self-map" in document["attractors"]["skipped"]


def raising(x):
    raise ValueError("wrong size")


def counting(x, calls=[]):  # noqa: B006  # it remembers on purpose
    calls.append(1)
    return x + len(calls)


BROKEN = {
    "raises ValueError: wrong size": raising,
    "NaN": lambda x: x * np.nan,
    "called again": counting,
    "shape [1, 2] for 4 rows": lambda x: x[:1],
    "shape [4] for 4 rows": lambda x: x[:, 0],
    "not real numbers": lambda x: x + 1j,
    "a row alone": lambda x: x - x.mean(0),
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_function_that_cannot_be_used_is_named(said):
    with pytest.raises(ModelFileError) as caught:
        load(BROKEN[said], input_shape=(2,))
    assert said in caught.value.message
    assert caught.value.message.startswith(f"{BROKEN[said].__qualname__}: ")
    assert caught.value.hint


def test_a_function_that_changes_its_shape_later_is_named():
    subject = load(lambda x: x if len(x) < 10 else x[:, :1], input_shape=(2,))
    with pytest.raises(ModelFileError, match="before"):
        forward(subject.network.program, np.zeros((10, 2)))


def test_a_function_needs_the_shape_of_its_input():
    with pytest.raises(UsageError, match="input is needed"):
        load(tanh_map)


@pytest.mark.parametrize("shape", [(), (0,), (-1, 2), (2.5,)])
def test_a_shape_has_positive_sizes(shape):
    with pytest.raises(UsageError, match="no shape of a row"):
        load(tanh_map, input_shape=shape)


def test_what_is_no_model_is_named():
    with pytest.raises(ModelFileError, match="int is no model"):
        load(3)


def test_flags_of_files_and_of_live_models_exclude_each_other(tmp_path):
    with pytest.raises(UsageError, match="--activation"):
        load(tanh_map, input_shape=(4,), activation="tanh")
    with pytest.raises(UsageError, match="--input-shape"):
        load(tmp_path / "net.npz", input_shape=(4,))
