"""Zip archives that lie, are cut off or are damaged are refused, and never anything worse."""

import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from hostile_files import pytorch_file, state_dict, tensor, zip_bytes

from fpcheck.core.errors import MemoryLimitError, ModelFileError, UsageError
from fpcheck.network.load import load

SEED = 20240611
MUTATIONS = 400  # a file each; a reader that lets one exception in a hundred through fails surely


def npy(array):
    import io

    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


GOOD = npy(np.arange(6.0).reshape(2, 3))


def write(tmp_path, data, name="model.npz"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_the_reference_archive_of_these_tests_is_read(tmp_path):
    data = zip_bytes([{"name": "w.npy", "data": GOOD}], comment=b"a comment")
    found = load(write(tmp_path, data)).tensors["w"]
    np.testing.assert_array_equal(found, np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"name": "w.npy", "data": GOOD}] * 2, "two entries have one name"),
        ([{"name": "w.npy", "data": GOOD, "size": 2**31}], "cannot hold"),
        ([{"name": "w.npy", "data": GOOD, "size": 2**31, "packed": 2**31}], "larger than the file"),
        ([{"name": "w.npy", "data": GOOD, "size": 0xFFFFFFFF, "method": 8}], "cannot hold"),
        ([{"name": "w.npy", "data": GOOD, "flags": 1}], "encrypted"),
        ([{"name": "w.npy", "data": GOOD, "method": 12}], "method 12"),
        (
            [{"name": "w.npy", "data": GOOD, "method": 8}],
            "not a .npy|are damaged",
        ),
        ([{"name": "w.npy", "data": GOOD, "crc": 1}], "checksum"),
        ([{"name": "w.npy", "data": GOOD, "offset": 7}], "outside the file"),
        ([{"name": "w.npy", "data": GOOD, "offset": 2**31}], "truncated"),
        ([{"name": "w.npy", "data": b""}], "not a .npy array"),
        ([{"name": "w.npy", "data": GOOD[:60]}], "too long or cut off"),
        ([{"name": "w.npy", "data": GOOD[:-1]}], "has 47 bytes"),
        ([{"name": "w.npy", "data": GOOD.replace(b"(2, 3)", b"(9, 9)")}], "has 48 bytes"),
        ([{"name": "w.npy", "data": GOOD.replace(b"'<f8'", b"'|O8'")}], "Python objects"),
        ([{"name": "w.npy", "data": GOOD.replace(b"'<f8'", b"'<z9'")}], "no number type"),
        ([{"name": "w.npy", "data": GOOD.replace(b"'descr'", b"'dESCr'")}], "not the header"),
        ([{"name": "w.npy", "data": GOOD.replace(b"(2, 3)", b"(-2,3)")}], "not the header"),
        ([{"name": "readme.txt", "data": b"x"}], "no arrays"),
        ([], "no arrays"),
    ],
)
def test_archives_that_lie_are_refused(tmp_path, entries, words):
    with pytest.raises(ModelFileError, match=words):
        load(write(tmp_path, zip_bytes(entries)))


def test_an_array_of_absurd_shape_is_refused_before_it_is_made(tmp_path):
    for shape in (b"(99999999999, 99999999999)", b"(0, 99999999999, 99999999999)"):
        head = b"{'descr': '<f8', 'fortran_order': False, 'shape': " + shape + b", }\n"
        data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head
        with pytest.raises(ModelFileError, match="declares shape"):
            load(write(tmp_path, zip_bytes([{"name": "w.npy", "data": data}])))


