from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fpcheck.theory.roots import bracketed_root, interior_minimum, roots_on_grid

GRID = [0.25 * k for k in range(-20, 21)]


@given(st.floats(-3.0, 3.0), st.integers(1, 7))
def test_a_bracketed_root_is_found_to_rounding_whatever_its_order(root: float, order: int):
    def f(x: float) -> float:
        return math.copysign(abs(x - root) ** order, x - root)

    assert bracketed_root(f, -4.0, 4.5) == pytest.approx(root, abs=1e-14 ** (1.0 / order) * 10)


def test_a_bracket_without_a_sign_change_is_refused():
    with pytest.raises(ValueError, match="no sign change"):
        bracketed_root(lambda x: x * x + 1.0, -1.0, 1.0)
    with pytest.raises(ValueError, match="no sign change"):
        bracketed_root(lambda x: math.nan, -1.0, 1.0)


def test_the_bottom_of_a_parabola_is_found():
    assert interior_minimum(lambda x: (x - 0.3) ** 2, -1.0, 2.0) == pytest.approx(0.3, abs=1e-7)


@given(st.lists(st.floats(-4.9, 4.9), min_size=1, max_size=4, unique=True))
@example([5e-324])
def test_roots_further_apart_than_the_grid_are_all_found(roots: list[float]):
    roots = sorted(roots)
    if any(b - a < 0.6 for a, b in pairwise(roots)):
        return

    def f(x: float) -> float:
        return math.prod(x - r for r in roots)

    assert roots_on_grid(f, GRID) == pytest.approx(roots, abs=1e-9)


def test_two_roots_between_two_points_of_the_grid_are_found():
    found = roots_on_grid(lambda x: (x - 0.05) * (x - 0.15), GRID)
    assert found == pytest.approx([0.05, 0.15], abs=1e-12)


def test_a_root_exactly_on_the_grid_hides_no_other_one_beside_it():
    """Found the hard way: V(q) = q at q = 1, on the grid, and at q = 1.399, one cell away."""
    found = roots_on_grid(lambda x: x * (x - 0.1) * (x - 2.6), GRID)
    assert found == pytest.approx([0.0, 0.1, 2.6], abs=1e-12)


def test_a_function_without_roots_has_none():
    assert roots_on_grid(lambda x: 1.0 + x * x, GRID) == []
