"""Networks of scikit-learn in `.skops` files: one MLPClassifier or MLPRegressor.

The file is a zip archive of `schema.json`, a tree of nodes that say how to rebuild each object, and
one `.npy` file an array. Here the tree is only searched for the estimator's weights and for the
words of its two activations; nothing that it names is imported or called. [skops documentation,
"Secure persistence"]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.memory import require_memory
from fpcheck.network.activations import activation
from fpcheck.network.load.archive import Archive, open_archive, read_entry
from fpcheck.network.load.files import ModelFile, shown
from fpcheck.network.load.graph_file import GraphFile, GraphRequest
from fpcheck.network.load.json_object import json_object
from fpcheck.network.load.npz import npy_stored
from fpcheck.network.load.stored import Stored, bytes_needed
from fpcheck.network.network import Network
from fpcheck.network.skeleton import Activation, Dense, Input, Node, Skeleton, Softmax

SCHEMA = "schema.json"
MAX_SCHEMA = 2**26  # bytes; a pipeline of an MLP takes under 100 kB
ESTIMATORS = ("MLPClassifier", "MLPRegressor")
HIDDEN = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}

Json: TypeAlias = dict[str, Any]


def skops_graph(file: ModelFile, request: GraphRequest) -> GraphFile:
    """The network of the one MLP in the file.

    Raises:
        ModelFileError: no skops file, damaged, or without one fitted MLP.
    """
    archive = open_archive(file)
    found = list(_estimators(_schema(archive)))
    names = sorted({word for node in found if (word := node["__class__"]) in ESTIMATORS})
    networks = [node for node in found if node["__class__"] in ESTIMATORS]
    if len(networks) != 1:
        held = ", ".join(shown(str(node["__class__"])) for node in found[:6]) or "no estimator"
        raise file.fault(
            f"holds {len(networks)} networks of scikit-learn, not one",
            hint=f"it holds: {held if not names else ', '.join(names)}",
        )
    others = [shown(str(node["__class__"])) for node in found if node is not networks[0]]
    notes: tuple[str, ...] = ()
    if others:
        notes = (f"the network alone is read, without what stands around it: {', '.join(others)}",)
    return _network(archive, networks[0], notes)


def _schema(archive: Archive) -> Json:
    entry = archive.entries.get(SCHEMA)
    if entry is None:
        raise archive.file.fault(
            f"is no skops file: its archive has no {SCHEMA}",
            hint="write it with skops.io.dump(estimator, file)",
        )
    if entry.size > MAX_SCHEMA:
        raise archive.file.fault(f"{SCHEMA} declares {entry.size} bytes", entry=SCHEMA)

    return json_object(
        bytes(read_entry(archive, entry)),
        lambda reason: archive.file.fault(f"{SCHEMA} is damaged: {reason}", entry=SCHEMA),
    )


def _estimators(schema: Json) -> Iterator[Json]:
    """The nodes of scikit-learn's objects that are not parts of a network, outer ones first."""
    todo: list[object] = [schema]
    while todo:
        node = todo.pop()
        if isinstance(node, list):
            todo.extend(reversed(node))
        elif isinstance(node, dict):
            module, name = node.get("__module__"), node.get("__class__")
            if isinstance(module, str) and isinstance(name, str) and module.startswith("sklearn."):
                yield node
                if name in ESTIMATORS:
                    continue
            todo.extend(reversed(list(node.values())))


def _network(archive: Archive, node: Json, notes: tuple[str, ...]) -> GraphFile:
    """The dense layers of a fitted MLP with its activations."""
    file = archive.file
    attributes = _attributes(node)
    stored: dict[str, Stored] = {}
    used: set[str] = set()
    for name in ("coefs_", "intercepts_"):
        for i, item in enumerate(_items(archive, attributes, name)):
            label = f"{name}[{i}]"
            tensor = stored[f"{name}{i}"] = _array(archive, item, label)
            if tensor.source in used:
                # Never so after fit(); a small file could name one array a million times.
                raise file.fault(f"{label} is an array of another layer too", entry=tensor.source)
            used.add(tensor.source)
    depth = len(stored) // 2
    if not depth or f"coefs_{depth - 1}" not in stored or len(stored) % 2:
        raise file.fault("has not as many intercepts as matrices", entry=SCHEMA)
    require_memory(bytes_needed(stored.values()), f"reading {file.name}")
    tensors = {name: tensor.read() for name, tensor in stored.items()}
    hidden, last = _word(archive, attributes, "activation"), _word(archive, attributes, LAST)
    refused = next((word for word in (hidden, last) if word not in (*HIDDEN, "softmax")), "")
    if refused:
        reason = f"the activation '{shown(refused)}' is not known"
        return GraphFile(tensors, None, reason, "--spec FILE describes the network", notes=notes)
    skeleton = _skeleton(file, tensors, depth, hidden, last)
    return GraphFile(tensors, Network(skeleton, tensors), outline=skeleton, notes=notes)


LAST = "out_activation_"


def _skeleton(
    file: ModelFile,
    tensors: dict[str, NDArray[np.generic]],
    depth: int,
    hidden: str,
    last: str,
) -> Skeleton:
    """The chain of `depth` dense layers; softmax at the output stands as its own node."""
    for i in range(depth):
        sizes = tensors[f"coefs_{i}"].shape
        if len(sizes) != 2 or 0 in sizes:
            raise file.fault(f"coefs_[{i}] is {list(sizes)}, no matrix of weights")
    nodes: list[Node] = [Input("input", (tensors["coefs_0"].shape[0],))]
    for i in range(depth):
        name, word = f"coefs_{i}", last if i == depth - 1 else hidden
        place = nodes[-1].name
        units = tensors[name].shape[1]
        nodes.append(Dense(name, (place,), units, name, f"intercepts_{i}", "in_out"))
        if word == "softmax":
            nodes.append(Softmax(f"{name}.softmax", (name,)))
        elif word != "identity":
            nodes.append(Activation(f"{name}.activation", (name,), activation(HIDDEN[word])))
    return Skeleton(tuple(nodes))


def _attributes(node: Json) -> Json:
    """The attributes of an object: a node of a dictionary holds them."""
    below = node.get("content")
    attributes = below.get("content") if isinstance(below, dict) else None
    return attributes if isinstance(attributes, dict) else {}


def _items(archive: Archive, attributes: Json, name: str) -> list[object]:
    below = attributes.get(name)
    items = below.get("content") if isinstance(below, dict) else None
    if not isinstance(items, list):
        raise archive.file.fault(
            f"the network has no {name}: it is not fitted", hint="save it after fit()"
        )
    return items


def _array(archive: Archive, item: object, label: str) -> Stored:
    name = item.get("file") if isinstance(item, dict) else None
    entry = archive.entries.get(name) if isinstance(name, str) else None
    if entry is None or not isinstance(item, dict) or item.get("type") != "numpy":
        raise archive.file.fault(f"{label} is not stored as an array", entry=SCHEMA)
    stored = npy_stored(archive, entry)
    if stored.left_out:
        raise archive.file.fault(f"{label} holds {stored.left_out}", entry=entry.name)
    return stored


def _word(archive: Archive, attributes: Json, name: str) -> str:
    """A word among the attributes, which skops writes as JSON inside JSON."""
    node = attributes.get(name)
    text = node.get("content") if isinstance(node, dict) else None
    if isinstance(text, str) and len(text) <= 64 and text[:1] == text[-1:] == '"':
        return text[1:-1]
    raise archive.file.fault(f"the network has no {name}: it is not fitted", entry=SCHEMA)
