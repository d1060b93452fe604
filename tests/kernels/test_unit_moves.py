"""The kernel that moves a unit's parameters scores what the outputs themselves are scored at."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.kernels.chain_score import chain_score
from fpcheck.network.activations import activation
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton
from fpcheck.simplicity.labelling import RULE_CODES, Labelling
from fpcheck.simplicity.moves import UnitMoves, moves_of
from fpcheck.simplicity.prior import make_prior
from fpcheck.simplicity.score import latent_scores, scores

ROWS = np.random.default_rng(0).standard_normal((9, 20))
SIGN = Labelling(ROWS, "sign", np.arange(9) % 2, classes=("a", "b"))
ARGMAX = Labelling(ROWS, "argmax", np.arange(9) % 3, classes=("a", "b", "c"))
BAND = Labelling(ROWS, "band", None, np.random.default_rng(1).standard_normal((9, 2)), 0.4)


def kernel_scores(out: np.ndarray, labelling: Labelling, errors: int) -> list[float]:
    labels = np.zeros(1, np.int64) if labelling.labels is None else labelling.labels
    targets = np.zeros((1, 1)) if labelling.targets is None else labelling.targets
    rule, scratch = RULE_CODES[labelling.rule], np.zeros(9)
    return [
        chain_score(
            np.ascontiguousarray(one.T), rule, labels, targets, labelling.tolerance, errors, scratch
        )
        for one in out
    ]


@pytest.mark.parametrize("labelling", [SIGN, ARGMAX, BAND])
@pytest.mark.parametrize("errors", [0, 2, 9])
def test_scores_agree_with_their_definition(labelling: Labelling, errors: int) -> None:
    out = np.random.default_rng(2).standard_normal((40, 9, labelling.outputs_wanted))
    out[1] = 0.0
    out[2, :4] = 0.0  # ties
    out[3, 0] = np.nan
    out[4, 0, 0] = np.inf
    if labelling.targets is not None:
        out[5] = labelling.targets
    # Sums of nine terms in another order: a few roundings.
    assert kernel_scores(out, labelling, errors) == pytest.approx(
        scores(out, labelling, errors).tolist(), rel=1e-14, abs=1e-15, nan_ok=True
    )


def test_a_dead_network_is_as_far_off_as_can_be() -> None:
    out = np.zeros((1, 9, 1))
    assert scores(out, SIGN, 0)[0] == 1.0
    assert scores(out, SIGN, 4)[0] == 0.0  # the four of class 1 alone are wrong


def test_ties_are_not_nearly_right() -> None:
    out = np.where(SIGN.labels == 1, 1.0, -1.0).reshape(1, 9, 1)
    assert scores(out, SIGN, 0)[0] == 0.0
    out[0, 1] = 0.0
    assert scores(out, SIGN, 0)[0] == pytest.approx(1.0 / 9.0)


@pytest.mark.parametrize("law", ["uniform", "normal", "lattice", "he_normal"])
@pytest.mark.parametrize("labelling", [SIGN, ARGMAX, BAND])
def test_moved_networks_have_the_scores_that_they_are_given(law: str, labelling: Labelling) -> None:
    tanh, wanted = activation("tanh"), labelling.outputs_wanted
    skeleton = Skeleton(
        (
            Input("input", (20,)),
            Dense("one", ("input",), 4, "w1", "b1"),
            Activation("phi1", ("one",), tanh),
            Dense("two", ("phi1",), 3, "w2", "b2"),
            Activation("phi2", ("two",), tanh),
            Dense("three", ("phi2",), 5, "w3", None),
            Activation("phi3", ("three",), tanh),
            Dense("out", ("phi3",), wanted, "w4", "b4"),
        )
    )
    prior = make_prior(skeleton, None, Settings(label_law=law), labelling)
    assert not isinstance(prior, str)
    moves, rng = moves_of(prior, labelling, 1), np.random.default_rng(5)
    assert isinstance(moves, UnitMoves)
    latent = prior.draw(rng, 12)
    before = latent.copy()
    found = latent_scores(prior, latent, labelling, 1, Monitor())
    level = float(np.median(found))
    latent = latent[found <= level]
    start = latent.copy()
    found = found[found <= level]
    for _ in range(3):
        moves.sweep(latent, found, level, (0.5,), rng, Monitor())
    assert before.shape[1] == latent.shape[1]
    assert not np.array_equal(start, latent)
    assert (found <= level).all()
    again = latent_scores(prior, latent, labelling, 1, Monitor())
    assert again == pytest.approx(found, rel=1e-9, abs=1e-12)  # some hundred moves' roundings


@pytest.mark.parametrize("law", ["normal", "uniform", "lattice:4"])
def test_moves_without_a_level_leave_the_law_as_it_is(law: str) -> None:
    skeleton = Skeleton(
        (
            Input("input", (20,)),
            Dense("one", ("input",), 4, "w1", "b1"),
            Activation("phi", ("one",), activation("tanh")),
            Dense("out", ("phi",), 1, "w2", "b2"),
        )
    )
    prior = make_prior(skeleton, None, Settings(label_law=law), SIGN)
    assert not isinstance(prior, str)
    rng = np.random.default_rng(6)
    latent = prior.draw(rng, 400)
    start = latent.copy()
    moves = moves_of(prior, SIGN, 0)
    for _ in range(8):
        rates = moves.sweep(latent, np.zeros(400), math.inf, (0.7,), rng, Monitor())
        assert rates == (1.0,)
    changed = (latent != start).mean(axis=0)
    assert changed.min() > 0.5
    mean, square = (1.5, 3.5) if prior.discrete.any() else (0.0, 1.0)
    spread = 1.2 if prior.discrete.any() else 1.0
    error = spread / math.sqrt(latent.size)
    assert abs(latent.mean() - mean) < 4.0 * error
    deviation = 3.7 if prior.discrete.any() else math.sqrt(2.0)
    assert abs((latent**2).mean() - square) < 4.0 * deviation / math.sqrt(latent.size)
