"""Dead and duplicate units, against networks that were built with them."""

from __future__ import annotations

import numpy as np
import pytest

from fpcheck.network.initializers import draw_network
from fpcheck.network.layers import weight_matrix
from fpcheck.network.network import Network
from fpcheck.network.spec import parse_spec
from fpcheck.weights.units import repeats, without_inputs, without_outputs


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def network(size: object, layers: str) -> Network:
    spec = parse_spec(f"[network]\ninput = {size}\nlayers = [ {layers} ]\n")
    return draw_network(spec.skeleton, spec.layer_laws, rng())


def node(net: Network, name: str):
    return next(n for n in net.skeleton.nodes if n.name == name)


def brute_unread(net: Network, name: str) -> list[int]:
    """Channels whose change, behind the activation, never changes the output."""
    from fpcheck.network.program import forward

    inputs = rng().standard_normal((3, *net.skeleton.input_shape))
    before = forward(net.program, inputs)
    unread = []
    layer = node(net, name)
    for unit in range(net.skeleton.shapes[name][0]):
        bias = net.parameters[layer.bias].copy()
        bias[unit] += 1.7
        changed = Network(net.skeleton, {**net.parameters, layer.bias: bias})
        if np.array_equal(forward(changed.program, inputs), before):
            unread.append(unit)
    return unread


def test_units_without_incoming_weights_are_found():
    matrix = rng().standard_normal((6, 4))
    matrix[[1, 4]] = 0.0
    matrix[4, 2] = 1e-16  # dust that weight decay leaves
    matrix[2, :3] = 0.0
    assert np.flatnonzero(without_inputs(matrix)).tolist() == [1, 4]


def test_all_units_of_a_zero_matrix_are_dead():
    assert without_inputs(np.zeros((3, 2))).all()


CASES = {
    "dense": ([6], "{ dense = 5, activation = 'tanh', name = 'l' }, { dense = 3, name = 'k' }"),
    "conv": (
        [2, 9],
        "{ conv1d = 4, kernel = 3, name = 'l' }, { activation = 'tanh' },"
        "{ conv1d = 3, kernel = 2, name = 'k' }",
    ),
    "grouped": (
        [2, 9],
        "{ conv1d = 4, kernel = 3, name = 'l' }, { norm = 'batch' },"
        "{ conv1d = 6, kernel = 2, groups = 2, name = 'k' }",
    ),
    "flattened": (
        [2, 6, 6],
        "{ conv2d = 4, kernel = 3, name = 'l', activation = 'tanh' }, { pool = 'mean', size = 2 },"
        "{ flatten = true }, { dense = 3, name = 'k' }",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_units_without_outgoing_weights_are_those_that_change_nothing(case):
    net = network(*CASES[case])
    behind = node(net, "k")
    weight = net.parameters[behind.weight].copy()
    dead = [1, 3]
    if case in {"dense", "conv"}:
        weight[:, dead] = 0.0
    elif case == "grouped":  # channel 1 is the first group's second, 3 the second group's
        weight[:3, 1] = 0.0
        weight[3:, 1] = 0.0
    else:  # a channel is 4 entries of the flattened row
        for unit in dead:
            weight[:, 4 * unit : 4 * unit + 4] = 0.0
    net = Network(net.skeleton, {**net.parameters, behind.weight: weight})
    found = np.flatnonzero(without_outputs(net, node(net, "l"))).tolist()
    assert found == dead == brute_unread(net, "l")


def test_a_unit_that_one_of_two_readers_uses_is_not_dead():
    net = network([4], "{ dense = 4, name = 'l' }, { residual = [ { dense = 4, name = 'k' } ] }")
    assert without_outputs(net, node(net, "l")) is None  # the sum reads all units
    assert without_outputs(net, node(net, "k")) is None


def test_nothing_is_said_where_units_mix_before_the_next_weights():
    for between in ("{ norm = 'layer' }", "{ reshape = [2, 2] }"):
        net = network([4], f"{{ dense = 4, name = 'l' }}, {between}, {{ dense = 2 }}")
        assert without_outputs(net, node(net, "l")) is None
    last = network([4], "{ dense = 4, name = 'l' }")
    assert without_outputs(last, node(last, "l")) is None


def test_repeated_rows_are_counted_once_less_than_they_are():
    matrix = rng().standard_normal((8, 5))
    matrix[5] = matrix[2]
    matrix[7] = matrix[2]
    matrix[6] = matrix[0]
    assert repeats(matrix, None) == 3
    assert repeats(matrix, np.zeros(8)) == 3
    bias = np.zeros(8)
    bias[7] = 0.5
    assert repeats(matrix, bias) == 2


def test_rows_that_differ_by_float32_rounding_are_equal_and_by_more_are_not():
    matrix = rng().standard_normal((3, 50))
    matrix[1] = matrix[0] * (1 + 2e-7)
    matrix[2] = matrix[0] * (1 + 2e-6)
    assert repeats(matrix, None) == 1


def test_a_constant_layer_repeats_one_unit():
    assert repeats(np.full((500, 7), 0.3), np.zeros(500)) == 499


def test_random_layers_repeat_nothing():
    assert repeats(rng().standard_normal((2000, 3)), None) == 0
    assert repeats(rng().standard_normal((500, 40)).astype(np.float32).astype(float), None) == 0


def test_counts_agree_with_a_comparison_of_all_pairs():
    generator = rng()
    for _ in range(20):
        matrix = generator.integers(-1, 2, (30, 3)).astype(float)
        alive = matrix[np.abs(matrix).max(axis=1) > 0]
        assert repeats(matrix, None) == len(alive) - len(np.unique(alive, axis=0))


def test_dead_units_and_other_groups_are_no_duplicates():
    matrix = rng().standard_normal((4, 5))
    matrix[[0, 1]] = 0.0
    assert repeats(matrix, None) == 0
    matrix[3] = matrix[2]
    matrix[0] = matrix[2]
    assert repeats(matrix, None, groups=1) == 2
    assert repeats(matrix, None, groups=2) == 1


def test_too_few_numbers_a_unit_say_nothing():
    assert repeats(np.ones((5, 2)), None) is None
    assert repeats(np.ones((5, 2)), np.ones(5)) == 4


def test_the_matrix_of_a_layer_is_the_one_that_the_network_multiplies_by():
    net = network([3], "{ dense = 2, name = 'l' }")
    layer = node(net, "l")
    assert weight_matrix(layer, net.parameters[layer.weight]).shape == (2, 3)
