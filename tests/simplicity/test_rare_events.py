"""Multilevel splitting holds the probabilities that are known exactly, in its intervals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.activations import activation
from fpcheck.network.skeleton import Activation, Dense, Input, Skeleton
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.networks import Prior
from fpcheck.simplicity.outputs import outputs
from fpcheck.simplicity.prior import make_prior
from fpcheck.simplicity.rare import estimate_rare
from fpcheck.simplicity.violations import violations

Array = NDArray[np.float64]
ONE_THREAD = Settings(threads=1)


def chain(*widths: int, bias: bool = True, name: str = "relu") -> Skeleton:
    nodes: list[Input | Dense | Activation] = [Input("input", (widths[0],))]
    for number, units in enumerate(widths[1:]):
        before = nodes[-1].name
        biases = f"b{number}" if bias else None
        nodes.append(Dense(f"dense{number}", (before,), units, f"w{number}", biases))
        if number < len(widths) - 2:
            nodes.append(Activation(f"phi{number}", (nodes[-1].name,), activation(name)))
    return Skeleton(tuple(nodes))


def signs(rows: Array, labels: object) -> Labelling:
    answers = np.asarray(labels, dtype=np.int64)
    return Labelling(
        np.ascontiguousarray(rows, dtype=np.float64), "sign", answers, classes=("a", "b")
    )


def prior_of(skeleton: Skeleton, labelling: Labelling, law: str, *, scaled: bool = False) -> Prior:
    settings = Settings(label_law=law, scaled_neurons=scaled)
    prior = make_prior(skeleton, None, settings, labelling)
    assert not isinstance(prior, str), prior
    return prior


Case = tuple[Prior, Labelling, float]


def orthonormal(n: int) -> Case:
    """A linear unit on n orthonormal rows: each label is a fair coin."""
    labelling = signs(np.eye(n), np.arange(n) % 2)
    return prior_of(chain(n, 1, bias=False), labelling, "normal"), labelling, float(n)


def plane() -> Case:
    """A linear unit in the plane: the angle left between the outermost rows."""
    angles = np.random.default_rng(5).uniform(0.0, 2.0 * math.pi, 60)
    rows = np.column_stack([np.cos(angles), np.sin(angles)])
    labels = rows @ np.array([0.3, 1.0]) > 0.0
    facing = np.sort(np.angle(np.exp(1j * (angles + math.pi * ~labels))))
    gap = np.append(np.diff(facing), facing[0] + 2.0 * math.pi - facing[-1]).max()
    labelling = signs(rows, labels)
    bits = -math.log2((gap - math.pi) / (2.0 * math.pi))
    return prior_of(chain(2, 1, bias=False), labelling, "normal"), labelling, bits


def correlated(n: int, positive: int) -> Case:
    """Rows of pairwise correlation 1/2: an integral over what they share; 1/(n+1) if all alike."""
    from scipy.special import ndtr

    labelling = signs(np.column_stack([np.ones(n), np.eye(n)]), np.arange(n) < positive)
    z = np.linspace(-10.0, 10.0, 20001)
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    p = (density * ndtr(z) ** positive * ndtr(-z) ** (n - positive)).sum() * (z[1] - z[0])
    return prior_of(chain(n + 1, 1, bias=False), labelling, "normal"), labelling, -math.log2(p)


def lattice() -> Case:
    """A linear unit with five levels a weight: all 15625 of them counted."""
    weights = np.array(list(itertools.product(np.linspace(-1.0, 1.0, 5), repeat=6)))
    rows = np.random.default_rng(3).standard_normal((14, 6))
    labels = rows @ np.array([1.0, 0.5, -0.5, 0.0, 1.0, -1.0]) > 0.0
    share = ((weights @ rows.T > 0.0) == labels).all(axis=1).mean()
    labelling = signs(rows, labels)
    return prior_of(chain(6, 1, bias=False), labelling, "lattice:5"), labelling, -math.log2(share)


CASES = {
    "orthonormal 10": lambda: orthonormal(10),
    "orthonormal 40": lambda: orthonormal(40),
    "plane": plane,
    "correlation 1/2, alike": lambda: correlated(30, 30),
    "correlation 1/2, mixed": lambda: correlated(16, 8),
    "lattice": lattice,
}


def held(case: Case, runs: int, particles: int | None = None) -> tuple[int, float]:
    """How many intervals hold the truth, and the mean error in bits."""
    prior, labelling, bits = case
    found = [
        estimate_rare(
            prior, labelling, ONE_THREAD, np.random.default_rng([7, run]), particles=particles
        )
        for run in range(runs)
    ]
    assert all(rare.status == "sampled" for rare in found)
    inside = sum(rare.bits_low <= bits <= rare.bits_high for rare in found)
    return inside, float(np.mean([rare.bits for rare in found])) - bits


@pytest.mark.parametrize("name", [name for name in CASES if name != "orthonormal 40"])
def test_intervals_hold_what_is_known_exactly(name: str) -> None:
    # 95 % intervals: fewer than 8 of 10 hold in one case of 1000.
    inside, _ = held(CASES[name](), runs=10, particles=64)
    assert inside >= 8


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_at_least_90_of_100_intervals_hold_what_is_known_exactly(name: str) -> None:
    inside, error = held(CASES[name](), runs=100, particles=128 if name.endswith("40") else None)
    assert inside >= 90
    assert abs(error) < 0.15  # six standard errors of 100 means of 8


@pytest.mark.slow
@pytest.mark.parametrize("n", [200, 500])
def test_hundreds_of_bits_are_held(n: int) -> None:
    prior, labelling, bits = orthonormal(n)
    rare = estimate_rare(prior, labelling, Settings(), np.random.default_rng(1), particles=128)
    assert rare.status == "sampled"
    assert rare.bits_low <= bits <= rare.bits_high
    assert rare.bits_high - rare.bits_low < 0.05 * bits


def plainly(
    prior: Prior, labelling: Labelling, errors: int, draws: int = 200_000
) -> tuple[float, float]:
    """p by plain sampling, and its standard error."""
    rng = np.random.default_rng(11)
    out = outputs(prior, prior.parameters(prior.draw(rng, draws)), labelling.rows)
    p = float(((violations(out, labelling) > 0.0).sum(axis=1) <= errors).mean())
    return p, math.sqrt(p * (1.0 - p) / draws)


def small_data(seed: int, n: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, 3))
    return rows, rows @ rng.standard_normal(3)


def several_classes() -> Labelling:
    rows, values = small_data(1, 7)
    labels = np.digitize(values, (-0.5, 0.5)).astype(np.int64)
    return Labelling(rows, "argmax", labels, classes=("a", "b", "c"))


def numbers() -> Labelling:
    rows, values = small_data(2, 8)
    return Labelling(rows, "band", None, values[:, None] / values.std(), 0.8)


def two_classes() -> Labelling:
    rows, values = small_data(3, 14)
    return signs(rows, values > 0.0)


@pytest.mark.parametrize("labels", [several_classes, numbers, two_classes])
@pytest.mark.parametrize(
    ("errors", "law", "scaled"),
    [(0, "uniform", False), (2, "lattice", False), (1, "normal", True), (0, "lattice", True)],
)
def test_splitting_agrees_with_plain_sampling(
    labels: Callable[[], Labelling], errors: int, law: str, scaled: bool
) -> None:
    # No kernel knows scaled neurons: there all latent coordinates move.
    labelling = labels()
    prior = prior_of(chain(3, 5, 4, 1, name="tanh"), labelling, law, scaled=scaled)
    p, error = plainly(prior, labelling, errors)
    rare = estimate_rare(
        prior, labelling, ONE_THREAD, np.random.default_rng(4), errors=errors, particles=128
    )
    # Twelve cases: the interval widened by half, and two of plain sampling's own errors.
    half = 0.75 * (rare.bits_high - rare.bits_low)
    assert rare.bits - half <= -math.log2(p - 2.0 * error)
    assert rare.bits + half >= -math.log2(p + 2.0 * error)


def test_allowed_errors_are_a_binomial_tail_on_orthonormal_rows() -> None:
    prior, labelling, _ = orthonormal(16)
    bits = 16.0 - math.log2(sum(math.comb(16, k) for k in range(4)))
    rare = estimate_rare(prior, labelling, ONE_THREAD, np.random.default_rng(2), errors=3)
    assert rare.bits_low <= bits <= rare.bits_high


def test_accepted_networks_have_every_label_right() -> None:
    labelling = two_classes()
    prior = prior_of(chain(3, 5, 1, name="tanh"), labelling, "uniform")
    rare = estimate_rare(prior, labelling, ONE_THREAD, np.random.default_rng(3), particles=64)
    out = outputs(prior, prior.parameters(rare.networks), labelling.rows)
    assert len(rare.networks) >= 8
    assert not violations(out, labelling).any()
    assert len(np.unique(rare.networks, axis=0)) == len(rare.networks)
    assert len(rare.groups) == len(rare.networks)
    assert set(rare.groups) <= set(range(len(rare.repetition_bits)))


def test_no_number_depends_on_the_threads() -> None:
    labelling = two_classes()
    prior = prior_of(chain(3, 5, 1, name="tanh"), labelling, "uniform")
    one, two = (
        estimate_rare(
            prior, labelling, Settings(threads=threads), np.random.default_rng(3), particles=32
        )
        for threads in (1, 2)
    )
    assert one.repetition_bits == two.repetition_bits
    assert np.array_equal(one.networks, two.networks)


def test_labels_that_no_line_separates_end_as_a_lower_bound() -> None:
    rng = np.random.default_rng(0)
    labelling = signs(rng.standard_normal((60, 5)), rng.random(60) < 0.5)
    prior = prior_of(chain(5, 1), labelling, "normal")
    rare = estimate_rare(prior, labelling, ONE_THREAD, np.random.default_rng(0), particles=64)
    assert rare.status == "lower bound"
    assert 0.0 < rare.bits_low <= rare.bits < rare.bits_high == math.inf
    assert rare.why
    assert len(rare.networks) == 0


def test_contradicting_labels_of_a_lattice_end_as_a_lower_bound() -> None:
    rows = np.random.default_rng(1).standard_normal((10, 3))
    labelling = signs(np.concatenate([rows, rows[:1]]), np.arange(11) < 10)
    prior = prior_of(chain(3, 4, 1), labelling, "lattice:3")
    rare = estimate_rare(prior, labelling, ONE_THREAD, np.random.default_rng(0), particles=32)
    assert rare.status == "lower bound"
    assert math.isfinite(rare.bits)
    assert rare.bits_high == math.inf


@pytest.mark.parametrize("limit", [{"most_bits": 12.0}, {"work": 2e6}])
def test_what_ends_the_search_early_is_a_true_lower_bound(limit: dict[str, float]) -> None:
    prior, labelling, bits = orthonormal(40)
    rare = estimate_rare(
        prior, labelling, ONE_THREAD, np.random.default_rng(0), particles=64, **limit
    )
    assert rare.status == "lower bound"
    assert 0.0 <= rare.bits_low < bits
    assert rare.why


def test_the_search_can_be_stopped() -> None:
    prior, labelling, _ = orthonormal(10)
    monitor = Monitor()
    monitor.stop.set()
    with pytest.raises(KeyboardInterrupt):
        estimate_rare(prior, labelling, ONE_THREAD, np.random.default_rng(0), monitor=monitor)
