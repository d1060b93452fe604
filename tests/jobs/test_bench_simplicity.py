"""The races of the simplicity question: both ways count the same share."""

from __future__ import annotations

import pytest

from fpcheck.jobs.bench.race import OURS
from fpcheck.jobs.bench.simplicity import Count, simplicity_races


def test_guess_and_check_counts_what_batched_numpy_counts():
    one, two, _ = simplicity_races(quick=True)
    counts = {}
    for race in (one, two):
        answers = {name: way() for name, way in race.ways.items()}
        race.agree(answers[OURS], answers["numpy, float32"])
        counts[race.case] = answers
    first, second = counts.values()
    assert first == second  # whatever the threads
    assert 0 < first[OURS].accepted < first[OURS].tried


def test_shares_that_differ_are_told_apart():
    race = next(iter(simplicity_races(quick=True)))
    with pytest.raises(AssertionError, match="shares"):
        race.agree(Count(160, 10000), Count(320, 10000))


@pytest.mark.slow
def test_the_search_of_the_bench_ends_near_fifty_bits():
    *_, race = simplicity_races(quick=True)
    found = race.ways[OURS]()
    assert found.status == "sampled"
    assert 25.0 < found.bits_low < found.bits_high < 100.0