def test_a_bomb_is_refused_before_it_unfolds(tmp_path, monkeypatch):
    """A megabyte of zeros a kilobyte: 256 MiB from 256 KiB, with 64 MiB of memory to have."""
    from fpcheck.core import memory

    size = 2**28
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }\n" % size
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head.ljust(117) + b"\n"
    head = head[:128]
    data = packer.compress(head) + b"".join(packer.compress(bytes(2**20)) for _ in range(2**8))
    data += packer.flush()
    real = size + len(head)
    crc = zlib.crc32(head)
    for _ in range(2**8):
        crc = zlib.crc32(bytes(2**20), crc)
    head_size = {"name": "w.npy", "data": data, "method": 8, "packed": len(data), "crc": crc}
    path = write(tmp_path, zip_bytes([head_size | {"size": real}]))
    assert path.stat().st_size < 2**19
    monkeypatch.setattr(memory, "available_memory", lambda: 2**26)
    tracemalloc.start()
    with pytest.raises(MemoryLimitError, match="GiB"):
        load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23


def test_an_entry_that_unfolds_to_more_than_it_declares_is_refused(tmp_path):
    packed = zlib.compress(bytes(2**20), 9, -15)
    entry = {"name": "w.npy", "data": packed, "method": 8, "size": 2**19, "crc": 1}
    with pytest.raises(ModelFileError):
        load(write(tmp_path, zip_bytes([entry])))
    state = state_dict(w=tensor("0", 2**17, 0, [2], [1]))
    entries = [
        {"name": "a/data.pkl", "data": state},
        {"name": "a/data/0", "data": packed, "method": 8, "size": 2**19, "crc": 1},
    ]
    with pytest.raises(ModelFileError, match="packed data are damaged"):
        load(write(tmp_path, zip_bytes(entries), "model.pt"))


def test_entries_that_overlap_to_multiply_are_refused(tmp_path):
    """A hundred names for one block of data: together larger than the file."""
    entries = [{"name": "w0.npy", "data": GOOD}]
    entries += [{"name": f"w{i}.npy", "data": b"", "size": 176, "packed": 176} for i in range(100)][
        1:
    ]
    with pytest.raises(ModelFileError, match="larger than the file"):
        load(write(tmp_path, zip_bytes(entries)))


def test_two_data_pkl_or_none_are_refused(tmp_path):
    state = state_dict()
    for names in (["a/data.pkl", "b/data.pkl"], ["data.pkl"], ["a/b/data.pkl"]):
        data = zip_bytes([{"name": name, "data": state} for name in names])
        with pytest.raises(ModelFileError, match=r"no data\.pkl"):
            load(write(tmp_path, data, "model.pt"))


def test_an_unknown_byte_order_is_refused(tmp_path):
    entries = [
        {"name": "a/data.pkl", "data": state_dict()},
        {"name": "a/byteorder", "data": b"middle"},
    ]
    with pytest.raises(ModelFileError, match="byte order"):
        load(write(tmp_path, zip_bytes(entries), "model.pt"))


@pytest.fixture(scope="module")
def real_files(tmp_path_factory):
    """One real file of every format, small enough to be cut and damaged often."""
    folder = tmp_path_factory.mktemp("real")
    rng = np.random.default_rng(SEED)
    arrays = {"0.weight": rng.normal(size=(6, 5)), "0.bias": rng.normal(size=6).astype("f4")}
    files = {"npz": folder / "a.npz", "packed": folder / "b.npz"}
    np.savez(files["npz"], **arrays)
    np.savez_compressed(files["packed"], **arrays)
    state = state_dict(
        **{name: tensor(str(i), 30, 0, [6, 5], [5, 1]) for i, name in enumerate(arrays)}
    )
    values = {str(i): rng.normal(size=30).astype("<f4").tobytes() for i in range(2)}
    files["pt"] = pytorch_file(folder / "c.pt", state, values)
    try:
        from safetensors.numpy import save_file

        files["safetensors"] = folder / "d.safetensors"
        save_file(arrays, files["safetensors"])
    except ImportError:
        files.pop("safetensors")
    try:
        import torch

        files["torch"] = folder / "e.pt"
        torch.save(torch.nn.Sequential(torch.nn.Linear(4, 3)).state_dict(), files["torch"])
    except ImportError:
        files.pop("torch", None)
    return files


