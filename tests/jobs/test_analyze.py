"""The main job end to end: what a report holds, and what it may not depend on."""

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import fpcheck
from fpcheck.core import memory
from fpcheck.core.errors import DataError, MemoryLimitError, UsageError
from fpcheck.core.settings import Settings
from fpcheck.jobs.analyze import analyze
from fpcheck.report.document import write_json
from fpcheck.report.report import exit_code
from fpcheck.report.schema import violations

SAMPLES = Path(__file__).parents[2] / "samples"
QUICK = Settings(starts=128, samples=64, splits=5)
DIGITS = SAMPLES / "digits.npz"


def autoencoder(**options):
    options.setdefault("settings", QUICK)
    return analyze(SAMPLES / "autoencoder.pt", activation="tanh", **options)


@cache
def full_report():
    """All questions about the autoencoder; not to be changed."""
    return autoencoder(data=DIGITS)


@cache
def report_without_data():
    """Weights, signal and attractors of the autoencoder; not to be changed."""
    return autoencoder()


ROWS = {"digits.npz", "letters.npz", "signals.npz", "teacher.npz"}
SAMPLE_RUNS = {
    "autoencoder.pt": {"activation": "tanh", "data": DIGITS},
    "autoencoder.safetensors": {"activation": "tanh"},
    "autoencoder.npz": {"activation": "tanh"},
    "untrained_normal.npz": {"activation": "tanh"},
    "untrained_cauchy.npz": {"activation": "tanh"},
    "classifier.safetensors": {"activation": "relu", "data": DIGITS},
    "flip_flop_rnn.safetensors": {},
    "flip_flop_gru.safetensors": {},
    "hopfield.npz": {"output_activation": "tanh", "data": SAMPLES / "letters.npz"},
    "crelu100.toml": {},
    "residual_cnn1d.toml": {},
    "signals_dense.toml": {"data": SAMPLES / "signals.npz"},
    "signals_conv.toml": {"data": SAMPLES / "signals.npz"},
    "planted.toml": {"data": SAMPLES / "teacher.npz"},
    "digits_small_init.toml": {"data": DIGITS},
}


# The longest; tests/cli/test_samples_end_to_end.py asks the same of its report.
LONGEST = pytest.param("signals_conv.toml", marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "name", [*(name for name in SAMPLE_RUNS if name != "signals_conv.toml"), LONGEST]
)
def test_every_samples_report_is_valid_under_the_shipped_schema(name):
    jsonschema = pytest.importorskip("jsonschema")
    report = analyze(SAMPLES / name, settings=QUICK, **SAMPLE_RUNS[name])
    assert violations(report.document) == []
    import json

    schema_file = Path(fpcheck.__file__).parent / "report" / "schema.json"
    jsonschema.validate(
        json.loads(write_json(report.document)), json.loads(schema_file.read_text("utf-8"))
    )


def test_every_sample_model_has_a_run():
    models = {p.name for p in SAMPLES.iterdir() if p.suffix in {".pt", ".safetensors", ".toml"}}
    models |= {p.name for p in SAMPLES.glob("*.npz")} - ROWS
    assert models == set(SAMPLE_RUNS)


def test_one_network_in_three_formats_gives_one_report():
    documents = [{k: v for k, v in full_report().document.items() if k != "subject"}]
    for suffix in ("safetensors", "npz"):
        report = analyze(
            SAMPLES / f"autoencoder.{suffix}", activation="tanh", data=DIGITS, settings=QUICK
        )
        documents.append({k: v for k, v in report.document.items() if k != "subject"})
    assert documents[0] == documents[1] == documents[2]


def test_the_report_is_the_same_bytes_at_any_number_of_threads():
    texts = {
        write_json(
            autoencoder(data=DIGITS, settings=dataclasses.replace(QUICK, threads=n)).document
        )
        for n in (1, 3)
    }
    assert texts == {write_json(full_report().document)}  # of as many as there are cores


def test_another_seed_gives_other_starts():
    shares = [
        autoencoder(settings=dataclasses.replace(QUICK, seed=seed)).document["attractors"]
        for seed in (0, 1)
    ]
    assert shares[0] != shares[1]


@pytest.mark.parametrize("question", ["signal", "attractors", "readout"])
def test_a_question_alone_gives_what_it_gives_in_a_full_run(question):
    full = full_report().document
    alone = autoencoder(
        data=DIGITS, settings=dataclasses.replace(QUICK, questions=(question,))
    ).document
    assert alone[question] == full[question]


def test_the_simplicity_of_labels_is_asked_by_name_alone():
    planted, rows = SAMPLES / "planted.toml", SAMPLES / "teacher.npz"
    unasked = analyze(planted, data=rows, settings=QUICK).document["simplicity"]
    assert unasked == {"skipped": "not asked; pass --question simplicity", "asked": False}
    settings = dataclasses.replace(QUICK, questions=("simplicity",))
    without = analyze(planted, settings=settings)
    assert without.document["simplicity"] == {"skipped": "there are no data; pass --data FILE"}
    assert exit_code(without, "error") == 3


def test_shares_of_the_starts_add_up_to_one():
    (found,) = report_without_data().document["attractors"]["maps"]
    parts = [*found["fixed_points"], *found["cycles"], found["unresolved"], found["diverged"]]
    others = [found[key] for key in ("other_fixed_points", "other_cycles") if found[key]]
    assert sum(part["share"] for part in [*parts, *others]) == pytest.approx(1.0, abs=1e-9)


