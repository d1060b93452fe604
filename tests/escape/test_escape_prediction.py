"""The growth law and the flow, held against training by small steps."""

import numpy as np
import pytest
from bias_free import bias_free, drawn

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.escape.direction import Direction, best_direction
from fpcheck.escape.flow import follow
from fpcheck.escape.growth import norm_at, time_to_norm
from fpcheck.escape.origin import origin
from fpcheck.escape.prediction import predict
from fpcheck.network.training import MEAN_SQUARED_ERROR, Recipe, train

# Small steps against the flow, and a loss that is not quite its first order.
BY_STEPS = 5e-3


@pytest.fixture
def rng():
    """The same draws for every test, whichever ran before."""
    return np.random.default_rng(41)


def run_of(network, x, y, rate, steps):
    """(steps, times, norms, losses) of plain gradient descent."""
    recipe = Recipe(rate=rate, steps=steps)
    rows = [
        (step.number, step.time, step.parameter_norm, step.loss)
        for step in train(network, x, y, recipe, threads=1)
    ]
    return np.array(rows).T


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("function", ["relu", "identity"])
def test_along_the_direction_the_norm_follows_the_law(depth, function, rng):
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    widths = (3, *[4] * (depth - 1), 2)
    place, _ = origin(drawn(widths, 1.0, rng, function), x, y, MEAN_SQUARED_ERROR)
    direction, rho = best_direction(place, Settings(threads=1), rng, Monitor())
    start, end = 0.01 * depth**0.5, 0.02 * depth**0.5
    duration = time_to_norm(direction.speed, depth, start, end)
    network = bias_free([0.01 * weight for weight in rho], function)
    _, times, norms, _ = run_of(network, x, y, duration / 1000, 1000)
    law = norm_at(direction.speed, depth, start, times)
    assert law[-1] == pytest.approx(end, rel=1e-9)
    np.testing.assert_allclose(norms, law, rtol=BY_STEPS)


def test_the_law_of_two_layers_is_the_limit_of_the_others():
    times = np.linspace(0.0, 2.0, 5)
    near = norm_at(0.7, 2 + 1e-7, 0.1, times)
    np.testing.assert_allclose(norm_at(0.7, 2, 0.1, times), near, rtol=1e-5)


def test_beyond_the_blow_up_the_law_says_infinity():
    end = time_to_norm(0.5, 4, 0.1, 1e9)
    norms = norm_at(0.5, 4, 0.1, np.array([0.0, 0.5 * end, 2.0 * end]))
    assert norms[0] == pytest.approx(0.1)
    assert 0.1 < norms[1] < 1.0
    assert norms[2] == np.inf


@pytest.mark.parametrize("widths", [(4, 8, 3), (4, 8, 8, 3), (4, 8, 8, 8, 3)])
def test_the_flow_is_what_small_steps_do_and_never_beats_the_law(widths, rng):
    x, y = rng.normal(size=(30, 4)), 3.0 * rng.normal(size=(30, 3))
    network = drawn(widths, 0.05, rng)
    place, weights = origin(network, x, y, MEAN_SQUARED_ERROR)
    fall = 1e-3 * float(np.mean(y * y))
    flow = follow(place, weights, fall, rng, Monitor())
    reached = flow.time_of(fall)
    steps, times, norms, losses = run_of(network, x, y, reached / 1500, 1560)
    # Towards the blow-up every lag grows without bound.
    before = steps <= 1350
    np.testing.assert_allclose(flow.norms_at(times)[before], norms[before], rtol=BY_STEPS)
    measured = int(np.argmax(losses <= losses[0] - fall))
    direction, _ = best_direction(place, Settings(threads=1), rng, Monitor())
    found = predict(direction, norms[0], steps, times, fall, flow)
    assert found.predicted_escape == pytest.approx(1500.0)
    assert measured == pytest.approx(1500, rel=0.03)
    # The law bounds every start: 1e-4 for the explicit steps, which run ahead of the flow.
    assert np.all(norms <= np.array(found.earliest_norms) * (1.0 + 1e-4))
    assert flow.speed <= direction.speed * (1.0 + 1e-3)
    assert found.earliest_time < found.predicted_time


def test_norm_adaptive_steps_are_counted_along_the_path(rng):
    x, y = rng.normal(size=(30, 4)), 3.0 * rng.normal(size=(30, 3))
    network = drawn((4, 8, 8, 8, 3), 0.05, rng)
    place, weights = origin(network, x, y, MEAN_SQUARED_ERROR)
    fall = 1e-3 * float(np.mean(y * y))
    flow = follow(place, weights, fall, rng, Monitor())
    reached = flow.time_of(fall)
    factor = flow.adaptive_steps(reached, 1.0) / 1500.0
    recipe = Recipe(rate=factor, steps=1700, norm_adaptive=True)
    found = [(s.time, s.loss) for s in train(network, x, y, recipe, threads=1)]
    times, losses = np.array(found).T
    measured = int(np.argmax(losses <= losses[0] - fall))
    assert measured == pytest.approx(1500, rel=0.03)
    steps = np.arange(len(times), dtype=np.float64)
    direction, _ = best_direction(place, Settings(threads=1), rng, Monitor())
    norm = float(np.sqrt(sum(np.sum(weight**2) for weight in weights)))
    told = predict(direction, norm, steps, times, fall, flow, factor)
    assert told.predicted_escape == pytest.approx(1500.0)
    assert 0.0 < told.earliest_escape < measured
    # Along the optimal direction log |theta| grows by the same every step.
    gain = fall + float(flow.gains[0])
    target = 4.0**0.5 * (gain / direction.speed) ** 0.25
    growth = factor * direction.speed * 4.0 ** (1.0 - 2.0)
    assert told.earliest_escape == pytest.approx(np.log(target / norm) / growth)


