"""What the bias correction changes: weights' variances times 1 - beta, biases of variance beta.

It lifts the correlation of any two inputs, and so makes a kernel smoother
[Daniely, Frostig, Singer 2016].
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.progress import Monitor
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Dense
from fpcheck.readout.drawn import drawn_interval, drawn_scores
from fpcheck.readout.initial import Initial, NotPossible, initial
from fpcheck.readout.kernel_ridge import kernel_trials
from fpcheck.readout.problem import Problem, score
from fpcheck.readout.resolution import finest, no_finer
from fpcheck.readout.result import BiasCorrection, Skipped
from fpcheck.readout.splits import Split, resampled_interval
from fpcheck.theory.dual_kernel import dual_kernel
from fpcheck.theory.layer_scales import LayerLaws
from fpcheck.theory.recursion_state import NotKnown

Array = NDArray[np.float64]

SPLITS = 5  # of the last layers; of the kernel as many, as its fit is the costly one


def bias_correction(
    network: Network,
    laws: LayerLaws | None,
    problem: Problem,
    inputs: Array,
    last: Dense,
    splits: Sequence[Split],
    rng: np.random.Generator,
    *,
    beta: float,
    draws: int,
    nngp: Array | None = None,
    threads: int = 0,
    monitor: Monitor | None = None,
) -> BiasCorrection | Skipped:
    """The gain by the bias correction, of the last layer at initialisation and of the dual kernel.

    Args:
        network: whose skeleton it is; a layer without biases gets some.
        laws: as `initial` takes them.
        inputs: (n, *input shape).
        last: the layer that is fitted.
        splits: two or more, of which the first SPLITS are used.
        rng: every draw has a child of its own, from which both networks are drawn.
        beta: the biases' variance, above 0 and below 1.
        draws: random networks of each kind, two or more.
        nngp: (J',) scores of ridge on the dual kernel without the correction, in the first J'
            splits; None: there is none. The kernel's score is then their mean plus its gain.

    Raises:
        ValueError: beta is not between 0 and 1.
        MemoryLimitError: a kernel, a network or its features do not fit into memory.
    """
    if not 0.0 < beta < 1.0:
        raise ValueError(f"a bias share of {beta:g} is not between 0 and 1")
    monitor = monitor or Monitor()
    some = splits[:SPLITS]
    if len(some) < 2:
        return Skipped("one split; the gain by the bias correction needs two")
    starts = [initial(network, laws, bias_share=share) for share in (None, beta)]
    rngs = rng.spawn(max(2, draws))
    scores: list[Array] = []
    for start in starts:
        if isinstance(start, NotPossible):
            return Skipped(start.reason)
        found = drawn_scores(
            start, problem, inputs, last, some, deepcopy(rngs), threads=threads, monitor=monitor
        )
        if isinstance(found, str):
            return Skipped(found)
        scores.append(found)
    gains = scores[1] - scores[0]
    floor = 0.0 if problem.labels is None else finest(len(inputs))
    interval = no_finer(drawn_interval(gains, some[0]), float(gains.mean()), floor)
    kernel = _kernel_gains(starts[1], problem, inputs, last, some, nngp, threads, monitor)
    train, test = len(some[0].train), len(some[0].test)
    kernel_gain = None if kernel is None else float(kernel.mean())
    limit = (
        None
        if kernel is None or kernel_gain is None
        else no_finer(resampled_interval(kernel, train, test), kernel_gain, floor)
    )
    return BiasCorrection(
        beta=beta,
        init_score=float(scores[1].mean()),
        init_gain=float(gains.mean()),
        init_gain_low=interval.low,
        init_gain_high=interval.high,
        nngp_score=None
        if nngp is None or kernel_gain is None
        else float(nngp.mean()) + kernel_gain,
        nngp_gain=kernel_gain,
        nngp_gain_low=None if limit is None else limit.low,
        nngp_gain_high=None if limit is None else limit.high,
        draws=len(rngs),
        splits=len(some),
    )


def _kernel_gains(
    start: Initial | NotPossible,
    problem: Problem,
    inputs: Array,
    last: Dense,
    splits: Sequence[Split],
    nngp: Array | None,
    threads: int,
    monitor: Monitor,
) -> Array | None:
    """(J,) what ridge on the corrected dual kernel gains in every split, None where unknown."""
    if isinstance(start, NotPossible) or nngp is None or len(nngp) < 2:
        return None
    kernel = dual_kernel(
        start.skeleton,
        start.scales,
        inputs,
        node=last.inputs[0],
        parameters=start.constants,
        threads=threads,
        monitor=monitor,
    )
    if isinstance(kernel, NotKnown):
        return None
    both = splits[: len(nngp)]
    trials = kernel_trials(kernel.nngp, problem.targets, both, threads=threads, monitor=monitor)
    found = [
        score(problem, trial.held_out, split.test).value
        for trial, split in zip(trials, both, strict=True)
    ]
    gains = np.array(found) - nngp[: len(both)]
    return gains if np.isfinite(gains).all() else None
