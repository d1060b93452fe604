"""Mutated files of every format here are read or refused by an error of ours: nothing else."""

from __future__ import annotations

import pytest
from mutate import SEEDS, attempt

COUNT = 150  # files a loader; the script beside this runs as long as one likes


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_mutated_files_are_read_or_refused(name, tmp_path):
    outcomes = [attempt(name, seed, tmp_path) for seed in range(COUNT)]
    # The mutations are neither all deadly nor all harmless.
    assert COUNT // 20 < outcomes.count("read") < COUNT * 19 // 20
