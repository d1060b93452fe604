"""The simplicity question: how many bits the labels cost random weights, and what that promises."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.network.data import Data, fit_to
from fpcheck.network.network import Network
from fpcheck.simplicity.affordable import cheap_effort, scan_effort, too_dear, true_effort
from fpcheck.simplicity.estimate import Asked, Effort, Estimate, estimate
from fpcheck.simplicity.growth import Whole, growth
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.noise import no_noise, noise
from fpcheck.simplicity.parts import majority_labels, random_labels, true_labels, volume_bound
from fpcheck.simplicity.posterior import accepted_errors, gain
from fpcheck.simplicity.problem import Problem, asking, state_problem
from fpcheck.simplicity.result import (
    Growth,
    Noise,
    SimplicityResult,
    Skipped,
    Training,
)
from fpcheck.simplicity.scans import scan, scanned
from fpcheck.simplicity.several import pooled
from fpcheck.simplicity.shuffled import Shuffled, difference, floor_bits, shuffled
from fpcheck.simplicity.trained import train_same
from fpcheck.simplicity.verdict import verdict
from fpcheck.theory.layer_scales import LayerLaws

Array = NDArray[np.float64]

# The blocks of the question's random stream; 0 is the choice of the rows.
TRUE, SHUFFLES, MAJORITY, GROWTH, ERRORS, SIZES, TRAINING = range(1, 8)
NO_TRAINING = "not asked: --no-label-training was given"


def measure(
    network: Network,
    data: Data,
    settings: Settings,
    monitor: Monitor,
    *,
    laws: LayerLaws | None = None,
) -> SimplicityResult | Skipped:
    """The bits of the labels, of shuffled ones, over rows, errors and sizes, and what follows.

    Args:
        network: whose skeleton it is; its weights play no part.
        data: rows with targets.
        settings: seed, the label_ settings, scaled_neurons, effort and threads.
        monitor: hears of levels and bits, and is asked whether to stop.
        laws: of weights and biases by layer, from a spec; without any all are uniform.

    Returns:
        Or why the question cannot be asked.

    Raises:
        DataError: the rows do not fit the network's input.
        UsageError: no law is called settings.label_law.
        KeyboardInterrupt: the monitor asked to stop.
        MemoryLimitError: the networks do not fit.
    """
    data = fit_to(data, network.skeleton.input_shape)
    problem = state_problem(network, data, settings, laws)
    if isinstance(problem, str):
        return Skipped(problem)
    train, test, errors = problem.train, problem.test, settings.label_errors
    if errors >= train.count:
        return Skipped(f"{errors} wrong labels are allowed of {train.count}: nothing is asked")
    asked, cheap = Asked(problem.prior, settings, monitor), cheap_effort(settings)

    def stream(block: int) -> np.random.Generator:
        return random_stream(settings.seed, "simplicity", block)

    floor = floor_bits(train, errors)
    true = estimate(asked, train, stream(TRUE), true_effort(settings), errors=errors, keep=True)
    random = shuffled(asked, train, stream(SHUFFLES), cheap, errors)
    mean = random.found if random else None
    apart = difference(true, mean, floor)
    constant = estimate(asked, _constant(train), stream(MAJORITY), cheap, errors=errors)
    grown, noisy = _curves(asked, problem, true, random, (stream(GROWTH), stream(ERRORS)))
    scans, slope = scan(asked, train, network, laws, stream(SIZES), scan_effort(settings))
    about = asking(problem, settings)
    accepted, by_group = accepted_errors(problem.prior, true, train, test, monitor)
    return SimplicityResult(
        asking=about,
        true=true_labels(true, train.count),
        random=random_labels(mean, floor, apart),
        majority=majority_labels(constant, random.estimates if random else ()),
        growth=grown,
        bound=volume_bound(true, train.count, errors, scanned(scans)),
        accepted=accepted,
        training=_training(problem, settings, stream(TRAINING), monitor, true, by_group),
        noise=noisy,
        scan=scans,
        scan_slope=slope,
        verdict=verdict(true, mean, apart, grown, train.count, about.least_errors, floor),
    )


def _constant(train: Labelling) -> Labelling:
    """All rows labelled as the commonest class; of numbers as their mean."""
    counts = train.class_counts
    return train.constant(0 if counts is None else int(counts.argmax()))


def _curves(
    asked: Asked,
    problem: Problem,
    true: Estimate,
    random: Shuffled | None,
    rngs: tuple[np.random.Generator, np.random.Generator],
) -> tuple[Growth | Skipped, Noise]:
    """The bits over the rows and over the allowed errors, or why they would take too long."""
    train, settings = problem.train, asked.settings
    if dear := too_dear(asked.prior, train, settings):
        return Skipped(dear), no_noise(true, settings.label_errors, dear)
    by_rows, by_errors = rngs
    effort = cheap_effort(settings)
    grown = _growth(asked, train, true, random, by_rows, effort)
    return grown, noise(asked, train, true, by_errors, effort, problem.numbers)


def _growth(
    asked: Asked,
    train: Labelling,
    true: Estimate,
    random: Shuffled | None,
    rng: np.random.Generator,
    effort: Effort,
) -> Growth:
    """The growth of the true labels' bits and of the first shuffle's."""
    whole = _whole(train, true, (true,))
    other = None
    if random is not None:
        other = _whole(random.labellings[0], random.estimates[0], random.estimates)
    return growth(asked, whole, other, rng, effort, asked.settings.label_errors)


def _whole(labelling: Labelling, found: Estimate, alike: tuple[Estimate, ...]) -> Whole:
    """What `found`, the first of some estimates of one kind, says of all rows."""
    together = pooled(alike)
    bits, error = float(together.bits[0]), float(together.errors[0])
    if found.status == "lower bound":
        bits = found.at_least
    return Whole(labelling, bits, error, found.known, found.impossible)


def _training(
    problem: Problem,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
    true: Estimate,
    by_group: Array | None,
) -> Training | Skipped:
    """The same architecture trained, and how much worse one sampled network is."""
    if not settings.label_training:
        return Skipped(NO_TRAINING)
    done = train_same(problem.prior, problem.train, problem.test, settings, rng, monitor)
    if isinstance(done, str):
        return Skipped(done)
    more = None
    if by_group is not None and done.test_wrong is not None:
        more = gain(by_group, done.test_wrong)
    return Training(
        optimiser=done.optimiser,
        seeds=done.seeds,
        reached=done.reached,
        test_error=done.test_error,
        test_error_low=done.test_error_low,
        test_error_high=done.test_error_high,
        gain=more[0] if more else None,
        gain_low=more[1].low if more else None,
        gain_high=more[1].high if more else None,
        multiply_adds=done.multiply_adds,
        multiply_adds_of_sampling=true.work,
    )
