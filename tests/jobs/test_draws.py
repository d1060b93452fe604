"""The attractors of many networks of one spec, and the intervals of what is said about them."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import stdtrit

import fpcheck
from fpcheck.core.errors import NothingToJudgeError, UsageError
from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.jobs.draws import distribution, drawn_network, headline, measure_draws
from fpcheck.network.spec import parse_spec, read_spec

SPEC = """[network]
input = {n}
layers = [ {{ dense = {n}, activation = "{activation}", repeat = {depth} }} ]
[init]
weights = {law}
biases = {law}
"""
LIGHT = '{ law = "normal", sigma2 = 1.0, scale = "1/sqrt(fan_in)" }'
HEAVY = '{ law = "cauchy", gamma = 1.0, scale = "1" }'


def spec(law, n=12, activation="sigmoid", depth=1):
    return parse_spec(SPEC.format(n=n, activation=activation, depth=depth, law=law))


def drawn(spec, draws=12, starts=64, effort=0.0, **settings):
    """What starts tell; without the search for points that none ends on, which takes its time."""
    chosen = Settings(draws=draws, starts=starts, effort=effort, **settings)
    return measure_draws(spec, chosen, Monitor())


@pytest.mark.parametrize("depth", [1, 4])
def test_light_tails_give_one_attracting_fixed_point_at_every_depth(depth):
    # Berlyand's claim A, for contracting gains.
    result = drawn(spec(LIGHT, depth=depth))
    assert (result.single.share, result.several.share, result.none.share) == (1.0, 0.0, 0.0)
    assert {draw.attracting for draw in result.each} == {1}
    assert result.single.share_low < 1.0
    # All draws agree, which bounds no mean of a count; the share of starts is in [0, 1] anyway.
    assert (result.attracting.mean, result.attracting.mean_low) == (1.0, None)
    assert result.resting.mean == 1.0
    assert_allclose(result.resting.mean_low, 0.05 ** (1 / 12), rtol=1e-12)


def test_heavy_tails_give_none_one_or_several_and_cycles():
    # Claim B, and what stands beside it: cycles in many of the draws.
    result = drawn(spec(HEAVY, n=16), draws=16, max_steps=500)
    counts = {count.value: count.rate.draws for count in result.attracting.values}
    assert sum(counts.values()) == 16
    assert result.none.draws == counts[0] > 0
    assert result.several.draws == sum(n for value, n in counts.items() if value > 1) > 0
    assert result.cycles.mean_low > 0.0
    assert result.periods[0].period == 2
    for draw in result.each:
        total = draw.resting + draw.cycling + draw.aperiodic + draw.unresolved + draw.diverged
        assert_allclose(total, 1.0, atol=1e-12)
        assert len(draw.periods) <= draw.cycles


def test_the_first_draw_is_the_network_that_an_analysis_has(tmp_path):
    path = tmp_path / "net.toml"
    path.write_text(SPEC.format(n=8, activation="tanh", depth=2, law=HEAVY), encoding="utf-8")
    settings = Settings(draws=2, starts=100, seed=5, effort=0.2, questions=("attractors",))
    first = measure_draws(read_spec(path), settings, Monitor()).each[0]
    report = fpcheck.analyze(str(path), settings=settings)
    section = json.loads(json.dumps(report.document["attractors"]))["maps"][0]
    assert headline(0, section) == first


def test_every_draw_has_its_own_stream_and_the_number_of_threads_changes_nothing():
    law = spec(HEAVY, n=6)
    one, two = drawn(law, draws=5, threads=1), drawn(law, draws=5, threads=2)
    assert one == two
    assert drawn(law, draws=3).each == one.each[:3]
    weights = [drawn_network(law, 0, number).parameters["dense1.weight"] for number in range(3)]
    assert not np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[1], weights[2])


def test_a_recurrent_spec_draws_cells():
    cell = parse_spec(
        '[network]\ninput = 3\nlayers = [ { gru = 4 } ]\n[init]\nweights = "torch_default"\n'
    )
    result = drawn(cell, draws=4)
    assert result.draws == 4
    assert result.single.share == 1.0


def test_more_values_than_are_listed_and_other_ends_are_counted():
    share = {"share": 0.25}
    section = {
        "fixed_points": [
            {"kind": "stable", "share": 0.5},
            {"kind": "saddle", "share": 0.0},
        ],
        "other_fixed_points": {"count": 7},
        "cycles": [{"period": 3}, {"period": 2}],
        "other_cycles": {"count": 4},
        "cycling": share,
        "unresolved": {"share": 0.05},
        "diverged": {"share": 0.0},
        "aperiodic": {"share": 0.1},
    }
    found = headline(3, section)
    assert (found.attracting, found.fixed_points, found.cycles) == (8, 9, 6)
    assert found.periods == (2, 3)
    assert_allclose(found.resting, 0.6, rtol=1e-12)
    assert (found.aperiodic, found.largest_share) == (0.1, 0.5)


def test_the_mean_of_a_count_has_students_interval():
    values = [0, 1, 1, 2, 5]
    found = distribution(values, None)
    half = stdtrit(4, 0.975) * np.std(values, ddof=1) / np.sqrt(5)
    assert_allclose([found.mean_low, found.mean_high], [0.0, 1.8 + half], rtol=1e-12)
    assert (found.smallest, found.median, found.largest) == (0, 1.0, 5)


def test_the_interval_of_a_mean_holds_it_in_its_share_of_trials():
    rng = np.random.default_rng(0)
    trials, held = 2000, 0
    for values in rng.poisson(2.0, (trials, 30)):
        found = distribution(values.tolist(), None)
        held += found.mean_low <= 2.0 <= found.mean_high
    # 95 % +- 3 standard deviations of a binomial with 2000 trials, and a skewed law's loss of 1 %.
    assert 0.925 <= held / trials <= 0.965


def test_a_share_on_which_all_draws_agree_is_bounded_by_what_they_did_not_show():
    # Every draw shows 0; another value has probability at most p with (1 - p)^K = 0.05.
    found = distribution([0.0] * 59, 1.0)
    assert (found.mean, found.mean_low) == (0.0, 0.0)
    assert_allclose((1 - found.mean_high) ** 59, 0.05, rtol=1e-9)
    inner = distribution([0.5] * 59, 1.0)
    assert_allclose([inner.mean_low, inner.mean_high],
                    [0.5 - 0.5 * found.mean_high, 0.5 + 0.5 * found.mean_high])  # fmt: skip


def test_the_result_is_plain_data():
    section = as_section(drawn(spec(HEAVY, n=5), draws=3))
    assert json.loads(json.dumps(section, allow_nan=False)) == section
    assert section["attracting"]["mean_status"] == "sampled"


def test_a_network_that_is_no_self_map_is_refused():
    classifier = parse_spec(
        '[network]\ninput = 6\nlayers = [ { dense = 3 } ]\n[init]\nweights = "he_normal"\n'
    )
    with pytest.raises(NothingToJudgeError, match="cannot be fed to themselves"):
        drawn(classifier)
    with pytest.raises(UsageError, match="no network is drawn"):
        drawn(spec(LIGHT), draws=0)


def test_a_stop_ends_the_draws():
    monitor = Monitor()
    monitor.stop.set()
    with pytest.raises(KeyboardInterrupt):
        measure_draws(spec(LIGHT), Settings(draws=50, starts=16), monitor)
