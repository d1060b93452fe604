"""The files of a run: which ones count, in which order, and what is left out with a reason."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from fpcheck.core.errors import FpcheckError, ModelFileError, UnsupportedOperationError, UsageError
from fpcheck.jobs.trace import trace
from fpcheck.jobs.trace.order import in_order, natural, step_in_name, steps_in


def weights(seed: int, widths: tuple[int, ...] = (5, 4, 3)) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        f"fc{i}.weight": rng.standard_normal((b, a)).astype(np.float32)
        for i, (a, b) in enumerate(itertools.pairwise(widths))
    }


def saved_torch(path: Path, seed: int, **more: object) -> None:
    state = {name: torch.from_numpy(one) for name, one in weights(seed).items()}
    torch.save({"model": state, **more}, path)


def names(document: dict) -> list[str]:
    return [one["name"] for one in document["checkpoints"]]


def test_numbers_in_names_are_numbers() -> None:
    assert step_in_name(Path("epoch=3-step=1000.ckpt")) == 1000
    assert step_in_name(Path("model_7.weights.h5")) == 7
    assert step_in_name(Path("model.h5")) is None
    assert sorted(["b10", "b9", "a2"], key=natural) == ["a2", "b9", "b10"]


def test_a_step_is_read_from_every_format(tmp_path: Path) -> None:
    saved_torch(tmp_path / "a.pt", 0, global_step=torch.tensor(30), epoch=2)
    save_file(weights(0), tmp_path / "b.safetensors", metadata={"step": "20"})
    np.savez(tmp_path / "c.npz", **weights(0), epoch=np.array(4))
    assert steps_in(tmp_path / "a.pt") == {"global_step": 30, "epoch": 2}
    assert steps_in(tmp_path / "b.safetensors") == {"step": 20}
    assert steps_in(tmp_path / "c.npz") == {"epoch": 4}


def test_the_step_in_the_files_goes_before_the_names(tmp_path: Path) -> None:
    for name, step in (("z_1.safetensors", 7), ("a_9.safetensors", 900)):
        save_file(weights(step), tmp_path / name, metadata={"step": str(step)})
    saved_torch(tmp_path / "m_5.pt", 3, step=80)
    document = trace(tmp_path, activation="relu")
    assert names(document) == ["z_1.safetensors", "m_5.pt", "a_9.safetensors"]
    assert document["run"]["order"] == "step in the file"
    assert [one["step"] for one in document["checkpoints"]] == [7, 80, 900]
    assert {one["format"] for one in document["checkpoints"]} == {"pytorch", "safetensors"}


def test_else_the_numbers_of_the_names_else_the_order_given(tmp_path: Path) -> None:
    for name in ("run_10", "run_9", "best", "last"):
        np.savez(tmp_path / f"{name}.npz", **weights(len(name)))
    numbered = [tmp_path / "run_10.npz", tmp_path / "run_9.npz"]
    assert names(trace(numbered, activation="relu")) == ["run_9.npz", "run_10.npz"]
    plain = [tmp_path / "last.npz", tmp_path / "best.npz"]
    document = trace(plain, activation="relu")
    assert names(document) == ["last.npz", "best.npz"]
    assert document["run"]["order"] == "as given"
    assert in_order(plain, by_hand=False).order == "name"


def test_what_cannot_be_used_is_named_with_its_reason(tmp_path: Path) -> None:
    for step in (1, 2):
        np.savez(tmp_path / f"step_{step}.npz", **weights(step))
    (tmp_path / "step_3.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    np.savez(tmp_path / "step_4.npz", **weights(4, (5, 6, 3)))
    (tmp_path / "notes.txt").write_text("no checkpoint")
    document = trace(tmp_path, activation="relu")
    assert names(document) == ["step_1.npz", "step_2.npz"]
    assert document["run"]["checkpoints"] == 2
    skipped = {one["name"]: one for one in document["run"]["skipped"]}
    assert set(skipped) == {"step_3.safetensors", "step_4.npz"}
    assert "[6, 5]" in skipped["step_4.npz"]["reason"]
    assert all(one["reason"] and one["hint"] for one in skipped.values())


def test_a_run_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no checkpoints"):
        trace(tmp_path)
    with pytest.raises(UsageError, match="no checkpoints"):
        trace([])
    bad = tmp_path / "one.npz"
    bad.write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match=r"one\.npz"):
        trace(tmp_path)
    with pytest.raises(ModelFileError, match="does not exist"):
        trace(tmp_path / "no_such.npz")


def test_folders_that_hold_one_model_each_are_ordered_by_their_names(tmp_path: Path) -> None:
    for step in (200, 1000):
        (tmp_path / f"checkpoint-{step}").mkdir()
        save_file(weights(step), tmp_path / f"checkpoint-{step}" / "model.safetensors")
    document = trace(sorted(tmp_path.iterdir()), activation="relu")
    assert names(document) == [
        "checkpoint-200/model.safetensors",
        "checkpoint-1000/model.safetensors",
    ]


def test_a_flag_that_fits_no_file_is_the_error(tmp_path: Path) -> None:
    for step in (1, 2):
        np.savez(tmp_path / f"step_{step}.npz", **weights(step))
    with pytest.raises(UnsupportedOperationError, match="reluu"):
        trace(tmp_path, activation="reluu")


def test_a_file_twice_counts_twice_and_is_noted(tmp_path: Path) -> None:
    for step in (1, 2):
        np.savez(tmp_path / f"step_{step}.npz", **weights(0))
    document = trace(tmp_path, activation="relu")
    assert len(document["checkpoints"]) == 2
    assert any("same bytes" in note for note in document["run"]["notes"])


def test_one_checkpoint_alone_is_a_run_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "only.npz", **weights(0))
    document = trace(tmp_path / "only.npz", activation="relu")
    (one,) = document["checkpoints"]
    assert one["distance"] == {
        "from_first": 0.0, "from_previous": 0.0, "relative": 0.0, "path": 0.0,
    }  # fmt: skip
    json.dumps(document, allow_nan=False)


def test_without_an_activation_the_weights_are_traced_alone(tmp_path: Path) -> None:
    for step in (1, 2):
        np.savez(tmp_path / f"step_{step}.npz", **weights(step))
    document = trace(tmp_path)
    one = document["checkpoints"][1]
    assert "--activation" in one["signal"]["skipped"]
    values = np.linalg.svd(weights(2)["fc0.weight"].astype(np.float64), compute_uv=False)
    assert np.allclose(one["layers"][0]["singular_values"], values, rtol=1e-9)


def test_attractors_are_only_of_self_maps(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **weights(0))
    with pytest.raises(UsageError, match="self-map"):
        trace(tmp_path, activation="relu", attractors=True)


def test_the_step_of_a_name_is_not_the_loss_in_it() -> None:
    assert step_in_name(Path("epoch=3-val_loss=0.45.ckpt")) == 3
    assert step_in_name(Path("iter_0000500_lr0.1.pt")) == 500
    assert step_in_name(Path("step=1000-epoch=2.pt")) == 1000


def test_a_step_that_is_the_same_in_all_files_orders_nothing(tmp_path: Path) -> None:
    for number in (100, 9, 10):
        saved_torch(tmp_path / f"s{number}.pt", number, epoch=0)
    found = in_order(sorted(tmp_path.iterdir()), by_hand=False)
    assert (found.steps, found.order) == ((9, 10, 100), "step in the name")
    alike = [tmp_path / "best.pt", tmp_path / "last.pt"]
    for path in alike:
        saved_torch(path, 1, step=7)
    assert in_order(alike, by_hand=True).steps == (7, 7)


def test_a_slip_in_a_flag_leaves_no_file_out(tmp_path: Path) -> None:
    for step in (1, 2):
        np.savez(tmp_path / f"step_{step}.npz", **weights(step))
    with pytest.raises(FpcheckError, match="unknown activation 'rleu'"):
        trace(tmp_path, activation="rleu")


def test_a_file_without_a_network_says_why_it_has_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "step_1.npz", **weights(1))
    with h5py.File(tmp_path / "step_2.h5", "w") as file:
        for name, tensor in weights(2).items():
            file[name] = tensor
    (left,) = trace(tmp_path, activation="relu")["run"]["skipped"]
    assert left["name"] == "step_2.h5"
    assert "no model's configuration" in left["reason"]
    assert "--spec" in left["hint"]


def test_layers_are_called_as_in_the_first_checkpoint(tmp_path: Path) -> None:
    np.savez(tmp_path / "step_1.npz", **weights(1))
    renamed = {name.replace("fc", "dense"): one for name, one in weights(2).items()}
    save_file(renamed, tmp_path / "step_2.safetensors")
    first, second = trace(tmp_path, activation="relu")["checkpoints"]
    for part in (lambda one: one["layers"], lambda one: one["signal"]["layers"]):
        assert [one["name"] for one in part(second)] == [one["name"] for one in part(first)]


def test_recurrent_cells_are_said_not_to_be_run(tmp_path: Path) -> None:
    for step in (1, 2):
        torch.manual_seed(step)
        torch.save(torch.nn.GRU(3, 4).state_dict(), tmp_path / f"step_{step}.pt")
    document = trace(tmp_path)
    assert len(document["checkpoints"][1]["layers"]) == 2
    assert "not run here" in document["checkpoints"][1]["signal"]["skipped"]
    assert "not run here" in document["tracks"]["skipped"]


def test_of_several_numbers_in_names_the_one_that_tells_all_apart_orders() -> None:
    paths = [Path(f"epoch2_{number}.pt") for number in (10, 9, 1)]
    found = in_order(paths, by_hand=True)
    assert (found.steps, found.order, found.note) == ((1, 9, 10), "step in the name", "")


def test_a_step_within_the_epoch_in_the_files_gives_way_to_the_name(tmp_path: Path) -> None:
    for epoch, step in itertools.product((0, 1), (0, 50)):
        saved_torch(tmp_path / f"model_{epoch * 100 + step}.pt", epoch, step=step)
    assert in_order(sorted(tmp_path.iterdir()), by_hand=False).steps == (0, 50, 100, 150)


def test_two_runs_in_one_folder_are_noticed(tmp_path: Path) -> None:
    for run, step in itertools.product(("a", "b"), (1, 2)):
        np.savez(tmp_path / f"{run}_{step}.npz", **weights(step))
    (note,) = (one for one in trace(tmp_path)["run"]["notes"] if "name the files of one" in one)
    assert note.startswith("4 checkpoints have the step of another one, such as 1")


def test_a_file_that_is_given_twice_is_one_checkpoint(tmp_path: Path) -> None:
    for step in (1, 2):
        np.savez(tmp_path / f"step_{step}.npz", **weights(step))
    document = trace([tmp_path / "step_2.npz", tmp_path])
    assert [one["name"] for one in document["checkpoints"]] == ["step_1.npz", "step_2.npz"]
    assert document["run"]["notes"] == []


def test_where_there_is_no_loss_the_rules_say_why(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for step in (1, 2):
        np.savez(run / f"step_{step}.npz", **weights(1))
    rng = np.random.default_rng(0)
    first = next(iter(weights(1).values()))
    np.savez(tmp_path / "many.npz", x=rng.normal(size=(60, first.shape[1])), y=np.arange(60) % 20)
    document = trace(run, activation="relu", data=tmp_path / "many.npz")
    said = {one["code"]: one["message"] for one in document["findings"]}
    assert "for 20 classes" in said["FP502"]
    assert "No weight changed" in document["summary"]["answer"]
    assert "--data" in {one["code"]: one["message"] for one in trace(run)["findings"]}["FP502"]


def test_a_file_of_one_layer_is_told_from_a_slip_in_a_flag(tmp_path: Path) -> None:
    for step in (1, 2):
        np.savez(tmp_path / f"step_{step}.npz", **weights(step))
    np.savez(tmp_path / "step_3.npz", **{"fc.weight": np.ones((3, 4)), "fc.bias": np.ones(3)})
    (left,) = trace(tmp_path, activation="relu")["run"]["skipped"]
    assert left["name"] == "step_3.npz"
    assert left["reason"].startswith("it has 1 layer with weights, step_1.npz has ")
