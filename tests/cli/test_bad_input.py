"""Bad input through the whole program: message, place, hint, exit code, never a traceback.

The readers' own tests are in tests/network and tests/hostile; here it is the user who makes the
mistake.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fpcheck.cli.main import run
from fpcheck.kernels.cache import cache_folder

SAMPLES = Path(__file__).parents[2] / "samples"
AUTOENCODER = str(SAMPLES / "autoencoder.npz")
TANH = ("--activation", "tanh", "--starts", "8", "--samples", "8", "--splits", "2")
ONE_LINE = r"""
[network]
input = {input}
layers = [
  {{ {layer} }},
]
"""


@pytest.fixture
def fpcheck(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def command_line(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return command_line


@pytest.fixture
def refused(fpcheck):
    """Runs a command line that has to be refused in three lines; gives them as one text."""

    def command_line(*arguments: object) -> str:
        code, out, err = fpcheck(*arguments)
        assert (code, out) == (2, "")
        what, where, hint = err.splitlines()
        assert what.startswith("error: ")
        assert where.startswith("   in: ")
        assert hint.startswith(" hint: ")
        return err

    return command_line


def weights(path: Path, **changed: object) -> Path:
    """A chain 4 -> 5 -> 4 under the names of a torch.nn.Sequential, with changed arrays."""
    rng = np.random.default_rng(5)
    arrays: dict[str, object] = {
        "0.weight": rng.normal(size=(5, 4)),
        "0.bias": np.zeros(5),
        "2.weight": rng.normal(size=(4, 5)),
        "2.bias": np.zeros(4),
    }
    np.savez(path, **(arrays | changed))
    return path


def spec(path: Path, size: int = 4, layer: str = "dense = 4") -> Path:
    path.write_text(ONE_LINE.format(input=size, layer=layer))
    return path


MODEL_SUFFIXES = (".npz", ".pt", ".pth", ".safetensors", ".toml")
WHOLE = {
    ".npz": "autoencoder.npz",
    ".pt": "autoencoder.pt",
    ".pth": "autoencoder.pt",
    ".safetensors": "autoencoder.safetensors",
    ".toml": "crelu100.toml",
}


@pytest.mark.parametrize("suffix", MODEL_SUFFIXES)
def test_a_model_that_is_missing_empty_or_cut_off_is_refused(refused, tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    assert "does not exist" in refused("analyze", path)
    path.write_bytes(b"")
    assert "is empty" in refused("analyze", path)
    whole = (SAMPLES / WHOLE[suffix]).read_bytes()
    for share in (0.01, 0.5, 0.95):
        path.write_bytes(whole[: int(share * len(whole))])
        assert path.name in refused("analyze", path)
        assert path.name in refused("inspect", path)


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".csv"])
def test_data_that_are_missing_empty_or_cut_off_are_refused(refused, tmp_path, suffix):
    path = tmp_path / f"rows{suffix}"
    analyze = ("analyze", AUTOENCODER, *TANH, "--data", path)
    assert path.name in refused(*analyze)
    path.write_bytes(b"")
    assert "is empty" in refused(*analyze)
    if suffix == ".csv":
        whole = b"a,b,c\n1,2,3\n4,5"  # the last line is cut off
    else:
        save = np.savez if suffix == ".npz" else np.save
        save(path, np.ones((9, 64)))
        whole = path.read_bytes()[:-100]
    path.write_bytes(whole)
    assert path.name in refused(*analyze)


def test_a_saved_report_that_is_missing_empty_or_cut_off_is_refused(refused, fpcheck, tmp_path):
    path = tmp_path / "report.json"
    assert "report.json" in refused("report", path)
    path.write_bytes(b"")
    assert "not a report" in refused("report", path)
    fpcheck("analyze", AUTOENCODER, "-o", path)
    whole = path.read_bytes()
    for share in (0.01, 0.5, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        assert "not a report" in refused("report", path)
    path.write_bytes(b"\x80\x81")
    assert "UTF-8" in refused("report", path)
    assert "is a folder" in refused("report", tmp_path)


@pytest.mark.parametrize("text", ["seed = [", "sede = 3", "seed = 'x'", "activation = 'tanh'"])
def test_a_configuration_that_is_damaged_or_misspelt_is_refused(refused, tmp_path, text):
    (tmp_path / "fpcheck.toml").write_text(text)
    assert "fpcheck.toml" in refused("analyze", AUTOENCODER)


def test_a_pickle_that_would_run_a_command_runs_nothing_and_is_named(refused, tmp_path):
    evil = b"\x80\x02cposix\nsystem\nX\x0c\x00\x00\x00touch ./EVIL\x85R."
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr("archive/data.pkl", evil)
        archive.writestr("archive/version", "3\n")
    told = refused("analyze", tmp_path / "net.pt")
    assert "posix.system" in told
    assert "nothing was called" in told
    assert not (tmp_path / "EVIL").exists()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("tensor", ["0.weight", "2.bias"])
def test_weights_that_are_not_finite_are_an_error_and_nothing_else_is_asked(
    fpcheck, tmp_path, bad, tensor
):
    with np.load(weights(tmp_path / "net.npz")) as file:
        array = file[tensor].copy()
    array.flat[0] = bad
    path = weights(tmp_path / "net.npz", **{tensor: array})
    code, out, err = fpcheck("analyze", path, *TANH, "-q")
    assert (code, err) == (1, "")
    assert f"FP001 error     {tensor}" in out
    assert f"Signal, attractors, readout skipped: '{tensor}' holds NaN or Inf" in " ".join(
        out.split()
    )


def test_shapes_that_do_not_chain_are_told_and_only_the_weights_are_judged(fpcheck, tmp_path):
    path = weights(tmp_path / "net.npz", **{"2.weight": np.ones((4, 6))})
    code, out, _ = fpcheck("analyze", path, *TANH, "-q")
    assert code == 0
    told = " ".join(out.split())  # where lines end depends on the file's path
    assert "Signal, attractors, readout skipped: layer '2' takes 6 inputs" in told
    assert "'0' before it gives 5" in told
    assert "--spec" in told


def test_shapes_that_do_not_fit_the_spec_are_refused(refused, tmp_path):
    net = spec(tmp_path / "net.toml", 4, 'dense = 6, activation = "tanh"')
    told = refused("analyze", weights(tmp_path / "net.npz"), "--spec", net)
    assert "net.npz" in told


@pytest.mark.parametrize(
    ("layer", "nearest"),
    [
        ("dnese = 4", "dense"),
        ('dense = 4, activaton = "tanh"', "activation"),
        ('dense = 4, activation = "tnah"', "tanh"),
        ('dense = 4, weights = "he_nromal"', "he_normal"),
    ],
)
def test_a_typo_in_a_spec_is_told_with_its_line_and_the_nearest_word(
    refused, tmp_path, layer, nearest
):
    told = refused("analyze", spec(tmp_path / "net.toml", 4, layer))
    assert "net.toml, line 5" in told
    assert f"did you mean '{nearest}'" in told


def test_data_whose_width_or_rows_do_not_fit_are_refused(refused, tmp_path):
    analyze = ("analyze", AUTOENCODER, *TANH, "--data", "rows.npz")
    for arrays, told in (
        ({"X": np.ones((9, 63))}, "(63 entries) do not fit the network's input [64]"),
        ({"X": np.ones((9, 64)), "y": np.arange(8)}, "9 rows of inputs but 8 targets"),
        ({"X": np.full((9, 64), np.nan)}, "not finite"),
        ({"X": np.ones((0, 64))}, "no rows"),
    ):
        np.savez(tmp_path / "rows.npz", **arrays)
        assert told in refused(*analyze)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("net.xyz", ".safetensors"),
        ("net", ".safetensors"),
        ("report.json", "fpcheck report"),
        ("rows.csv", "--data"),
        ("rows.npy", "--data"),
        ("net.pkl", "not read"),
    ],
)
def test_a_suffix_that_is_no_models_is_told_with_what_the_file_may_be(
    refused, tmp_path, name, hint
):
    (tmp_path / name).write_text("something")
    assert hint in refused("analyze", tmp_path / name)


def test_data_given_as_the_model_are_told_from_a_model(refused):
    for command in ("analyze", "inspect"):
        told = refused(command, SAMPLES / "digits.npz")
        assert "rows of data, not a network" in told
        assert "--data digits.npz" in told


def test_a_directory_is_refused(refused, tmp_path):
    (tmp_path / "net.npz").mkdir()
    assert "directory" in refused("analyze", tmp_path / "net.npz")
    assert "directory" in refused("analyze", AUTOENCODER, *TANH, "--data", tmp_path)


def test_attractors_alone_of_what_is_no_self_map_are_not_judged(fpcheck):
    sample = SAMPLES / "classifier.safetensors"
    analyze = ("analyze", sample, "--activation", "relu", "-Q", "attractors", "-q")
    code, out, err = fpcheck(*analyze)
    assert code == 3
    assert "Attractors skipped: not a self-map: it maps [64] to [10]" in out
    assert "nothing that was asked could be judged" in err


def test_insisting_on_a_self_map_that_is_none_is_refused(refused):
    sample = SAMPLES / "classifier.safetensors"
    told = refused("analyze", sample, "--activation", "relu", "--self-map", "-Q", "attractors")
    assert "maps [64] to [10]" in told


def test_no_starts_are_refused(refused):
    assert "at least 1, got 0" in refused("analyze", AUTOENCODER, "--starts", "0")


def test_an_output_that_cannot_be_written_is_refused_before_the_work(refused, tmp_path):
    net = weights(tmp_path / "net.npz")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "folder.json" / "net.npz.json").mkdir()
    for output in ("absent/r.json", "net.npz", "folder.json", "/proc/r.json"):
        told = refused("analyze", net, *TANH, "-o", f"json={output}")
        assert output in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.json", "net.npz"]


def test_too_large_a_network_or_too_much_work_is_refused_with_the_figure(fpcheck, tmp_path):
    large = spec(tmp_path / "large.toml", 1_000_000, "dense = 1_000_000")
    for arguments in (
        ("analyze", large),
        ("analyze", AUTOENCODER, "--activation", "tanh", "--starts", "1000000000"),
        ("analyze", AUTOENCODER, "--activation", "tanh", "--samples", "1000000000"),
    ):
        code, out, err = fpcheck(*arguments)
        assert (code, out) == (2, "")
        assert "GiB" in err
        assert "are available" in err
        assert " hint: " in err


def test_warming_a_cache_that_cannot_be_written_is_refused(fpcheck, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("FPCHECK_CACHE_DIR", str(tmp_path / "file"))
    cache_folder.cache_clear()
    code, out, err = fpcheck("warm")
    cache_folder.cache_clear()
    assert (code, out) == (2, "")
    assert "FPCHECK_CACHE_DIR" in err


def test_names_that_would_draw_on_the_terminal_are_escaped(fpcheck, tmp_path):
    bad = "\x1b[31mred\n::error::x"
    path = tmp_path / "net.npz"
    np.savez(path, **{f"{bad}.weight": np.eye(3), "[bold]b.weight": np.eye(3)})
    for arguments in (("analyze",), ("analyze", "--ascii"), ("analyze", "-q"), ("inspect",)):
        code, out, _ = fpcheck(*arguments, path)
        assert code == 0
        assert "\x1b" not in out
        assert "\n::error" not in out
    _, out, _ = fpcheck("analyze", path, "-f", "json")
    assert f"{bad}.weight" in [layer["name"] for layer in json.loads(out)["weights"]["layers"]]


def test_rows_far_beyond_what_doubles_can_square_end_in_a_report(fpcheck, tmp_path):
    rng = np.random.default_rng(0)
    huge = rng.normal(size=(30, 64)) * 1e200
    np.savez(tmp_path / "rows.npz", X=huge, y=np.arange(30) % 3)
    code, out, err = fpcheck("analyze", AUTOENCODER, *TANH, "--data", "rows.npz")
    assert (code in (0, 1), err) == (True, "")
    assert "Findings" in out


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_task_can_be_said_where_the_targets_leave_it_open(fpcheck, tmp_path, task):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", X=rng.normal(size=(40, 64)), y=np.arange(40) % 4)
    analyze = ("analyze", AUTOENCODER, *TANH, "--data", "rows.npz", "-Q", "readout")
    _, out, _ = fpcheck(*analyze, "--task", task, "-f", "json")
    metric = {"classification": "accuracy", "regression": "r2"}[task]
    assert json.loads(out)["readout"]["metric"] == metric
    assert "--task" not in json.dumps(json.loads(out)["readout"])  # no hint at what was said
