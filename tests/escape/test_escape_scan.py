"""The scan names what is known to happen: lazy, saddle-to-saddle, never, diverging, ordinary."""

from dataclasses import replace

import numpy as np
import pytest
from bias_free import bias_free, drawn

from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.escape.problem import Problem
from fpcheck.escape.scan import scan
from fpcheck.escape.scan_cell import (
    DIVERGES,
    LAZY,
    NEVER,
    ORDINARY,
    SADDLES,
    fresh_skeleton,
    measure_cell,
    tangent_kernel,
)
from fpcheck.network.activations import activation
from fpcheck.network.initializers import parse_law
from fpcheck.network.network import Network
from fpcheck.network.program import forward
from fpcheck.network.skeleton import Activation, Conv, Dense, Flatten, Input, Skeleton
from fpcheck.network.training import MEAN_SQUARED_ERROR

SETTINGS = Settings(threads=1)


def posed(network, x, y):
    return Problem(
        network, x, y, MEAN_SQUARED_ERROR, 0, float(np.mean(y * y)), "", np.arange(len(x))
    )


def rank_one_problem(network, rng, rows=60):
    """One number a row, linear in the inputs: one mode to learn."""
    x = rng.normal(size=(rows, 8))
    return posed(network, x, x[:, :1] - x[:, 1:2])


def cell_of(network, steps=300, rate=0.0, optimiser="sgd"):
    rng = np.random.default_rng(1)
    settings = replace(SETTINGS, probe_rate=rate, probe_optimiser=optimiser)
    return measure_cell(rank_one_problem(network, rng), settings, steps, rng, Monitor())


def two_layers(scale, width=24, function="relu"):
    return drawn((8, width, width, 1), scale, np.random.default_rng(2), function)


def test_a_small_start_goes_from_saddle_to_saddle():
    cell = cell_of(two_layers(0.02), steps=400, optimiser="norm-adaptive")
    assert cell.kind == SADDLES
    assert cell.share > 0.5
    assert cell.ratio > 2.0
    assert cell.plateau > 0.4
    assert cell.moved > 1.0


def test_the_usual_start_is_ordinary():
    cell = cell_of(two_layers(1.0))
    assert cell.kind == ORDINARY
    assert cell.loss_ratio < 0.5
    assert cell.kernel_moved > 1.0


def test_a_large_start_is_lazy():
    """Outputs far beyond the targets' size: relative changes of little bring them there."""
    cell = cell_of(two_layers(6.0, width=64))
    assert cell.kind == LAZY
    assert cell.loss_ratio < 0.5
    assert cell.moved < 0.1


def test_a_tiny_start_never_leaves_in_a_few_steps_of_a_fixed_rate():
    cell = cell_of(two_layers(1e-3), steps=100)
    assert cell.kind == NEVER
    assert cell.escaped_at is None
    assert cell.loss_ratio == pytest.approx(1.0, abs=1e-6)


def test_too_large_a_rate_diverges():
    cell = cell_of(two_layers(2.0**0.5), rate=50.0)
    assert cell.kind == DIVERGES
    section = as_section(cell)
    assert section["kind"] == "diverges"


def test_dead_weights_never_start():
    dead = bias_free([-np.ones((4, 8)), -np.ones((4, 4)), np.ones((1, 4))])
    rng = np.random.default_rng(3)
    x = np.abs(rng.normal(size=(30, 8)))
    problem = posed(dead, x, x[:, :1])
    cell = measure_cell(problem, SETTINGS, 20, rng, Monitor())
    assert cell.kind == NEVER
    assert cell.moved == 0.0
    assert cell.kernel_moved is None


