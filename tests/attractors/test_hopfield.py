"""Hopfield networks: stored patterns, their mirror images and mixtures, by closed forms."""

import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import hadamard
from scipy.optimize import brentq, root
from small_maps import attractors_of, one_layer

import fpcheck
from fpcheck.core.settings import Settings

SAMPLES = Path(__file__).parents[2] / "samples"
N = 64
CLOSED_FORM = 1e-11


@cache
def orthogonal(count):
    """`count` orthogonal patterns of N signs, every combination of signs on equally many units."""
    return hadamard(N)[[1, 2, 4][:count]].astype(float)


def network(count, steepness):
    """x <- tanh(steepness W x), W = sum of p p^T / N over the patterns p."""
    stored = orthogonal(count)
    return one_layer(steepness * stored.T @ stored / N)


def overlaps(count, steepness):
    """All fixed points of the overlaps m = (p_1 . x, ..) / N, (k, count), from a grid of seeds.

    x = tanh(steepness sum m_j p_j), and the 2^count sign combinations s are equally frequent:
    m = mean over s of s tanh(steepness s . m). The spectrum of the network at x is that of this
    map and zeros.
    """
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=count)))

    def image(m):
        return signs.T @ np.tanh(steepness * signs @ m) / len(signs)

    found = []
    for seed in itertools.product(np.linspace(-1, 1, 9), repeat=count):
        result = root(lambda m: m - image(m), seed, tol=1e-14)
        m = result.x
        if np.abs(m - image(m)).max() < 1e-13 and all(np.abs(m - o).max() > 1e-7 for o in found):
            found.append(m)
    return np.array(found)


def spectrum(m, steepness):
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(m))))
    slopes = steepness * (1 - np.tanh(steepness * signs @ m) ** 2)
    return np.linalg.eigvalsh((signs * slopes[:, None]).T @ signs / len(signs))


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("steepness", [1.5, 4.0])
def test_every_pattern_and_its_mirror_image_is_an_attractor_of_the_known_strength(count, steepness):
    result = attractors_of(network(count, steepness), count=512, effort=0.0)
    stable = [point for point in result.fixed_points if point.kind == "stable"]
    strength = brentq(lambda m: m - np.tanh(steepness * m), 1e-3, 1.0, xtol=1e-15)
    for pattern, sign in itertools.product(orthogonal(count), (-1.0, 1.0)):
        near = [p for p in stable if np.abs(p.point - sign * strength * pattern).max() < 1e-6]
        assert len(near) == 1
        assert_allclose(near[0].point, sign * strength * pattern, rtol=CLOSED_FORM)
        slope = steepness * (1 - strength**2)
        assert_allclose(near[0].spectral_radius, slope, rtol=1e-9)


@pytest.mark.parametrize(("count", "steepness"), [(1, 2.0), (2, 2.0), (3, 4.0)])
def test_the_stable_points_are_those_of_the_overlaps_and_no_others(count, steepness):
    # With three patterns and a steep tanh the symmetric mixtures (m, m, m) are stable too: eight
    # spurious memories beside the six stored ones.
    expected = overlaps(count, steepness)
    stable = np.array([m for m in expected if spectrum(m, steepness).max() < 1.0])
    assert len(stable) == 2 * count + (8 if count == 3 else 0)
    result = attractors_of(network(count, steepness), count=1024, effort=0.0)
    points = [p.point for p in result.fixed_points if p.kind == "stable"]
    found = np.array(points) @ orthogonal(count).T / N
    assert len(found) == len(stable)
    for m in stable:
        assert np.abs(found - m).max(axis=1).min() < 1e-9


@pytest.mark.parametrize(("count", "steepness"), [(1, 2.0), (2, 2.0), (3, 4.0)])
def test_all_fixed_points_are_found_stable_or_not(count, steepness):
    expected = overlaps(count, steepness)
    result = attractors_of(network(count, steepness), count=512)
    found = np.array([p.point for p in result.fixed_points])
    assert_allclose(found, np.tanh(steepness * found @ orthogonal(count).T @ orthogonal(count) / N),
                    atol=1e-12)  # fmt: skip
    states = np.tanh(steepness * expected @ orthogonal(count))
    distances = np.linalg.norm(states[:, None] - found[None], axis=2)
    assert np.count_nonzero(distances.min(axis=1) > 1e-6) == 0
    assert len(found) == len(expected)
    assert result.index_sum == 1
    for m, nearest in zip(expected, distances.argmin(axis=1), strict=True):
        unstable = int(np.count_nonzero(np.abs(spectrum(m, steepness)) > 1.0))
        assert result.fixed_points[nearest].unstable_directions == unstable


def test_two_wells_share_the_starts_by_symmetry():
    # Mirrored starts end in mirrored wells, so each well has the law's mass 1/2.
    result = attractors_of(network(1, 2.0), count=1024, effort=0.0)
    wells = [point for point in result.fixed_points if point.starts]
    assert len(wells) == 2
    for well in wells:
        assert well.share_low <= 0.5 <= well.share_high


def test_a_flat_tanh_forgets_every_pattern():
    result = attractors_of(network(3, 0.9))
    (point,) = result.fixed_points
    assert_allclose(point.point, 0.0, atol=1e-11)
    assert_allclose(point.spectral_radius, 0.9, rtol=CLOSED_FORM)
    assert (point.kind, point.share) == ("stable", 1.0)


@cache
def letters_report():
    settings = Settings(questions=("attractors",))
    return fpcheck.analyze(
        str(SAMPLES / "hopfield.npz"),
        output_activation="tanh",
        data=str(SAMPLES / "letters.npz"),
        settings=settings,
    )


def test_the_sample_recalls_its_three_letters():
    (one,) = letters_report().document["attractors"]["maps"]
    letters = np.load(SAMPLES / "letters.npz")["X"].astype(float)
    strength = brentq(lambda m: m - np.tanh(3.0 * m), 0.5, 1.0, xtol=1e-15)
    points = np.array([p["point"] for p in one["fixed_points"] if p["kind"] == "stable"])
    for letter, sign in itertools.product(letters, (-1.0, 1.0)):
        # P is stored rounded: the letters are its eigenvectors to some 1e-15.
        assert np.abs(points - sign * strength * letter).max(axis=1).min() < 1e-12
    assert (one["data"]["rows"], one["data"]["stored"]) == (3, 3)


def test_the_sample_has_two_spurious_memories_beside_letters_and_mirror_images():
    (one,) = letters_report().document["attractors"]["maps"]
    letters = np.load(SAMPLES / "letters.npz")["X"].astype(float)
    stable = [p for p in one["fixed_points"] if p["kind"] == "stable"]
    overlap = np.abs(np.sign([p["point"] for p in stable]) @ letters.T / N).max(axis=1)
    assert len(stable) == 8
    assert np.count_nonzero(overlap < 1.0 - 1e-9) == 2
