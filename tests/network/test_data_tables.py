"""Tables as text or parquet: header, separator, target, and the line of whatever is wrong."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fpcheck.core.errors import DataError
from fpcheck.network.data import load_data


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_header_names_the_target(tmp_path):
    data = load_data(write(tmp_path, "a,b,kind\n1,2,x\n3,4,y\n5,6,x\n"), target="kind")
    assert_array_equal(data.inputs, [[1, 2], [3, 4], [5, 6]])
    assert data.classes == ("x", "y")
    assert_array_equal(data.targets, [0, 1, 0])


def test_without_a_header_the_first_line_is_data_and_the_target_an_index(tmp_path):
    text = "5.1,3.5,setosa\n6.0,2.9,virginica\n5.0,3.4,setosa\n"
    for target in ("2", "-1"):
        data = load_data(write(tmp_path, text), target=target)
        assert_array_equal(data.inputs, [[5.1, 3.5], [6.0, 2.9], [5.0, 3.4]])
        assert data.classes == ("setosa", "virginica")


def test_a_header_of_numbers_is_known_by_the_text_above_a_number(tmp_path):
    data = load_data(write(tmp_path, "0,1,target\n7,8,1.5\n9,6,2.5\n"), target="target")
    assert_array_equal(data.inputs, [[7, 8], [9, 6]])
    assert_array_equal(data.targets, [[1.5], [2.5]])


def test_a_header_of_numbers_is_known_by_the_name_of_the_target(tmp_path):
    data = load_data(write(tmp_path, "0,1,kind\n7,8,x\n9,6,y\n"), target="kind")
    assert_array_equal(data.inputs, [[7, 8], [9, 6]])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_separators_line_endings_blank_lines_and_byte_order_mark(tmp_path, separator, ending):
    lines = ["﻿a,b", "1, 2", "", "3,-4e-1", ""]
    text = ending.join(lines).replace(",", separator)
    assert_array_equal(load_data(write(tmp_path, text)).inputs, [[1, 2], [3, -0.4]])


def test_a_single_column_is_a_table(tmp_path):
    assert_array_equal(load_data(write(tmp_path, "v\n1\n2\n")).inputs, [[1], [2]])


def test_quoted_names_may_hold_separators_and_line_breaks(tmp_path):
    data = load_data(write(tmp_path, '"a, or\nb",c\n1,2\n3,4\n'), target="a, or\nb")
    assert_array_equal(data.inputs, [[2], [4]])


def test_integer_and_float_targets_keep_their_kind(tmp_path):
    data = load_data(write(tmp_path, "a,y\n1,0\n2,1\n3,0\n4,1\n"), target="y")
    assert data.task == "classification"
    data = load_data(write(tmp_path, "a,y\n1,0.25\n2,1e3\n3,7\n"), target="y")
    assert_array_equal(data.targets, [[0.25], [1000], [7]])


def test_an_unnamed_row_counter_is_left_out_and_said_so(tmp_path):
    data = load_data(write(tmp_path, ",a,y\n0,5,x\n1,6,z\n2,7,x\n"), target="y")
    assert_array_equal(data.inputs, [[5], [6], [7]])
    assert any("counts the rows" in note for note in data.notes)


def test_numbers_survive_the_text_exactly(tmp_path):
    numbers = np.random.default_rng(0).standard_normal((50, 7)) * 10.0 ** np.arange(-3, 4)
    text = "\n".join(",".join(repr(float(v)) for v in row) for row in numbers)
    assert_array_equal(load_data(write(tmp_path, text)).inputs, numbers)


@pytest.mark.parametrize(
    ("text", "target", "message", "hint"),
    [
        ("a,b\n1,2\n3,oops\n", None, "column 'b' holds 'oops' in line 3", "--target b"),
        ("a,b\n1,2\n\n3,\n", None, "column 'b' has no value in line 4", "leave the row out"),
        ("a,b\n1,2\n3,NA\n", None, "column 'b' has no value in line 3", "leave the row out"),
        ("a,b\n1,2\n3,nan\n", None, "column 'b' has no value in line 3", "leave the row out"),
        ("a,b\n1,2\n3,inf\n", None, "column 'b' is infinite in line 3", ""),
        ("a,y\n1,x\n3,\n", "y", "column 'y' has no value in line 3", "leave the row out"),
        ("a,b\n1,2\n3,4,5\n", None, "3 columns in line 3, 2 in line 1", ""),
        ("a,b\n1,2\n3\n", None, "1 columns in line 3, 2 in line 1", ""),
        ("a,b\n", None, "no rows", "a header alone"),
        ("\n\n", None, "is empty", "one row a line"),
        ("y\n1\n2\n", "y", "no columns besides the target", ""),
        ("age,kind\n1,2\n", "knid", "no column 'knid'", "did you mean 'kind'?"),
        ("a,b\n1,2\n", "zzz", "no column 'zzz'", "the columns are a, b"),
        ("a,b\n1,2\n", "2", "no column 2", "counted from 0"),
        ("a,a\n1,2\n", "a", "2 columns 'a'", "index"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, target, message, hint):
    with pytest.raises(DataError, match=message) as caught:
        load_data(write(tmp_path, text), target=target)
    assert hint in caught.value.hint


def test_another_encoding_is_refused(tmp_path):
    with pytest.raises(DataError, match="not UTF-8"):
        load_data(write(tmp_path, "größe\n1\n2\n", encoding="utf-16"))


def test_a_huge_field_is_refused(tmp_path):
    with pytest.raises(DataError, match="not a table"):
        load_data(write(tmp_path, '"' + "1" * 200_000 + '"\n'))


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="needs pyarrow") as caught:
        load_data(tmp_path / "t.parquet")
    assert caught.value.hint == "pip install 'fpcheck[parquet]'"


class TestParquet:
    """With pyarrow, the same columns as from text."""

    def write(self, tmp_path, columns):
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
        return tmp_path / "t.parquet"

    def test_numeric_columns_and_a_text_target(self, tmp_path):
        columns = {"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "kind": ["x", "y", "x"]}
        data = load_data(self.write(tmp_path, columns), target="kind")
        assert_allclose(data.inputs, [[1, 0.5], [2, 1.5], [3, 2.5]], rtol=0)
        assert_array_equal(data.targets, [0, 1, 0])
        assert data.classes == ("x", "y")

    def test_a_gap_is_named(self, tmp_path):
        path = self.write(tmp_path, {"a": [1.0, None, 3.0]})
        with pytest.raises(DataError, match="column 'a' has no value in row 1"):
            load_data(path)

    def test_text_that_is_no_target_is_refused(self, tmp_path):
        path = self.write(tmp_path, {"a": [1.0, 2.0], "b": ["u", "v"]})
        with pytest.raises(DataError, match="column 'b'"):
            load_data(path)

    def test_a_truncated_file_is_damaged(self, tmp_path):
        path = self.write(tmp_path, {"a": [1.0, 2.0]})
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(DataError, match="damaged"):
            load_data(path)
