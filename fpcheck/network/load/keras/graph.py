"""The graph of a Keras model: nested models flattened into calls of layers in topological order.

A layer that is called twice makes two calls that share its weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fpcheck.network.load.files import shown
from fpcheck.network.load.keras.config import LayerConfig, row_shape
from fpcheck.network.load.keras.history import Fault, History, Key, arguments, endpoints

MAX_CALLS = 2**14
MAX_NESTING = 16
MAX_RECORDS = 2**16  # layers looked at, again at every call of the model that they are in
MODELS = ("Sequential", "Functional", "Model")


@dataclass(frozen=True, slots=True)
class LayerPath:
    """Where a layer's weights lie: its names from the model down, and the folders that Keras 3
    gives it (`conv2d_1`: the second layer of its class)."""

    names: tuple[str, ...]
    folders: tuple[str, ...]

    @property
    def label(self) -> str:
        """The layer's name with those of the models around it, the outermost left out."""
        return "/".join(self.names)


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of call number `call` of the flat graph."""

    call: int


@dataclass(frozen=True)
class Call:
    """One call of a layer. `arguments`: Refs and constants, in order; `keywords`: the others."""

    path: LayerPath
    module: str
    config: LayerConfig
    arguments: tuple[object, ...]
    keywords: Mapping[str, object] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[int, ...]:
        """The calls whose values it takes."""
        items = (*self.arguments, *self.keywords.values())
        return tuple(item.call for item in items if isinstance(item, Ref))


@dataclass(frozen=True, slots=True)
class Graph:
    """The calls in topological order, and those whose values are the model's outputs."""

    calls: tuple[Call, ...]
    outputs: tuple[int, ...]


Layers: TypeAlias = list[Mapping[str, Any]]


