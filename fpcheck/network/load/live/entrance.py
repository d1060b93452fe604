"""The shape of a row: what the first layer of a PyTorch module tells of it, how it is given."""

from __future__ import annotations

from collections.abc import Mapping

from fpcheck.network.load.live.kinds import Foreign
from fpcheck.network.load.live.recurrent import is_recurrent
from fpcheck.network.skeleton import Shape

SHAPE_HINT = "--input-shape 3,32,32 (in Python input_shape=(3, 32, 32)): one row, without the batch"


def stated_shape(graph: Foreign, model: Foreign) -> Shape | None:
    """The shape of a row that the first layer determines, if it does."""
    node = next(one for one in graph.nodes if one.op == "placeholder")
    modules: Mapping[str, Foreign] = dict(model.named_modules())
    while True:
        users = list(node.users)
        if len(users) != 1:
            kinds = [_width(modules.get(str(one.target))) for one in users]
            known = [width for width in kinds if width is not None]
            return known[0] if known else None
        (node,) = users
        if node.op != "call_module":
            function = getattr(node.target, "__name__", node.target)
            if str(function) in PASSING:
                continue
            weight = _weight(node, model) if function == "linear" else None
            return None if weight is None else (int(weight.shape[1]),)
        width = _width(modules.get(str(node.target)))
        if width is not None:
            return width
        if type(modules[str(node.target)]).__name__ not in PASSING_MODULES:
            return None


# What keeps the number of entries of a row on the way to the first layer.
PASSING = ("flatten", "relu", "tanh", "sigmoid", "contiguous", "float", "double")
PASSING_MODULES = ("Flatten", "Identity", "Dropout", "ReLU", "Tanh", "Sigmoid", "GELU", "SiLU")


def _weight(node: Foreign, model: Foreign) -> Foreign:
    """The matrix of a functional linear layer, None where it is computed."""
    source = node.args[1] if len(node.args) > 1 else node.kwargs.get("weight")
    if getattr(source, "op", "") != "get_attr":
        return None
    return dict(model.named_parameters()).get(str(source.target))


def _width(module: Foreign) -> Shape | None:
    """The shape of a row that a layer works on, None where it works on more than one."""
    kind = type(module).__name__
    if kind == "Linear":
        return (int(module.in_features),)
    if kind == "BatchNorm1d":
        return (int(module.num_features),)
    if kind in ("LayerNorm", "RMSNorm"):
        return tuple(int(size) for size in module.normalized_shape)
    if is_recurrent(module):  # nothing lies before it; any number of positions will do
        size = (int(module.input_size),)
        return size if kind.endswith("Cell") else (1, *size)
    return None
