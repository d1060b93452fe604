"""The loss of a network on rows and its gradient by every trained parameter.

Rows go in blocks of a fixed size, on threads where there are several, and the blocks' sums are
added in the blocks' order: no result depends on the number of threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import DataError, UnsupportedOperationError
from fpcheck.core.progress import Monitor
from fpcheck.core.workers import worker_count
from fpcheck.network.network import Network
from fpcheck.network.operators.operator import Array
from fpcheck.network.program import compile_program, parameter_gradients, trace
from fpcheck.network.training.chains import Link, chain_gradient, links
from fpcheck.network.training.cost import block_rows, blocks
from fpcheck.network.training.losses import CROSS_ENTROPY, LOSSES, Loss, Targets, logits
from fpcheck.network.training.packing import Packing, packing, trained_names

Rows = NDArray[np.intp]
Part = tuple[float, Array, Array]  # the sum of the loss, its gradient, the outputs
Work = Callable[[Array, Targets, int], Part]


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What is to be learnt by what.

    inputs: (n, *input shape); targets as the loss takes them; chain: the layers of a plain chain;
    block_rows, outputs: the rows of a block and the numbers of an output row.
    """

    network: Network
    packing: Packing
    inputs: Array
    targets: Targets
    loss: Loss
    chain: tuple[Link, ...] | None
    block_rows: int
    outputs: int
    threads: int = 0  # 0: one a core
    monitor: Monitor = field(default_factory=Monitor)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """loss: a mean; gradient: (packing's size,); outputs: (rows, k)."""

    loss: float
    gradient: Array
    outputs: Array


def pose(
    network: Network,
    inputs: Array,
    targets: NDArray[np.generic],
    loss: str,
    *,
    names: tuple[str, ...] | None = None,
    threads: int = 0,
    monitor: Monitor | None = None,
) -> Task:
    """The task of fitting `network`, which for the cross-entropy gives up a closing softmax.

    names: the parameters to be trained; None for all that `trained_names` gives.

    Raises:
        DataError: the rows or targets do not fit the network.
        UnsupportedOperationError: nothing can be trained.
    """
    if loss == CROSS_ENTROPY:
        network = logits(network)
    skeleton = network.skeleton
    chosen = trained_names(skeleton) if names is None else names
    packed = packing(network, chosen)
    if packed.size == 0:
        raise UnsupportedOperationError("the network has no parameters to train")
    if inputs.shape[1:] != skeleton.input_shape or not len(inputs):
        raise DataError(f"{list(inputs.shape)} inputs for rows of {list(skeleton.input_shape)}")
    chosen_loss, outputs = LOSSES[loss], int(np.prod(skeleton.output_shape))
    return Task(
        network,
        packed,
        np.ascontiguousarray(inputs, dtype=np.float64),
        chosen_loss.prepared(targets, len(inputs), outputs),
        chosen_loss,
        links(network, packed),
        block_rows(skeleton),
        outputs,
        threads,
        monitor or Monitor(),
    )


def loss_and_gradient(
    network: Network,
    inputs: Array,
    targets: NDArray[np.generic],
    loss: str,
    *,
    names: tuple[str, ...] | None = None,
    threads: int = 0,
    monitor: Monitor | None = None,
) -> tuple[float, dict[str, Array]]:
    """The loss and its gradient by the trained parameters' names, each in its stored layout."""
    task = pose(network, inputs, targets, loss, names=names, threads=threads, monitor=monitor)
    with workers(task, len(inputs)) as pool:
        found = evaluate(task, task.packing.packed(network.parameters), None, pool)
    return found.loss, task.packing.views(found.gradient)


def workers(task: Task, rows: int) -> AbstractContextManager[Executor | None]:
    """The threads for so many rows at once; None where the calling one does."""
    count = worker_count(task.threads, len(blocks(task.block_rows, rows)))
    return ThreadPoolExecutor(count) if count > 1 else nullcontext()


def waiting_blocks(workers: int) -> int:
    """How many blocks' gradients are held at once: the threads never wait for one another."""
    return 2 * workers


def evaluate(task: Task, theta: Array, rows: Rows | None, pool: Executor | None) -> Evaluation:
    """Loss, gradient and outputs at the parameters `theta` on the rows; None: all of them."""
    inputs, targets = task.inputs, task.targets
    if rows is not None:
        inputs, targets = inputs[rows], targets[rows]
    parameters: dict[str, NDArray[np.generic]] = {
        **task.network.parameters,
        **task.packing.views(theta),
    }
    work = _body(task, parameters)
    outputs = np.empty((len(inputs), task.outputs))
    terms = task.loss.terms(*outputs.shape)
    places = blocks(task.block_rows, len(inputs))

    def of_block(place: slice) -> Part:
        # Per thread, and never across a yield: overflow shows as a loss that is not finite.
        with np.errstate(all="ignore"):
            return work(inputs[place], targets[place], terms)

    total, gradient = 0.0, np.zeros(0)
    parts = _in_order(of_block, places, pool, task)
    for place, (loss, slope, block_outputs) in zip(places, parts, strict=True):
        outputs[place] = block_outputs
        total += loss
        gradient = slope if place.start == 0 else np.add(gradient, slope, out=gradient)
    return Evaluation(total / terms, gradient, outputs)


def _body(task: Task, parameters: Mapping[str, NDArray[np.generic]]) -> Work:
    """The gradient of one block: the chain's own loops, or any skeleton by its operators."""
    if task.chain is not None:
        return chain_gradient(task.chain, parameters, task.packing, task.loss, task.monitor.check)
    program = compile_program(task.network.skeleton, parameters)

    def work(x: Array, targets: Targets, terms: int) -> Part:
        values = trace(program, x)
        value = values[program.skeleton.nodes[-1].name]
        outputs = value.reshape(len(x), -1)
        loss, back = task.loss.block(outputs, targets)
        back /= terms
        found = parameter_gradients(program, values, back.reshape(value.shape))
        return loss, task.packing.packed(found), outputs

    return work


def _in_order(
    work: Callable[[slice], Part],
    places: tuple[slice, ...],
    pool: Executor | None,
    task: Task,
) -> Iterator[Part]:
    """The work of every block, in order, and never more than a few waiting to be added."""
    if pool is None:
        for place in places:
            task.monitor.check()
            yield work(place)
        return
    ahead = waiting_blocks(worker_count(task.threads, len(places)))
    waiting: deque[Future[Part]] = deque()
    try:
        for place in places:
            task.monitor.check()
            waiting.append(pool.submit(work, place))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            task.monitor.check()
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
