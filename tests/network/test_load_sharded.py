"""An index and its shards are one file; a shard lies beside its index and nowhere else."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
from files.reference import FOLDER
from safetensors.numpy import save_file

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load import load

INDEX = "model.safetensors.index.json"


def write(folder, shards, places=None):
    """Shards by name, and the index of what lies where."""
    folder.mkdir(exist_ok=True)
    for name, tensors in shards.items():
        save_file(tensors, folder / name)
    if places is None:
        places = {key: name for name, tensors in shards.items() for key in tensors}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder / INDEX


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {f"{i}.weight": rng.standard_normal((3, 3)).astype(np.float32) for i in range(4)}


@pytest.fixture
def index(tmp_path, arrays):
    names = list(arrays)
    shards = {
        "a.safetensors": {name: arrays[name] for name in names[:2]},
        "b.safetensors": {name: arrays[name] for name in names[2:]},
    }
    return write(tmp_path / "model", shards)


def test_shards_are_one_state_dict(index, arrays):
    found = load(index).tensors
    assert found.keys() == arrays.keys()
    for name, tensor in arrays.items():
        np.testing.assert_array_equal(found[name], tensor)


def test_a_folder_stands_for_the_index_in_it(index):
    assert load(index.parent).sha256 == load(index).sha256
    index.rename(index.parent / "diffusion.safetensors.index.json")
    assert len(load(index.parent).tensors) == 4


def test_a_folder_with_one_file_under_a_usual_name_stands_for_it(tmp_path, arrays):
    save_file(arrays, tmp_path / "model.safetensors")
    assert load(tmp_path).name == "model.safetensors"


def test_an_empty_folder_says_what_was_looked_for(tmp_path):
    with pytest.raises(ModelFileError, match="is a directory without"):
        load(tmp_path)


def test_the_hash_is_that_of_the_list_of_hashes(index):
    files = [index, index.parent / "a.safetensors", index.parent / "b.safetensors"]
    lines = "".join(f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in files)
    assert load(index).sha256 == hashlib.sha256(lines.encode()).hexdigest()


def test_a_change_in_a_shard_changes_the_hash(index, arrays):
    before = load(index).sha256
    names = list(arrays)
    save_file({name: arrays[name] + 1 for name in names[:2]}, index.parent / "a.safetensors")
    assert load(index).sha256 != before


def test_pytorch_shards_share_keys_of_storages_and_not_the_tensors():
    found = load(FOLDER / "pytorch/mlp_sharded", activation="tanh").tensors
    expected = load(FOLDER / "pytorch/mlp.pt", activation="tanh").tensors
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor)


def test_a_missing_shard_is_named(index):
    (index.parent / "b.safetensors").unlink()
    with pytest.raises(ModelFileError, match=r"b\.safetensors does not exist"):
        load(index)


def test_a_missing_tensor_is_named(index, arrays):
    save_file({"0.weight": arrays["0.weight"]}, index.parent / "a.safetensors")
    with pytest.raises(ModelFileError, match=r"'1.weight' is not in a.safetensors"):
        load(index)


def test_a_tensor_in_the_wrong_shard_is_named(tmp_path, arrays):
    shards = {"a.safetensors": arrays, "b.safetensors": {"x": np.zeros(2)}}
    places = dict.fromkeys(arrays, "a.safetensors") | {
        "x": "b.safetensors",
        "3.weight": "b.safetensors",
    }
    with pytest.raises(
        ModelFileError, match=r"'3.weight' is in a.safetensors, the index has it in b"
    ):
        load(write(tmp_path / "m", shards, places))


def test_a_tensor_in_two_shards_is_refused(tmp_path, arrays):
    shards = {
        "a.safetensors": arrays,
        "b.safetensors": {"0.weight": arrays["0.weight"], "x": np.zeros(2)},
    }
    places = dict.fromkeys(arrays, "a.safetensors") | {"x": "b.safetensors"}
    with pytest.raises(ModelFileError, match="in two shards"):
        load(write(tmp_path / "m", shards, places))


def test_what_the_index_leaves_out_is_noted(tmp_path, arrays):
    places = {name: "a.safetensors" for name in arrays if name != "3.weight"}
    subject = load(write(tmp_path / "m", {"a.safetensors": arrays}, places))
    assert "3.weight" not in subject.tensors
    assert any("does not have them: 3.weight" in note for note in subject.notes)


@pytest.mark.parametrize(
    "shard",
    [
        "../a.safetensors",
        "/etc/passwd",
        "/tmp/a.safetensors",
        "sub/a.safetensors",
        "..\\a.safetensors",
        "C:a.safetensors",
        "..",
        "",
        "a.safetensors\0",
        "a.txt",
        INDEX,
    ],
)
def test_a_shard_elsewhere_is_refused(tmp_path, arrays, shard):
    save_file(arrays, tmp_path / "a.safetensors")
    (tmp_path / "m" / "sub").mkdir(parents=True)
    save_file(arrays, tmp_path / "m" / "sub" / "a.safetensors")
    with pytest.raises(ModelFileError, match=r"no \.safetensors file beside it"):
        load(write(tmp_path / "m", {}, dict.fromkeys(arrays, shard)))


def test_a_link_to_outside_the_folder_is_refused(index, tmp_path):
    shard = index.parent / "a.safetensors"
    shard.rename(tmp_path / "elsewhere.safetensors")
    shard.symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(ModelFileError, match="a link to outside"):
        load(index)


def test_links_in_a_circle_are_refused(index):
    shard = index.parent / "a.safetensors"
    shard.unlink()
    shard.symlink_to(shard)
    with pytest.raises(ModelFileError):
        load(index)


def test_links_into_the_store_where_the_index_lies_are_followed(index, tmp_path):
    """As a hub's download folder has them: snapshots of links into one folder of blobs."""
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    for file in list(index.parent.iterdir()):
        shutil.move(file, blobs / file.name)
        file.symlink_to(blobs / file.name)
    assert len(load(index).tensors) == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "{}",
        '{"weight_map": []}',
        '{"weight_map": {}}',
        '{"weight_map": {"a": 1}}',
        '{"weight_map": {"a": "x.safetensors"}, "weight_map": {"a": "y.safetensors"}}',
        '{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}',
        '{"a": ' * 100_000,
        "\xff\xfe",
    ],
)
def test_an_index_that_is_none_is_refused(tmp_path, text):
    (tmp_path / INDEX).write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelFileError):
        load(tmp_path / INDEX)
