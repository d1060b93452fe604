"""The Jacobian of a dense chain at one point: ours, NumPy written out, torch.func.jacrev."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.streams import random_stream
from fpcheck.jobs.bench.chains import chain_parameters, tanh_network, torch_module
from fpcheck.jobs.bench.race import OURS, Race
from fpcheck.network.program import jacobian

Array = NDArray[np.float64]
Layers = tuple[tuple[Array, Array], ...]

DEPTH = 4
WIDTHS = (16, 64, 256)


def jacobian_races(quick: bool) -> Iterator[Race[Array]]:
    """A race a width."""
    torch = torch_module()
    for block, width in enumerate(WIDTHS):
        rng = random_stream(0, "bench", 100 + block)
        parameters, x = chain_parameters(width, DEPTH, rng), rng.normal(size=width)
        program = tanh_network(parameters).program
        ways: dict[str, Callable[[], Array]] = {
            OURS: partial(jacobian, program, x),
            "numpy": partial(_written_out, parameters, x),
        }
        if torch is not None:
            ways["torch"] = _torch(torch, parameters, x)
        yield Race(
            group="jacobian",
            case=f"width {width}, {DEPTH} tanh layers, one point",
            ways=ways,
            agree=_agree,
            rounds=3 if quick else 7,
        )


def _agree(ours: Array, theirs: Array) -> None:
    # Products of four matrices whose entries are near 1 in sum: a few hundred roundings.
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)


def _written_out(parameters: Layers, x: Array) -> Array:
    product = np.eye(len(x))
    for weight, bias in parameters:
        x = np.tanh(weight @ x + bias)
        product = (1.0 - x * x)[:, None] * (weight @ product)
    return product


def _torch(torch: ModuleType, parameters: Layers, x: Array) -> Callable[[], Array]:
    layers = [(torch.from_numpy(weight), torch.from_numpy(bias)) for weight, bias in parameters]
    point = torch.from_numpy(x)

    def image(y: object) -> object:
        for weight, bias in layers:
            y = torch.tanh(torch.nn.functional.linear(y, weight, bias))
        return y

    derivative = torch.func.jacrev(image)

    def run() -> Array:
        found: Array = derivative(point).numpy()
        return found

    return run
