"""The last layer of random networks, fitted and scored on the same splits as all other models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import MemoryLimitError
from fpcheck.network.skeleton import Dense
from fpcheck.readout.drawn import fitted_draws
from fpcheck.readout.initial import Initial
from fpcheck.readout.models import Asked, Scored, without

Array = NDArray[np.float64]

AT_INIT = "last_layer_at_init"


def at_initialisation(
    asked: Asked,
    start: Initial,
    rows: Array,
    last: Dense,
    draws: list[np.random.Generator],
    costly: int,
    seen: NDArray[np.intp],
    name: str = AT_INIT,
) -> tuple[Scored, list[Array]]:
    """The last layer of every draw of `start` on the first `costly` splits, (D, J) scores.

    Args:
        asked: the problem and the splits.
        start: what the networks are drawn from.
        rows: (n, *input shape).
        last: the layer that is fitted.
        draws: one generator a network.
        costly: how many splits.
        seen: the rows whose features of every draw are handed back, (len(seen), p) each.
        name: the model's.
    """
    splits = asked.splits[:costly]
    try:
        found = fitted_draws(
            start, asked.problem, rows, last, splits, draws,
            seen=seen, threads=asked.threads, monitor=asked.monitor,
        )  # fmt: skip
    except MemoryLimitError as error:
        return without(name, error.message), []
    kept = [each for each in found if each is not None]
    if len(kept) < len(found):
        lost = len(found) - len(kept)
        why = (
            f"the values that enter '{last.name}' are not finite in {lost} of {len(found)} random "
            "networks"
        )
        return without(name, why), []
    values = np.array([[one.value for one in scores] for scores, _ in kept])
    every = tuple(one for scores, _ in kept for one in scores)
    return Scored(name, values, every), [features for _, features in kept]
