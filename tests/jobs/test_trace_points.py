"""Fixed points followed along runs whose bifurcations are known in closed form."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from fpcheck.jobs.trace import trace


def run_of(folder: Path, gains: list[float], biases: list[float]) -> dict:
    """The trace of x <- tanh(a x + b), a checkpoint for every (a, b)."""
    for i, (a, b) in enumerate(zip(gains, biases, strict=True)):
        np.savez(folder / f"step_{i}.npz", **{"fc.weight": [[a]], "fc.bias": [b]})
    return trace(folder, output_activation="tanh")


def events(document: dict) -> dict[str, list[tuple[int, str, str | None]]]:
    return {
        track["id"]: [(e["checkpoint"], e["kind"], e["with"]) for e in track["events"]]
        for track in document["tracks"]
    }


def test_a_pitchfork_takes_stability_from_the_origin_and_bears_two(tmp_path: Path) -> None:
    """x <- tanh(a x): 0 is stable up to a = 1, then two others are."""
    document = run_of(tmp_path, [0.5, 0.9, 1.2, 2.0], [0.0] * 4)
    assert events(document) == {
        "T1": [(0, "born", None), (2, "lost stability", None)],
        "T2": [(2, "born", None)],
        "T3": [(2, "born", None)],
    }
    origin = document["tracks"][0]
    assert origin["spectral_radius"] == pytest.approx([0.5, 0.9, 1.2, 2.0], rel=1e-9)
    finding = next(one for one in document["findings"] if one["code"] == "FP508")
    assert finding["outcome"] == "fail"
    assert finding["where"] == "T1"


def test_backwards_the_two_merge_into_the_origin(tmp_path: Path) -> None:
    document = run_of(tmp_path, [2.0, 1.2, 0.9, 0.5], [0.0] * 4)
    by_kind = {track["kinds"][0]: track["id"] for track in document["tracks"]}
    origin = by_kind["repelling"]
    for name, what in events(document).items():
        if name == origin:
            assert what[1:] == [(2, "gained stability", None)]
        else:
            assert what[1:] == [(2, "merged", origin)]


def test_at_a_fold_a_stable_and_an_unstable_point_vanish_together(tmp_path: Path) -> None:
    """x <- tanh(3 x + b) folds where 3 (1 - x^2) = 1, at b = 3 x - artanh x."""
    x = math.sqrt(2.0 / 3.0)
    fold = 3.0 * x - math.atanh(x)
    biases = [0.0, 0.5 * fold, 0.95 * fold, 1.05 * fold, 1.5 * fold]
    document = run_of(tmp_path, [3.0] * 5, biases)
    ended = {name: what[-1] for name, what in events(document).items() if len(what) > 1}
    assert sorted(ended.values()) == [(3, "vanished", name) for name in sorted(ended)]
    first, second = ended
    assert ended[first][2] == second
    kinds = {t["id"]: t["kinds"][0] for t in document["tracks"] if t["id"] in ended}
    assert sorted(kinds.values()) == ["repelling", "stable"]


def test_backwards_the_pair_is_born(tmp_path: Path) -> None:
    document = run_of(tmp_path, [3.0] * 3, [2.0, 1.0, 0.0])
    assert sorted(events(document).values()) == [
        [(0, "born", None)], [(1, "born", None)], [(1, "born", None)],
    ]  # fmt: skip


def test_a_moving_point_keeps_its_name(tmp_path: Path) -> None:
    """x <- W x + b with |W| < 1 has the fixed point (I - W)^-1 b, wherever b takes it."""
    rng = np.random.default_rng(0)
    matrix = 0.3 * rng.standard_normal((4, 4)) / 2.0
    biases = [scale * rng.standard_normal(4) for scale in (1.0, 5.0, 20.0)]
    for i, bias in enumerate(biases):
        np.savez(tmp_path / f"step_{i}.npz", **{"fc.weight": matrix, "fc.bias": bias})
    document = trace(tmp_path)
    (track,) = document["tracks"]
    points = [np.linalg.solve(np.eye(4) - matrix, bias) for bias in biases]
    steps = [float(np.linalg.norm(b - a)) for a, b in itertools.pairwise(points)]
    assert track["moved"][1:] == pytest.approx(steps, rel=1e-8)
    assert [event["kind"] for event in track["events"]] == ["born"]


def test_points_are_not_followed_where_that_is_not_wanted(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{"fc.weight": [[0.5]], "fc.bias": [0.0]})
    document = trace(tmp_path, output_activation="tanh", attractors=False)
    assert "skipped" in document["tracks"]
    assert "skipped" in document["checkpoints"][0]["attractors"]


def image(weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    first, shift, second, other = weights
    return np.tanh(second @ np.tanh(first @ x + shift) + other)


def slope(weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    first, shift, second, other = weights
    hidden = np.tanh(first @ x + shift)
    out = np.tanh(second @ hidden + other)
    return (1.0 - out**2)[:, None] * second @ ((1.0 - hidden**2)[:, None] * first)


def continued(start: list[np.ndarray], end: list[np.ndarray], x: np.ndarray) -> np.ndarray | None:
    """Where the point goes in steps that move it by 0.01 at the most; None at a fold."""
    unit, t, step = np.eye(len(x)), 0.0, 1e-2
    side = np.sign(np.linalg.det(unit - slope(start, x)))
    while t < 1.0:
        step = min(step, 1.0 - t)
        mixed = [(1.0 - t - step) * a + (t + step) * b for a, b in zip(start, end, strict=True)]
        y = x
        for _ in range(7):
            y = y + np.linalg.solve(unit - slope(mixed, y), image(mixed, y) - y)
        near = np.linalg.norm(image(mixed, y) - y) < 1e-11 and np.linalg.norm(y - x) < 0.01
        if near and np.sign(np.linalg.det(unit - slope(mixed, y))) == side:
            t, x, step = t + step, y, 1.5 * step
        elif step < 1e-9:
            return None
        else:
            step *= 0.5
    return x


@pytest.mark.parametrize("seed", [16, 2, 54])
def test_no_point_jumps_to_another_branch(tmp_path: Path, seed: int) -> None:
    """Of seed 16 one point folds beside another branch; of seed 54 there are nine points."""
    rng = np.random.default_rng(seed)
    start = [
        2.2 * rng.standard_normal((6, 2)) / 2**0.5, 0.3 * rng.standard_normal(6),
        2.2 * rng.standard_normal((2, 6)) / 6**0.5, 0.3 * rng.standard_normal(2),
    ]  # fmt: skip
    runs = [[one + scale * rng.standard_normal(one.shape) for one in start] for scale in (0.0, 0.5)]
    for i, weights in enumerate(runs):
        names = ("a.weight", "a.bias", "b.weight", "b.bias")
        np.savez(tmp_path / f"step_{i}.npz", **dict(zip(names, weights, strict=True)))
    document = trace(tmp_path, activation="tanh", output_activation="tanh")
    first, last = (
        {one["track"]: np.array(one["point"]) for one in entry["attractors"]["fixed_points"]}
        for entry in document["checkpoints"]
    )
    for name, point in first.items():
        expected = continued(*runs, point)
        found = last.get(name)
        assert (found is None) == (expected is None)
        if expected is not None:
            assert found == pytest.approx(expected, abs=1e-7)
