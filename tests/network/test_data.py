"""Data files become finite float64 rows; what cannot is refused with the place and a hint."""

from __future__ import annotations

import builtins
import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fpcheck.core.errors import DataError
from fpcheck.network.data import Data, fit_to, load_data

X = np.arange(24.0).reshape(6, 4)
CLASSES = np.array([0, 1, 2, 0, 1, 2])


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def npy_bytes(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "names", [("X", "y"), ("x", "Y"), ("data", "target"), ("images", "labels")]
)
def test_npz_under_common_names_is_inputs_and_targets(tmp_path, names):
    data = load_data(save(tmp_path / "d.npz", **dict(zip(names, (X, CLASSES), strict=True))))
    assert_array_equal(data.inputs, X)
    assert_array_equal(data.targets, CLASSES)
    assert (data.task, data.classes, data.name) == ("classification", ("0", "1", "2"), "d.npz")


def test_a_lone_array_of_any_name_is_the_inputs(tmp_path):
    data = load_data(save(tmp_path / "d.npz", arr_0=X))
    assert_array_equal(data.inputs, X)
    assert data.targets is None
    assert data.task is None


def test_target_names_an_array_of_the_npz(tmp_path):
    data = load_data(save(tmp_path / "d.npz", X=X, y=X[:, 0] / 7, digit=CLASSES), target="digit")
    assert_array_equal(data.targets, CLASSES)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f8", "u1", ">i4", "?"])
def test_every_real_type_becomes_float64_in_c_order(tmp_path, dtype):
    stored = np.asfortranarray(X % 2).astype(dtype)
    np.save(tmp_path / "d.npy", stored)
    data = load_data(tmp_path / "d.npy")
    assert data.inputs.dtype == np.float64
    assert data.inputs.dtype.isnative
    assert data.inputs.flags.c_contiguous
    assert_array_equal(data.inputs, X % 2)


def test_compressed_npz_reads_like_a_plain_one(tmp_path):
    np.savez_compressed(tmp_path / "d.npz", X=X, y=CLASSES)
    assert_array_equal(load_data(tmp_path / "d.npz").inputs, X)


class TestTask:
    """Classes or numbers: the rule of understand_targets."""

    def targets(self, tmp_path, y, **options) -> Data:
        rows = np.arange(float(len(y))).reshape(-1, 1)
        return load_data(save(tmp_path / "d.npz", X=rows, y=y), **options)

    def test_text_is_classes_in_alphabetical_order(self, tmp_path):
        data = self.targets(tmp_path, np.array(["dog", "cat", "dog"]))
        assert data.classes == ("cat", "dog")
        assert_array_equal(data.targets, [1, 0, 1])

    def test_booleans_are_two_classes(self, tmp_path):
        assert self.targets(tmp_path, np.array([True, False, True])).classes == ("False", "True")

    def test_negative_and_large_labels_keep_their_names(self, tmp_path):
        data = self.targets(tmp_path, np.array([-1, 12345678, -1, 12345678]))
        assert data.classes == ("-1", "12345678")

    def test_whole_numbers_stored_as_floats_are_classes_while_they_are_few(self, tmp_path):
        assert self.targets(tmp_path, CLASSES.astype(float)).classes == ("0", "1", "2")
        many = np.repeat(np.arange(30.0), 20)
        assert self.targets(tmp_path, many).task == "regression"

    def test_integers_that_rarely_repeat_are_numbers(self, tmp_path):
        data = self.targets(tmp_path, np.arange(40))
        assert data.task == "regression"
        assert data.targets.shape == (40, 1)

    def test_one_distinct_integer_in_ten_rows_is_still_a_class(self, tmp_path):
        assert len(self.targets(tmp_path, np.arange(1000) % 100).classes) == 100
        assert self.targets(tmp_path, np.arange(1000) % 101).task == "regression"

    def test_one_hot_rows_are_classes(self, tmp_path):
        data = self.targets(tmp_path, np.eye(3)[CLASSES])
        assert_array_equal(data.targets, CLASSES)

    def test_two_columns_are_a_regression_with_two_outputs(self, tmp_path):
        data = self.targets(tmp_path, X[:, :2])
        assert data.task == "regression"
        assert_array_equal(data.targets, X[:, :2])

    def test_a_column_vector_of_classes_is_a_vector(self, tmp_path):
        assert self.targets(tmp_path, CLASSES[:, None]).targets.shape == (6,)

    def test_task_overrides_the_rule_both_ways(self, tmp_path):
        assert self.targets(tmp_path, CLASSES, task="regression").task == "regression"
        halves = np.array([0.5, 1.5, 0.5, 1.5])
        assert self.targets(tmp_path, halves, task="classification").classes == ("0.5", "1.5")

    def test_the_report_says_what_the_targets_were_taken_as(self, tmp_path):
        assert any("3 classes" in note for note in self.targets(tmp_path, CLASSES).notes)

    @pytest.mark.parametrize(
        ("y", "message"),
        [
            (np.zeros(6, dtype=int), "all targets are of one class, '0'"),
            (np.full(6, 0.5), "all targets have one value, 0.5"),
            (np.array([0.5, np.nan, np.inf, 0.0, 1.0, 2.0]), "2 targets are not finite.* row 1"),
            (np.zeros((6, 2, 2)), r"shape \[6, 2, 2\]"),
            (np.array([f"id{index}" for index in range(50)]), "50 distinct texts in 50 rows"),
            (np.zeros(6, dtype=complex), "complex128, not real"),
        ],
    )
    def test_unusable_targets_are_refused(self, tmp_path, y, message):
        with pytest.raises(DataError, match=message):
            self.targets(tmp_path, y)


