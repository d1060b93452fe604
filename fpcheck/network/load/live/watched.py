"""Whether a part of a traced program is what PyTorch computes on its way through the whole."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fpcheck.network.load.live.emitter import as_array
from fpcheck.network.load.live.kinds import Foreign

Array = NDArray[np.float64]


def passes_by(
    model: Foreign, graph: Foreign, rows: Foreign, found: Array, limit: float, place: int
) -> bool:
    """Whether an operation from number `place` on takes `found` when the program runs on `rows`.

    What is changed in place is seen as the operation sees it.

    model: in evaluation mode; graph: traced from one like it; rows: PyTorch's, as the model takes
    them; found: rows first; limit: by which the two may differ, of the largest.
    """
    from torch.fx import GraphModule, Interpreter, Node

    bound = limit * max(1.0, float(np.abs(found[np.isfinite(found)]).max(initial=0.0)))
    steps = [node for node in graph.nodes if node.op not in ("placeholder", "output")]
    behind = {node.name for node in steps[place - 1 :]}
    met: list[bool] = []

    class Watch(Interpreter):
        def run_node(self, n: Node) -> object:
            if n.name in behind:
                taken = self.fetch_args_kwargs_from_env(n)
                met.extend(_is(leaf, found, bound) for leaf in _tensors(taken))
            return super().run_node(n)

    arguments = list(inspect.signature(model.forward).parameters.values())
    given = [
        rows if place == 0 or one.default is inspect.Parameter.empty else one.default
        for place, one in enumerate(arguments)
    ]
    try:
        Watch(GraphModule(model, graph)).run(*given)
    except Exception:  # what stops the program stands behind the part, or it was not met
        return any(met)
    return any(met)


def _tensors(value: object) -> Iterator[Foreign]:
    if isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))
    elif hasattr(value, "detach"):
        yield value


def _is(tensor: Foreign, found: Array, bound: float) -> bool:
    """Whether a tensor holds `found`, its rows along any axis."""
    if tensor.numel() != found.size:
        return False
    own = np.asarray(as_array(tensor), dtype=np.float64)
    for axis, size in enumerate(own.shape):
        turned = np.moveaxis(own, axis, 0)
        if size == len(found) and turned.shape == found.shape:
            finite = np.isfinite(found)
            same = np.array_equal(finite, np.isfinite(turned))
            if same and bool((np.abs(turned - found)[finite] <= bound).all()):
                return True
    return False
