"""Where starts end: closed forms, the naive twin, and the same answer from all three bodies."""

from __future__ import annotations

import math
from threading import Timer

import naive
import numpy as np
import pytest
from numba.core import config
from numpy.testing import assert_allclose, assert_array_equal

from fpcheck.attractors import iterate
from fpcheck.attractors.iterate import Fate, iterate_starts
from fpcheck.core.errors import UsageError
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.activations import activation
from fpcheck.network.program import compile_program
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton

BODIES = ("narrow", "wide", "program")


@pytest.fixture(params=BODIES)
def body(request, monkeypatch):
    """Each of the three bodies, whatever the network's width."""
    if request.param == "program":
        monkeypatch.setattr(iterate, "dense_chain", lambda program: None)
    width = 10**9 if request.param == "narrow" else 0
    monkeypatch.setattr(iterate, "NARROW_WIDTH", width)
    return request.param


def program_of(layers):
    """The program of a chain of (weight (out, in), bias, activation)."""
    nodes = [Input("x", (layers[0][0].shape[1],))]
    parameters = {}
    for i, (weight, bias, function) in enumerate(layers):
        nodes.append(Dense(f"d{i}", (nodes[-1].name,), len(weight), f"w{i}", f"b{i}"))
        nodes.append(Activation(f"a{i}", (f"d{i}",), function))
        parameters |= {f"w{i}": np.asarray(weight, float), f"b{i}": np.asarray(bias, float)}
    return compile_program(Skeleton(tuple(nodes)), parameters)


def one_layer(weight, name="identity", bias=None):
    weight = np.atleast_2d(np.asarray(weight, float))
    bias = np.zeros(len(weight)) if bias is None else np.asarray(bias, float)
    return program_of([(weight, bias, activation(name))])


def run(program, starts, monitor=None, **settings):
    return iterate_starts(
        program, np.asarray(starts, float), Settings(**settings), monitor or Monitor()
    )


def rotation(angle, shrink=1.0):
    c, s = shrink * math.cos(angle), shrink * math.sin(angle)
    return np.array([[c, -s], [s, c]])


def random_chain(widths, names, spread, seed):
    rng = np.random.default_rng(seed)
    return [
        (
            rng.normal(0.0, spread / math.sqrt(before), (after, before)),
            rng.normal(0.0, 0.2, after),
            activation(name),
        )
        for before, after, name in zip(widths[:-1], widths[1:], names, strict=True)
    ]


# --- closed forms -----------------------------------------------------------------------------


@pytest.mark.parametrize("slope", [0.5, 1.5, 3.0])
def test_tanh_map_ends_on_its_fixed_points(body, slope):
    starts = np.linspace(-2.0, 2.0, 40)[:, None]
    result = run(one_layer(slope, "tanh"), starts)
    ends = result.states
    assert (result.fates == Fate.FIXED_POINT).all()
    assert (result.periods == 1).all()
    assert_allclose(ends, np.tanh(slope * ends), atol=1e-8)
    if slope > 1:
        assert_array_equal(np.sign(ends), np.sign(starts))
    else:
        assert_allclose(ends, 0.0, atol=1e-8)


def test_linear_contraction_ends_on_the_solved_fixed_point(body):
    rng = np.random.default_rng(1)
    weight = 0.5 * np.linalg.qr(rng.normal(size=(5, 5)))[0]
    bias = np.arange(5.0)
    result = run(one_layer(weight, bias=bias), rng.normal(size=(30, 5)))
    assert_allclose(
        result.states, np.tile(np.linalg.solve(np.eye(5) - weight, bias), (30, 1)), rtol=1e-8
    )


@pytest.mark.parametrize("period", [2, 3, 5, 12, 37, 64])
def test_rotation_by_a_fraction_of_the_circle_has_that_period(body, period):
    starts = np.random.default_rng(2).normal(size=(10, 2))
    result = run(one_layer(rotation(2 * math.pi / period)), starts)
    assert (result.fates == Fate.CYCLE).all()
    assert (result.periods == period).all()


def test_alternating_tanh_map_has_period_two(body):
    result = run(one_layer(-3.0, "tanh"), [[0.4], [-1.0]])
    assert (result.fates == Fate.CYCLE).all()
    assert (result.periods == 2).all()
    assert_allclose(np.abs(result.states), np.tanh(3.0 * np.abs(result.states)), atol=1e-8)


