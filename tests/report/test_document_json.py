from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcheck.core.errors import DataError
from fpcheck.report.document import read_report, write_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(JSON)
def test_what_is_written_reads_back_the_same(value):
    assert json.loads(write_json({"value": value})) == {"value": value}


def test_the_order_of_keys_does_not_reach_the_bytes(document):
    shuffled = dict(reversed(document.items()))
    assert write_json(shuffled) == write_json(document)


def test_the_text_is_ascii_sorted_and_ends_with_a_line(document):
    document["subject"]["name"] = "нет\u2028\udc80.npz"
    text = write_json(document)
    assert text.isascii()
    assert text.endswith("}\n")
    assert list(json.loads(text)) == sorted(document)


def test_a_point_stands_on_one_line(document):
    assert '"point": [0.25, -0.5]' in write_json(document)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), [1.0, float("nan")]])
def test_a_number_that_is_not_finite_is_never_written(bad):
    with pytest.raises(ValueError, match=r"report|JSON"):
        write_json({"found": bad})


def test_a_written_report_is_read_back(document, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(write_json(document), encoding="utf-8")
    assert read_report(path) == document


def refuse(path, content, match):
    path.write_bytes(content)
    with pytest.raises(DataError, match=match) as caught:
        read_report(path)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "not a report"),
        (b"{", "not a report"),
        (b"[1, 2]", "no schema"),
        (b'"text"', "no schema"),
        (b"{}", "no schema"),
        (b'{"schema": 1}', "no schema"),
        (b'{"schema": "other/report/1"}', "no schema"),
        (b'{"schema": "fpcheck/report/2"}', "schema 2"),
        (b'{"schema": "fpcheck/report/999999999999"}', "no schema"),
        (b'{"schema": "fpcheck/report/1"}', "damaged.*missing"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1e999}', "range"),
        (b"[" * 100_000, "not a report"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_a_file_that_is_no_report_is_refused(tmp_path, content, match):
    refuse(tmp_path / "report.json", content, match)


def test_a_truncated_report_is_refused(document, tmp_path):
    text = write_json(document).encode()
    refuse(tmp_path / "report.json", text[: len(text) // 2], "not a report")


def test_a_damaged_report_names_the_place(document, tmp_path):
    document["attractors"]["maps"][0]["fixed_points"][0]["share"] = "most"
    refuse(tmp_path / "r.json", write_json(document).encode(), r"fixed_points\[0\]\.share is a str")


def test_a_missing_report_and_a_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="no report at"):
        read_report(tmp_path / "absent.json")
    with pytest.raises(DataError, match="folder"):
        read_report(tmp_path)
