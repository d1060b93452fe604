"""The bench: answers first, then turns; what it refuses and what it counts."""

from __future__ import annotations

import numpy as np
import pytest

from fpcheck.core.progress import Monitor
from fpcheck.core.streams import random_stream
from fpcheck.core.tables import Table
from fpcheck.jobs.bench import BenchResult, BenchRow, fixed_points, run_bench
from fpcheck.jobs.bench.dual_kernels import BLOCK, dual_kernel_races
from fpcheck.jobs.bench.fixed_points import fixed_point_rows
from fpcheck.jobs.bench.iteration import iteration_races
from fpcheck.jobs.bench.jacobians import jacobian_races
from fpcheck.jobs.bench.loading import loading_races
from fpcheck.jobs.bench.panel import bench_panel
from fpcheck.jobs.bench.race import OURS, Race, run_race
from fpcheck.jobs.bench.readout import readout_races
from fpcheck.jobs.bench.run import COMPARISONS, SECTIONS, gemm_peak

PEAK = 50.0


def answers_of(race):
    """Every way's answer, each compared with ours."""
    answers = {name: way() for name, way in race.ways.items()}
    for theirs in answers.values():
        race.agree(answers[OURS], theirs)
    return answers


def test_ways_are_timed_in_turn():
    calls = []
    ways = {OURS: lambda: calls.append("a"), "numpy": lambda: calls.append("b")}
    run_race(Race("g", "c", ways, rounds=3, slow=True), PEAK, Monitor())
    assert calls == ["a", "b"] * 4  # once for the answers, then the rounds


def test_different_answers_are_never_timed():
    def agree(ours, theirs):
        assert ours == theirs, "not the same"

    timed = []
    race = Race("g", "c", {OURS: lambda: 1, "numpy": lambda: timed.append(1) or 2}, agree=agree)
    with pytest.raises(AssertionError, match="not the same"):
        run_race(race, PEAK, Monitor())
    assert timed == [1]


def test_row_gives_ratios_to_ours_and_the_share_of_the_peak():
    race = Race("g", "c", {OURS: lambda: 0, "numpy": lambda: 0}, work=lambda answer: 1e6, rounds=2)
    row = run_race(race, PEAK, Monitor())
    assert isinstance(row, BenchRow)
    assert row.ratios == {"numpy": row.seconds["numpy"] / row.seconds[OURS]}
    assert row.gflops == pytest.approx(1e-3 / row.seconds[OURS])
    assert row.peak_share == pytest.approx(row.gflops / PEAK)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_iterations_of_all_ways_agree(number):
    race = list(iteration_races(quick=True))[number]
    states, steps = answers_of(race)[OURS]
    assert np.isfinite(states).all()
    assert steps.max() < 2000  # every start converged, or the race would prove little
    assert steps.max() > steps.min()


def test_jacobians_of_all_ways_agree():
    assert [answers_of(race)[OURS].shape[0] for race in jacobian_races(quick=True)] == [16, 64, 256]


def test_files_read_alike_by_all_ways():
    cases = {race.case.split(",")[0]: answers_of(race) for race in loading_races(quick=True)}
    assert {".npz", ".safetensors"} <= set(cases)


def test_dual_kernels_of_all_ways_agree_and_are_those_of_a_whole_depth():
    relu, tanh = (answers_of(race)[OURS] for race in dual_kernel_races(quick=True))
    assert relu.shape == tanh.shape == (200, 200)
    # ReLU at sigma_w^2 = 2 keeps every row's own second moment through all layers.
    inputs = random_stream(0, "bench", BLOCK).normal(size=(200, 784))
    assert np.diag(relu) == pytest.approx((inputs * inputs).mean(axis=1), rel=1e-12)
    assert (relu / np.diag(relu)[:, None]).mean() > 0.8  # and ten layers make rows alike


@pytest.mark.slow
def test_the_readout_of_the_bench_answers_the_whole_question():
    (race,) = readout_races(quick=True)
    found = race.ways[OURS]()
    known = {model.name for model in found.models if model.score is not None}
    assert {"last_layer_at_init", "infinite_nngp", "infinite_ntk", "rbf"} <= known


def test_every_fixed_point_of_the_bench_is_proved_and_newton_finds_no_other(monkeypatch):
    # Two threads of PyTorch that wait for each other on a busy machine take minutes.
    monkeypatch.setattr(fixed_points, "available_cores", lambda: 1)
    for row in fixed_point_rows(True, Monitor()):
        assert row.counts["proved"] == row.counts["found"]
        assert row.counts["index sum"] == "1"
        newton, ours_too = row.counts["Newton finds, ours too"].split(", ")
        assert newton == ours_too


def test_peak_is_a_rate():
    assert gemm_peak() > 0


def test_bench_stops_when_asked_to():
    monitor = Monitor()
    monitor.stop.set()
    with pytest.raises(KeyboardInterrupt):
        run_bench(monitor, quick=True)


@pytest.mark.slow
def test_whole_bench_has_rows_from_every_section():
    result = run_bench(Monitor(), quick=True)
    assert {row.group for row in result.rows} == {*SECTIONS, *COMPARISONS}
    assert all(OURS in row.seconds for row in result.rows)


def test_the_panel_shows_every_row_with_its_peers():
    rows = (
        BenchRow("iterate", "width 8", {"fpcheck": 2e-3, "numpy": 5e-3}, {"numpy": 2.5}, 8.0, 0.25),
        BenchRow("iterate", "width 64", {"fpcheck": 2.0}, {}),
        BenchRow("start", "--version", {"fpcheck": 30e-6}, {}),
    )
    result = BenchResult(rows, 50.0, "a processor", 2, {"numpy": "2"}, quick=True)
    iterate, start = (item for item in bench_panel(result).items if isinstance(item, Table))
    assert iterate.rows == (
        ("width 8", "2 ms", "x2.50", "8.0", "25%"),
        ("width 64", "2 s", "-", "-", "-"),
    )
    assert start.rows == (("--version", "30 us"),)
