"""The whole program on every sample: the contract of the JSON, the width, the bytes, the gate."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from rich.cells import cell_len

from fpcheck.cli.main import run
from fpcheck.core.settings import QUESTIONS
from fpcheck.report.schema import schema, violations

SAMPLES = Path(__file__).parents[2] / "samples"
DIGITS = ["--data", str(SAMPLES / "digits.npz")]
SIGNALS = ["--data", str(SAMPLES / "signals.npz")]
CASES = {
    "autoencoder.pt": ["--activation", "tanh", *DIGITS],
    "autoencoder.safetensors": ["--activation", "tanh"],
    "autoencoder.npz": [],
    "untrained_normal.npz": ["--activation", "tanh"],
    "untrained_cauchy.npz": ["--activation", "tanh"],
    "flip_flop_rnn.safetensors": [],
    "flip_flop_gru.safetensors": [],
    "hopfield.npz": ["--output-activation", "tanh", "--data", str(SAMPLES / "letters.npz")],
    "classifier.safetensors": ["--activation", "relu", *DIGITS],
    "crelu100.toml": [],
    "residual_cnn1d.toml": [],
    "signals_dense.toml": SIGNALS,
    "signals_conv.toml": [*SIGNALS, "--bias-share", "0.1"],
    "planted.toml": [
        *("--data", str(SAMPLES / "teacher.npz"), "-Q", "simplicity"),
        *("--label-rows", "8", "--label-shuffles", "2"),
    ],
    "digits_small_init.toml": [
        *(*DIGITS, "-Q", "escape", "--optimiser", "norm-adaptive"),
        *("--lr", "700", "--probe-steps", "150"),
    ],
}
SMALL = ["--starts", "64", "--samples", "16", "--splits", "3"]


@pytest.fixture
def fpcheck(capsys):
    def command_line(*arguments: str) -> tuple[int, str, str]:
        code = run(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command_line


def test_every_sample_model_has_a_case():
    models = {p.name for p in SAMPLES.iterdir() if p.is_file() and p.suffix not in (".py", ".md")}
    rows = {"digits.npz", "letters.npz", "signals.npz", "teacher.npz"}
    assert models - rows == set(CASES)


@pytest.mark.parametrize("sample", CASES)
def test_a_sample_s_report_keeps_the_contract(fpcheck, sample, tmp_path):
    saved, text = tmp_path / "r.json", tmp_path / "r.txt"
    analyze = ["analyze", str(SAMPLES / sample), *CASES[sample], *SMALL]
    outputs = ["-o", f"json={saved}", "-o", f"terminal={text}"]
    code, out, err = fpcheck(*analyze, *outputs, "--threads", "1", "--width", "100")
    assert code in (0, 1)
    assert err == f"Wrote {saved}, {text}\n"
    document = json.loads(saved.read_text())

    jsonschema.Draft202012Validator(schema()).validate(document)
    assert violations(document) == []
    assert document["subject"]["name"] == sample
    assert str(SAMPLES) not in saved.read_text()  # no absolute path
    assert out == text.read_text()

    # The same bytes at any number of threads, and the same report from the saved one.
    assert fpcheck(*analyze, "--threads", "2", "-f", "json")[1] == saved.read_text()
    assert fpcheck("report", str(saved), "--width", "100")[:2] == (code, out)
    assert fpcheck("report", str(saved), "-f", "json")[1] == saved.read_text()

    for width in (80, 120):
        for form in ([], ["--ascii"], ["-v"]):
            shown = fpcheck("report", str(saved), "--width", str(width), *form)[1]
            assert max(map(cell_len, shown.splitlines())) <= width
            assert shown.isascii() or form != ["--ascii"]
            for question in QUESTIONS:
                if "skipped" in document[question]:
                    assert document[question]["skipped"][:20] in shown


def test_a_saved_report_is_judged_under_other_limits_without_measuring(fpcheck, tmp_path):
    saved = str(tmp_path / "r.json")
    sample = str(SAMPLES / "untrained_normal.npz")
    fpcheck("analyze", sample, "--activation", "tanh", *SMALL, "-o", f"json={saved}")
    assert fpcheck("report", saved, "-q", "--fail-on", "warning")[0] == 0
    code, out, _ = fpcheck("report", saved, "-q", "--limit", "min_q_ratio=1e6")
    assert code == 1
    assert "FP101" in out
    assert "limit min_q_ratio = 1e+06" in out
    assert fpcheck("report", saved, "-q", "--limit", "min_q_ratio=1e6", "--ignore", "FP1")[0] == 0


def test_the_readout_s_pictures_are_drawn_again_from_a_saved_report(fpcheck, tmp_path):
    saved, page, again = tmp_path / "r.json", tmp_path / "1.html", tmp_path / "2.html"
    sample = str(SAMPLES / "signals_conv.toml")
    outputs = ["-o", f"json={saved}", "-o", f"html={page}"]
    assert fpcheck("analyze", sample, *SIGNALS, "-Q", "readout", *SMALL, *outputs)[0] == 0
    assert fpcheck("report", str(saved), "-o", f"html={again}")[0] == 0
    drawn = page.read_text("utf-8")
    assert drawn == again.read_text("utf-8")
    for title in ("Learning curve", "Score by depth", "Spectrum of the kernels"):
        assert title in drawn


def test_attractors_alone_of_a_network_that_is_no_self_map_exit_with_3(fpcheck):
    sample = str(SAMPLES / "classifier.safetensors")
    code, out, err = fpcheck("analyze", sample, "--activation", "relu", "-Q", "attractors")
    assert code == 3
    assert "NOT JUDGED" in out
    assert "not a self-map" in out
    assert "could be judged" in err


@pytest.mark.parametrize("sample", CASES)
def test_inspect_shows_every_layer_and_runs_nothing(fpcheck, sample):
    code, out, err = fpcheck("inspect", str(SAMPLES / sample), "--width", "80")
    assert (code, err) == (0, "")
    assert "nothing was run" in out
    assert max(map(cell_len, out.splitlines())) <= 80
    listed = json.loads(fpcheck("inspect", str(SAMPLES / sample), "-f", "json")[1])
    named = listed["layers"] or listed["cells"]
    assert named[0]["name"] in out
    assert named[-1]["name"] in out


def damage(document: dict, path: tuple[str, ...], value: object) -> dict:
    changed = json.loads(json.dumps(document))
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def test_a_saved_report_whose_numbers_were_taken_out_is_refused_not_crashed_on(fpcheck, tmp_path):
    saved = tmp_path / "r.json"
    sample = str(SAMPLES / "untrained_normal.npz")
    fpcheck("analyze", sample, "--activation", "tanh", *SMALL, "-o", f"json={saved}")
    document = json.loads(saved.read_text())
    paths = [
        ("attractors", "maps", 0, "unresolved", "share_low"),
        ("signal", "measured", "layers", 0, "q"),
        ("attractors", "maps", 0, "fixed_points", 0, "residual"),
    ]
    for path in paths:
        saved.write_text(json.dumps(damage(document, path, None)))
        code, out, err = fpcheck("report", str(saved))
        assert code in (0, 1, 2), path
        assert (code != 2) or (out == "" and err.startswith("error: damaged report"))
        assert "bug" not in err


@pytest.mark.parametrize("kind", ["mlp", "cnn1d", "autoencoder", "rnn"])
def test_what_new_writes_can_be_analyzed_as_it_stands_and_passes(fpcheck, tmp_path, kind):
    path = tmp_path / f"{kind}.toml"
    assert fpcheck("new", kind, "-o", str(path))[0] == 0
    code, out, err = fpcheck("analyze", str(path), "-q", "--fail-on", "warning")
    assert (code, err) == (0, "")
    assert out.startswith(f" PASS    {kind}.toml")