def test_cycle_longer_than_asked_for_is_unresolved(body):
    result = run(one_layer(rotation(2 * math.pi / 9)), [[1.0, 0.0]], max_period=8, max_steps=200)
    assert result.fates.tolist() == [Fate.UNRESOLVED]
    assert result.periods.tolist() == [0]
    assert result.steps.tolist() == [200]


@pytest.mark.parametrize("period", [2, 3, 8, 50])
@pytest.mark.parametrize("shrink", [1 - 1e-3, 1 - 1e-5, 1 - 1e-7])
def test_spiral_that_creeps_into_a_fixed_point_is_never_called_a_cycle(body, period, shrink):
    # Its returns are within the tolerance long before it comes to rest.
    starts = [[1e-7, 0.0], [1e-10, 0.0], [1.0, 0.0]]
    result = run(one_layer(rotation(2 * math.pi / period, shrink)), starts, max_steps=3000)
    assert not (result.fates == Fate.CYCLE).any()


def test_slowly_approached_cycle_is_found_once_it_is_settled(body):
    # x -> -a tanh-like alternation with multiplier near 1: the map -tanh(1.01 x) settles slowly.
    result = run(one_layer(-1.01, "tanh"), [[0.5]], max_steps=5000)
    assert result.fates.tolist() == [Fate.CYCLE]
    assert result.periods.tolist() == [2]
    (x,) = result.states[0]
    assert abs(x) == pytest.approx(math.tanh(1.01 * abs(x)), rel=1e-6)


def test_growing_states_are_lost_and_keep_the_last_state_within_the_bound(body):
    result = run(one_layer(2.0), [[1.0], [-3.0]])
    assert (result.fates == Fate.DIVERGED).all()
    assert (np.abs(result.states) <= iterate.BOUND).all()
    assert (2 * np.abs(result.states) > iterate.BOUND).all()
    assert result.steps.tolist() == [math.floor(math.log2(iterate.BOUND)) + 1, 39]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weight_that_is_no_number_makes_every_start_lost(body, bad):
    weight = np.eye(3) / 2
    weight[2, 1] = bad
    result = run(one_layer(weight), np.random.default_rng(3).normal(size=(9, 3)))
    assert (result.fates == Fate.DIVERGED).all()


def test_nan_in_the_last_coordinate_alone_is_not_overlooked(body):
    # Coordinate 0 is at rest from the first step; only the last one runs away.
    weight = np.diag([0.0, 0.0, 3.0])
    result = run(one_layer(weight), [[0.0, 0.0, 1.0]])
    assert result.fates.tolist() == [Fate.DIVERGED]


# --- the naive twin, and the bodies against each other ----------------------------------------

CHAINS = {
    "tanh 3-7-3, several ends": ((3, 7, 3), ("tanh", "identity"), 2.2, 4),
    "relu 6-6-6": ((6, 6, 6), ("relu", "tanh"), 1.7, 5),
    "sin and gelu 4-9-5-4": ((4, 9, 5, 4), ("sin", "gelu", "tanh"), 2.0, 6),
    "elu 5-5, some grow": ((5, 5), ("elu",), 4.0, 7),
    "tanh 8-8-8, no end": ((8, 8, 8), ("tanh", "tanh"), 2.0, 7),
    "softplus and sigmoid 2-33-2": ((2, 33, 2), ("softplus", "sigmoid"), 1.5, 8),
}


@pytest.mark.parametrize("name", CHAINS)
def test_fates_periods_and_steps_agree_with_the_naive_twin(body, name):
    widths, names, spread, seed = CHAINS[name]
    layers = random_chain(widths, names, spread, seed)
    starts = 2 * np.random.default_rng(seed).normal(size=(40, widths[0]))
    settings = Settings(max_steps=400)
    result = iterate_starts(program_of(layers), starts, settings, Monitor())
    with np.errstate(all="ignore"):
        twins = [naive.iterate_one(naive.chain_map(layers), start, settings) for start in starts]
    assert result.fates.tolist() == [fate for fate, *_ in twins]
    settled = np.isin(result.fates, (Fate.FIXED_POINT, Fate.CYCLE))
    assert_array_equal(result.periods, [period for _, _, period, _ in twins])
    # The sums are fused and ordered otherwise: a step may just meet the tolerance or just not.
    assert np.abs(result.steps - [steps for *_, steps in twins])[~settled].max(initial=0) == 0
    assert np.abs(result.steps - [steps for *_, steps in twins]).max() <= 1
    ends = np.array([state for _, state, *_ in twins])
    same = result.steps == [steps for *_, steps in twins]
    assert_allclose(result.states[settled & same], ends[settled & same], rtol=1e-7, atol=1e-7)