@pytest.mark.parametrize("biases", [False, True])
def test_the_tangent_kernel_is_the_parameters_gradients_product(biases):
    rng = np.random.default_rng(4)
    nodes, parameters, before = [Input("x", (3,))], {}, "x"
    for index, (n_in, n_out) in enumerate([(3, 5), (5, 2)]):
        parameters[f"w{index}"] = rng.normal(size=(n_out, n_in))
        bias = f"b{index}" if biases else None
        if biases:
            parameters[f"b{index}"] = rng.normal(size=n_out)
        nodes.append(Dense(f"d{index}", (before,), n_out, f"w{index}", bias))
        nodes.append(Activation(f"a{index}", (f"d{index}",), activation("tanh")))
        before = f"a{index}"
    network = Network(Skeleton(tuple(nodes)), parameters)
    x, v, step = rng.normal(size=(4, 3)), rng.normal(size=2), 1e-5
    rows = []
    for name, tensor in parameters.items():
        for place in np.ndindex(tensor.shape):
            ends = []
            for sign in (1.0, -1.0):
                moved = tensor.copy()
                moved[place] += sign * step
                other = Network(network.skeleton, {**parameters, name: moved})
                ends.append(forward(other.program, x) @ v)
            rows.append((ends[0] - ends[1]) / (2.0 * step))
    gradients = np.array(rows)
    np.testing.assert_allclose(
        tangent_kernel(network, x, v), gradients.T @ gradients, rtol=1e-7, atol=1e-9
    )


def small_scan(threads=1, laws=None, function="relu", rate=0.0):
    rng = np.random.default_rng(5)
    network = drawn((8, 12, 12, 1), 1.0, rng, function)
    return scan(
        rank_one_problem(network, rng, rows=200),
        replace(SETTINGS, threads=threads, probe_steps=60, probe_rate=rate),
        np.random.default_rng(6),
        Monitor(),
        laws=laws,
        scales=(0.01, 1.0),
        depths=(1, 3),
    )


def test_threads_change_no_cell():
    one, two = small_scan(1), small_scan(2)
    assert one == two
    assert (one.rows, one.width, one.steps) == (128, 12, 60)
    assert [len(row) for row in one.cells] == [2, 2]
    assert "he_normal" in one.law
    # cells[i][j]: the deep one of small scale stands still, the one of scale 1 learns.
    assert one.cells[1][0].kind == NEVER
    assert one.cells[1][1].kind not in (NEVER, DIVERGES)


def test_a_specs_law_is_the_scans_law():
    law = parse_law({"law": "normal", "sigma2": 1e-12, "scale": "1/sqrt(fan_in)"})
    found = small_scan(laws={"d0": (law, None), "d1": (law, None), "d2": (law, None)})
    assert "1e-12" in found.law
    assert found.cells[1][1].kind == NEVER


def test_fresh_networks_have_the_depth_that_is_asked_for():
    found = small_scan(function="tanh")
    assert "lecun_normal" in found.law
    assert found.activation == "tanh"
    from fpcheck.escape.scan_cell import Shaping

    shaping = Shaping((2, 3), 5, 4, activation("relu"), activation("tanh"), True)
    for depth in (1, 8):
        skeleton = fresh_skeleton(shaping, depth)
        dense = [node for node in skeleton.nodes if isinstance(node, Dense)]
        assert [node.units for node in dense] == [5] * depth + [4]
        assert all(node.bias for node in dense)
        assert skeleton.nodes[-1].function.name == "tanh"


def test_what_has_no_depth_to_change_is_named():
    rng = np.random.default_rng(7)
    image = (
        Input("x", (1, 3, 3)),
        Conv("c", ("x",), 2, (3, 3), "w"),
        Flatten("f", ("c",)),
        Dense("y", ("f",), 1, "v"),
    )
    convolution = Network(Skeleton(image), {"w": np.ones((2, 1, 3, 3)), "v": np.ones((1, 2))})
    cases = (
        (convolution, np.ones((4, 1, 3, 3)), "no plain chain"),
        (bias_free([np.ones((1, 8))]), np.ones((4, 8)), "no hidden layer"),
    )
    for network, x, why in cases:
        found = scan(posed(network, x, np.ones((4, 1))), SETTINGS, rng, Monitor())
        assert isinstance(found, str)
        assert why in found


def test_a_stop_flag_ends_the_scan():
    monitor = Monitor()
    monitor.stop.set()
    rng = np.random.default_rng(8)
    problem = rank_one_problem(two_layers(1.0), rng)
    with pytest.raises(KeyboardInterrupt):
        scan(problem, SETTINGS, rng, monitor, scales=(1.0,), depths=(1,))


def test_no_cell_takes_the_probe_s_rate():
    assert small_scan(rate=1e9) == small_scan()