class TestBadFiles:
    """A message that names the fact, never a traceback of the reader."""

    def fails(self, path, match, **options):
        with pytest.raises(DataError, match=match) as caught:
            load_data(path, **options)
        return caught.value

    def test_missing(self, tmp_path):
        self.fails(tmp_path / "none.npz", "there is no file")

    def test_directory(self, tmp_path):
        (tmp_path / "d.npz").mkdir()
        self.fails(tmp_path / "d.npz", "is a directory")

    def test_unknown_suffix_lists_the_known_ones(self, tmp_path):
        (tmp_path / "d.xlsx").write_bytes(b"PK")
        assert ".parquet" in self.fails(tmp_path / "d.xlsx", "unknown kind of data file").hint

    @pytest.mark.parametrize("suffix", [".npz", ".npy", ".csv", ".parquet"])
    def test_empty(self, tmp_path, suffix):
        (tmp_path / f"d{suffix}").touch()
        self.fails(tmp_path / f"d{suffix}", "empty")

    @pytest.mark.parametrize("suffix", [".npz", ".npy"])
    def test_truncated_anywhere(self, tmp_path, suffix):
        whole = tmp_path / f"whole{suffix}"
        np.savez(whole, X=X) if suffix == ".npz" else np.save(whole, X)
        content = whole.read_bytes()
        for size in range(1, len(content) - 1, 7):
            cut = tmp_path / f"cut{suffix}"
            cut.write_bytes(content[:size])
            self.fails(cut, r"truncated|damaged|not in NumPy's")

    def test_one_flipped_byte_of_a_member_is_noticed(self, tmp_path):
        path = save(tmp_path / "d.npz", X=X)
        content = bytearray(path.read_bytes())
        content[content.index(b"\x93NUMPY") + 200] ^= 1
        path.write_bytes(content)
        self.fails(path, "damaged")

    def test_garbage(self, tmp_path):
        for suffix in (".npz", ".npy"):
            path = tmp_path / f"d{suffix}"
            path.write_bytes(bytes(range(256)))
            self.fails(path, "damaged|not in NumPy's")

    def test_a_header_that_promises_more_than_the_file_is_refused_before_memory_is_taken(
        self, tmp_path
    ):
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 8), }"
        header += b" " * (117 - len(header)) + b"\n"
        content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64)
        (tmp_path / "d.npy").write_bytes(content)
        self.fails(tmp_path / "d.npy", "header promises 64000000000000 bytes")
        with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
            archive.writestr("X.npy", content)
        self.fails(tmp_path / "d.npz", "header promises")

    def test_pickled_objects_are_never_loaded(self, tmp_path):
        class Trap:
            def __reduce__(self):
                return (builtins.exec, ("raise SystemExit('ran')",))

        array = np.empty((2, 1), dtype=object)
        array[:] = [[Trap()], [1]]
        np.save(tmp_path / "d.npy", array, allow_pickle=True)
        self.fails(tmp_path / "d.npy", "pickled Python objects, which fpcheck never loads")
        np.savez(tmp_path / "d.npz", X=array)
        self.fails(tmp_path / "d.npz", "pickled Python objects")
        (tmp_path / "p.npy").write_bytes(pickle.dumps(Trap()))
        self.fails(tmp_path / "p.npy", "not in NumPy's array format")

    def test_records_and_complex_numbers_are_refused(self, tmp_path):
        np.save(tmp_path / "d.npy", np.zeros(3, dtype=[("a", "f8")]))
        self.fails(tmp_path / "d.npy", "not real numbers")
        np.save(tmp_path / "c.npy", X.astype(complex))
        self.fails(tmp_path / "c.npy", "complex128, not real numbers")

    def test_nan_and_inf_are_counted_and_the_first_is_named(self, tmp_path):
        bad = X.copy()
        bad[2, 3], bad[4, 0] = np.nan, -np.inf
        error = self.fails(save(tmp_path / "d.npz", X=bad), "2 entries .* nan in row 2, column 3")
        assert "counted from 0" in error.hint
        self.fails(save(tmp_path / "e.npz", X=bad.reshape(6, 2, 2)), r"row 2, entry \[1, 1\]")

    def test_targets_of_another_length(self, tmp_path):
        path = save(tmp_path / "d.npz", X=X, y=CLASSES[:5])
        self.fails(path, "6 rows of inputs but 5 targets")
        self.fails(save(tmp_path / "e.npz", X=X, y=np.array(1)), "6 rows of inputs but 0 targets")

    @pytest.mark.parametrize("shape", [(0, 4), (4, 0)])
    def test_no_rows(self, tmp_path, shape):
        self.fails(save(tmp_path / "d.npz", X=np.zeros(shape)), "no rows or no entries")

    @pytest.mark.parametrize("shape", [(), (4,)])
    def test_a_vector_or_a_number_is_not_rows(self, tmp_path, shape):
        np.save(tmp_path / "d.npy", np.zeros(shape))
        self.fails(tmp_path / "d.npy", "the inputs have shape")

    @pytest.mark.parametrize(
        "arrays",
        [
            {"a": X, "b": CLASSES},
            {"X": X, "data": X},
            {"X": X, "y": CLASSES, "labels": CLASSES},
            {"x_test": X, "x_val": X},
            {},
        ],
    )
    def test_ambiguous_names_are_listed(self, tmp_path, arrays):
        message = str(self.fails(save(tmp_path / "d.npz", **arrays), "which array holds the"))
        assert all(name in message for name in arrays)

    def test_unknown_target_array(self, tmp_path):
        path = save(tmp_path / "d.npz", X=X, y=CLASSES)
        assert "X, y" in self.fails(path, "no array 'label'", target="label").hint

    def test_npy_has_no_target(self, tmp_path):
        np.save(tmp_path / "d.npy", X)
        self.fails(tmp_path / "d.npy", "holds one array", target="y")

    def test_a_task_without_targets(self, tmp_path):
        self.fails(
            save(tmp_path / "d.npz", X=X), "no targets for --task regression", task="regression"
        )


