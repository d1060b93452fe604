"""The flags of the attractors question: refused by name, with a hint, before any work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fpcheck.cli.main import run

SAMPLES = Path(__file__).parents[2] / "samples"
MODEL = str(SAMPLES / "autoencoder.npz")
SPEC = '[network]\ninput = 4\nlayers = [{ dense = 4, activation = "tanh" }]\n'
NOT_SQUARE = SPEC.replace("dense = 4", "dense = 3")
ATTRACTORS = ("--question", "attractors")


@pytest.mark.parametrize(
    ("flag", "value", "what"),
    [
        ("--effort", "-1", "at least 0"),
        ("--effort", "nan", "finite number"),
        ("--effort", "much", "--effort must be a number"),
        ("--slice", "A,B", "auto, random, principal, three different ids or a file"),
        ("--slice", "A,A,B", "three different ids"),
        ("--slice", "auto,A,B", "three different ids"),
        ("--slice", "random,principal,B", "three different ids"),
        ("--slice", "randm", "did you mean 'random'?"),
        ("--slice", "plane.txt", "a file (.npy, .npz, .csv), got 'plane.txt'"),
        ("--slice", ",", "is empty text"),
        ("--draws", "0", "at least 1"),
        ("--draws", "2.5", "--draws must be a whole number"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_before_any_work(fpcheck, flag, value, what):
    result = fpcheck("analyze", MODEL, f"{flag}={value}")
    assert (result.code, result.out, fpcheck.calls) == (2, "", [])
    message, where, hint = result.err.splitlines()
    assert what in message
    assert where == f"   in: {flag}"
    assert hint.startswith(" hint: ")


@pytest.mark.parametrize(
    "flag", [("--effort", "2"), ("--slice", "auto"), ("--continuation",), ("--spectrum",)]
)
def test_a_flag_of_the_attractors_is_refused_where_they_are_not_asked_for(fpcheck, flag):
    for rest, hint in (
        (("--question", "signal"), "--question attractors"),
        (("--no-self-map",), "--no-self-map"),
    ):
        result = fpcheck("analyze", MODEL, *flag, *rest)
        assert (result.code, fpcheck.calls) == (2, [])
        assert f"in: {flag[0]}" in result.err
        assert hint in result.err
    assert fpcheck("analyze", MODEL, *flag, *ATTRACTORS).code == 0


def test_the_same_keys_of_a_file_are_for_all_models_and_not_refused(fpcheck):
    Path("fpcheck.toml").write_text('slice = "auto"\neffort = 0.5\ncontinuation = true\n')
    assert fpcheck("analyze", MODEL, "--question", "signal").code == 0


@pytest.fixture
def refused(capsys, tmp_path, monkeypatch):
    """Runs the whole program; gives the exit code and what stands on stderr."""
    monkeypatch.chdir(tmp_path)

    def command_line(*arguments: str) -> tuple[int, str]:
        code = run(list(arguments))
        return code, capsys.readouterr().err

    return command_line


def never(*_arguments: object, **_named: object) -> None:
    raise AssertionError("the work was begun")


def test_draws_of_a_checkpoint_are_refused_before_it_is_read(refused, monkeypatch):
    monkeypatch.setattr("fpcheck.jobs.analyze.load", never)
    code, error = refused("analyze", MODEL, "--draws", "20")
    assert code == 2
    assert "error: --draws is for specs, which draw their weights; autoencoder.npz" in error
    assert "in: --draws" in error


def test_draws_of_what_is_no_self_map_are_refused_before_any_network_is_drawn(refused, monkeypatch):
    monkeypatch.setattr("fpcheck.jobs.analyze.load", never)
    Path("net.toml").write_text(NOT_SQUARE)
    code, error = refused("analyze", "net.toml", "--draws", "20")
    assert code == 3
    assert "cannot be fed to themselves" in error
    assert "in: --draws" in error


def test_an_id_that_no_attractor_has_costs_the_slice_and_not_the_report(refused):
    Path("net.toml").write_text(SPEC)
    code, _ = refused(
        "analyze", "net.toml", *ATTRACTORS, "--slice", "A,B,Z9", "--starts", "16",
        "--effort", "0", "-o", "report.json",
    )  # fmt: skip
    assert code == 0
    (one,) = json.loads(Path("report.json").read_text())["attractors"]["maps"]
    assert "no attractor has the id 'B'; there are: A" in one["slice"]["skipped"]


def test_a_page_holds_every_picture_of_the_report(refused):
    Path("net.toml").write_text(SPEC)
    code, _ = refused(
        "analyze", "net.toml", *ATTRACTORS, "--slice", "auto", "--continuation",
        "--starts", "16", "--effort", "0", "-o", "html=page.html", "-o", "json=report.json",
    )  # fmt: skip
    assert code == 0
    assert Path("page.html").read_text().count("<svg") == 2
    assert refused("report", "report.json", "-o", "svg=again.svg")[0] == 0
    assert Path("again.svg").read_text().count("<svg") == 1
    del_pictures = json.loads(Path("report.json").read_text())
    for one in del_pictures["attractors"]["maps"]:
        one["slice"] = one["continuation"] = None
    Path("without.json").write_text(json.dumps(del_pictures))
    code, error = refused("report", "without.json", "-o", "png=none.png")
    assert code == 2
    assert "--slice auto" in error
    assert not Path("none.png").exists()
