"""Finite width against infinite: the kernel's error, and the score's limit over the width."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from readout_cases import RING, RING_LABELS, classes, network, numbers

from fpcheck.core.intervals import Interval
from fpcheck.core.progress import Monitor
from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.program import forward
from fpcheck.network.skeleton import Activation, Conv, Dense, Flatten, Input, Skeleton
from fpcheck.readout import width as width_module
from fpcheck.readout.drawn import drawn_interval
from fpcheck.readout.features import frozen_features, last_dense
from fpcheck.readout.initial import initial
from fpcheck.readout.kernel_error import ROWS, kernel_error
from fpcheck.readout.kernel_ridge import kernel_trials
from fpcheck.readout.problem import choose_problem, score
from fpcheck.readout.result import Skipped
from fpcheck.readout.splits import Split, random_split
from fpcheck.readout.width import score_by_width
from fpcheck.readout.width_fit import Drawn, width_curve
from fpcheck.theory.dual_kernel import dual_kernel

ROOM = np.random.default_rng(0).standard_normal((120, 8))


def drawn_features(net, inputs, draws, seed=0):
    """The features of random networks of the skeleton, and the dual kernel of the rows."""
    start, last = initial(net), last_dense(net.skeleton)
    rng = np.random.default_rng(seed)
    features = [
        frozen_features(start.draw(child), inputs, last, Monitor()).features
        for child in rng.spawn(draws)
    ]
    dual = dual_kernel(
        start.skeleton, start.scales, inputs, node=last.inputs[0], parameters=start.constants
    )
    return features, dual.nngp


def perceptron(width, function="relu", depth=1):
    return network((8, *(width,) * depth, 2), function, seed=1, scale=1.4)


def error_of(net, inputs=ROOM, draws=8, seed=0):
    features, dual = drawn_features(net, inputs, draws, seed)
    return kernel_error(features, dual)


@pytest.mark.parametrize("function", ["relu", "tanh"])
def test_the_kernels_error_falls_as_the_root_of_the_width(function):
    widths = [64, 256, 1024]
    errors = []
    for width in widths:
        found = error_of(perceptron(width, function, depth=2), draws=16)
        assert (found.width, found.draws, found.rows) == (width, 16, 120)
        assert found.low < found.error < found.high
        errors.append(found.error)
    slope = np.polyfit(np.log(widths), np.log(errors), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.05)


def test_the_kernel_of_65536_units_is_the_dual_kernel_and_no_other():
    features, dual = drawn_features(perceptron(65536), ROOM[:40], 2)
    assert kernel_error(features, dual).error < 0.013  # 2.5 / sqrt(65536) by the next test's law
    assert kernel_error(features, 1.05 * dual).error > 0.04


def test_the_error_is_what_independent_units_give():
    # E |K' - K|^2 = (E |phi phi'|^2 - |K|^2) / width, over one unit's values phi for all rows.
    features, dual = drawn_features(perceptron(200), ROOM, 40)
    units = np.concatenate(features, axis=1)
    one = np.mean(np.square(np.square(units).sum(axis=0)))
    expected = np.sqrt((one - np.sum(dual**2)) / 200) / np.linalg.norm(dual)
    found = kernel_error(features, dual)
    # The mean of norms is a little below the root of the mean square.
    assert 0.93 * expected < found.error <= 1.02 * expected


def test_a_network_of_convolutions_has_the_mean_over_units_and_positions():
    rng = np.random.default_rng(2)
    nodes = (
        Input("x", (2, 9)),
        Conv("c", ("x",), 400, (3,), "wc", "bc"),
        Activation("a", ("c",), activation("relu")),
        Flatten("f", ("a",)),
        Dense("d", ("f",), 3, "wd", "bd"),
    )
    parameters = {
        "wc": rng.standard_normal((400, 2, 3)) / np.sqrt(3.0),
        "bc": 0.3 * rng.standard_normal(400),
        "wd": rng.standard_normal((3, 2800)),
        "bd": np.zeros(3),
    }
    found = error_of(Network(Skeleton(nodes), parameters), rng.standard_normal((60, 2, 9)))
    assert found.width == 2800
    assert found.error < 0.1


def test_many_rows_have_the_error_of_some_of_them():
    rows = np.random.default_rng(3).standard_normal((ROWS + 300, 8))
    features, dual = drawn_features(perceptron(100), rows, 4)
    found = kernel_error(features, dual)
    assert 0.9 * ROWS < found.rows <= ROWS
    direct = [np.linalg.norm(f @ f.T / 100 - dual) / np.linalg.norm(dual) for f in features]
    assert found.error == pytest.approx(np.mean(direct), rel=0.02)


def test_an_error_that_is_not_known_says_why():
    features, dual = drawn_features(perceptron(16), ROOM, 2)
    broken = features[0].copy()
    broken[0, 0] = np.inf
    for case, why in [
        (kernel_error([], dual), "no random network"),
        (kernel_error(features, np.zeros_like(dual)), "is 0"),
        (kernel_error([broken], dual), "not finite"),
    ]:
        assert isinstance(case, Skipped)
        assert why in case.skipped
    assert kernel_error(features[:1], dual).high == np.inf


SPLIT = Split(train=np.arange(300), test=np.arange(300, 400))
WIDTHS = (16, 32, 64, 128, 256)


def synthetic(rng, limit=0.9, slope=3.0, splits=4, draws=4, curve=0.0, offset=0.0):
    """Scores that follow the law, with a part of the splits and one of the draws."""
    common = 0.01 * rng.standard_normal(20)
    found = []
    for width in WIDTHS:
        law = limit - slope / (width + offset) - curve / width**2
        noise = 0.1 / np.sqrt(width) * rng.standard_normal((draws, 1))
        noise = noise + 0.02 / np.sqrt(width) * rng.standard_normal((draws, splits))
        found.append(Drawn(width / 64, width, law + common[:splits] + noise))
    return found, common


# As 1 / width, with a next term of up to 0.4 of it at the narrowest, and slower at first.
@pytest.mark.parametrize("law", [{}, {"curve": -20.0}, {"curve": 20.0}, {"offset": 60.0}])
def test_the_limit_and_the_near_width_are_covered_by_their_intervals(law):
    rng = np.random.default_rng(4)
    # Where 3 / (w + offset) + curve / w^2 is 0.01.
    truth = (3.0 + np.sqrt(9.0 + 0.04 * law.get("curve", 0.0))) / 0.02 - law.get("offset", 0.0)
    found = [width_curve(synthetic(rng, **law)[0], SPLIT) for _ in range(200)]
    known = [one for one in found if not one.limit_skipped]
    assert len(known) >= 194  # a law that holds is taken for contradicted in 3 % at most
    # 95 % intervals; three standard errors of 200 trials are 0.046.
    assert np.mean([one.limit_low <= 0.9 <= one.limit_high for one in known]) >= 0.904
    assert np.mean([one.near_low <= truth <= one.near_high for one in known]) >= 0.904
    assert np.median([one.limit for one in known]) == pytest.approx(0.9, abs=0.005)
    assert np.median([one.limit_high - one.limit_low for one in known]) < 0.08


def test_scores_without_noise_give_the_law_back():
    noise = 1e-7 * np.random.default_rng(5).standard_normal((5, 4, 4))
    drawn = [
        Drawn(width / 64, width, 0.9 - 20.0 / (width + 57.0) + each)
        for width, each in zip(WIDTHS, noise, strict=True)
    ]
    curve = width_curve(drawn, SPLIT)
    assert_allclose(curve.limit, 0.9, atol=1e-3)  # offsets are tried 1 % apart
    assert_allclose(curve.near, 20.0 / 0.01 - 57.0, rtol=0.02)


def test_a_score_that_does_not_depend_on_the_width_may_be_near_at_any():
    drawn, _ = synthetic(np.random.default_rng(5), slope=0.0)
    curve = width_curve(drawn, SPLIT)
    assert curve.near_low == 0.0
    assert curve.limit_low < 0.9 < curve.limit_high < 1.0


def test_widths_that_contradict_the_law_are_left_out():
    rng = np.random.default_rng(6)
    drawn, _ = synthetic(rng)
    lost = Drawn(drawn[0].factor, 16, drawn[0].scores - 1.0)
    curve = width_curve([lost, *drawn[1:]], SPLIT)
    assert curve.fitted_from == 32
    assert curve.limit == pytest.approx(0.9, abs=0.02)
    assert len(curve.points) == 5


def test_scores_that_follow_no_law_have_no_limit():
    drawn = [
        Drawn(width / 64, width, value + 1e-3 * np.random.default_rng(7).standard_normal((4, 4)))
        for width, value in zip(WIDTHS, (0.5, 0.9, 0.4, 0.8, 0.5), strict=True)
    ]
    curve = width_curve(drawn, SPLIT)
    assert curve.limit is None
    assert curve.near is None
    assert "from width 32 on" in curve.limit_skipped
    assert len(curve.points) == 5


def test_more_splits_of_the_present_width_set_the_level_of_all():
    drawn, common = synthetic(np.random.default_rng(8))
    level = common + drawn[2].scores.mean()
    moved = width_curve(drawn, SPLIT, level=level)
    plain = width_curve(drawn, SPLIT)
    shift = common.mean() - common[:4].mean()
    assert_allclose(moved.limit - plain.limit, shift, rtol=0.05)
    assert_allclose(moved.near, plain.near, rtol=0.02)


def test_a_score_that_is_always_1_is_not_certain():
    drawn = [Drawn(width / 64, width, np.ones((4, 4))) for width in WIDTHS]
    curve = width_curve(drawn, SPLIT, floor=0.0, least_variance=1e-5)
    assert_allclose([curve.limit, curve.limit_high], 1.0, rtol=1e-12)
    assert curve.near < 1e-9
    assert 0.98 < curve.limit_low < 1.0
    assert all(point.low < 1.0 for point in curve.points)


def asked(net, data, splits=6, seed=9):
    problem = choose_problem(data, net.skeleton, None)
    rng = np.random.default_rng(seed)
    made = [random_split(data.rows, 0.25, child, problem.labels) for child in rng.spawn(splits)]
    return problem, data.inputs, last_dense(net.skeleton), made


def curve_of(net, data, **more):
    problem, inputs, last, splits = asked(net, data)
    rng = np.random.default_rng(10)
    return score_by_width(net, None, problem, inputs, last, splits, rng, **more)


def waves():
    rng = np.random.default_rng(11)
    inputs = rng.standard_normal((400, 3))
    return numbers(inputs, np.sin(inputs @ rng.standard_normal((3, 2))))


def test_the_limit_of_wide_networks_is_the_score_of_the_dual_kernel():
    net = network((64, 64, 10), "relu", scale=1.4)
    inputs = np.random.default_rng(0).standard_normal((1500, 64))
    teacher = network((64, 20, 10), "tanh", seed=5, scale=3.0)
    data = classes(inputs, forward(teacher.program, inputs).argmax(axis=1), 10)
    problem, inputs, last, splits = asked(net, data, splits=4)
    curve = score_by_width(net, None, problem, inputs, last, splits, np.random.default_rng(10))
    trials = kernel_trials(drawn_features(net, inputs, 1)[1], problem.targets, splits)
    scores = [
        score(problem, one.held_out, s.test).value for one, s in zip(trials, splits, strict=True)
    ]
    assert [point.width for point in curve.points] == [16, 32, 64, 128, 256]
    assert [point.factor for point in curve.points] == [0.25, 0.5, 1.0, 2.0, 4.0]
    assert (curve.draws, curve.splits, last.inputs[0]) == (4, 4, "act0")
    # The widest is still far from the limit, and the splits are the same.
    assert curve.points[-1].score < np.mean(scores) - 0.04
    assert curve.limit == pytest.approx(np.mean(scores), abs=0.03)
    assert curve.limit_low <= np.mean(scores) <= curve.limit_high


def test_neither_threads_nor_order_change_the_curve():
    net, data = network((2, 24, 2), "relu", scale=1.5), classes(RING, RING_LABELS)
    one, two = (curve_of(net, data, threads=threads) for threads in (1, 2))
    assert one == two
    assert all(0.0 <= point.low <= point.score <= point.high <= 1.0 for point in one.points)


def test_the_scores_at_the_present_width_can_be_given():
    net, data = network((3, 32, 2), "tanh", scale=1.5), waves()
    present = 0.8 + 0.01 * np.random.default_rng(12).standard_normal((5, 6))
    curve = curve_of(net, data, present=present, nngp=0.91)
    point = next(point for point in curve.points if point.factor == 1.0)
    assert_allclose(point.score, present.mean())
    assert curve.nngp == 0.91


def test_a_narrow_network_is_made_wider_rather_than_narrower():
    net, data = network((3, 5, 2), "tanh", scale=1.5), waves()
    assert [point.width for point in curve_of(net, data).points] == [5, 10, 20, 40, 80]


def test_what_would_take_too_long_is_left_out(monkeypatch):
    net, data = network((3, 64, 2), "tanh", scale=1.5), waves()
    monkeypatch.setattr(width_module, "MOST_WORK", 1e8)
    assert [point.width for point in curve_of(net, data).points] == [4, 8, 16, 32]
    present = np.full((2, 6), 0.8) + 0.01 * np.arange(12.0).reshape(2, 6)
    assert [point.width for point in curve_of(net, data, present=present).points][-1] == 64
    monkeypatch.setattr(width_module, "MOST_WORK", 1.0)
    assert "too long" in curve_of(net, data).skipped


def test_a_network_without_hidden_layers_has_no_width():
    found = curve_of(network((3, 2), "tanh"), waves())
    assert isinstance(found, Skipped)
    assert "no hidden layer" in found.skipped


def test_a_mean_over_draws_and_splits_is_covered_by_its_interval():
    # Splits that share no rows, for which the correction is left out.
    apart = Split(train=np.arange(10**9, 10**9 + 1), test=np.arange(0))
    rng = np.random.default_rng(13)
    covered = []
    for draws_part, splits_part in [(1.0, 0.1), (0.1, 1.0), (1.0, 1.0)] * 200:
        scores = draws_part * rng.standard_normal((5, 1)) + 0.3 * rng.standard_normal((5, 8))
        found = drawn_interval(scores + splits_part * rng.standard_normal((1, 8)), apart)
        covered.append(found.low <= 0.0 <= found.high)
    assert 0.93 <= np.mean(covered) <= 0.985  # 95 %, and what two parts counted twice add
    assert drawn_interval(np.ones((3, 4)), apart) == Interval(1.0, 1.0)
    assert drawn_interval(np.array([[1e300, -1e300], [0, 0]]), apart).high == np.inf
