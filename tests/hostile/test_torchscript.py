"""TorchScript archives and files in PyTorch's old format that lie are refused, nothing is run."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile_files import tensor, text

from fpcheck.core.errors import FpcheckError, ModelFileError
from fpcheck.network.load import load

FLOATS = np.arange(4, dtype="<f4").tobytes()
MODULE = b"c__torch__.a\nNet\n)\x81"  # an object of a class of the program
EMPTY = b"\x80\x02)."
SYSTEM = b"cposix\nsystem\n(X\x02\x00\x00\x00idtR"


def module(**attributes: bytes) -> bytes:
    """A module with these pickled attributes."""
    items = b"".join(text(name) + value for name, value in attributes.items())
    return MODULE + b"}(" + items + b"ub"


def program(
    path: Path,
    data: bytes,
    constants: bytes = EMPTY,
    storages: dict[str, bytes] | None = None,
) -> Path:
    """A TorchScript archive with these pickles; storages by their path below the root."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02" + data + b".")
        archive.writestr("net/constants.pkl", constants)
        archive.writestr("net/code/__torch__/a.py", "import os; os.abort()")
        for name, part in (storages or {"data/0": FLOATS}).items():
            archive.writestr(f"net/{name}", part)
    return path


def legacy(path: Path, data: bytes, keys: bytes, tail: bytes) -> Path:
    """A file in the old format: the five pickles and what stands behind them."""
    head = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)
    path.write_bytes(head + b"\x80\x02" + data + b"." + b"\x80\x02" + keys + b"." + tail)
    return path


WEIGHT = tensor("0", 4, 0, [2, 2], [2, 1])
STATE = b"}(" + text("weight") + WEIGHT + b"u"
KEYS = b"](" + text("0") + b"e"


def test_the_reference_program_of_these_tests_is_read(tmp_path):
    found = load(program(tmp_path / "a.pt", module(weight=WEIGHT))).tensors
    np.testing.assert_array_equal(found["weight"], [[0, 1], [2, 3]])


def test_the_reference_file_in_the_old_format_is_read(tmp_path):
    found = load(legacy(tmp_path / "a.pt", STATE, KEYS, struct.pack("<q", 4) + FLOATS)).tensors
    np.testing.assert_array_equal(found["weight"], [[0, 1], [2, 3]])


@pytest.mark.parametrize("place", ["data", "constants", "inside"])
def test_a_call_in_a_pickle_is_refused_by_name(tmp_path, place):
    data = module(weight=WEIGHT)
    constants = EMPTY
    if place == "data":
        data = SYSTEM
    elif place == "inside":
        data = module(weight=SYSTEM)
    else:
        data, constants = module(), b"\x80\x02" + SYSTEM + b"."
    with pytest.raises(ModelFileError, match=r"'posix\.system'"):
        load(program(tmp_path / "a.pt", data, constants))


@pytest.mark.parametrize(
    "name",
    ["__torch__evil.system", "torch.jit._pickle.evil", "torch.jit._script.eval", "os.system"],
)
def test_names_near_the_allowed_ones_are_refused(tmp_path, name):
    head, _, tail = name.rpartition(".")
    call = b"c" + head.encode() + b"\n" + tail.encode() + b"\n)R"
    with pytest.raises(ModelFileError, match=r"refused|no tensor needs"):
        load(program(tmp_path / "a.pt", module(weight=call)))


def test_classes_of_a_program_are_not_allowed_in_a_state_dict(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02" + module(weight=WEIGHT) + b".")
        archive.writestr("net/data/0", FLOATS)
    with pytest.raises(ModelFileError, match="__torch__"):
        load(tmp_path / "a.pt")


@pytest.mark.parametrize(
    "value",
    [
        b"ctorch.jit._pickle\nrestore_type_tag\n)R",
        b"ctorch.jit._pickle\nbuild_tensorlist\n)R",
        b"ctorch.jit._pickle\nbuild_tensorlist\nK\x01\x85R",
        b"ctorch.jit._pickle\nrestore_type_tag\nNR",
    ],
)
def test_typed_lists_with_other_arguments_are_refused(tmp_path, value):
    with pytest.raises(ModelFileError):
        load(program(tmp_path / "a.pt", module(weight=value)))


def test_a_module_that_holds_itself_is_refused(tmp_path):
    data = MODULE + b"q\x00}(" + text("self") + b"h\x00ub"
    with pytest.raises(ModelFileError, match="nests too many"):
        load(program(tmp_path / "a.pt", data))


def test_modules_a_million_deep_are_refused(tmp_path):
    depth = 20_000
    data = (MODULE + b"}(" + text("a")) * depth + WEIGHT + b"ub" * depth
    with pytest.raises(ModelFileError, match="nests"):
        load(program(tmp_path / "a.pt", data))


def test_modules_that_double_at_every_level_are_refused(tmp_path):
    data = module(weight=WEIGHT) + b"q\x00"
    for level in range(1, 40):
        data += b"0" + MODULE + b"}("
        data += text("a") + b"h" + bytes([level - 1]) + text("b") + b"h" + bytes([level - 1])
        data += b"ubq" + bytes([level])
    with pytest.raises(ModelFileError, match="nests too many"):
        load(program(tmp_path / "a.pt", data))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (tensor("9", 4, 0, [2, 2], [2, 1]), "missing"),
        (tensor("../constants/0", 4, 0, [2, 2], [2, 1]), "missing"),
        (tensor("0", 5, 0, [2, 2], [2, 1]), "declared are 20"),
        (tensor("0", 4, 1, [2, 2], [2, 1]), "outside its storage"),
        (tensor("0", 4, 0, [2, 2], [-2, 1]), "outside its storage"),
        (tensor("0", 4, 0, [2**60, 2], [2, 1]), "are none"),
        (tensor("0", 4, 0, [2**40], [1]), "outside its storage"),
    ],
)
def test_tensors_that_lie_are_refused(tmp_path, bad, words):
    with pytest.raises(ModelFileError, match=words):
        load(program(tmp_path / "a.pt", module(weight=bad)))


