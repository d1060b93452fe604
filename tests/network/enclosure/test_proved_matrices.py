"""What is proved about matrices, against exact arithmetic and known cases."""

from __future__ import annotations

import numpy as np
import pytest
from flint import acb_mat, arb, arb_mat

from fpcheck.attractors.certify.dichotomy import count_unstable
from fpcheck.attractors.certify.spectrum import enclose_spectra, enclose_spectrum
from fpcheck.network.enclosure.ball import Ball, matmul
from fpcheck.network.enclosure.matrices import (
    inverse,
    less_identity,
    max_norm,
    point,
    positive_definite,
    two_norm,
    two_norms,
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


def stack_of_every_size(n):
    """Orthogonal, of rank one, skew, zero, huge, tiny, and two that are not finite."""
    rng = np.random.default_rng(n)
    turn = np.linalg.qr(rng.standard_normal((n, n)))[0]
    line = np.outer(rng.standard_normal(n), rng.standard_normal(n))
    skew = np.triu(rng.standard_normal((n, n))) * np.exp(3 * rng.standard_normal((n, n)))
    lost = turn.copy()
    lost[0, 0] = np.nan
    return np.array(
        [turn, line, skew, 0.0 * turn, 1e160 * turn, 1e-160 * line, turn + line, lost, turn / 0.0]
    )


@pytest.mark.parametrize("loose", [False, True])
@pytest.mark.parametrize("n", [3, 9, 64, 130])
def test_two_norms_of_a_stack_are_upper_bounds_and_close(n, loose):
    with np.errstate(all="ignore"):
        stack = stack_of_every_size(n)
        bounds = two_norms(point(stack), loose=loose)
        alone = [two_norm(point(matrix), loose=loose) for matrix in stack]
    exact = np.array([np.linalg.norm(matrix, 2) for matrix in stack[:7]])
    assert (bounds[:7] >= exact * (1 - 1e-14)).all()
    assert np.isinf(bounds[7:]).all()
    np.testing.assert_allclose(bounds, alone, rtol=1e-9)  # in any company
    # Powers lose n^(1/32) where all singular values are equal; 1e160 squared is out of range.
    close = [0, 1, 2, 6]
    assert (bounds[close] <= exact[close] * (n ** (1 / 32) * 1.05 if loose else 1 + 1e-9)).all()


@pytest.mark.parametrize("size", [1.0, 1e-140, 1e140])
def test_loose_two_norms_hold_in_exact_arithmetic(size):
    """M x for the leading singular vector, in 200 bits: no bound may be below it."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        matrix = size * rng.standard_normal((12, 10)) * np.exp(2 * rng.standard_normal(10))
        vector = np.linalg.svd(matrix / size)[2][0]
        x = arb_mat(10, 1, [float(each) for each in vector])
        image = arb_mat(12, 10, [float(each) for each in matrix.ravel()]) * x
        ratio = sum((e * e for e in image.entries()), arb(0)) / sum(
            (e * e for e in x.entries()), arb(0)
        )
        assert not ratio.sqrt() > arb(two_norm(point(matrix), loose=True))


def test_spectra_are_the_same_in_any_company():
    rng = np.random.default_rng(4)
    block = np.diag(np.full(4, 0.5)) + np.diag(np.ones(3), 1)  # one eigenvector only
    singular = np.zeros((4, 4))
    others = [rng.standard_normal((4, 4)) for _ in range(5)]
    lost = np.full((4, 4), np.nan)
    stack = np.array([*others, block, singular, lost])
    with np.errstate(all="ignore"):
        found = enclose_spectra(point(stack))
        alone = [enclose_spectrum(point(matrix)) for matrix in stack]
    assert found[-1] is None
    for a, b, matrix in zip(found[:-1], alone, stack, strict=False):
        assert a is not None
        assert b is not None
        assert a.unstable == b.unstable
        np.testing.assert_allclose([a.low, a.high], [b.low, b.high], rtol=1e-9, atol=1e-12)
        largest = np.abs(np.linalg.eigvals(matrix)).max()
        assert a.low <= largest * (1 + 1e-3) + 1e-12
        assert a.high >= largest * (1 - 1e-3) - 1e-12


def test_the_spectrum_tells_the_sign_of_the_index():
    """det(I - M) in exact arithmetic, with real eigenvalues above 1 in even and odd numbers."""
    seen = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        matrix = rng.standard_normal((6, 6))
        exact = (arb_mat(np.eye(6).tolist()) - arb_mat(matrix.tolist())).det()
        sign = enclose_spectrum(point(matrix)).index_sign
        assert sign * exact > 0
        seen.add(sign)
    assert seen == {1, -1}
    on_the_edge = Ball(np.diag([1.0, 0.5]), np.full((2, 2), 1e-9))
    assert enclose_spectrum(on_the_edge).index_sign is None
