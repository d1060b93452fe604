"""`--short-run` of analyze and suggest: refused where it would do nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpcheck.cli.main import run

SAMPLES = Path(__file__).parents[2] / "samples"
MODEL = str(SAMPLES / "classifier.safetensors")
DATA = ("--data", str(SAMPLES / "digits.npz"))
SPEC = """
[network]
input = 64
layers = [ { dense = 12, activation = "tanh" }, { dense = 10 } ]
[init]
weights = "torch_default"
biases = "zeros"
"""


@pytest.mark.parametrize(
    ("words", "hint"),
    [((), "--data FILE"), ((*DATA, "-Q", "readout"), "--question signal")],
)
def test_analyze_refuses_it_without_data_or_without_the_signal(fpcheck, words, hint):
    result = fpcheck("analyze", MODEL, "--short-run", *words)
    assert (result.code, result.out, fpcheck.calls) == (2, "", [])
    assert "in: --short-run" in result.err
    assert hint in result.err


def test_analyze_takes_it_with_both_and_from_a_file_always(fpcheck):
    assert fpcheck("analyze", MODEL, "--short-run", *DATA).code == 0
    Path("fpcheck.toml").write_text("short-run = true\n")
    assert fpcheck("analyze", MODEL).code == 0


@pytest.fixture
def suggest(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "net.toml").write_text(SPEC, "utf-8")

    def call(*words):
        capsys.readouterr()
        code = run(["suggest", "net.toml", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.mark.parametrize("flag", ["--short-run", "--no-short-run"])
def test_suggest_refuses_it_without_data(suggest, flag):
    code, out, err = suggest(flag)
    assert (code, out) == (2, "")
    assert "--data FILE" in err


def test_suggest_tries_both_starts_on_the_data(suggest):
    code, out, _ = suggest(*DATA)
    assert code == 0
    assert "Short run" in out
    assert "as suggested" in out
    assert max(map(len, out.splitlines())) <= 80
    _, out, _ = suggest(*DATA, "--ascii")
    assert out.isascii()


def test_suggest_does_not_train_for_code_or_where_nobody_wants_it(suggest, monkeypatch):
    def never(*_args, **_kwargs):
        raise AssertionError("this trains")

    monkeypatch.setattr("fpcheck.jobs.suggest.tried.short_run", never)
    assert suggest(*DATA, "-f", "pytorch")[0] == 0
    code, out, _ = suggest(*DATA, "--no-short-run")
    assert code == 0
    assert "--no-short-run" in out