def test_the_untrained_twin_has_one_fixed_point_and_the_trained_one_has_many():
    trained = report_without_data().document["attractors"]["maps"][0]
    untrained = analyze(
        SAMPLES / "untrained_normal.npz", activation="tanh", settings=QUICK
    ).document["attractors"]["maps"][0]
    assert len([p for p in trained["fixed_points"] if p["share"] > 0]) > 5
    assert [p["share"] for p in untrained["fixed_points"]] == [1.0]


def test_fixed_points_of_the_report_are_fixed_points_of_the_file():
    with np.load(SAMPLES / "autoencoder.npz") as file:
        layers = [
            (file[f"{i}.weight"].astype(float), file[f"{i}.bias"].astype(float))
            for i in (0, 2, 4, 6)
        ]
    for point in report_without_data().document["attractors"]["maps"][0]["fixed_points"]:
        y = x = np.array(point["point"])
        jacobian = np.eye(64)
        for index, (weight, bias) in enumerate(layers):
            y = weight @ y + bias
            jacobian = weight @ jacobian
            if index < 3:
                y = np.tanh(y)
                jacobian = (1 - y**2)[:, None] * jacobian
        assert np.abs(y - x).max() < 1e-13
        radius = np.abs(np.linalg.eigvals(jacobian)).max()
        assert point["spectral_radius"] == pytest.approx(radius, rel=1e-9)


@pytest.fixture
def broken(tmp_path):
    with np.load(SAMPLES / "autoencoder.npz") as file:
        arrays = dict(file)
    arrays["2.weight"][3, 4] = np.nan
    arrays["4.bias"][0] = np.inf
    np.savez(tmp_path / "broken.npz", **arrays)
    return tmp_path / "broken.npz"


def test_nan_weights_are_an_error_and_nothing_else_is_answered(broken):
    report = analyze(broken, activation="tanh", data=DIGITS, settings=QUICK)
    failed = [f for f in report.findings if f.outcome == "fail"]
    assert {f.code for f in failed} == {"FP001"}
    assert report.verdict == "fail"
    assert exit_code(report, "error") == 1
    for question in ("signal", "attractors", "readout"):
        assert "2.weight" in report.document[question]["skipped"]


def test_a_classifier_asked_for_attractors_alone_is_not_judged():
    settings = dataclasses.replace(QUICK, questions=("attractors",))
    report = analyze(SAMPLES / "classifier.safetensors", activation="relu", settings=settings)
    assert "not a self-map" in report.document["attractors"]["skipped"]
    assert report.verdict == "not judged"
    assert exit_code(report, "error") == 3


def test_no_self_map_skips_the_attractors():
    report = autoencoder(settings=dataclasses.replace(QUICK, self_map=False))
    assert "--no-self-map" in report.document["attractors"]["skipped"]
    assert report.document["subject"]["self_map"] is False


def test_without_an_activation_the_weights_are_still_judged():
    report = analyze(SAMPLES / "autoencoder.pt", settings=QUICK)
    assert len(report.document["weights"]["layers"]) >= 4
    for question in ("signal", "attractors"):
        assert "--activation" in report.document[question]["skipped"]


def test_data_of_another_width_are_refused(tmp_path):
    np.savez(tmp_path / "narrow.npz", X=np.ones((10, 7)))
    with pytest.raises(DataError, match="7"):
        autoencoder(data=tmp_path / "narrow.npz")


def test_an_unknown_question_names_the_known_ones():
    with pytest.raises(UsageError, match="'readuot'") as caught:
        autoencoder(settings=dataclasses.replace(QUICK, questions=("readuot",)))
    assert "readout" in caught.value.hint


def test_work_that_does_not_fit_into_memory_is_refused_with_the_figure(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 2**28)
    with pytest.raises(MemoryLimitError, match=r"1000000 starts needs about 1\.4 GiB, 0\.2 GiB"):
        autoencoder(settings=dataclasses.replace(QUICK, starts=10**6))


def test_weights_that_do_not_fit_are_measured_from_the_file_and_nothing_else_is(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 2**16)
    document = autoencoder().document
    assert len(document["weights"]["layers"]) == 8
    assert "memory" in document["signal"]["skipped"]


def test_the_python_api_gives_the_same_report():
    ours = fpcheck.analyze(SAMPLES / "autoencoder.pt", activation="tanh", settings=QUICK)
    assert write_json(ours.document) == write_json(report_without_data().document)


@pytest.mark.parametrize(
    ("gain", "root"),
    [(0.5, 0.0), (1.0, 0.0), (1.5, 0.8585596366401104), (3.0, 0.9949015284526288)],
)
def test_the_fixed_points_of_tanh_on_file_are_those_of_the_closed_form(tmp_path, gain, root):
    """x = tanh(a x), by mpmath; at a = 1 nothing arrives in 2 000 steps, but 0 is found."""
    path = tmp_path / "tanh.npz"
    np.savez(path, **{"layer.weight": np.array([[gain]])})
    settings = Settings(questions=("attractors",), starts=64)
    report = fpcheck.analyze(path, output_activation="tanh", settings=settings)
    (found,) = report.document["attractors"]["maps"]
    points = sorted(point["point"][0] for point in found["fixed_points"])
    np.testing.assert_allclose(points, sorted({-root, 0.0, root}), rtol=0.0, atol=1e-12)
