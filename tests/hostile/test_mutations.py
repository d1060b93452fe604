"""Mutated files of every format here are read or refused by an error of ours: nothing else."""

from __future__ import annotations

import sys

import pytest
from files.reference import FOLDER
from forked_index import ForkedIndex
from fuzz import READERS, fuzz
from structures import fields, opcodes, record

from fpcheck.network.load.files import open_model
from fpcheck.network.load.keras import hdf5

FILES = 80  # a reader; the script beside this runs as long as one likes
NEEDED = {"onnx": "onnx", "keras": "h5py"}


@pytest.mark.parametrize("name", sorted(READERS))
def test_mutated_files_are_read_or_refused(name):
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    run = fuzz(name, 0, files=FILES)
    assert not run.findings, [finding.words for finding in run.findings.values()]
    # The mutations are neither all deadly nor all harmless, and they reach what the seeds do not.
    assert run.files // 50 < run.outcomes["read"] < run.files * 19 // 20
    assert len(run.lines) > run.seeded


@pytest.mark.parametrize("name", ["mlp_legacy.pt", "cnn_legacy.pt"])
def test_a_pickle_is_the_sum_of_its_opcodes(name):
    data = (FOLDER / "pytorch" / name).read_bytes()
    codes, rest = opcodes(data)
    assert b"".join(codes) + rest == data
    assert codes.count(b".") == 5  # magic number, protocol, machine, values, storages


@pytest.mark.parametrize("name", ["mlp.onnx", "cnn.onnx"])
def test_a_message_is_the_sum_of_its_fields(name):
    data = (FOLDER / "onnx" / name).read_bytes()
    assert b"".join(map(record, fields(data))) == data
    assert fields(data + b"\x0a\x7f") == []


@pytest.mark.skipif(sys.platform != "linux", reason="files are handed over through /proc")
def test_the_index_of_the_fuzz_is_that_of_the_reader():
    pytest.importorskip("h5py")
    forked = ForkedIndex()
    for count, name in enumerate(("mlp.h5", "recurrent.h5"), start=1):
        with open_model(FOLDER / "keras" / name) as file:
            assert forked(file, 0, file.size) == hdf5._index(file, 0, file.size)
        assert (forked.asked, forked.deaths) == (count, 0)
        assert forked.counts
    forked.close()
