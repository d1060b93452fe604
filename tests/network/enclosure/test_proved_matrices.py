"""What is proved about matrices, against exact arithmetic and known cases."""

from __future__ import annotations

import numpy as np
import pytest
from flint import acb_mat, arb, arb_mat

from fpcheck.attractors.certify.dichotomy import count_unstable
from fpcheck.attractors.certify.spectrum import enclose_spectrum
from fpcheck.network.enclosure.ball import Ball, matmul
from fpcheck.network.enclosure.matrices import (
    inverse,
    less_identity,
    max_norm,
    point,
    positive_definite,
    two_norm,
)


def matrices(count=12):
    rng = np.random.default_rng(0)
    for size in range(1, count + 1):
        yield rng.standard_normal((size, size))
    yield np.zeros((3, 3))
    yield np.diag([1e-200, 1.0, 1e150])
    yield np.outer(np.arange(1.0, 6.0), np.arange(1.0, 6.0))
    yield rng.standard_normal((4, 9))


@pytest.mark.parametrize("loose", [False, True])
def test_the_two_norm_is_an_upper_bound_and_close(loose):
    for matrix in matrices():
        bound = two_norm(point(matrix), loose=loose)
        true = np.linalg.norm(matrix, 2)
        assert true <= bound * (1 + 1e-15)
        assert bound <= true * (1.15 if loose else 1 + 1e-10) + 1e-100


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e-170, 1e-161, 1e-155, 1e150, 1e160, 1e300])
def test_the_two_norm_is_an_upper_bound_where_squares_leave_the_range(size):
    matrix = np.array([[1.0, 1.0], [0.0, 1.0]])
    golden = 0.5 * (1.0 + np.sqrt(5.0)) * (1.0 - 1e-12)
    with np.errstate(all="ignore"):
        assert two_norm(point(size * matrix)) >= golden * size
        assert two_norm(Ball(np.zeros((2, 2)), size * matrix)) >= golden * size


def test_the_two_norm_of_a_ball_holds_for_all_its_matrices():
    rng = np.random.default_rng(1)
    mid, rad = rng.standard_normal((8, 8)), rng.uniform(0, 0.1, (8, 8))
    bound = two_norm(Ball(mid, rad))
    for _ in range(200):
        signs = rng.choice([-1.0, 1.0], (8, 8))
        assert np.linalg.norm(mid + signs * rad, 2) <= bound


def test_a_product_of_balls_holds_every_product():
    rng = np.random.default_rng(2)
    a, b = (Ball(rng.standard_normal((5, 5)), rng.uniform(0, 1e-3, (5, 5))) for _ in range(2))
    product = matmul(a, b)
    for _ in range(50):
        left = arb_mat((a.mid + rng.choice([-0.999, 0.999], (5, 5)) * a.rad).tolist())
        right = arb_mat((b.mid + rng.choice([-0.999, 0.999], (5, 5)) * b.rad).tolist())
        exact = left * right
        for i, j in np.ndindex(5, 5):
            assert abs(exact[i, j] - arb(product.mid[i, j])) <= arb(product.rad[i, j])


def test_only_positive_definite_matrices_are_said_to_be():
    rng = np.random.default_rng(3)
    for size in (1, 2, 5, 40):
        rotation = np.linalg.qr(rng.standard_normal((size, size)))[0]
        for least in (-1e-3, -1e-13, 1e-3):
            values = np.linspace(1.0, 2.0, size)
            values[0] = least
            matrix = (rotation * values) @ rotation.T
            matrix = 0.5 * (matrix + matrix.T)
            assert positive_definite(matrix, 0.0) == (least > 1e-10)
            assert not positive_definite(matrix, 2e-3)


def test_the_inverse_is_near_and_its_determinant_has_the_sign_given():
    rng = np.random.default_rng(4)
    for size in range(1, 12):
        for matrix in (rng.standard_normal((size, size)), rng.permutation(np.eye(size))):
            found = inverse(matrix)
            assert max_norm(less_identity(matmul(found.ball, point(matrix)))) < 1e-9
            exact = arb_mat(matrix.tolist()).det()
            assert found.sign * exact > 0


def test_a_singular_matrix_has_no_inverse_or_none_that_convinces():
    for matrix in (np.zeros((2, 2)), np.ones((3, 3)), np.full((2, 2), np.nan)):
        found = inverse(matrix)
        if found is not None:
            assert not max_norm(less_identity(matmul(found.ball, point(matrix)))) < 1.0


def spectra():
    """(matrix, the moduli of its eigenvalues as intervals)."""
    rng = np.random.default_rng(5)
    for size in range(1, 11):
        matrix = rng.standard_normal((size, size))
        yield matrix, [abs(each) for each in acb_mat(matrix.tolist()).eig()]
    yield np.array([[0.0, -2.0], [2.0, 0.0]]), [arb(2), arb(2)]
    # Triangular ones, too few eigenvectors among them, have their eigenvalues on the diagonal.
    for matrix in (
        0.5 * np.eye(4),
        np.zeros((3, 3)),
        0.9 * np.eye(5) + np.diag(np.ones(4), 1),
        np.array([[0.5, 1e4], [0.0, 2.0]]),
    ):
        yield matrix, [arb(float(each)) for each in np.diagonal(matrix)]


def test_the_spectrum_is_enclosed_and_counted():
    for matrix, moduli in spectra():
        found = enclose_spectrum(point(matrix))
        assert found is not None
        assert not any(each > arb(found.high) for each in moduli)
        assert any(not each < arb(found.low) for each in moduli)
        outside = sum(bool(each > 1) for each in moduli)
        assert found.unstable in (outside, None)
        assert count_unstable(point(matrix)) == outside


def test_an_eigenvalue_within_the_ball_of_the_circle_is_not_counted():
    matrix = np.diag([0.5, 1.0 + 1e-6, 3.0])
    ball = Ball(matrix, np.full((3, 3), 1e-5))
    assert enclose_spectrum(ball).unstable is None
    assert count_unstable(ball) is None
    thin = Ball(matrix, np.full((3, 3), 1e-9))
    assert enclose_spectrum(thin).unstable == count_unstable(thin) == 2