def flatten(model: Mapping[str, Any], fault: Fault) -> Graph:
    """The graph of a Sequential or Functional model's configuration.

    Raises:
        ModelFileError: the configuration does not describe a graph.
    """
    calls: list[Call] = []
    outputs = _Flattener(calls, fault).model(model, LayerPath((), ()), None, 0)
    return Graph(tuple(calls), outputs)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A call that waits for its inputs, which histories name."""

    path: LayerPath
    record: Mapping[str, Any]
    arguments: list[object]
    keywords: Mapping[str, object]


@dataclass
class _Flattener:
    calls: list[Call]
    fault: Fault
    records: int = 0

    def model(
        self, record: Mapping[str, Any], path: LayerPath, given: tuple[Ref, ...] | None, depth: int
    ) -> tuple[int, ...]:
        """Append the calls of a model, which takes `given` if nested; the places of its outputs."""
        if depth > MAX_NESTING:
            raise self.fault(f"models are nested deeper than {MAX_NESTING}")
        config = record.get("config")
        layers = config if isinstance(config, list) else _mapping(config).get("layers")
        if not isinstance(layers, list) or not all(isinstance(item, Mapping) for item in layers):
            raise self.fault(f"model '{shown(path.label)}' lists no layers")
        self.records += 1 + len(layers)
        if self.records > MAX_RECORDS:
            raise self.fault(f"models inside models have more than {MAX_RECORDS} layers")
        if record.get("class_name") == "Sequential":
            return self.sequential(layers, _mapping(config), path, given, depth)
        return self.functional(layers, _mapping(config), path, given, depth)

    def sequential(
        self,
        layers: Layers,
        config: Mapping[str, Any],
        path: LayerPath,
        given: tuple[Ref, ...] | None,
        depth: int,
    ) -> tuple[int, ...]:
        """Append a chain of layers."""
        if given is not None and len(given) != 1:
            raise self.fault(f"model '{shown(path.label)}' takes {len(given)} inputs, not one")
        refs: tuple[Ref, ...] | None = given
        for record, folder in zip(layers, _folders(layers), strict=True):
            own = self.path(path, record, folder)
            if record.get("class_name") == "InputLayer":
                refs = refs or (self.start(own, record),)
                continue
            if refs is None:
                refs = (self.implied_start(path, record, config),)
            refs = tuple(Ref(place) for place in self.call(own, record, list(refs), {}, depth))
        if refs is None:
            raise self.fault(f"model '{shown(path.label)}' has no layers")
        return tuple(ref.call for ref in refs)

    def functional(
        self,
        layers: Layers,
        config: Mapping[str, Any],
        path: LayerPath,
        given: tuple[Ref, ...] | None,
        depth: int,
    ) -> tuple[int, ...]:
        """Append the calls of a graph of layers as soon as their inputs are there."""
        heads = self.endpoints(config, "input_layers", path)
        results: dict[Key, tuple[int, ...]] = {}
        if given is not None:
            if len(given) != len(heads):
                raise self.fault(f"model '{shown(path.label)}' takes {len(heads)} inputs")
            results = {(h.layer, 0): (ref.call,) for h, ref in zip(heads, given, strict=True)}
        waiting: dict[Key, _Waiting] = {}
        for record, folder in zip(layers, _folders(layers), strict=True):
            own = self.path(path, record, folder)
            name = own.names[-1]
            if record.get("class_name") == "InputLayer":
                if (name, 0) not in results:
                    results[name, 0] = (self.start(own, record).call,)
                continue
            nodes = record.get("inbound_nodes")
            if not isinstance(nodes, list):
                raise self.fault(f"layer '{shown(own.label)}' names no inbound nodes")
            for number, node in enumerate(nodes):
                if (name, number) in waiting:
                    raise self.fault(f"two layers are called '{shown(name)}'")
                waiting[name, number] = _Waiting(
                    own, record, *arguments(node, own.label, self.fault)
                )
        for key in self.order(waiting, set(results)):
            item = waiting[key]
            ready = [_resolved(value, results) for value in item.arguments]
            named = {word: _resolved(value, results) for word, value in item.keywords.items()}
            results[key] = self.call(item.path, item.record, ready, named, depth)
        outputs = []
        for end in self.endpoints(config, "output_layers", path):
            found = results.get(end.key(results), ())
            if end.tensor >= len(found):
                raise self.fault(
                    f"output '{shown(end.layer)}' of model '{shown(path.label)}' is not there"
                )
            outputs.append(found[end.tensor])
        return tuple(outputs)

    def order(self, waiting: Mapping[Key, _Waiting], ready: set[Key]) -> list[Key]:
        """The calls that wait, each behind those whose values it takes.

        Raises:
            ModelFileError: some wait for one another, or for a layer that is not there.
        """
        known = ready | set(waiting)
        needs: dict[Key, set[Key]] = {}
        feeds: dict[Key, list[Key]] = {}
        for key, item in waiting.items():
            wanted = (*item.arguments, *item.keywords.values())
            needs[key] = {value.key(known) for value in wanted if isinstance(value, History)}
            needs[key] -= ready
            for source in needs[key]:
                feeds.setdefault(source, []).append(key)
        queue = [key for key, sources in needs.items() if not sources]
        for key in queue:  # grows while it is walked
            for behind in feeds.get(key, ()):
                needs[behind].discard(key)
                if not needs[behind]:
                    queue.append(behind)
        if len(queue) != len(waiting):
            stuck = [shown(name, 30) for (name, _), sources in needs.items() if sources]
            names = ", ".join(sorted(set(stuck))[:3])
            raise self.fault(f"layers wait for one another or for one that is not there: {names}")
        return queue

    def call(
        self,
        path: LayerPath,
        record: Mapping[str, Any],
        arguments: list[object],
        keywords: Mapping[str, object],
        depth: int,
    ) -> tuple[int, ...]:
        """Append one call, or the calls of a nested model; the places of its outputs."""
        if len(self.calls) >= MAX_CALLS:
            raise self.fault(f"the model has more than {MAX_CALLS} calls of layers")
        if is_model(record):
            refs = tuple(item for item in arguments if isinstance(item, Ref))
            return self.model(record, path, refs, depth + 1)
        config = LayerConfig(path.label, str(record.get("class_name")), _mapping(record["config"]))
        module = _home(record)
        self.calls.append(Call(path, module, config, tuple(arguments), keywords))
        return (len(self.calls) - 1,)

    def start(self, path: LayerPath, record: Mapping[str, Any]) -> Ref:
        """Append an input of the model."""
        config = LayerConfig(path.label, "InputLayer", _mapping(record.get("config")))
        self.calls.append(Call(path, "keras.layers", config, ()))
        return Ref(len(self.calls) - 1)

    def implied_start(
        self, path: LayerPath, first: Mapping[str, Any], config: Mapping[str, Any]
    ) -> Ref:
        """The input of a Sequential model that states it in its first layer or in itself."""
        own = _mapping(first.get("config"))
        shape = own.get("batch_input_shape") or own.get("batch_shape")
        if shape is None and is_model(first):
            inner = own.get("layers")
            if isinstance(inner, list) and inner:
                shape = _mapping(_mapping(inner[0]).get("config")).get("batch_input_shape")
        values = {"batch_shape": shape or config.get("build_input_shape")}
        if row_shape(values) is None:
            values = {}
        record = {"config": values}
        return self.start(LayerPath((*path.names, "input"), (*path.folders, "input")), record)

    def path(self, parent: LayerPath, record: Mapping[str, Any], folder: str) -> LayerPath:
        """The path of a layer inside a model."""
        config = record.get("config")
        inner = config.get("name") if isinstance(config, Mapping) else None
        name = record.get("name") or inner or folder
        if not isinstance(name, str) or not isinstance(config, Mapping | list):
            raise self.fault("a layer of the configuration has no name or no settings")
        return LayerPath((*parent.names, name), (*parent.folders, folder))

    def endpoints(self, config: Mapping[str, Any], key: str, path: LayerPath) -> list[History]:
        """A model's inputs or outputs."""
        found = endpoints(config, key)
        if not found:
            raise self.fault(f"model '{shown(path.label)}' states no {key.replace('_', ' ')}")
        return found


