"""Hostile files of data: headers that NumPy's own reader falls over. Found by the fuzz beside."""

from __future__ import annotations

import struct
import zipfile

import pytest
from hostile_files import zip_bytes

from fpcheck.core.errors import DataError
from fpcheck.network.data import load_data

FAR = 2**63  # beyond what NumPy counts with


def described(descr: str = "'<f4'", shape: str = "(3, 3)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("header", [
    described("','"), described(shape="(True, 3)"),
    described(shape="(-3, -3)"), described(shape=f"({FAR}, 0)"),
    described(shape="(" + "0," * 70 + ")"), described(shape="(" + "-" * 5000 + "3, 3)"),
    "-" * 9000 + "1", "(" * 9000, "'''", "{'a'\\\n",
], ids=lambda header: header[:40])  # fmt: skip
def test_a_header_that_is_no_literal_of_an_array_is_refused(header, suffix, tmp_path):
    text = header.encode()
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(36)
    path = tmp_path / f"rows{suffix}"
    if suffix == ".npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", content)
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"^rows\.np[yz](, array x)? is (not in NumPy's|truncated)"):
        load_data(path)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"size": 2**32 - 2}, "cannot hold the 4294967294 that it declares"),
        ({"size": 2**31, "method": 8}, "cannot hold"),
        ({"method": 14}, "packed by method 14, which is not read"),
        ({"method": 12}, "packed by method 12"),
        ({"method": 8}, "damaged"),
    ],
)
def test_members_that_cannot_be_unpacked_are_refused(figures, words, tmp_path):
    """LZMA, of which a few bytes can hold gigabytes, raises errors of its own besides."""
    (tmp_path / "rows.npz").write_bytes(
        zip_bytes([{"name": "x.npy", "data": b"12345678"} | figures])
    )
    with pytest.raises(DataError, match=words):
        load_data(tmp_path / "rows.npz")


def test_a_column_name_of_two_lines_leaves_the_message_one(tmp_path):
    (tmp_path / "rows.csv").write_text('"ar\n",b\n1,2\n,3\n')
    with pytest.raises(DataError) as caught:
        load_data(tmp_path / "rows.csv")
    assert "\n" not in caught.value.message
    assert "ar" in caught.value.message


def test_a_member_whose_name_is_no_utf8_is_refused(tmp_path):
    content = zip_bytes([{"name": "xyz.npy", "data": b"1"}]).replace(b"xyz", b"xy\xe9")
    (tmp_path / "rows.npz").write_bytes(content)
    with pytest.raises(DataError, match="damaged or not a"):
        load_data(tmp_path / "rows.npz")


def test_a_header_that_python_2_wrote_is_read_without_a_warning(tmp_path):
    text = described(shape="(3L, 3L)").encode()
    numbers = struct.pack("<9f", *range(9))
    header = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
    (tmp_path / "rows.npy").write_bytes(header + numbers)
    assert load_data(tmp_path / "rows.npy").inputs.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
