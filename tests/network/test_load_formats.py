"""`.npz` and `.safetensors` files, and the errors of every format."""

import hashlib
import json
import os
import struct

import numpy as np
import pytest

from fpcheck.core import memory
from fpcheck.core.errors import MemoryLimitError, ModelFileError, UsageError
from fpcheck.network.load import load

DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", ">f8", ">i2"]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_arrays_come_back_as_saved(tmp_path, save):
    rng = np.random.default_rng(2)
    arrays = {f"a{i}": (rng.normal(size=(3, 5)) * 50).astype(d) for i, d in enumerate(DTYPES)}
    arrays |= {
        "fortran": np.asfortranarray(rng.normal(size=(4, 3))),
        "scalar": np.array(2.5),
        "empty": np.zeros((0, 3)),
        "deep": rng.normal(size=(2, 1, 3, 2)),
    }
    save(tmp_path / "model.npz", **arrays)
    tensors = load(tmp_path / "model.npz").tensors
    assert list(tensors) == list(arrays)
    for name, array in arrays.items():
        assert tensors[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(tensors[name], array)


def test_npz_arrays_of_objects_are_refused_by_name(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, w=np.zeros(3), bad=np.array([{}, []], dtype=object))
    with pytest.raises(ModelFileError, match="'bad' holds Python objects") as caught:
        load(path)
    assert "bad.npy" in caught.value.where


def test_npz_records_are_refused_by_name(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, table=np.zeros(3, dtype=[("a", "f4"), ("b", "i4")]))
    with pytest.raises(ModelFileError, match="'table' has type"):
        load(path)


def test_npz_text_and_complex_arrays_are_left_out_with_a_note(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, w=np.zeros(3), names=np.array(["a", "b"]), z=np.zeros(2, dtype="c16"))
    subject = load(path)
    assert list(subject.tensors) == ["w"]
    assert sum("left out" in note for note in subject.notes) == 2


def test_safetensors_files_are_read_as_the_package_writes_them(tmp_path):
    numpy_safetensors = pytest.importorskip("safetensors.numpy")
    rng = np.random.default_rng(3)
    arrays = {f"a{i}": (rng.normal(size=(3, 5)) * 50).astype(d) for i, d in enumerate(DTYPES[:12])}
    arrays |= {"scalar": np.array(2.5), "empty": np.zeros((0, 4), dtype="f4")}
    path = tmp_path / "model.safetensors"
    numpy_safetensors.save_file(arrays, path, metadata={"format": "np"})
    tensors = load(path).tensors
    assert set(tensors) == set(arrays)
    for name, array in arrays.items():
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array)


def test_safetensors_bfloat16_becomes_float32_exactly(tmp_path):
    torch = pytest.importorskip("torch")
    torch_safetensors = pytest.importorskip("safetensors.torch")
    values = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    torch_safetensors.save_file({"w": values}, tmp_path / "model.safetensors")
    subject = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(subject.tensors["w"], values.float().numpy())
    assert any("bfloat16" in note for note in subject.notes)


def header(**entries):
    return json.dumps(entries).encode()


def tensor(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(
    ("head", "data", "words"),
    [
        (b"not json", b"", "not the JSON"),
        (b"[1, 2]", b"", "no JSON object"),
        (b'{"a": 1}', b"", "no description"),
        (b"[" * 5000, b"", "not the JSON"),
        (b'{"a": ' * 50000, b"", "not the JSON"),
        (header(w=tensor()), b"1234", "describes 8 bytes"),
        (header(w=tensor()), b"1" * 9, "describes 8 bytes"),
        (header(w=tensor(shape=[3])), b"1" * 8, "needs 12 bytes"),
        (header(w=tensor(dtype="F8_E4M3")), b"1" * 8, "type F8_E4M3"),
        (header(w=tensor(shape=[-1, -2])), b"1" * 8, "no valid shape"),
        (header(w=tensor(shape=[2.0])), b"1" * 8, "no valid shape"),
        (header(w=tensor(shape=[True, 2])), b"1" * 8, "no valid shape"),
        (header(w=tensor(shape=[2**62, 2**62])), b"1" * 8, "no valid shape"),
        (header(w=tensor(offsets=[8, 0])), b"1" * 8, "no valid shape"),
        (header(w=tensor(offsets=[8, 16])), b"1" * 16, "overlap or leave gaps"),
        (header(w=tensor(), v=tensor()), b"1" * 8, "overlap or leave gaps"),
        (b'{"w": %b, "w": %b}' % (header(), header()), b"", "two keys"),
        (header(), b"", "no tensors"),
        (
            b'{"w": {"dtype": "F32", "shape": [%b], "data_offsets": [0, 8]}}' % (b"9" * 5000),
            b"",
            "JSON",
        ),
    ],
)
def test_safetensors_headers_that_lie_are_refused(tmp_path, head, data, words):
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)
    with pytest.raises(ModelFileError, match=words):
        load(path)


