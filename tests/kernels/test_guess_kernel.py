"""Guess and check in the kernel against plain NumPy: products, rules, early exit, scales."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numba import njit

from fpcheck.kernels import answers, counter, guess, lanes, opcodes

KEY = np.array([11, 7], np.uint64)
FUNCTIONS = {
    opcodes.IDENTITY: (opcodes.PIECEWISE, lambda z: z),
    opcodes.RELU: (opcodes.PIECEWISE, lambda z: np.maximum(z, 0.0)),
    opcodes.TANH: (opcodes.EXPONENTIAL, np.tanh),
    opcodes.SIN: (opcodes.PERIODIC, np.sin),
}


class Chain:
    """Dense layers, their table of blocks, and the plain way to run them."""

    def __init__(self, widths, opcode=opcodes.RELU, law=counter.UNIFORM, scaled=False):
        self.widths, self.opcode, self.scaled = widths, opcode, scaled
        layers, blocks, at, word = [], [], 0, 0
        for n, m in pairwise(widths):
            hidden = len(layers) < len(widths) - 2
            first, start = len(blocks), at
            for size in (n * m, m, m if hidden and scaled else 0):
                if size:
                    blocks.append((at, size, law, 5, word))
                    at, word = at + size, word + (size + 1) // 2
            code = opcode if hidden else opcodes.IDENTITY
            scale = start + n * m + m if hidden and scaled else guess.NONE
            family = opcodes.FAMILY_OF[code]
            row = (n, m, start, start + n * m, code, family, first, len(blocks), scale)
            layers.append(row)
        self.layers, self.blocks = np.array(layers, np.int64), np.array(blocks, np.int64)
        a, b = (-1.0, 0.5) if law == counter.LATTICE else (0.0, 1.0)
        self.parameters, self.size = np.array([[a, b]] * len(blocks)), at
        self.numbers = np.empty((0, 0))

    def draw(self, first, count):
        out = np.empty((count, self.size + 1))
        guess.draw_networks(self.layers, self.blocks, self.parameters, KEY, first, out)
        return out[:, : self.size]

    def outputs(self, numbers, rows):
        found = []
        for network in numbers:
            h = rows
            for n, m, weights, biases, code, *_ in self.layers:
                matrix = network[weights : weights + n * m].reshape(m, n)
                h = FUNCTIONS[code][1](h @ matrix.T + network[biases : biases + m])
            found.append(h)
        return np.array(found)

    def accepted(self, first, count, rows, wanted, rule=answers.SIGN, tolerance=0.0, allowed=0):
        eights = -(-len(rows) // 8)
        padded = np.concatenate([rows, np.repeat(rows[:1], 8 * eights - len(rows), axis=0)])
        goals = np.zeros((8 * eights, wanted.shape[1]))
        goals[: len(rows)] = wanted
        widest = max(self.widths)
        found = np.empty(count, np.int64)
        family = opcodes.FAMILY_OF[self.opcode]
        number = guess.guess(
            self.layers, np.zeros((len(self.layers), 2)), self.blocks, self.parameters,
            eighths(padded), eighths(goals), len(rows) - 8 * (eights - 1), rule, tolerance,
            KEY, first, count, allowed, np.empty(self.size + 1), np.array([-0.0]),
            np.empty((2, 8 * widest)), found,
            *(1 if family == each else None for each in
              (opcodes.EXPONENTIAL, opcodes.NORMAL, opcodes.PERIODIC)),
        )  # fmt: skip
        return found[:number]


def eighths(x):
    """(8 r, k) -> (r, k, 8)."""
    return np.ascontiguousarray(x.reshape(-1, 8, x.shape[1]).transpose(0, 2, 1))


def test_products_of_eight_lanes_are_the_matrix_product():
    @njit
    def call(weights, at, bias, inputs, outputs, source, x, target, y):
        lanes.product(weights, at, bias, inputs, outputs, source, x, target, y)

    rng = np.random.default_rng(0)
    for outputs, inputs in ((1, 1), (3, 2), (4, 7), (9, 5), (16, 0)):
        weights = rng.normal(size=3 + outputs * inputs + outputs)
        source = rng.normal(size=(2, inputs, 8))
        bias = 3 + outputs * inputs
        matrix = weights[3:bias].reshape(outputs, inputs)
        expected = matrix @ source[1] + weights[bias:, None]
        for way in (call, lanes.product):
            target = np.full((outputs + 2, 8), 7.0)
            way(weights, 3, bias, inputs, outputs, source, 8 * inputs, target, 8)
            assert np.abs(target[1:-1] - expected).max() < 1e-14
            assert (target[[0, -1]] == 7.0).all()


@pytest.mark.parametrize("law", [counter.UNIFORM, counter.NORMAL, counter.LATTICE])
@pytest.mark.parametrize("opcode", [opcodes.RELU, opcodes.TANH])
@pytest.mark.parametrize("count", [3, 8, 13])
def test_accepted_networks_are_those_with_every_sign_right(law, opcode, count):
    chain = Chain((2, 5, 6, 1), opcode, law)
    rng = np.random.default_rng(2)
    # Quarters: sums over lattice levels are exact, so that a tie is one in whatever order.
    rows = np.rint(4.0 * rng.normal(size=(count, 2))) / 4.0
    labels = rows[:, :1] + 0.3 * rows[:, 1:] > -0.3
    f = chain.outputs(chain.draw(50, 2000), rows)[:, :, 0]
    assert ((np.abs(f) > 1e-12) | (f == 0.0)).all()  # beyond what the order of sums changes
    expected = 50 + np.flatnonzero(((f > 0) == labels[:, 0]).all(axis=1))
    assert 0 < len(expected) < 2000
    assert (chain.accepted(50, 2000, rows, labels.astype(float)) == expected).all()


@pytest.mark.parametrize("allowed", [0, 1, 4, 11])
def test_up_to_so_many_rows_may_be_wrong(allowed):
    chain = Chain((3, 8, 1))
    rng = np.random.default_rng(4)
    rows, labels = rng.normal(size=(11, 3)), rng.integers(0, 2, (11, 1))
    wrong = ((chain.outputs(chain.draw(0, 500), rows) > 0) != labels).sum(axis=(1, 2))
    found = chain.accepted(0, 500, rows, labels.astype(float), allowed=allowed)
    assert (found == np.flatnonzero(wrong <= allowed)).all()


def test_of_equal_outputs_the_first_is_the_answer():
    chain = Chain((2, 4, 3), law=counter.LATTICE)
    rows = np.random.default_rng(5).integers(-1, 2, (6, 2)).astype(float)
    labels = np.array([0, 1, 2, 0, 1, 2])
    f = chain.outputs(chain.draw(0, 3000), rows)  # exact: halves and whole numbers
    ordered = np.sort(f, axis=2)
    assert (ordered[:, :, 2] == ordered[:, :, 1]).any()
    for allowed in (2, 3):
        right = (f.argmax(axis=2) == labels).sum(axis=1) >= 6 - allowed
        found = chain.accepted(
            0, 3000, rows, labels[:, None].astype(float), answers.ARGMAX, allowed=allowed
        )
        assert len(found)
        assert (found == np.flatnonzero(right)).all()


def test_numbers_are_right_within_the_band():
    chain = Chain((2, 6, 2), opcodes.SIN)
    rng = np.random.default_rng(6)
    rows, targets = rng.normal(size=(5, 2)), 0.3 * rng.normal(size=(5, 2))
    right = np.abs(chain.outputs(chain.draw(0, 1000), rows) - targets).max(axis=(1, 2)) <= 1.5
    assert 0 < right.sum() < 1000
    found = chain.accepted(0, 1000, rows, targets, answers.BAND, 1.5)
    assert (found == np.flatnonzero(right)).all()


def test_scaled_neurons_multiply_the_weights_into_a_unit():
    plain, scaled = Chain((3, 4, 1)), Chain((3, 4, 1), scaled=True)
    a, b = plain.draw(0, 20), scaled.draw(0, 20)
    scales = b[:, 16:20]
    weights = a[:, :12].reshape(20, 4, 3) * scales[:, :, None]
    assert (b[:, :12].reshape(20, 4, 3) == weights).all()
    assert (b[:, 12:16] == a[:, 12:16]).all()
    rows = np.random.default_rng(7).normal(size=(9, 3))
    f = scaled.outputs(scaled.draw(0, 300), rows)[:, :, 0]
    labels = rows[:, 0] > 0
    found = scaled.accepted(0, 300, rows, labels[:, None].astype(float))
    assert (found == np.flatnonzero(((f > 0) == labels).all(axis=1))).all()


def test_an_answer_that_is_no_number_is_wrong_for_either_class():
    chain = Chain((2, 3, 1))
    rows = np.array([[np.nan, 1.0], [1.0, 1.0]])
    for label in (0.0, 1.0):
        assert len(chain.accepted(0, 100, rows, np.full((2, 1), label))) == 0
    assert len(chain.accepted(0, 100, rows, np.zeros((2, 1)), answers.ARGMAX)) == 0
    assert len(chain.accepted(0, 100, rows, np.zeros((2, 1)), answers.BAND, np.inf)) == 0


def test_how_the_networks_are_cut_into_calls_changes_nothing():
    chain = Chain((2, 8, 8, 1))
    rows = np.random.default_rng(8).normal(size=(10, 2))
    labels = (rows[:, :1] > 0).astype(float)
    whole = chain.accepted(0, 1000, rows, labels)
    cut = [chain.accepted(first, 125, rows, labels) for first in range(0, 1000, 125)]
    assert (np.concatenate(cut) == whole).all()
