"""`fpcheck suggest` from the command line: the table, the code, the errors."""

import json
import re
from pathlib import Path

import pytest

from fpcheck.cli.main import run

SAMPLES = Path(__file__).parents[2] / "samples"
AUTOENCODER = [str(SAMPLES / "autoencoder.pt"), "--activation", "tanh"]


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*words):
        capsys.readouterr()
        code = run(["suggest", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_keeps_to_the_terminal(command, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = command(*AUTOENCODER)
    assert code == 0
    assert max(map(len, out.splitlines())) <= columns
    assert "Edge of chaos" in out
    assert "σ_w²" in out
    assert "linear" in out


def test_ascii_has_ascii_alone(command):
    _, out, _ = command(*AUTOENCODER, "--ascii")
    assert out.isascii()


@pytest.mark.parametrize("form", ["pytorch", "keras", "jax", "spec"])
def test_code_alone_goes_to_stdout_or_to_a_file(command, form, tmp_path):
    _, out, err = command(*AUTOENCODER, "-f", form)
    code, silent, said = command(*AUTOENCODER, "-f", form, "-o", "initialise.txt")
    assert (code, err, silent) == (0, "", "")
    assert (tmp_path / "initialise.txt").read_text("utf-8") == out
    assert said == "Wrote initialise.txt\n"
    assert ("[network]" if form == "spec" else "def initialise(") in out


def test_a_suggested_spec_can_be_suggested_for_again(command):
    command(*AUTOENCODER, "-f", "spec", "-o", "again.toml")
    code, out, _ = command("again.toml", "-f", "json")
    document = json.loads(out)
    assert code == 0
    assert document["schema"] == "fpcheck/suggestion/1"
    for layer in document["layers"]:
        assert layer["present_w2"] == pytest.approx(layer["sigma_w2"], rel=1e-6)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.pt"], "nowhere.pt"),
        ([*AUTOENCODER, "-f", "torch"], "pytorch"),
        ([*AUTOENCODER, "--method", "orthogonl"], "orthogonal"),
        ([*AUTOENCODER, "--q-star", "-1"], "positive"),
        ([*AUTOENCODER, "--q-star", "1", "--sigma-b", "1"], "exclude"),
        ([*AUTOENCODER, "--target", "y"], "no data"),
        ([*AUTOENCODER, "-o", "no/such/folder/x.py"], "mkdir"),
        ([str(SAMPLES / "autoencoder.pt")], "--activation"),
    ],
)
def test_errors_are_one_line_with_a_hint_and_exit_2(command, words, told):
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert told in err


def test_help_shows_examples(command):
    code, out, _ = command("--help")
    assert code == 0
    assert len(re.findall(r"fpcheck suggest", out)) >= 3
