"""The models beside the last layer: the network as it is, and principal components."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from readout_cases import (
    PEER,
    RING,
    RING_LABELS,
    SETTINGS,
    answered,
    classes,
    gains,
    network,
    numbers,
    rows_only,
    run,
)

from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.network.program import forward
from fpcheck.readout.result import Skipped
from fpcheck.readout.scores import r_squared
from fpcheck.readout.splits import random_split


class TestPaired:
    """Differences on the same rows are narrower than the scores suggest."""

    def test_the_gain_is_the_difference_of_the_means(self):
        result = answered(network([2, 64, 2]), classes(RING, RING_LABELS))
        assert result.linear_on_input is not None
        assert result.trained is not None
        difference = result.last_layer - result.linear_on_input
        assert_allclose(gains(result)["linear_on_input"].gain, difference, atol=1e-12)
        difference = result.last_layer - result.trained
        assert_allclose(gains(result)["trained"].gain, difference, atol=1e-12)

    def test_the_network_as_it_is_scores_what_its_outputs_score(self):
        net = network([2, 8, 2])
        labels = forward(net.program, RING).argmax(axis=1)
        labels[::10] = 1 - labels[::10]
        result = answered(net, classes(RING, labels), Settings(splits=200, threads=1))
        assert_allclose(result.trained, 0.9, atol=0.01)  # 200 splits of 75 rows, 270 of 300 right

    def test_one_output_decides_two_classes_by_its_side_of_the_middle(self):
        for last in ("", "sigmoid"):
            net = network([2, 8, 1], last=last)
            middle = 0.5 if last else 0.0
            labels = (forward(net.program, RING)[:, 0] > middle).astype(int)
            result = answered(net, classes(RING, labels))
            assert result.trained == 1.0
            assert (result.trained_low, result.trained_high) < (1.0, 1.0)  # 300 rows, not certainty

    def test_a_drawn_network_has_no_score_of_its_own(self):
        result = answered(network([2, 8, 2]), classes(RING, RING_LABELS), trained=False)
        assert result.trained is None
        assert "spec" in result.trained_skipped
        assert "trained" not in gains(result)

    def test_outputs_whose_squares_leave_float64_are_no_score(self):
        net = network([2, 8, 2], scale=2.0**600)
        result = answered(net, numbers(RING, np.sin(RING)))
        assert result.trained is None
        assert "too large" in result.trained_skipped
        assert np.isfinite(result.last_layer)

    def test_other_outputs_than_classes_are_no_score(self):
        result = answered(network([2, 8, 5]), classes(RING, RING_LABELS))
        assert result.trained is None
        assert "5 outputs for 2 classes" in result.trained_skipped


class TestReconstruction:
    """A self-map without targets is held against its own input."""

    rows = np.random.default_rng(4).standard_normal((200, 3)) @ np.random.default_rng(
        5
    ).standard_normal((3, 8)) + 0.1 * np.random.default_rng(6).standard_normal((200, 8))

    def test_a_linear_bottleneck_fitted_again_cannot_beat_principal_components(self):
        result = answered(network([8, 6, 3, 8], "identity"), rows_only(self.rows))
        assert result.target == "the input row itself"
        assert result.linear_rank == 3
        assert result.linear_on_input is not None
        assert result.linear_on_input > 0.98
        assert gains(result)["linear_on_input"].high <= 0.0

    def test_the_linear_model_is_scikit_learns_principal_components(self):
        decomposition = pytest.importorskip("sklearn.decomposition")
        result = answered(network([8, 2, 8]), rows_only(self.rows))
        scores = []
        for child in random_stream(0, "readout").spawn(10):
            split = random_split(200, 0.25, child)
            peer = decomposition.PCA(2, svd_solver="full").fit(self.rows[split.train])
            back = peer.inverse_transform(peer.transform(self.rows[split.test]))
            scores.append(r_squared(back, self.rows[split.test]))
        assert_allclose(result.linear_on_input, np.mean(scores), rtol=PEER)

    def test_without_a_bottleneck_a_linear_model_would_copy(self):
        result = answered(network([8, 20, 8]), rows_only(self.rows))
        assert result.linear_on_input is None
        assert "copies its input" in result.linear_on_input_skipped

    def test_more_entries_than_rows_are_no_obstacle(self):
        wide = np.random.default_rng(1).standard_normal((40, 90))
        result = answered(network([90, 60, 90]), rows_only(wide))
        assert math.isfinite(result.last_layer)
        assert result.linear_rank == 60

    def test_no_self_map_means_no_target(self):
        settings = dataclasses.replace(SETTINGS, self_map=False)
        result = run(network([8, 2, 8]), rows_only(self.rows), settings)
        assert isinstance(result, Skipped)
        assert "--target" in result.skipped