def test_a_tiny_start_takes_as_many_points_and_ends_on_its_direction(rng):
    x, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    weights = [rng.normal(size=(6, 4)), rng.normal(size=(6, 6)), rng.normal(size=(2, 6))]
    place, _ = origin(bias_free(weights), x, y, MEAN_SQUARED_ERROR)
    counts = []
    for scale in (1e-3, 1e-9):
        flow = follow(place, [scale * w for w in weights], np.inf, rng, Monitor())
        assert flow.aligned
        counts.append(flow.speed)
    assert counts[0] == pytest.approx(counts[1], rel=1e-6)


def test_behind_its_path_the_flow_goes_on_by_the_law(rng):
    x = rng.normal(size=(10, 1))
    y = 2.0 * x
    place, weights = origin(bias_free([np.full((1, 1), 0.1)] * 3, "identity"), x, y,
                            MEAN_SQUARED_ERROR)  # fmt: skip
    flow = follow(place, weights, 1e-3, rng, Monitor())
    speed = abs(float(np.sum(place.pull * x)))
    later = np.array([0.0, 0.5, 1.5]) * flow.times[-1]
    law = norm_at(speed, 3, flow.norms[0], later)
    np.testing.assert_allclose(flow.norms_at(later), law, rtol=2e-3)


def test_dead_and_zero_weights_have_no_flow(rng):
    x, y = np.ones((4, 2)), np.ones((4, 1))
    for sign, why in ((0.0, "zero"), (-1.0, "no gradient")):
        network = bias_free([sign * np.ones((3, 2)), np.ones((1, 3)) * abs(sign)])
        place, weights = origin(network, x, y, MEAN_SQUARED_ERROR)
        found = follow(place, weights, 1.0, rng, Monitor())
        assert isinstance(found, str)
        assert why in found


def test_absurdly_small_and_large_weights_are_told_and_not_stumbled_over(rng):
    x, y = rng.normal(size=(10, 3)), rng.normal(size=(10, 2))
    place, weights = origin(drawn((3, *[4] * 7, 2), 1.0, rng, "identity"), x, y, MEAN_SQUARED_ERROR)
    tiny = follow(place, [1e-60 * w for w in weights], 0.1, rng, Monitor())
    assert "no time would be enough" in tiny
    assert time_to_norm(0.5, 8, 1e-60, 0.1) == np.inf
    np.testing.assert_array_equal(norm_at(0.5, 8, 1e-60, np.array([0.0, 1.0])), 1e-60)
    large = follow(place, [1e60 * w for w in weights], 0.1, rng, Monitor())
    assert "overflows" in large


def test_escapes_beyond_the_run_are_not_told_a_step():
    direction = Direction(0.5, "numerical", 3, 1, 1, 8, 0.4, 0.0, 4, 8, ())
    steps = np.arange(11.0)
    soon = predict(direction, 0.1, steps, 10.0 * steps, 1e-2)
    assert soon.earliest_time == pytest.approx(
        time_to_norm(0.5, 3, 0.1, 3.0**0.5 * (1e-2 / 0.5) ** (1 / 3))
    )
    assert soon.earliest_escape == pytest.approx(soon.earliest_time / 10.0)
    assert soon.predicted_escape is None
    assert soon.reason == "not followed"
    assert predict(direction, 0.1, steps, 0.1 * steps, 1e-2).earliest_escape is None


def test_the_prediction_meets_a_real_run(rng):
    x, y = rng.normal(size=(40, 4)), rng.normal(size=(40, 2))
    network = drawn((4, 8, 8, 2), 0.2, rng)
    steps, times, norms, losses = run_of(network, x, y, 0.2, 900)
    fall = 0.01 * float(losses[0] - losses.min())
    measured = int(np.argmax(losses <= losses[0] - fall))
    place, weights = origin(network, x, y, MEAN_SQUARED_ERROR)
    direction, _ = best_direction(place, Settings(threads=1), rng, Monitor())
    flow = follow(place, weights, fall, rng, Monitor())
    found = predict(direction, norms[0], steps, times, fall, flow)
    # What is learnt takes from the pull: the first order runs ahead.
    assert 0.9 * measured < found.predicted_escape <= measured
    assert found.earliest_escape < measured
    before = steps <= 0.8 * measured
    np.testing.assert_allclose(np.array(found.predicted_norms)[before], norms[before], rtol=0.02)


def test_many_rows_are_followed_on_as_many_as_are_affordable(rng, monkeypatch):
    x, y = rng.normal(size=(400, 4)), rng.normal(size=(400, 2))
    place, weights = origin(drawn((4, 8, 8, 2), 0.2, rng), x, y, MEAN_SQUARED_ERROR)
    row = place.multiply_adds / 400
    monkeypatch.setattr("fpcheck.escape.flow.WORK", 2 * 400 * row * 100.5)
    assert follow(place, weights, 0.1, rng, Monitor()).rows == 100
    monkeypatch.setattr("fpcheck.escape.flow.WORK", 2 * 400 * row * 10.5)
    assert "too large" in follow(place, weights, 0.1, rng, Monitor())
