"""Where in initialisation scale and depth training is lazy, goes from saddle to saddle, or fails.

Every cell is a fresh draw of the network's kind: hidden layers of its width and activation, as many
as the cell says, and every weight and bias of its law times the cell's scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.workers import in_order
from fpcheck.escape.problem import Problem
from fpcheck.escape.scan_cell import Cell, Shaping, fresh_skeleton, measure_cell
from fpcheck.network.activations import ActivationFunction
from fpcheck.network.initializers import NAMED_LAWS, Law, draw_network
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense

SCALES = (0.01, 0.1, 0.3, 0.5, 0.7, 1.0, 2.0)
DEPTHS = (1, 2, 3, 4, 6, 8)
STEPS = 200  # of a cell, unless the probe has fewer
ROWS = 128
WIDTH = 64  # of the hidden layers at most
# Functions of about half of the line, for which He's law keeps the variance.
HALF = ("relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "silu", "softplus")


@dataclass(frozen=True, slots=True)
class Scan:
    """The map. cells[i][j]: at depths[i] hidden layers and scales[j] times the law.

    law: of the weights at scale 1; width, rows, steps: of every cell at most; activation: of the
    hidden layers. One draw a cell, the same but for the scale along a row.
    """

    scales: tuple[float, ...]
    depths: tuple[int, ...]
    cells: tuple[tuple[Cell, ...], ...]
    law: str
    activation: str
    width: int
    rows: int
    steps: int


def scan(
    problem: Problem,
    settings: Settings,
    rng: np.random.Generator,
    monitor: Monitor,
    *,
    laws: Mapping[str, tuple[Law, Law | None]] | None = None,
    scales: tuple[float, ...] = SCALES,
    depths: tuple[int, ...] = DEPTHS,
) -> Scan | str:
    """The map over initialisation scale and depth; or why the network has none.

    problem: as the probe has it. laws: of weights and biases by layer, from a spec; without them
    He's or LeCun's normal law, and biases of zero. The same for any number of threads.
    """
    shaping = _shaping(problem.network)
    if isinstance(shaping, str):
        return shaping
    hidden, last, words = _laws(problem.network, shaping, laws or {})
    rows = np.arange(len(problem.inputs))
    if len(rows) > ROWS:
        rows = np.sort(rng.choice(len(rows), ROWS, replace=False))
    problem = replace(problem, inputs=problem.inputs[rows], targets=problem.targets[rows])
    steps = min(STEPS, settings.probe_steps)
    # A rate that suits one scale blows up or stands still at another: every cell chooses its own.
    settings = replace(settings, probe_rate=0.0)
    seeds = dict(zip(depths, rng.integers(0, 2**63, len(depths)).tolist(), strict=True))

    def cell(place: tuple[int, float]) -> Cell:
        depth, scale = place
        own = np.random.default_rng(seeds[depth])
        network = _drawn(shaping, depth, scale, hidden, last, own)
        return measure_cell(replace(problem, network=network), settings, steps, own, monitor)

    places = [(depth, scale) for depth in depths for scale in scales]
    found = in_order(cell, places, settings.threads, monitor, "initialisation scale and depth")
    cells = tuple(
        tuple(found[start : start + len(scales)]) for start in range(0, len(found), len(scales))
    )
    return Scan(scales, depths, cells, words, shaping.hidden.label, shaping.width, len(rows), steps)


def _drawn(
    shaping: Shaping,
    depth: int,
    scale: float,
    hidden: tuple[Law, Law | None],
    last: tuple[Law, Law | None],
    rng: np.random.Generator,
) -> Network:
    """A fresh network, every weight and bias times `scale`."""
    skeleton = fresh_skeleton(shaping, depth)
    dense = [node.name for node in skeleton.nodes if isinstance(node, Dense)]
    drawn = draw_network(skeleton, {**dict.fromkeys(dense, hidden), dense[-1]: last}, rng)
    return Network(
        skeleton, {name: scale * np.asarray(tensor) for name, tensor in drawn.parameters.items()}
    )


def _shaping(network: Network) -> Shaping | str:
    """What the fresh networks take over, or why it cannot be told."""
    if network.program.chain is None:
        return "it is no plain chain of dense layers, whose depth could be changed"
    dense: list[Dense] = []
    functions: list[ActivationFunction | None] = []
    for node in network.skeleton.nodes:
        if isinstance(node, Dense):
            dense.append(node)
            functions.append(None)
        elif isinstance(node, Activation):
            functions[-1] = node.function
    if len(dense) < 2:
        return "the network has no hidden layer"
    if functions[0] is None:
        return f"layer '{dense[0].name}' has no activation behind it"
    return Shaping(
        network.skeleton.input_shape,
        min(WIDTH, max(node.units for node in dense[:-1])),
        dense[-1].units,
        functions[0],
        functions[-1],
        any(node.bias is not None for node in dense),
    )


def _laws(
    network: Network, shaping: Shaping, laws: Mapping[str, tuple[Law, Law | None]]
) -> tuple[tuple[Law, Law | None], tuple[Law, Law | None], str]:
    """The laws of the hidden layers and of the last one, and the first in words."""
    names = [node.name for node in network.skeleton.nodes if isinstance(node, Dense)]
    if names[0] in laws and names[-1] in laws:
        return laws[names[0]], laws[names[-1]], laws[names[0]][0].label
    law = NAMED_LAWS["he_normal" if shaping.hidden.name in HALF else "lecun_normal"]
    return (law, None), (law, None), law.label