FORMATS = ["npz", "packed", "pt", "safetensors", "torch"]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_cut_off_anywhere_is_refused(tmp_path, real_files, kind):
    source = real_files.get(kind) or pytest.skip("its library is not installed")
    data = source.read_bytes()
    path = tmp_path / f"cut{source.suffix}"
    lengths = {len(data) * i // 20 for i in range(1, 20)} | set(range(1, 120))
    lengths |= set(range(len(data) - 120, len(data)))
    for length in sorted(lengths):
        path.write_bytes(data[:length])
        with pytest.raises(ModelFileError) as caught:
            load(path)
        assert path.name in caught.value.where


@pytest.mark.parametrize("kind", FORMATS)
def test_damage_anywhere_is_noticed_or_harmless(tmp_path, real_files, kind):
    """Of random damage nothing but errors of ours comes out, in bounded memory.

    A UsageError says that --activation has no layer to act on: damaged names left one layer.
    """
    source = real_files.get(kind) or pytest.skip("its library is not installed")
    data = source.read_bytes()
    whole = load(source)
    path = tmp_path / f"damaged{source.suffix}"
    rng = np.random.default_rng(SEED)
    tracemalloc.start()
    for _ in range(MUTATIONS):
        damaged = bytearray(data)
        for place in rng.integers(len(data), size=rng.integers(1, 4)):
            damaged[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.integers(256)])
        path.write_bytes(damaged)
        try:
            subject = load(path, activation="tanh")
        except (ModelFileError, MemoryLimitError, UsageError):
            continue
        if source.suffix != ".safetensors":  # which has no checksum
            assert_no_value_changed(subject.tensors, whole.tensors)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**25


@pytest.mark.parametrize("kind", ["pt", "torch", "npz"])
def test_damage_that_a_checksum_does_not_show_is_noticed_or_harmless(tmp_path, real_files, kind):
    """The same with the archive sound and what it holds damaged: pickles and array headers."""
    source = real_files.get(kind) or pytest.skip("its library is not installed")
    with zipfile.ZipFile(source) as archive:
        entries = [{"name": name, "data": archive.read(name)} for name in archive.namelist()]
    whole = load(source)
    path = tmp_path / f"damaged{source.suffix}"
    rng = np.random.default_rng(SEED)
    outcomes = set()
    for _ in range(MUTATIONS):
        changed = [dict(entry) for entry in entries]
        victim = changed[0]
        data = bytearray(victim["data"][:128] if kind == "npz" else victim["data"])
        for place in rng.integers(len(data), size=rng.integers(1, 4)):
            data[place] = rng.choice([40, 46, 82, 98, 99, 113, 125, 133, rng.integers(256)])
        victim["data"] = bytes(data) + victim["data"][len(data) :]
        path.write_bytes(zip_bytes(changed))
        try:
            outcomes.add(set(load(path, activation="tanh").tensors) == set(whole.tensors))
        except (ModelFileError, MemoryLimitError, UsageError):
            outcomes.add("refused")
    assert "refused" in outcomes


def assert_no_value_changed(found, expected):
    """A checksum covers all numbers; what damage may change is a name in the directory."""
    for name, tensor_found in found.items():
        if name in expected and tensor_found.shape == expected[name].shape:
            np.testing.assert_array_equal(tensor_found, expected[name])


def test_a_changed_bit_in_the_weights_is_noticed(tmp_path, real_files):
    for kind in ("npz", "packed", "pt"):
        source = real_files[kind]
        with zipfile.ZipFile(source) as archive:
            info = max(archive.infolist(), key=lambda entry: entry.compress_size)
        data = bytearray(source.read_bytes())
        data[info.header_offset + 30 + len(info.filename) + info.compress_size - 5] ^= 1
        path = tmp_path / f"bit{source.suffix}"
        path.write_bytes(data)
        with pytest.raises(ModelFileError):
            load(path)
