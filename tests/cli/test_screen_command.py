"""`fpcheck screen` from the command line: the table, the JSON, the exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest

from fpcheck.cli.main import run
from fpcheck.report.schema import SCREEN, violations

SAMPLES = Path(__file__).parents[2] / "samples"
SMALL = ["--splits", "6", "--draws", "2", "--no-ntk"]


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 6))
    y = (np.linalg.norm(x[:, :2], axis=1) > 1.18).astype(int)
    np.savez("data.npz", X=x, y=y)
    np.savez("few.npz", X=x[:9], y=y[:9])
    np.savez("wide.npz", X=rng.normal(size=(90, 7)), y=y)
    for name, layers in {
        "a": '{ dense = 32, activation = "relu" }, { dense = 2 }',
        "b": '{ dense = 32, activation = "tanh", repeat = 3 }, { dense = 2 }',
        "open": "{ reshape = [1, 6] }, { conv1d = 2, kernel = 3 }",
        "end": "{ reshape = [1, 6] }",
    }.items():
        Path(f"{name}.toml").write_text(f"[network]\ninput = 6\nlayers = [ {layers} ]\n", "utf-8")

    def call(*words):
        capsys.readouterr()
        code = run(["screen", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_samples_are_ranked_with_a_recommendation_within_80_columns(command):
    samples = sorted(SAMPLES.glob("signals_*.toml"))
    code, out, err = command(*samples, "-d", SAMPLES / "signals.npz", "--rows", "120", *SMALL)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert "Take signals_conv.toml" in out
    assert "120 of 400 rows" in out


def test_json_is_a_screen_and_goes_to_a_file(command, tmp_path):
    words = ["a.toml", "b.toml", "-d", "data.npz", *SMALL, "-f", "json"]
    code, out, _ = command(*words)
    assert code == 0
    assert violations(json.loads(out), SCREEN) == []
    code, silent, said = command(*words, "-o", "screen.json")
    assert (code, silent, said) == (0, "", "Wrote screen.json\n")
    assert (tmp_path / "screen.json").read_text("utf-8") == out


def test_ascii_has_ascii_alone(command):
    _, out, _ = command("a.toml", "b.toml", "-d", "data.npz", *SMALL, "--ascii")
    assert out.isascii()


def test_a_checkpoint_beside_a_spec_takes_the_activation(command):
    rng = np.random.default_rng(1)
    np.savez("net.npz", w0=rng.normal(size=(16, 6)), w1=rng.normal(size=(2, 16)))
    words = ["a.toml", "net.npz", "-d", "data.npz", *SMALL]
    code, out, _ = command(*words, "--activation", "tanh", "-f", "json")
    assert code == 0
    assert all(one["rank"] for one in json.loads(out)["candidates"])
    code, out, _ = command(*words, "-f", "json")
    (lost,) = (one for one in json.loads(out)["candidates"] if one["name"] == "net.npz")
    assert code == 0
    assert "--activation" in lost["skipped"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["a.toml", "b.toml"], 2, "--data"),
        (["-d", "data.npz"], 2, "two or more"),
        (["a.toml", "-d", "data.npz"], 2, "fpcheck analyze"),
        (["a.toml", "a.toml", "-d", "data.npz"], 2, "given twice"),
        (["a.toml", "nowhere.toml", "-d", "data.npz"], 2, "nowhere.toml"),
        (["a.toml", "b.toml", "-d", "nowhere.npz"], 2, "nowhere.npz"),
        (["a.toml", "b.toml", "-d", "wide.npz"], 2, "a.toml"),
        (["a.toml", "b.toml", "-d", "data.npz", "--by", "luck"], 2, "nngp"),
        (["a.toml", "b.toml", "-d", "data.npz", "-f", "html"], 2, "terminal"),
        (["a.toml", "b.toml", "-d", "data.npz", "--task", "classify"], 2, "classification"),
        (["a.toml", "b.toml", "-d", "data.npz", "--splits", "1"], 2, "--splits"),
        (["a.toml", "b.toml", "-d", "data.npz", "--draws", "1"], 2, "--draws"),
        (["a.toml", "b.toml", "-d", "data.npz", "--rows", "5"], 2, "--rows"),
        (["a.toml", "b.toml", "-d", "few.npz"], 3, "9 rows"),
        (["open.toml", "end.toml", "-d", "data.npz"], 3, "dense layer"),
    ],
)
def test_errors_are_a_sentence_with_a_hint_and_their_exit_code(command, words, code, told):
    found, out, err = command(*words)
    assert (found, out) == (code, "")
    assert err.startswith("error: ")
    assert told in err


def test_where_no_skeleton_has_a_score_the_reasons_are_shown_and_the_exit_code_is_3(command):
    init = '[init]\nweights = { law = "normal", sigma2 = 1e300, scale = "1" }\n'
    layers = '{ dense = 32, activation = "relu", repeat = 3 }, { dense = 2 }'
    for name in ("huge", "vast"):
        text = f"[network]\ninput = 6\nlayers = [ {layers} ]\n{init}"
        Path(f"{name}.toml").write_text(text, "utf-8")
    code, out, err = command("huge.toml", "vast.toml", "-d", "data.npz", *SMALL)
    assert (code, err) == (3, "note: nothing that was asked could be judged\n")
    assert "not ranked, huge.toml" in out
    assert "overflows" in out


def test_help_shows_examples(command):
    code, out, _ = command("--help")
    assert code == 0
    assert out.count("fpcheck screen") >= 2
