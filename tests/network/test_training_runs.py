"""What a run of training promises beside its numbers: threads, blocks, endings, refusals."""

import itertools

import numpy as np
import pytest

from fpcheck.core.errors import DataError, UnsupportedOperationError
from fpcheck.core.progress import Monitor
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.program import forward, parameter_gradients, trace
from fpcheck.network.skeleton import Activation, Conv, Dense, Flatten, Input, MatMul, Skeleton
from fpcheck.network.training import (
    ADAM,
    CROSS_ENTROPY,
    MEAN_SQUARED_ERROR,
    Recipe,
    loss_and_gradient,
    multiply_adds,
    train,
)
from fpcheck.network.training.cost import ROWS_A_GRADIENT, block_rows, blocks
from fpcheck.network.training.optimisers import degree

RNG = np.random.default_rng(32)
SAME = 1e-12  # one sum in another order


def chain(function="tanh", widths=(6, 12, 9, 3)):
    nodes, parameters = [Input("x", widths[:1])], {}
    for index, (n_in, n_out) in enumerate(itertools.pairwise(widths)):
        parameters[f"w{index}"] = RNG.normal(size=(n_out, n_in)) * n_in**-0.5
        parameters[f"b{index}"] = 0.3 * RNG.normal(size=n_out)
        before = nodes[-1].name
        nodes.append(Dense(f"d{index}", (before,), n_out, f"w{index}", f"b{index}"))
        if index < len(widths) - 2:
            nodes.append(Activation(f"a{index}", (f"d{index}",), activation(function)))
    return Network(Skeleton(tuple(nodes)), parameters)


def convolution():
    nodes = (
        Input("x", (1, 5, 5)),
        Conv("c", ("x",), 2, (3, 3), "w", "b"),
        Activation("a", ("c",), activation("relu")),
        Flatten("f", ("a",)),
        Dense("y", ("f",), 3, "v"),
    )
    shapes = {"w": (2, 1, 3, 3), "b": (2,), "v": (3, 18)}
    return Network(Skeleton(nodes), {k: RNG.normal(size=s) for k, s in shapes.items()})


ROWS = RNG.normal(size=(700, 6))
CLASSES = RNG.integers(0, 3, 700)


@pytest.mark.parametrize("batch", [0, 300])
def test_threads_change_no_bit(batch):
    images, labels = RNG.normal(size=(600, 1, 5, 5)), RNG.integers(0, 3, 600)
    for network, x, y in ((chain(), ROWS, CLASSES), (convolution(), images, labels)):
        recipe = Recipe(CROSS_ENTROPY, ADAM, 0.01, 5, batch)

        def last(threads, network=network, x=x, y=y, recipe=recipe):
            rng = np.random.default_rng(1)
            *_, step = train(network, x, y, recipe, rng=rng, threads=threads)
            return step

        one, three = last(1), last(3)
        assert one.loss == three.loss
        np.testing.assert_array_equal(one.theta, three.theta)
        np.testing.assert_array_equal(one.outputs, three.outputs)


@pytest.mark.parametrize("function", ["identity", "relu", "tanh", "gelu", "sin"])
def test_the_chains_own_loops_give_what_the_operators_give(function):
    network = chain(function)
    targets = RNG.normal(size=(700, 3))
    loss, gradient = loss_and_gradient(network, ROWS, targets, MEAN_SQUARED_ERROR)
    out = forward(network.program, ROWS)
    assert abs(loss - np.mean((out - targets) ** 2)) <= SAME * loss
    back = 2.0 * (out - targets) / out.size
    theirs = parameter_gradients(network.program, trace(network.program, ROWS), back)
    assert set(theirs) == set(gradient)
    for name, value in theirs.items():
        scale = np.abs(value).max()
        np.testing.assert_allclose(gradient[name], value, rtol=0.0, atol=SAME * scale)


def test_a_full_pass_of_mini_batches_meets_every_row_once():
    recipe = Recipe(CROSS_ENTROPY, steps=5, batch=256)
    steps = list(train(chain(), ROWS, CLASSES, recipe, rng=np.random.default_rng(3)))
    for a_pass in (steps[:3], steps[3:]):
        assert sorted(np.concatenate([step.rows for step in a_pass])) == list(range(700))
    assert [len(step.rows) for step in steps[:3]] == [256, 256, 188]


def test_a_step_stays_what_it_was_when_the_run_goes_on():
    network = chain()
    run = train(network, ROWS, CLASSES, Recipe(CROSS_ENTROPY, ADAM, 0.1, steps=3))
    first = next(run)
    kept = {name: value.copy() for name, value in first.parameters.items()}
    loss, time = first.loss, [step.time for step in run]
    assert first.loss == loss
    assert time == pytest.approx([0.1, 0.2, 0.3])
    for name, value in kept.items():
        np.testing.assert_array_equal(first.parameters[name], value)
        np.testing.assert_array_equal(first.parameters[name], network.parameters[name])
    assert first.parameter_norm == pytest.approx(
        np.sqrt(sum(np.sum(value**2) for value in kept.values()))
    )


