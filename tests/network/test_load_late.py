"""Tensors that do not fit into memory stay in their file and are measured from there."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import save_file

from fpcheck.core import memory
from fpcheck.core.errors import FpcheckError, MemoryLimitError, ModelFileError
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.jobs.analyze import analyze
from fpcheck.network.load import load
from fpcheck.network.summary import summarise
from fpcheck.weights import late
from fpcheck.weights.late import measure_late
from fpcheck.weights.measure import measure

MIB = 2**20
# Sums in another order, and moments joined block by block.
TOLERANCE = 1e-11


def tensors(rng):
    """Two matrices with dead units, under the habits of both orientations, and a bias."""
    out_in = rng.standard_normal((300, 700)).astype(np.float32)
    out_in[[3, 170]] = 0.0
    in_out = (rng.standard_t(3, (123, 517)) + 5.0).astype(np.float32)
    in_out[:, 99] = 0.0
    return {
        "a.weight": out_in,
        "a.bias": rng.standard_normal(300).astype(np.float32),
        "b/kernel": in_out,
        "steps": np.arange(4),
    }


@pytest.fixture
def file(tmp_path):
    save_file(tensors(np.random.default_rng(3)), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def little_memory(monkeypatch, size):
    monkeypatch.setattr(memory, "available_memory", lambda: size)
    monkeypatch.setattr("fpcheck.network.load.weights_file.available_memory", lambda: size)


def by_name(result):
    return {layer.name: layer for layer in result.layers}


def test_tensors_that_fit_one_by_one_have_the_same_numbers(file, monkeypatch):
    whole = measure(load(file).tensors, None, Settings(), Monitor())
    little_memory(monkeypatch, 8_500_000)  # for the larger matrix and its copies, not for all
    subject = load(file)
    assert not subject.tensors
    found = measure_late(subject.late, Settings(), Monitor())
    assert by_name(found) == by_name(whole)
    assert found.parameters == whole.parameters


@pytest.mark.parametrize("block", [1, 7, 700, 1000, 2**20])
def test_blocks_give_the_numbers_of_the_whole(file, monkeypatch, block):
    if block == 1:  # a block an entry: a small file is enough
        own = {
            name: t[:20, :30] if t.ndim == 2 else t[:20] for name, t in load(file).tensors.items()
        }
        save_file({name: np.ascontiguousarray(t) for name, t in own.items()}, file)
    whole = by_name(measure(load(file).tensors, None, Settings(), Monitor()))
    little_memory(monkeypatch, 2**10)
    monkeypatch.setattr(late, "BLOCK", block)
    found = measure_late(load(file).late, Settings(), Monitor())
    for name in ("a.weight", "b/kernel"):
        one, other = by_name(found)[name], whole[name]
        for field in ("mean", "std", "excess_kurtosis", "zero_share", "frobenius_norm", "sigma_w2"):
            np.testing.assert_allclose(
                getattr(one, field), getattr(other, field), rtol=TOLERANCE, atol=TOLERANCE
            )
        assert (one.units, one.dead_units) == (other.units, other.dead_units)
        assert one.singular_values is None
        assert "not computed" in one.singular_values_status
    assert any("read in blocks" in note and "a.weight" in note for note in found.notes)


def test_a_nan_in_a_block_is_found_and_nothing_else_computed(tmp_path, monkeypatch):
    weight = np.ones((64, 64), dtype=np.float32)
    weight[63, 63] = np.nan
    np.savez(tmp_path / "a.npz", weight=weight)
    little_memory(monkeypatch, 2**10)
    (found,) = measure_late(load(tmp_path / "a.npz").late, Settings(), Monitor()).layers
    assert found.nonfinite == 1
    assert np.isnan(found.mean)
    assert found.frobenius_norm is None


def test_entries_near_the_largest_float_do_not_overflow(tmp_path, monkeypatch):
    weight = np.array([[1e307, -1e307], [1e307, 1e307]])
    np.savez(tmp_path / "a.npz", weight=weight)
    little_memory(monkeypatch, 256)
    (found,) = measure_late(load(tmp_path / "a.npz").late, Settings(), Monitor()).layers
    assert found.std == pytest.approx(weight[0, 0] * np.sqrt(0.75), rel=1e-14)


def test_what_cannot_be_read_in_blocks_is_named(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    fortran = np.asfortranarray(rng.standard_normal((32, 64)))
    np.savez(tmp_path / "a.npz", weight=fortran, b=np.ones(4))
    little_memory(monkeypatch, 2**10)
    result = measure_late(load(tmp_path / "a.npz").late, Settings(), Monitor())
    assert any("neither fit" in note and "weight" in note for note in result.notes)
    assert result.unmeasured == ("weight",)
    assert by_name(result).keys() == {"b"}


def test_nothing_passes_for_a_tensor_that_was_not_read(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    weights = {f"{i}.weight": rng.standard_normal((32, 64)) for i in range(2)}
    weights["1.weight"] = np.asfortranarray(weights["1.weight"])
    np.savez(tmp_path / "a.npz", **weights)
    little_memory(monkeypatch, 2**10)
    found = {f.code: f for f in analyze(tmp_path / "a.npz").findings}
    assert found["FP001"].outcome == found["FP002"].outcome == "inconclusive"
    assert "1.weight" in found["FP001"].message
    assert found["FP003"].outcome == "skipped"  # in blocks nobody looks for duplicates


def test_the_report_says_what_was_not_concluded(file, monkeypatch):
    little_memory(monkeypatch, 2**10)
    document = analyze(file).document
    assert "GiB are available" in document["signal"]["skipped"]
    assert any("read one by one" in note for note in document["subject"]["notes"])
    assert len(document["weights"]["layers"]) == 3
    assert document["subject"]["parameters"] == 300 * 700 + 300 + 123 * 517 + 4


def test_the_summary_counts_what_was_not_read(file, monkeypatch):
    whole = summarise(load(file))
    little_memory(monkeypatch, 2**10)
    found = summarise(load(file))
    assert found.parameters == whole.parameters
    assert [(t.name, t.shape) for t in found.tensors] == [(t.name, t.shape) for t in whole.tensors]


def test_a_spec_needs_the_tensors_in_memory(file, tmp_path, monkeypatch):
    (tmp_path / "net.toml").write_text("[network]\ninput = 700\nlayers = [{ dense = 300 }]\n")
    little_memory(monkeypatch, 2**10)
    with pytest.raises(MemoryLimitError):
        load(file, spec=tmp_path / "net.toml")


def test_a_file_that_changes_before_it_is_read_is_refused(file, monkeypatch):
    little_memory(monkeypatch, 2**10)
    subject = load(file)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(1, 1))
    with pytest.raises(ModelFileError, match="changed"):
        measure_late(subject.late, Settings(), Monitor())


def sparse(path, gigabytes):
    """A safetensors file of zeros that takes no room on the disk: one matrix, one small tensor."""
    rows = int(gigabytes * 2**30) // (4 * 2**14)
    size = rows * 2**14 * 4
    header = json.dumps(
        {
            "w.weight": {"dtype": "F32", "shape": [rows, 2**14], "data_offsets": [0, size]},
            "w.bias": {"dtype": "F32", "shape": [4], "data_offsets": [size, size + 16]},
        }
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(path, 8 + len(header) + size + 16)
    return path


def test_a_file_larger_than_memory_is_never_held(tmp_path, monkeypatch):
    path = sparse(tmp_path / "big.safetensors", 1 / 8)
    little_memory(monkeypatch, 100 * MIB)
    tracemalloc.start()
    result = measure_late(load(path).late, Settings(), Monitor())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * MIB  # the file has 128 MiB, its float64 copy 256
    weight = by_name(result)["w.weight"]
    assert (weight.mean, weight.std, weight.zero_share) == (0.0, 0.0, 1.0)
    assert weight.dead_units == weight.units == 2**11


@pytest.mark.slow
def test_eight_gigabytes_pass_through_a_small_process(tmp_path):
    path = sparse(tmp_path / "big.safetensors", 8)
    code = textwrap.dedent(
        f"""
        import resource
        from fpcheck.jobs.analyze import analyze
        from fpcheck.core import memory
        resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
        document = analyze({str(path)!r}).document
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(document["weights"]["layers"][0]["zero_share"], peak)
        """
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    share, peak = run.stdout.split()
    assert float(share) == 1.0
    assert int(peak) < 2**30


def test_an_error_is_an_error_of_ours_whatever_is_cut_off(file, monkeypatch):
    data = file.read_bytes()
    little_memory(monkeypatch, 2**10)
    for cut in (0, 7, 8, 100, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:cut])
        with pytest.raises(FpcheckError):
            load(file)
