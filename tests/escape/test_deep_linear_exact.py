"""The trainer against the exact solutions of deep linear networks. [Saxe et al. 2014]"""

import numpy as np
import pytest
from bias_free import bias_free
from scipy.integrate import solve_ivp

from fpcheck.network.training import Recipe, train

STRENGTHS = np.array([3.0, 1.5, 0.5])
START = 1e-3  # of every mode
# Explicit steps of this size lag the flow by so much of the strongest mode.
RATE, BY_STEPS = 2e-3, 1e-2
OUTPUTS = 3


def modes_of(depth, steps):
    """(times, (steps, 3)) strengths of the modes of the end-to-end map during training.

    White inputs, targets M x of singular values STRENGTHS, balanced weights on its axes.
    """
    rng = np.random.default_rng(5)
    n = 64
    x = np.linalg.qr(rng.normal(size=(n, 4)))[0] * n**0.5  # x^T x = n
    left = np.linalg.qr(rng.normal(size=(OUTPUTS, OUTPUTS)))[0]
    right = np.linalg.qr(rng.normal(size=(4, OUTPUTS)))[0]
    targets = x @ right @ np.diag(STRENGTHS) @ left.T
    size = START ** (1.0 / depth) * np.eye(OUTPUTS)
    weights = [size] * depth
    weights[0] = weights[0] @ right.T
    weights[-1] = left @ weights[-1]
    times, found = [], []
    recipe = Recipe(rate=RATE, steps=steps)
    for step in train(bias_free(weights, "identity"), x, targets, recipe, threads=1):
        if step.number % 20 == 0:
            parts = [step.parameters[f"w{index}"] for index in range(depth)]
            times.append(step.time)
            found.append(np.diag(left.T @ np.linalg.multi_dot(parts[::-1]) @ right))
    return np.array(times), np.array(found)


def test_two_layers_learn_each_mode_along_its_sigmoid():
    """du/dt = 2 (2/k) u (s - u): u = s / (1 + (s/u0 - 1) exp(-4 s t / k)), k outputs."""
    times, modes = modes_of(2, 3000)
    decay = np.exp(-4.0 / OUTPUTS * STRENGTHS * times[:, None])
    exact = STRENGTHS / (1.0 + (STRENGTHS / START - 1.0) * decay)
    assert np.abs(modes - exact).max() < BY_STEPS * STRENGTHS[0]
    # The strong modes are learnt one after the other, at the times at which they are half.
    for index, strength in enumerate(STRENGTHS[:2]):
        half = np.log(strength / START - 1.0) * OUTPUTS / (4.0 * strength)
        assert np.interp(0.5 * strength, modes[:, index], times) == pytest.approx(half, rel=0.01)


@pytest.mark.parametrize("depth", [3, 4])
def test_deeper_networks_follow_the_modes_own_equation(depth):
    """du/dt = L (2/k) u^(2 - 2/L) (s - u)."""
    times, modes = modes_of(depth, 3000)
    for index, strength in enumerate(STRENGTHS):
        solved = solve_ivp(
            lambda _, u, s=strength: depth * 2.0 / OUTPUTS * u ** (2.0 - 2.0 / depth) * (s - u),
            (0.0, times[-1]), [START], t_eval=times, rtol=1e-9, atol=1e-12,
        )  # fmt: skip
        assert np.abs(modes[:, index] - solved.y[0]).max() < BY_STEPS * STRENGTHS[0]
