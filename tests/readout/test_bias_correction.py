"""The bias correction: what it changes in the dual kernel and in the last layer's score."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from readout_cases import network, numbers

from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton
from fpcheck.readout.bias_correction import SPLITS, bias_correction
from fpcheck.readout.features import last_dense
from fpcheck.readout.kernel_ridge import kernel_trials
from fpcheck.readout.problem import choose_problem, score
from fpcheck.readout.result import BiasCorrection, Skipped
from fpcheck.readout.splits import random_split

RNG = np.random.default_rng(0)
LINE = RNG.uniform(0.5, 2.0, (200, 1))
WAVE = numbers(LINE, np.sin(5.0 * LINE))


def unbiased(width=60):
    """A ReLU network without biases: on positive numbers its features are linear."""
    rng = np.random.default_rng(1)
    nodes = (
        Input("x", (1,)),
        Dense("hidden", ("x",), width, "w"),
        Activation("a", ("hidden",), activation("relu")),
        Dense("out", ("a",), 1, "v"),
    )
    weights = {"w": np.sqrt(2.0) * rng.standard_normal((width, 1)), "v": np.ones((1, width))}
    return Network(Skeleton(nodes), weights)


def asked(net, data, splits=8):
    problem = choose_problem(data, net.skeleton, None)
    rng = np.random.default_rng(2)
    made = [random_split(data.rows, 0.25, child, problem.labels) for child in rng.spawn(splits)]
    return problem, data.inputs, last_dense(net.skeleton), made


def corrected(net=None, data=WAVE, *, beta=0.3, draws=4, **more):
    net = net or unbiased()
    rng = np.random.default_rng(3)
    return bias_correction(net, None, *asked(net, data), rng, beta=beta, draws=draws, **more)


def scores_of(kernel):
    """Ridge on a kernel, in every split."""
    problem, _, _, splits = asked(unbiased(), WAVE)
    trials = kernel_trials(kernel, problem.targets, splits)
    return np.array(
        [score(problem, t.held_out, s.test).value for t, s in zip(trials, splits, strict=True)]
    )


def arc_cosine(covariance):
    """E relu(u) relu(v), u and v normal [Cho, Saul 2009]."""
    own = np.sqrt(np.diag(covariance))
    c = np.clip(covariance / np.outer(own, own), -1.0, 1.0)
    return np.outer(own, own) * (np.sqrt(1 - c**2) + (np.pi - np.arccos(c)) * c) / (2 * np.pi)


def sigma_w2(net):
    return float(np.mean(np.square(net.parameters["w"])))


def test_biases_help_where_features_without_them_are_linear():
    found = corrected(nngp=scores_of(arc_cosine(sigma_w2(unbiased()) * LINE @ LINE.T)))
    assert isinstance(found, BiasCorrection)
    assert (found.beta, found.draws, found.splits) == (0.3, 4, SPLITS)
    assert 0.2 < found.init_gain_low < found.init_gain < found.init_gain_high
    assert 0.2 < found.nngp_gain_low < found.nngp_gain < found.nngp_gain_high
    assert found.init_score > 0.8


def test_the_kernels_gain_is_that_of_weights_times_1_minus_beta_and_biases_of_beta():
    scale = sigma_w2(unbiased())
    plain = scores_of(arc_cosine(scale * LINE @ LINE.T))
    direct = scores_of(arc_cosine(0.7 * scale * LINE @ LINE.T + 0.3))
    found = corrected(nngp=plain)
    assert_allclose(found.nngp_gain, (direct - plain)[:SPLITS].mean(), rtol=1e-6)
    assert_allclose(found.nngp_score, plain.mean() + found.nngp_gain, rtol=1e-12)


def test_a_vanishing_correction_changes_nothing():
    net = network((1, 40, 1), "tanh", scale=1.5)
    found = corrected(net, beta=1e-12)
    reference = corrected(net, beta=0.3)
    # The network's own biases of variance 0.02 are gone.
    assert abs(found.init_gain) < 0.2
    assert found.init_score != reference.init_score


def test_without_a_dual_kernel_the_last_layer_is_measured_alone():
    found = corrected()
    assert found.nngp_score is None
    assert found.nngp_gain is None
    assert found.nngp_gain_low is None
    assert found.init_gain > 0.2


def test_the_correction_depends_on_the_seed_alone():
    assert corrected(threads=1) == corrected(threads=2)


def test_a_share_outside_0_to_1_is_refused_and_one_split_is_too_few():
    for beta in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            corrected(beta=beta)
    net = unbiased()
    problem, inputs, last, splits = asked(net, WAVE)
    rng = np.random.default_rng(4)
    found = bias_correction(net, None, problem, inputs, last, splits[:1], rng, beta=0.1, draws=2)
    assert isinstance(found, Skipped)
