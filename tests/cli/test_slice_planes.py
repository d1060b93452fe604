"""`--slice` from the command line: real runs, what every output says of the axes, refusals."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from fpcheck.cli.main import run

SAMPLES = Path(__file__).parents[2] / "samples"
RNN = str(SAMPLES / "flip_flop_rnn.safetensors")
HOPFIELD = (str(SAMPLES / "hopfield.npz"), "--output-activation", "tanh")
LETTERS = ("--data", str(SAMPLES / "letters.npz"))
QUICK = ("-Q", "attractors", "--starts", "64", "--effort", "0")


@pytest.fixture
def commanded(capsys, tmp_path, monkeypatch):
    """Runs the whole program in an empty folder; gives its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def command_line(*arguments: str) -> tuple[int, str, str]:
        code = run(list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    return command_line


def cut_in(path: str):
    (one,) = json.loads(Path(path).read_text())["attractors"]["maps"]
    return one["slice"]


@pytest.mark.parametrize(
    ("model", "plane", "titles"),
    [
        ((RNN,), "random", ("along a random direction", "along another, at right angles")),
        ((RNN,), "principal", ("principal direction 1, ", "principal direction 2, ")),
        ((*HOPFIELD, *LETTERS), "principal", ("principal direction 1, ", "principal direction 2,")),
    ],
)
def test_every_output_says_what_the_axes_are(commanded, model, plane, titles):
    code, shown, _ = commanded(
        "analyze", *model, *QUICK, "--slice", plane,
        "-o", "json=r.json", "-o", "svg=p.svg", "-o", "html=p.html", "-o", "png=p.png",
    )  # fmt: skip
    assert code == 0
    cut = cut_in("r.json")
    assert cut["x_title"].startswith(titles[0])
    assert cut["y_title"].startswith(titles[1])
    basis = np.array([cut["first"], cut["second"]])
    assert np.abs(basis @ basis.T - np.eye(2)).max() < 1e-12
    text = " ".join(shown.split())
    assert f"x: {cut['x_title']}; y: {cut['y_title']}" in text
    assert f"Basins in {cut['plane']}" in text
    assert f"distance (2-norm) from {cut['centre']}" in text
    for name in ("p.svg", "p.html"):
        drawn = Path(name).read_text()
        assert cut["x_title"] in drawn
        assert cut["y_title"] in drawn
        assert cut["plane"] in drawn
    png = Path("p.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    (packed,) = re.findall(rb"IDAT(.*).{4}\x00\x00\x00\x00IEND", png, re.S)
    assert len(zlib.decompress(packed)) > 10_000


def test_principal_directions_are_of_the_data_where_there_are_any(commanded):
    arguments = ("analyze", *HOPFIELD, *LETTERS, *QUICK, "--slice", "principal", "-o", "r.json")
    assert commanded(*arguments)[0] == 0
    cut = cut_in("r.json")
    stored = np.load(SAMPLES / "letters.npz")
    rows = stored[stored.files[0]].reshape(-1, 64).astype(float)
    away = rows - rows.mean(axis=0)
    _, _, directions = np.linalg.svd(away)
    assert cut["plane"] == f"the principal plane of {len(rows)} rows of the data"
    assert abs(directions[0] @ cut["first"]) == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(cut["origin"], rows.mean(axis=0), atol=1e-12)


def test_a_file_gives_the_plane_and_only_its_name_stands_in_the_report(commanded, tmp_path):
    (tmp_path / "deep").mkdir()
    n = 64
    rows = np.zeros((3, n))
    rows[0, 0] = rows[1, 1] = 2.0
    np.savetxt(tmp_path / "deep" / "plane.csv", rows, delimiter=",")
    code, shown, _ = commanded(
        "analyze", *HOPFIELD, *QUICK, "--slice", "deep/plane.csv", "-o", "json=r.json"
    )
    assert code == 0
    cut = cut_in("r.json")
    assert cut["plane"] == "the plane of plane.csv"
    assert (cut["x_title"], cut["y_title"]) == ("along direction 1", "along direction 2")
    assert (cut["x_low"], cut["y_high"]) == (-2.0, 2.0)
    assert json.loads(Path("r.json").read_text())["settings"]["slice"] == ["plane.csv"]
    assert "plane.csv" in shown
    assert commanded("report", "r.json")[0] == 0
    assert commanded("report", "r.json", "-o", "png=again.png")[0] == 0


def test_a_file_in_a_configuration_is_named_from_its_folder(commanded, tmp_path, monkeypatch):
    rows = np.zeros((2, 64))
    rows[0, 0] = rows[1, 1] = 1.0
    np.save(tmp_path / "plane.npy", rows)
    (tmp_path / "pyproject.toml").write_text('[tool.fpcheck]\nslice = "plane.npy"\n')
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert commanded("analyze", *HOPFIELD, *QUICK, "-o", "r.json")[0] == 0
    assert cut_in("r.json")["plane"] == "the plane of plane.npy"


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (np.eye(3)[:2], "plane.npy has rows of 3 numbers, a state of hopfield.npz has 64"),
        (np.eye(64), "plane.npy holds an array [64, 64]"),
        (np.ones((2, 64)), "the two directions of plane.npy lie on one line"),
        (np.full((2, 64), np.nan), "plane.npy holds nan in row 1, column 1"),
        (None, "there is no file 'plane.npy'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_before_the_work(commanded, monkeypatch, rows, what):
    def never(*_arguments: object, **_named: object) -> None:
        raise AssertionError("the work was begun")

    monkeypatch.setattr("fpcheck.jobs.analyze.measure_sections", never)
    if rows is not None:
        np.save("plane.npy", rows)
    code, shown, error = commanded("analyze", *HOPFIELD, "--slice", "plane.npy")
    assert (code, shown) == (2, "")
    message, where, hint = error.splitlines()
    assert what in message
    assert where == "   in: --slice"
    assert hint.startswith(" hint: ")


def test_the_report_is_written_though_no_picture_can_be_drawn(commanded):
    code, shown, error = commanded(
        "analyze", *HOPFIELD, *QUICK, "--slice", "A,B,Z9",
        "-o", "png=p.png", "-o", "json=r.json", "-o", "html=p.html",
    )  # fmt: skip
    assert code == 2
    assert "Attractors" in shown
    assert Path("r.json").is_file()
    assert not Path("p.png").exists()
    assert not Path("p.html").exists()
    wrote, message, where, hint = error.splitlines()
    assert wrote == "Wrote r.json"
    assert "the report on hopfield.npz holds no picture: no slice: no attractor" in message
    assert "'Z9'" in message or "'B'" in message
    assert where == "   in: --output"
    assert hint.startswith(" hint: ")


def test_of_several_models_the_one_without_a_picture_keeps_nothing_from_the_others(commanded):
    Path("square.toml").write_text(
        '[network]\ninput = 2\nlayers = [{ dense = 2, activation = "tanh" }]\n'
    )
    Path("narrow.toml").write_text(
        '[network]\ninput = 2\nlayers = [{ dense = 1, activation = "tanh" }]\n'
    )
    code, _, error = commanded(
        "analyze", "narrow.toml", "square.toml", "--slice", "random", "--starts", "16",
        "-o", "png={name}.png", "-o", "json={name}.json",
    )  # fmt: skip
    assert code == 2
    assert Path("narrow.toml.json").is_file()
    assert Path("square.toml.json").is_file()
    assert Path("square.toml.png").is_file()
    assert not Path("narrow.toml.png").exists()
    assert error.count("error: ") == 1
    assert "the report on narrow.toml holds no picture: not a self-map" in error
