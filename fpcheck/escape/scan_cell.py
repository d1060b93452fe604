"""One cell of the scan: a fresh network of some depth and scale, trained for a while, and named."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.escape.problem import Problem
from fpcheck.escape.rate import choose_rate
from fpcheck.network.activations import ActivationFunction
from fpcheck.network.layers import weight_matrix
from fpcheck.network.network import Network
from fpcheck.network.operators.operator import Array
from fpcheck.network.program import backward, trace
from fpcheck.network.skeleton import Activation, Dense, Flatten, Input, Node, Shape, Skeleton
from fpcheck.network.training import Step, train

DIVERGES, NEVER, LAZY, SADDLES, ORDINARY = (
    "diverges",
    "never starts",
    "lazy",
    "saddle-to-saddle",
    "ordinary",
)
KINDS = (DIVERGES, NEVER, LAZY, SADDLES, ORDINARY)

STARTED = 0.02  # of the start's loss, that it has to fall
BLOWN_UP = 10.0  # times the start's loss
DONE = 0.1  # of the start's loss: what comes behind names nothing
# Lazy: relative changes of the weights and of the tangent kernel below these. Where features are
# learnt the kernel changes by several times its size.
MOVED, KERNEL_MOVED = 0.15, 0.25
# The escape: the first step at which the loss has fallen by this share of all that it falls.
ESCAPED = 0.1
# An exponential decay takes 0.15 of its half-time for its first tenth; a plateau is more.
PLATEAU = 0.4
PLATEAU_STEPS = 5
LOW_RANK = 0.5  # of a layer's squared singular values, in the first, at the escape
KERNEL_ROWS = 32
KEEP_EVERY, KEEP_BYTES = 5, 2**27  # steps between two whose weights are kept, or more


@dataclass(frozen=True, slots=True)
class Cell:
    """What became of one fresh network.

    Args:
        kind: one of KINDS. loss_ratio: last loss / first.
        ratio: the largest sigma_1 / sigma_2 of a layer at the escape; share: the largest share of
            its squares in the first singular value; both None where it never escaped.
        moved: |theta - theta_0| / |theta_0|; kernel_moved: the same of the tangent kernel of one
            random combination of the outputs on 32 rows; None where it is not finite.
        escaped_at: the step; plateau: of the steps to half of the fall, the share before that.
        rate: the learning rate, of the norm-adaptive rule its factor. steps: that were taken.
    """

    kind: str
    loss_ratio: float
    ratio: float | None
    share: float | None
    moved: float
    kernel_moved: float | None
    escaped_at: int | None
    plateau: float | None
    rate: float
    steps: int


@dataclass(frozen=True, slots=True)
class Shaping:
    """What all networks of a scan have in common."""

    input_shape: Shape
    width: int
    outputs: int
    hidden: ActivationFunction
    last: ActivationFunction | None
    biases: bool


def fresh_skeleton(shaping: Shaping, depth: int) -> Skeleton:
    """A chain with `depth` hidden layers of equal width."""
    nodes: list[Node] = [Input("input", shaping.input_shape)]
    if len(shaping.input_shape) > 1:
        nodes.append(Flatten("flat", ("input",)))
    for number in range(1, depth + 2):
        closes = number == depth + 1
        units = shaping.outputs if closes else shaping.width
        bias = f"bias {number}" if shaping.biases else None
        name, before = f"layer {number}", nodes[-1].name
        nodes.append(Dense(name, (before,), units, f"weight {number}", bias))
        function = shaping.last if closes else shaping.hidden
        if function is not None:
            nodes.append(Activation(f"activation {number}", (name,), function))
    return Skeleton(tuple(nodes))


def measure_cell(
    problem: Problem, settings: Settings, steps: int, rng: np.random.Generator, monitor: Monitor
) -> Cell:
    """What becomes of the problem's network in so many full-batch steps."""
    settings = replace(settings, probe_steps=steps, probe_batch=0)
    with np.errstate(all="ignore"):  # what overflows shows as a loss that is not finite
        recipe = choose_rate(problem, settings, rng, monitor).recipe
    losses: list[float] = []
    kept: list[Step] = []
    last: Step | None = None
    for step in train(
        problem.network, problem.inputs, problem.targets, recipe, monitor, threads=1, words=""
    ):
        losses.append(step.loss)
        every = max(KEEP_EVERY, -(-steps * step.theta.nbytes // KEEP_BYTES))
        if step.number % every == 0:
            kept.append(step)
        last = step
        if not step.finite or step.loss > BLOWN_UP * losses[0] or step.loss < DONE * losses[0]:
            break
    assert last is not None  # a run has at least its step 0
    return _judged(problem, losses, [*kept, last], recipe.rate, rng)


def tangent_kernel(network: Network, inputs: Array, cotangent: Array) -> Array:
    """K_ij = <grad v.f(x_i), grad v.f(x_j)> over the weights and biases of the dense layers.

    inputs: (n, *input shape); cotangent: v, (outputs,). [Jacot, Gabriel, Hongler 2018]
    """
    program = network.program
    values = trace(program, inputs)
    shape = (len(inputs), *network.skeleton.output_shape)
    back = backward(program, values, np.broadcast_to(cotangent, shape).copy())
    kernel = np.zeros((len(inputs), len(inputs)))
    for node in network.skeleton.nodes:
        if isinstance(node, Dense):
            before = values[node.inputs[0]].reshape(len(inputs), -1)
            delta = back[node.name].reshape(len(inputs), -1)
            kernel += (before @ before.T + (node.bias is not None)) * (delta @ delta.T)
    return kernel


def _judged(
    problem: Problem, losses: list[float], kept: list[Step], rate: float, rng: np.random.Generator
) -> Cell:
    first, last = kept[0], kept[-1]
    seen = np.array(losses)
    with np.errstate(all="ignore"):
        moved = float(np.linalg.norm(last.theta - first.theta) / np.linalg.norm(first.theta))
        kernel = _kernel_change(problem, first, last, rng)
    cell = Cell(
        kind=ORDINARY,
        loss_ratio=float(seen[-1] / seen[0]),
        ratio=None,
        share=None,
        moved=moved,
        kernel_moved=kernel,
        escaped_at=None,
        plateau=None,
        rate=rate,
        steps=len(seen) - 1,
    )
    if not last.finite or not seen[-1] <= BLOWN_UP * seen[0]:
        return replace(cell, kind=DIVERGES)
    fall = float(seen[0] - seen.min())
    if not fall > STARTED * seen[0]:
        return replace(cell, kind=NEVER)
    escaped = int(np.argmax(seen <= seen[0] - ESCAPED * fall))
    half = int(np.argmax(seen <= seen[0] - 0.5 * fall))
    nearest = min(kept, key=lambda step: abs(step.number - escaped))
    ratio, share = _leading(nearest.network)
    plateau = escaped / half
    cell = replace(cell, ratio=ratio, share=share, escaped_at=escaped, plateau=plateau)
    if moved < MOVED and kernel is not None and kernel < KERNEL_MOVED:
        return replace(cell, kind=LAZY)
    if escaped >= PLATEAU_STEPS and plateau >= PLATEAU and share >= LOW_RANK:
        return replace(cell, kind=SADDLES)
    return cell


def _leading(network: Network) -> tuple[float, float]:
    """The largest sigma_1 / sigma_2 and share of sigma_1^2 of a layer with two or more of them."""
    ratio, share = 1.0, 0.0
    for node in network.skeleton.nodes:
        if not isinstance(node, Dense):
            continue
        matrix = weight_matrix(node, network.parameters[node.weight])
        if min(matrix.shape) < 2:
            continue
        values = np.linalg.svd(matrix, compute_uv=False)
        if values[0] > 0.0:
            second = float(values[1])
            ratio = max(ratio, float(values[0]) / second if second > 0.0 else math.inf)
            share = max(share, float(values[0] ** 2 / np.sum(values**2)))
    return ratio, share


def _kernel_change(
    problem: Problem, first: Step, last: Step, rng: np.random.Generator
) -> float | None:
    """|K - K_0| / |K_0|, None where it is not a number."""
    inputs = problem.inputs[:KERNEL_ROWS]
    cotangent = rng.standard_normal(problem.network.skeleton.output_shape)
    start = tangent_kernel(first.network, inputs, cotangent)
    end = tangent_kernel(last.network, inputs, cotangent)
    change = float(np.linalg.norm(end - start) / np.linalg.norm(start))
    return change if math.isfinite(change) else None