def test_safetensors_header_lengths_beyond_the_file_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    for length in (2**63, 100, 10**8 + 1):
        path.write_bytes(struct.pack("<Q", length) + b"{}")
        with pytest.raises(ModelFileError, match="header of"):
            load(path)
    path.write_bytes(b"abc")
    with pytest.raises(ModelFileError, match="truncated"):
        load(path)


def test_missing_files_are_named_with_the_nearest_name(tmp_path):
    np.savez(tmp_path / "model.npz", w=np.zeros(2))
    with pytest.raises(ModelFileError, match=r"modle\.npz does not exist") as caught:
        load(tmp_path / "modle.npz")
    assert "model.npz" in caught.value.hint


def test_directories_empty_files_and_unknown_suffixes_are_refused(tmp_path):
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(ModelFileError, match="is a directory"):
        load(tmp_path / "folder.pt")
    for name in ("a.npz", "a.pt", "a.pth", "a.safetensors", "a.toml"):
        (tmp_path / name).touch()
        with pytest.raises(ModelFileError, match="is empty"):
            load(tmp_path / name)
    for name in ("net.xyz", "net.model", "net"):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(ModelFileError, match="suffix") as caught:
            load(tmp_path / name)
        for suffix in (".npz", ".safetensors", ".pt", ".pth", ".skops", ".toml"):
            assert suffix in caught.value.hint


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.pt")
    with pytest.raises(ModelFileError, match="not a regular file"):
        load(tmp_path / "pipe.pt")


def test_a_file_of_another_format_says_so(tmp_path):
    np.savez(tmp_path / "a.npz", w=np.zeros(2))
    (tmp_path / "a.npz").rename(tmp_path / "a.pt")
    with pytest.raises(ModelFileError, match=r"no data\.pkl") as caught:
        load(tmp_path / "a.pt")
    assert ".npz" in caught.value.hint


def test_what_does_not_fit_into_memory_is_refused_with_figures(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", w=np.zeros((2**11, 2**11)))
    monkeypatch.setattr(memory, "available_memory", lambda: 2**20)
    with pytest.raises(MemoryLimitError, match="GiB"):
        load(tmp_path / "a.npz")


def test_the_hash_and_the_format_are_the_files(tmp_path):
    path = tmp_path / "a.NPZ"
    with path.open("wb") as file:
        np.savez(file, w=np.ones((2, 3)))
    subject = load(path)
    assert (subject.name, subject.format) == ("a.NPZ", "npz")
    assert subject.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_unknown_layouts_and_keys_list_what_there_is(tmp_path):
    np.savez(tmp_path / "a.npz", **{"enc.w": np.ones((2, 3)), "dec.w": np.ones((3, 2))})
    with pytest.raises(UsageError) as caught:
        load(tmp_path / "a.npz", layout="rows")
    assert "out_in, in_out" in caught.value.hint
    with pytest.raises(ModelFileError, match="'nothing'") as missing:
        load(tmp_path / "a.npz", key="nothing")
    assert "enc, dec" in missing.value.hint
    assert list(load(tmp_path / "a.npz", key="dec").tensors) == ["w"]