def test_chains_tell_the_bodies_apart():
    """The chains above reach every fate, or they would prove little."""
    seen = set()
    for widths, names, spread, seed in CHAINS.values():
        program = program_of(random_chain(widths, names, spread, seed))
        starts = 2 * np.random.default_rng(seed).normal(size=(40, widths[0]))
        seen |= set(run(program, starts, max_steps=400).fates.tolist())
    assert seen == set(Fate)


# --- determinism, interruption, errors --------------------------------------------------------


@pytest.mark.skipif(config.DISABLE_JIT, reason="too many steps for interpreted kernels")
@pytest.mark.parametrize("widths", [(6, 9, 6), (56, 40, 56)])
def test_results_are_the_same_to_the_byte_for_any_number_of_threads(widths):
    program = program_of(random_chain(widths, ("tanh", "tanh"), 1.6, 9))
    starts = np.random.default_rng(9).normal(size=(3 * iterate.LANES + 17, widths[0]))
    one, *others = [run(program, starts, threads=threads, max_steps=150) for threads in (1, 2, 3)]
    for other in others:
        for field in ("states", "fates", "periods", "steps"):
            assert getattr(one, field).tobytes() == getattr(other, field).tobytes()


@pytest.mark.skipif(config.DISABLE_JIT, reason="too many steps for interpreted kernels")
def test_a_narrow_start_ends_the_same_alone_and_among_others():
    program = program_of(random_chain((6, 9, 6), ("tanh", "tanh"), 1.6, 10))
    starts = np.random.default_rng(10).normal(size=(300, 6))
    together = run(program, starts, max_steps=150)
    for i in (0, 7, 255, 256, 299):
        alone = run(program, starts[i : i + 1], max_steps=150)
        assert_array_equal(alone.states[0], together.states[i])
        assert alone.steps[0] == together.steps[i]


def test_a_start_on_a_fixed_point_takes_one_step(body):
    result = run(one_layer(1.0), [[0.0], [1.0]])
    assert result.steps.tolist() == [1, 1]
    assert_array_equal(result.states, [[0.0], [1.0]])


def test_large_states_run_in_smaller_blocks_with_the_same_ends(body, monkeypatch):
    program = program_of(random_chain((6, 6), ("tanh",), 1.2, 11))
    starts = np.random.default_rng(11).normal(size=(50, 6))
    whole = run(program, starts, max_steps=150)
    monkeypatch.setattr(iterate, "BLOCK_ENTRIES", 6 * 10)
    sizes, running = [], iterate.Running

    def counted(program, block, *rest):
        sizes.append(len(block))
        return running(program, block, *rest)

    monkeypatch.setattr(iterate, "Running", counted)
    parts = run(program, starts, max_steps=150)
    assert len(sizes) > 1
    assert sum(sizes) == 50
    assert_array_equal(parts.fates, whole.fates)
    assert_allclose(parts.states, whole.states, rtol=1e-7, atol=1e-7)


def test_no_starts_give_no_ends(body):
    assert run(one_layer(0.5), np.empty((0, 1))).fates.shape == (0,)


def test_stop_ends_an_iteration_that_would_never_end(body):
    monitor = Monitor()
    Timer(0.2, monitor.stop.set).start()
    endless = one_layer(rotation(1.0))  # an irrational part of the circle
    with pytest.raises(KeyboardInterrupt):
        run(endless, np.ones((600, 2)), monitor, max_steps=2**62)


def test_progress_counts_every_start():
    told = []
    monitor = Monitor(report=lambda text, done, total: told.append((done, total)))
    run(one_layer(0.5), np.zeros((600, 1)), monitor)
    assert told[0] == (0, 600)
    assert told[-1] == (600, 600)
    assert told == sorted(told)


def test_starts_of_another_width_are_refused():
    with pytest.raises(UsageError, match="2 inputs"):
        run(one_layer(np.eye(2)), np.zeros((4, 3)))
