"""Recurrent files on the command line: a map for every cell, held at what --input names."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from fpcheck.cli.main import run
from fpcheck.core.errors import FpcheckError
from fpcheck.jobs.analyze import analyze
from fpcheck.report.schema import violations

SMALL = ["--starts", "64"]


@pytest.fixture
def fpcheck(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")

    def command_line(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command_line


@pytest.fixture
def stack(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "stack.pt"
    torch.save(torch.nn.GRU(3, 6, num_layers=2).state_dict(), path)
    return path


@pytest.fixture
def bit(tmp_path):
    """An Elman cell of one unit, h <- tanh(2 h + u): two memories at u = 0, one at u = 2."""
    path = tmp_path / "bit.npz"
    np.savez(path, weight_ih=np.ones((1, 1)), weight_hh=np.full((1, 1), 2.0))
    return path


def document(fpcheck, *arguments):
    code, out, err = fpcheck("analyze", *arguments, *SMALL, "-f", "json")
    assert code in (0, 1), err
    return json.loads(out)


def stable(found):
    return [p for p in found["attractors"]["maps"][0]["fixed_points"] if p["kind"] == "stable"]


def test_every_cell_is_a_map_of_the_report(fpcheck, stack):
    found = document(fpcheck, stack)
    assert not violations(found)
    assert [one["name"] for one in found["attractors"]["maps"]] == ["l0", "l1"]
    assert found["subject"]["self_map"] is True
    assert found["subject"]["cells"][0] == {
        "name": "l0",
        "kind": "gru",
        "hidden": 6,
        "input_size": 3,
        "note": "input held at zeros",
    }
    assert "recurrent cells" in found["signal"]["skipped"]
    places = {entry["where"] for entry in found["findings"] if entry["code"] == "FP205"}
    assert places == {"map l0", "map l1"}


def test_headings_name_each_map(fpcheck, stack):
    code, out, _ = fpcheck("analyze", stack, *SMALL)
    assert code == 0
    assert "2 recurrent cells" in out
    assert "Fixed points of l0" in out
    assert "Basins of l1" in out


def test_each_choice_holds_the_cell_at_its_input(fpcheck, bit, tmp_path):
    assert len(stable(document(fpcheck, bit))) == 2
    assert len(stable(document(fpcheck, bit, "--input", "zeros"))) == 2
    np.save(tmp_path / "u.npy", np.array([2.0]))
    (held,) = stable(document(fpcheck, bit, "--input", tmp_path / "u.npy"))
    np.save(tmp_path / "rows.npy", np.array([[1.0], [3.0]]))
    rows = ["--data", tmp_path / "rows.npy"]
    (mean,) = stable(document(fpcheck, bit, *rows, "--input", "mean"))
    assert held["point"] == mean["point"]
    assert held["point"][0] == pytest.approx(np.tanh(2.0 * held["point"][0] + 2.0), abs=1e-14)


def test_the_mean_is_of_rows_after_their_preprocessing(fpcheck, bit, tmp_path):
    np.save(tmp_path / "rows.npy", np.array([[1.0], [3.0]]))
    mean = ["--data", tmp_path / "rows.npy", "--input", "mean"]
    assert len(stable(document(fpcheck, bit, *mean, "--centre", "mean"))) == 2
    spec = tmp_path / "bit.toml"
    spec.write_text("[network]\ninput = 1\nlayers = [ { rnn = 1 } ]\n[inputs]\ncentre = 2.0\n")
    assert len(stable(document(fpcheck, bit, "--spec", spec, *mean))) == 2


def test_what_cannot_be_held_is_one_error_and_exit_2(fpcheck, bit, tmp_path):
    np.save(tmp_path / "two.npy", np.zeros(2))
    for choice, words in (
        ("mean", "--data FILE"),
        ("zero", "unknown input 'zero'"),
        (tmp_path / "two.npy", "has 2 entries; cell 'cell' takes 1"),
    ):
        code, out, err = fpcheck("analyze", bit, "--input", choice)
        assert (code, out) == (2, "")
        assert words in " ".join(err.split())


def test_a_network_without_cells_takes_no_input_choice(tmp_path):
    path = tmp_path / "mlp.toml"
    path.write_text("[network]\ninput = 2\nlayers = [ { dense = 2 } ]\n")
    np.save(tmp_path / "u.npy", np.zeros(2))
    with pytest.raises(FpcheckError, match="is of recurrent cells"):
        analyze(path, input_choice=str(tmp_path / "u.npy"))


def test_a_cell_with_a_nan_is_not_iterated(fpcheck, tmp_path):
    weight = np.array([[np.nan]])
    np.savez(tmp_path / "bad.npz", weight_ih=np.ones((1, 1)), weight_hh=weight)
    found = document(fpcheck, tmp_path / "bad.npz")
    assert found["attractors"]["skipped"] == "'weight_hh' holds NaN or Inf"
    assert found["verdict"] == "fail"


def test_nothing_is_iterated_when_the_user_forbids_it(fpcheck, bit):
    found = document(fpcheck, bit, "--no-self-map")
    assert "--no-self-map" in found["attractors"]["skipped"]


def test_inspect_lists_the_cells(fpcheck, stack):
    code, out, _ = fpcheck("inspect", stack)
    assert code == 0
    assert "Recurrent cells" in out
    assert "l1" in out


def test_the_template_of_a_recurrent_network_runs(fpcheck, tmp_path):
    code, out, _ = fpcheck("new", "rnn")
    assert code == 0
    (tmp_path / "rnn.toml").write_text(out)
    found = document(fpcheck, tmp_path / "rnn.toml")
    assert [(cell["kind"], cell["hidden"]) for cell in found["subject"]["cells"]] == [("rnn", 64)]
    assert found["attractors"]["maps"][0]["name"] == "cell"
