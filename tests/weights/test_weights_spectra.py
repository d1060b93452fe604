"""Norms and leading singular values against closed forms and full decompositions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fpcheck.weights import spectra
from fpcheck.weights.spectra import LEADING, spectrum

# LAPACK's values are good to a few roundings of the largest one.
FULL_RTOL = 1e-13
# The Gram matrix squares: a value s has error about 1e-16 (s1 / s)^2 and the stopping rule's 1e-10.
LANCZOS_RTOL = 1e-9


def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def with_values(values, rows, columns) -> np.ndarray:
    """A matrix with the given singular values."""
    left = np.linalg.qr(rng().standard_normal((rows, rows)))[0]
    right = np.linalg.qr(rng().standard_normal((columns, columns)))[0]
    core = np.zeros((rows, columns))
    core[range(len(values)), range(len(values))] = values
    return left @ core @ right


@pytest.mark.parametrize(("rows", "columns"), [(20, 20), (12, 40), (40, 12)])
def test_singular_values_are_those_that_the_matrix_was_made_of(rows, columns):
    values = np.linspace(3.0, 0.1, 12)
    found = spectrum(with_values(values, rows, columns))
    assert_allclose(found.singular_values, values[:LEADING], rtol=FULL_RTOL)
    assert_allclose(found.spectral_norm, 3.0, rtol=FULL_RTOL)
    assert_allclose(found.frobenius_norm, np.sqrt((values**2).sum()), rtol=FULL_RTOL)
    assert_allclose(found.stable_rank, (values**2).sum() / 9.0, rtol=FULL_RTOL)
    assert found.method == "full"


def test_an_orthogonal_matrix_has_full_stable_rank():
    found = spectrum(1.5 * np.linalg.qr(rng().standard_normal((30, 30)))[0])
    assert_allclose(found.singular_values, [1.5] * LEADING, rtol=FULL_RTOL)
    assert_allclose(found.stable_rank, 30.0, rtol=FULL_RTOL)


def test_a_rank_one_matrix_has_stable_rank_one():
    found = spectrum(np.outer(rng().standard_normal(9), rng().standard_normal(5)))
    assert_allclose(found.stable_rank, 1.0, rtol=FULL_RTOL)
    assert len(found.singular_values) == 5


def test_a_zero_matrix_has_no_stable_rank():
    found = spectrum(np.zeros((4, 3)))
    assert (found.spectral_norm, found.frobenius_norm, found.stable_rank) == (0.0, 0.0, None)
    assert found.singular_values == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("rows", "columns"), [(150, 400), (400, 150), (200, 200)])
@pytest.mark.parametrize("formed", [True, False])
def test_large_matrices_agree_with_the_full_decomposition(monkeypatch, rows, columns, formed):
    matrix = rng().standard_normal((rows, columns)) / np.sqrt(columns)
    matrix[3] *= 40.0  # one value apart from the bulk
    full = spectrum(matrix)
    monkeypatch.setattr(spectra, "FULL_COST", 0.0)
    monkeypatch.setattr(spectra, "GRAM_SIDE", 10**6 if formed else 0)
    found = spectrum(matrix)
    assert (full.method, found.method) == ("full", "lanczos")
    assert_allclose(found.singular_values, full.singular_values, rtol=LANCZOS_RTOL)
    assert spectrum(matrix) == found  # the start vector is fixed


def test_a_matrix_whose_squares_overflow_still_has_its_norms():
    matrix = rng().standard_normal((6, 6))
    base, huge, tiny = (spectrum(factor * matrix) for factor in (1.0, 1e200, 1e-200))
    assert_allclose(huge.spectral_norm, 1e200 * base.spectral_norm, rtol=FULL_RTOL)
    assert_allclose(tiny.frobenius_norm, 1e-200 * base.frobenius_norm, rtol=FULL_RTOL)
    assert_allclose([huge.stable_rank, tiny.stable_rank], base.stable_rank, rtol=FULL_RTOL)


@pytest.mark.slow
def test_a_matrix_beyond_the_full_decomposition_agrees_with_it():
    matrix = rng().standard_normal((700, 1500))
    found = spectrum(matrix)
    assert found.method == "lanczos"
    values = np.linalg.svd(matrix, compute_uv=False)
    assert_allclose(found.singular_values, values[:LEADING], rtol=LANCZOS_RTOL)