def test_a_step_knows_the_outputs_behind_its_loss():
    network = chain()
    *_, step = train(network, ROWS, CLASSES, Recipe(CROSS_ENTROPY, rate=0.1, steps=2))
    np.testing.assert_allclose(step.outputs, forward(step.network.program, ROWS), rtol=SAME)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(rate=1e3, steps=500),
        Recipe(rate=1e160, momentum=0.9, steps=500),
        Recipe(rate=1e160, optimiser=ADAM, steps=500),
        Recipe(rate=1e160, norm_adaptive=True, steps=500),
    ],
)
def test_a_run_that_diverges_ends_with_the_step_that_shows_it(recipe):
    targets = RNG.normal(size=(700, 3))
    steps = list(train(chain("identity"), ROWS, targets, recipe))
    assert len(steps) < 500
    assert not steps[-1].finite
    assert all(step.finite for step in steps[:-1])


def test_stopping_is_heeded_between_blocks():
    monitor = Monitor()
    run = train(chain(), ROWS, CLASSES, Recipe(CROSS_ENTROPY, steps=100), monitor, threads=2)
    next(run)
    monitor.stop.set()
    with pytest.raises(KeyboardInterrupt):
        next(run)


def test_progress_tells_the_loss():
    told = []
    monitor = Monitor(lambda text, done, total: told.append((text, done, total)))
    list(train(chain(), ROWS, CLASSES, Recipe(CROSS_ENTROPY, steps=100), monitor))
    assert told[0][0].startswith("training: loss ")
    assert [done for _, done, _ in told] == list(range(0, 101, 2))


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(UnsupportedOperationError, match="no useful derivative"):
        next(train(chain("step"), ROWS, CLASSES, Recipe(CROSS_ENTROPY)))
    bare = Network(Skeleton((Input("x", (6,)), Activation("a", ("x",), activation("tanh")))), {})
    with pytest.raises(UnsupportedOperationError, match="no parameters to train"):
        train(bare, ROWS, ROWS, Recipe())


def test_rows_and_targets_that_do_not_fit_are_refused_at_once():
    network = chain()
    with pytest.raises(DataError, match=r"rows of \[6\]"):
        train(network, ROWS[:, :5], CLASSES, Recipe(CROSS_ENTROPY))
    with pytest.raises(DataError, match="targets of shape"):
        train(network, ROWS, CLASSES, Recipe())
    with pytest.raises(DataError, match="one class index a row"):
        train(network, ROWS, CLASSES + 0.5, Recipe(CROSS_ENTROPY))
    with pytest.raises(DataError, match="tells 3 classes"):
        train(network, ROWS, CLASSES + 1, Recipe(CROSS_ENTROPY))
    with pytest.raises(ValueError, match="random generator"):
        train(network, ROWS, CLASSES, Recipe(CROSS_ENTROPY, batch=10))


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": "hinge"},
        {"optimiser": "lion"},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"batch": -1},
        {"momentum": 1.0},
        {"nesterov": True},
    ],
)
def test_recipes_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=r"\w"):
        Recipe(**wrong)


def test_multiply_adds_are_those_of_the_products():
    assert multiply_adds(chain("identity").skeleton) == 6 * 12 + 12 + 12 * 9 + 9 + 9 * 3
    assert multiply_adds(convolution().skeleton) == 2 * 9 * 9 + 2 * 9 + 18 * 3
    matrices = Skeleton((Input("x", (4, 4)), MatMul("m", ("x", "x"))))
    assert multiply_adds(matrices) == 4 * 4 * 4


def test_blocks_are_even_and_depend_on_the_network_alone():
    assert blocks(256, 1800)[0] == slice(0, 225)
    assert blocks(256, 1800)[-1] == slice(1575, 1800)
    assert blocks(256, 3) == (slice(0, 3),)
    assert block_rows(chain().skeleton) == 256
    wide = Skeleton((Input("x", (4000,)), Dense("d", ("x",), 8000, "w")))
    assert block_rows(wide) == ROWS_A_GRADIENT  # 50 ms a row, but the gradient is as large
    nodes = (Input("x", (64, 64, 64)), Conv("c", ("x",), 64, (3, 3), "w"))
    assert block_rows(Skeleton(nodes)) == 1


def test_a_network_of_zeros_never_starts():
    network = chain("relu")
    zeros = {name: np.zeros_like(value) for name, value in network.parameters.items()}
    dead = Network(network.skeleton, {**zeros, "b2": np.zeros(3)})
    targets = np.zeros((700, 3))
    steps = list(train(dead, ROWS, targets, Recipe(rate=0.1, steps=3)))
    assert [step.gradient_norm for step in steps] == [0.0] * 4
    adaptive = Recipe(rate=0.1, steps=3, norm_adaptive=True)
    *_, last = train(dead, ROWS, targets, adaptive)  # its rate is infinite
    assert not last.finite


def test_depth_is_that_of_the_longest_way():
    assert degree(chain().skeleton) == 3
    assert degree(convolution().skeleton) == 2