def test_constants_lie_in_their_own_folder(tmp_path):
    constants = b"\x80\x02" + WEIGHT + b"\x85."
    with pytest.raises(ModelFileError, match="missing"):
        load(program(tmp_path / "a.pt", module(), constants))
    found = load(program(tmp_path / "b.pt", module(), constants, {"constants/0": FLOATS})).tensors
    assert list(found) == ["constants.0"]


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        (b"", "truncated"),
        (struct.pack("<q", 4) + FLOATS[:-1], "declares 16 bytes"),
        (struct.pack("<q", 5) + FLOATS, "declares 20 bytes"),
        (struct.pack("<q", 3) + FLOATS, "has 12 bytes"),
        (struct.pack("<q", -1) + FLOATS, "declares"),
        (struct.pack("<q", 2**61) + FLOATS, "declares"),
    ],
)
def test_storages_of_the_old_format_that_lie_are_refused(tmp_path, tail, words):
    with pytest.raises(ModelFileError, match=words):
        load(legacy(tmp_path / "a.pt", STATE, KEYS, tail))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (b"]", "missing"),
        (b"N", "does not list"),
        (b"](K\x01e", "does not list"),
        (b"](" + text("0") * 2 + b"e", "twice"),
        (b"](" + text("1") + b"e", "no tensor describes"),
        (SYSTEM, "posix.system"),
    ],
)
def test_lists_of_storages_that_lie_are_refused(tmp_path, keys, words):
    tail = (struct.pack("<q", 4) + FLOATS) * 2
    with pytest.raises(ModelFileError, match=words):
        load(legacy(tmp_path / "a.pt", STATE, keys, tail))


def test_one_storage_of_two_types_is_refused(tmp_path):
    other = tensor("0", 4, 0, [2, 2], [2, 1]).replace(b"FloatStorage", b"DoubleStorage")
    data = b"}(" + text("a") + WEIGHT + text("b") + other + b"u"
    with pytest.raises(ModelFileError, match="two ways"):
        load(legacy(tmp_path / "a.pt", data, KEYS, struct.pack("<q", 4) + FLOATS * 2))


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps({"a": 1}, 2),
        pickle.dumps([1.0] * 100, 4),
        pickle.dumps(0x1950A86A20F9469CFC6C, 2),
        pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1002, 2),
        b"\x80\x02" + SYSTEM + b".",
        b"\x80\x02" + b"(" * 100_000 + b".",
        b"\x80\x02\x8b" + struct.pack("<i", 5000) + bytes(5000) + b".",
        b"\x80",
    ],
)
def test_pickles_of_something_else_are_refused(tmp_path, data):
    (tmp_path / "a.pt").write_bytes(data)
    with pytest.raises(ModelFileError):
        load(tmp_path / "a.pt")


def test_a_tar_archive_of_the_first_format_is_refused(tmp_path):
    (tmp_path / "a.pt").write_bytes(bytes(257) + b"ustar" + bytes(400))
    with pytest.raises(ModelFileError, match="tar archive"):
        load(tmp_path / "a.pt")


@pytest.mark.parametrize("file", ["mlp_legacy.pt", "mlp_script.pt"])
def test_a_file_cut_off_anywhere_is_refused(tmp_path, file):
    from files.reference import FOLDER

    data = (FOLDER / "pytorch" / file).read_bytes()
    for length in range(0, len(data) - 1, 7):
        (tmp_path / "a.pt").write_bytes(data[:length])
        with pytest.raises(FpcheckError):
            load(tmp_path / "a.pt")
