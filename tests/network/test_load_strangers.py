"""Files that are no model of their suffix are named for what they are, with what to do instead."""

import pickle

import numpy as np
import pytest

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load import load

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
PAGE = b"\n<!DOCTYPE html>\n<html><head><title>404</title></head></html>\n"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(128, 228))
SUFFIXES = ["pt", "pth", "bin", "ckpt", "npz", "safetensors", "onnx", "h5", "keras", "skops"]

CONTENTS = [
    (POINTER, "is a Git LFS pointer", "git lfs pull"),
    (PAGE, "is a web page", "login"),
    (b'{"error": "Repository not found"}', 'is a text, not a model: \'{"error"', "right file"),
    (PNG, "is an image", "right file"),
    (b"\x1f\x8b\x08" + PNG, "is compressed with gzip", "gunzip"),
    (b"GGUF\x03\0\0\0" + PNG, "is a GGUF file", "safetensors"),
    (b"\x1c\0\0\0TFL3" + PNG, "is a TensorFlow Lite model", "tf2onnx"),
]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("content", "what", "hint"), CONTENTS, ids=lambda value: str(value)[:12])
def test_a_file_of_another_kind_is_named(tmp_path, suffix, content, what, hint):
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=what) as caught:
        load(path)
    assert hint in caught.value.hint


def test_a_shard_that_is_a_git_lfs_pointer_is_named(tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"w": "model-00001-of-00001.safetensors"}}')
    (tmp_path / "model-00001-of-00001.safetensors").write_bytes(POINTER)
    with pytest.raises(ModelFileError, match=r"model-00001.* is a Git LFS pointer"):
        load(index)


@pytest.mark.parametrize(
    ("suffix", "hint"),
    [
        (".pb", "model.keras"),
        (".tflite", "tf2onnx"),
        (".mlmodel", "onnx"),
        (".joblib", "skops"),
        (".pt2", "torch.onnx.export"),
        (".zip", "unpack"),
        (".py", "package.module:factory"),
        (".npy", "--data FILE"),
    ],
)
def test_a_suffix_of_another_kind_says_what_to_bring(tmp_path, suffix, hint):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"\0\1\2\3 not read \xff")
    with pytest.raises(ModelFileError, match="unknown suffix") as caught:
        load(path)
    assert hint in caught.value.hint


def test_safetensors_under_a_suffix_of_pytorch_are_to_be_renamed(tmp_path):
    numpy_safetensors = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "model.bin"
    numpy_safetensors.save_file({"w": np.eye(3, dtype=np.float32)}, path)
    with pytest.raises(ModelFileError, match="holds safetensors") as caught:
        load(path)
    assert caught.value.hint == "rename it to model.safetensors"
    renamed = tmp_path / "model.safetensors"
    path.rename(renamed)
    np.testing.assert_array_equal(load(renamed).tensors["w"], np.eye(3))


@pytest.mark.parametrize("name", ["epoch=1.ckpt", "checkpoint.pth.tar", "best.pt.tar"])
def test_checkpoints_of_training_are_read_as_pytorch_files(tmp_path, name):
    torch = pytest.importorskip("torch")
    weight = torch.arange(12.0).reshape(3, 4)
    torch.save({"epoch": 1, "state_dict": {"0.weight": weight}}, tmp_path / name)
    subject = load(tmp_path / name)
    assert subject.format == "pytorch"
    np.testing.assert_array_equal(subject.tensors["0.weight"], weight.numpy())


def test_the_state_of_an_optimizer_is_no_model(tmp_path):
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    path = tmp_path / "optimizer.pt"
    torch.save(optimizer.state_dict(), path)
    with pytest.raises(ModelFileError, match="state of an optimizer") as caught:
        load(path)
    assert "--key state" in caught.value.hint
    assert "0.exp_avg" in load(path, key="state").tensors


def test_a_program_of_torch_export_is_named(tmp_path):
    torch = pytest.importorskip("torch")
    program = torch.export.export(torch.nn.Linear(3, 2), (torch.ones(1, 3),))
    torch.export.save(program, tmp_path / "model.pt2")
    path = (tmp_path / "model.pt2").rename(tmp_path / "model.pt")
    with pytest.raises(ModelFileError, match=r"program of torch\.export") as caught:
        load(path)
    # The hint, followed: the weights of the program are a state dict.
    assert "program.state_dict" in caught.value.hint
    torch.save(program.state_dict, tmp_path / "weights.pt")
    assert set(load(tmp_path / "weights.pt").tensors) == {"weight", "bias"}


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("saved_model.pb", "a TensorFlow SavedModel"),
        ("checkpoint", "a TensorFlow checkpoint"),
        ("_METADATA", "an Orbax checkpoint"),
        ("Manifest.json", "a Core ML package"),
    ],
)
def test_a_folder_that_is_a_format_of_its_own_is_named(tmp_path, entry, what):
    (tmp_path / entry).write_bytes(b"\0")
    with pytest.raises(ModelFileError, match=what) as caught:
        load(tmp_path)
    assert caught.value.hint


def test_a_folder_with_a_model_of_another_name_names_it(tmp_path, monkeypatch):
    np.savez(tmp_path / "best.npz", w=np.eye(2))
    (tmp_path / "notes.txt").write_text("nothing")
    monkeypatch.chdir(tmp_path.parent)  # a hint shortens a long path
    with pytest.raises(ModelFileError, match="is a directory") as caught:
        load(tmp_path.name)
    assert caught.value.hint.endswith("best.npz")


def test_an_address_is_to_be_downloaded_first():
    with pytest.raises(ModelFileError, match="does not exist") as caught:
        load("https://example.org/models/model.pt")
    assert "download it first" in caught.value.hint


def test_a_pickle_of_bytes_is_still_named_for_what_it_is(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ModelFileError, match="bare pickle"):
        load(path)