def _resolved(value: object, results: Mapping[Key, tuple[int, ...]]) -> object:
    if not isinstance(value, History):
        return value
    found = results[value.key(results)]
    return Ref(found[min(value.tensor, len(found) - 1)])


def is_model(record: Mapping[str, Any]) -> bool:
    """Whether a record of the configuration is a model whose layers it lists."""
    config = record.get("config")
    own = _home(record).split(".")[0] not in ("", "keras")
    if own or record.get("class_name") not in MODELS:
        return False
    return isinstance(config, list) or (isinstance(config, Mapping) and "layers" in config)


def _home(record: Mapping[str, Any]) -> str:
    """Where a class comes from: its module, or `package>name` of a class of the user's own that
    was registered, whatever it is called; "" in files that do not say it."""
    registered, module = record.get("registered_name"), record.get("module")
    if isinstance(registered, str) and ">" in registered:
        return registered
    return module if isinstance(module, str) else ""


def _folders(layers: Layers) -> list[str]:
    """The folder of every layer's weights in Keras 3's files: its class in snake case, numbered."""
    counts: dict[str, int] = {}
    folders = []
    for record in layers:
        module = record.get("module")
        if isinstance(module, str) and ".ops." in module:  # an operation, which has no folder
            folders.append("")
            continue
        snake = snake_case(str(record.get("class_name")))
        number = counts.get(snake, 0)
        counts[snake] = number + 1
        folders.append(f"{snake}_{number}" if number else snake)
    return folders


def snake_case(name: str) -> str:
    """`BatchNormalization` as `batch_normalization`, `Conv2D` as `conv2d`: Keras's own rule."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
