"""The suggested sparse activation put to the test: a short run beside the network as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.jobs.suggest.choice import Chooser
from fpcheck.jobs.suggest.edges import edges
from fpcheck.jobs.suggest.inputs import data_rows, trial_inputs
from fpcheck.jobs.suggest.trial import suggested_start
from fpcheck.jobs.suggest.tried import NO_DATA, tried_starts
from fpcheck.network.activations import ActivationFunction, activation
from fpcheck.network.layers import layers
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Skeleton
from fpcheck.network.subject import Subject
from fpcheck.theory.sparse import Recommendation


def tried_activation(
    subject: Subject | None,
    name: str,
    best: Recommendation,
    data: str | Path | None,
    target: str | None,
    q_star: float,
    settings: Settings,
    monitor: Monitor,
) -> dict[str, Any]:
    """The short runs of the network as it is, and with the activation and started on its edge.

    The activation takes the place of every hidden layer's; all weights and biases are drawn anew.
    """
    if data is None:
        return {"skipped": NO_DATA}
    if subject is None or subject.network is None or subject.partial is not None:
        return {"skipped": "a short run needs a whole network; name the MODEL"}
    if not best.safe:
        return {"skipped": f"there is no safe {name} to try: {best.why}"}
    network = subject.network
    function = activation(name, {"tau": best.row.tau, "m": best.row.m or 0.0})
    changed = with_activation(network, function)
    with threadpool_limits(1, "blas"), np.errstate(all="ignore"):
        rows = data_rows(subject, network, data, target)
        inputs, _, input_q = trial_inputs(subject, network, rows, settings.seed)
        chooser = Chooser(changed.skeleton, edges(q_star, None), input_q)
        stream = random_stream(settings.seed, "draw")
        _, _, started = suggested_start(changed, inputs, chooser, stream)
        found = tried_starts(
            network, started, rows, settings, monitor,
            wanted=True, trained=subject.format != "spec",
        )  # fmt: skip
    return {**found, "activation": function.label}


def with_activation(network: Network, function: ActivationFunction) -> Network:
    """The network with this function behind every layer but the last."""
    last = layers(network.skeleton)[-1].postactivation
    nodes = tuple(
        replace(node, function=function)
        if isinstance(node, Activation) and node.name != last
        else node
        for node in network.skeleton.nodes
    )
    return Network(Skeleton(nodes), network.parameters)
