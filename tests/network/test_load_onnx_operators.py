from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_cases import CASES, Case, write

from fpcheck.network.load import load
from fpcheck.network.program import forward, jacobian

pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

ROWS = 2
SINGLE = 1e-6  # of the largest output: the peer rounds to float32, this program does not
DOUBLE = 1e-12
STEP = 1e-6  # of central differences
DIFFERENCES = 1e-7
# The peer's erf and normalisations are in single precision, or nearly, whatever the type.
NAMES = [case.name for case in CASES]


def peer_outputs(path: Path, rows: np.ndarray) -> np.ndarray:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": rows})[0]


def drawn_rows(case: Case, kind: type) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((ROWS, *case.shape)).astype(kind)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_outputs_equal_those_of_onnxruntime(case: Case, tmp_path: Path):
    kind, tolerance = (np.float64, DOUBLE) if case.double else (np.float32, SINGLE)
    path = write(case, tmp_path / "case.onnx", kind)
    rows = drawn_rows(case, kind)
    expected = peer_outputs(path, rows)
    subject = load(path)
    assert subject.partial is None, subject.partial
    assert subject.network is not None, subject.no_network
    found = forward(subject.network.program, rows.astype(np.float64))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_jacobians_equal_central_differences(case: Case, tmp_path: Path):
    subject = load(write(case, tmp_path / "case.onnx", np.float64))
    assert subject.network is not None
    program, point = subject.network.program, drawn_rows(case, np.float64)[0]
    steps = STEP * np.eye(point.size).reshape(-1, *case.shape)
    sides = [forward(program, point + sign * steps).reshape(point.size, -1) for sign in (1, -1)]
    differences = ((sides[0] - sides[1]) / (2 * STEP)).T
    np.testing.assert_allclose(jacobian(program, point), differences, atol=DIFFERENCES, rtol=1e-6)