class TestFitTo:
    """Rows take the network's shape only where the axes correspond."""

    def data(self, *shape) -> Data:
        return Data(np.arange(float(np.prod(shape))).reshape(shape), None, None, (), "d.npz")

    def test_rows_that_fit_are_left_alone(self):
        data = self.data(5, 64)
        assert fit_to(data, (64,)) is data

    @pytest.mark.parametrize(
        ("rows", "shape"),
        [((64,), (1, 8, 8)), ((1, 8, 8), (64,)), ((8, 8), (1, 8, 8)), ((8, 8, 1), (1, 8, 8))],
    )
    def test_same_size_is_reshaped_in_c_order_and_noted(self, rows, shape):
        data = self.data(5, *rows)
        fitted = fit_to(data, shape)
        assert_array_equal(fitted.inputs.reshape(5, -1), data.inputs.reshape(5, -1))
        assert fitted.inputs.shape[1:] == shape
        assert "reshaped" in fitted.notes[-1]

    def test_channels_last_images_are_turned_not_scrambled(self):
        data = self.data(2, 4, 5, 3)
        fitted = fit_to(data, (3, 4, 5))
        assert_array_equal(fitted.inputs[1, 2], data.inputs[1, :, :, 2])
        assert "channels last" in fitted.notes[-1]

    def test_other_axes_of_the_same_size_are_refused(self):
        with pytest.raises(DataError, match="but other axes"):
            fit_to(self.data(2, 6, 4), (3, 8))

    def test_another_width_names_both_shapes(self):
        with pytest.raises(
            DataError, match=r"\[65\] .* do not fit the network's input \[1, 8, 8\]"
        ) as e:
            fit_to(self.data(2, 65), (1, 8, 8))
        assert "--target COLUMN" in e.value.hint
