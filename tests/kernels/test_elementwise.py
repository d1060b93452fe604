"""The compiled passes against the registry, which is the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.kernels import elementwise, opcodes, passes
from fpcheck.network.activations import ACTIVATIONS, activation

PARAMETERS = {
    "shifted_relu": {"tau": 0.5},
    "soft_threshold": {"tau": 0.5},
    "crelu": {"tau": 0.5, "m": 1.1},
    "cst": {"tau": 0.5, "m": 1.1},
    "elu": {"alpha": 1.3},
    "hardtanh": {"low": -0.7, "high": 1.2},
}
FUNCTIONS = {name: activation(name, PARAMETERS.get(name)) for name in ACTIVATIONS}
DIFFERENTIABLE = {name: one for name, one in FUNCTIONS.items() if name != "step"}
EXACT = {
    name for name in FUNCTIONS if opcodes.FAMILY_OF[FUNCTIONS[name].opcode] == opcodes.PIECEWISE
}
# The registry's NumPy bodies are themselves off by a few u, by up to 120 u in the tail of gelu.
RTOL = 200 * 2.0**-53
# Slopes that change sign cancel: then the bound is of the terms, whose sizes are about 1.
SLOPE_ATOL = 16 * 2.0**-53


def points():
    rng = np.random.default_rng(5)
    special = [0.0, -0.0, 5e-324, -5e-324, 1e-300, 750.0, -750.0, 1e7, 1e300, -1e300, math.nan]
    kinks = [0.5, -0.5, 1.6, -1.6, np.nextafter(0.5, 1), np.nextafter(0.5, 0), -0.7, 1.2, math.inf]
    return np.concatenate([rng.normal(0.0, 3.0, 999), special, kinks, [-math.inf]])


def applied(run, function, x):
    out = np.empty_like(x)
    with np.errstate(all="ignore"):  # interpreted kernels warn where compiled ones do not
        run(function.opcode, function.p0, function.p1, x, out)
    return out


def test_opcodes_and_names_are_those_of_the_registry():
    for name, function in FUNCTIONS.items():
        assert getattr(opcodes, name.upper()) == function.opcode
    assert set(opcodes.FAMILY_OF) == {function.opcode for function in FUNCTIONS.values()}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_pass_agrees_with_the_registry(name):
    x = points()
    with np.errstate(all="ignore"):
        expected = FUNCTIONS[name].phi(x)
    assert_allclose(
        applied(elementwise.apply, FUNCTIONS[name], x), expected, rtol=RTOL, atol=1e-300
    )
    if name in EXACT:
        assert_array_equal(applied(elementwise.apply, FUNCTIONS[name], x), expected)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_slope_pass_agrees_with_the_registry_kinks_included(name):
    x = points()
    with np.errstate(all="ignore"):
        expected = FUNCTIONS[name].derivative(x)
    ours = applied(elementwise.slope, FUNCTIONS[name], x)
    assert_allclose(ours, expected, rtol=RTOL, atol=SLOPE_ATOL)
    if name in EXACT - {"softsign"}:
        assert_array_equal(ours, expected)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_slope_is_the_derivative_of_the_pass(name):
    # Central differences of order 2 with h = 1e-5: error h^2 phi''' / 6 + u / h, below 1e-9.
    x = np.array([-3.1, -1.4, -0.6, -0.2, 0.3, 0.9, 1.5, 2.7])
    h = 1e-5
    rise = applied(elementwise.apply, FUNCTIONS[name], x + h)
    fall = applied(elementwise.apply, FUNCTIONS[name], x - h)
    assert_allclose(
        applied(elementwise.slope, FUNCTIONS[name], x), (rise - fall) / (2 * h), atol=1e-9
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_element_s_value_does_not_depend_on_its_neighbours(name):
    x = points()
    whole = applied(elementwise.apply, FUNCTIONS[name], x)
    alone = np.array(
        [applied(elementwise.apply, FUNCTIONS[name], x[i : i + 1])[0] for i in range(x.size)]
    )
    assert_array_equal(
        whole.view(np.int64) * ~np.isnan(whole), alone.view(np.int64) * ~np.isnan(alone)
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_propagates(name):
    if name == "step":
        pytest.skip("a step compares, and NaN is not above zero")
    assert np.isnan(applied(elementwise.apply, FUNCTIONS[name], np.array([math.nan]))).all()


def test_pass_works_in_place_and_on_any_shape():
    x = points()[:60].reshape(3, 4, 5)
    expected = applied(elementwise.apply, FUNCTIONS["tanh"], x)
    elementwise.apply(opcodes.TANH, 0.0, 0.0, x, x)
    assert_array_equal(x, expected)


def test_shifted_pass_adds_each_row_s_shift_and_leaves_the_rest():
    z = np.arange(12.0).reshape(3, 4) / 5
    shift = np.array([-1.0, 0.0, 2.0])
    expected = np.tanh(z + shift[:, None])
    expected[:, 3:] = z[:, 3:]
    passes.exponential(opcodes.TANH, z, 3, shift, 0.0, 0.0)
    assert_allclose(z, expected, rtol=RTOL)


def test_slope_of_a_step_is_refused():
    with pytest.raises(UnsupportedOperationError, match="step"):
        applied(elementwise.slope, FUNCTIONS["step"], np.zeros(2))


def test_strided_array_is_refused():
    x = np.zeros((4, 4))[:, ::2]
    with pytest.raises(TypeError, match="C-contiguous"):
        elementwise.apply(opcodes.TANH, 0.0, 0.0, x, x)
