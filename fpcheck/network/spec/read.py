"""Reading a spec: TOML in, skeleton and laws out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fpcheck.core.errors import SpecError
from fpcheck.network.initializers import Law
from fpcheck.network.inputs import InputLaw
from fpcheck.network.preprocessing import Preprocessing
from fpcheck.network.skeleton import Shape, Skeleton
from fpcheck.network.spec.build import Draft, add_graph, add_input, add_list
from fpcheck.network.spec.entries import LARGEST
from fpcheck.network.spec.laws import InitLaws, init_laws, inputs_of, section
from fpcheck.network.spec.recurrent import RecurrentLayer, recurrent_layer
from fpcheck.network.spec.source import Path as Place
from fpcheck.network.spec.source import Source, nearest, parse_toml

SECTIONS = ("network", "init", "inputs")
NETWORK_KEYS = ("name", "input", "layers", "nodes")
MOST_BYTES = 4 * 2**20  # a spec is written by hand; anything larger is another kind of file


@dataclass(frozen=True)
class Spec:
    """What a spec says.

    Args:
        name: [network] name, else the file's name without its suffix.
        skeleton: the nodes; parameters are called `<layer>.weight` and so on. Of a recurrent spec
            its input alone.
        layer_laws: (law of weights, law of biases or None where there is no bias) by layer.
        input_law: the law of inputs and of iteration starts.
        preprocessing: what is done to data.
        tensors: names in a weights file by the skeleton's parameter names, where the spec gives
            them; names of biases and norms may be derived from the weight's.
        notes: what the spec leaves to a default, in words for the report.
        cell: the recurrent layer that the spec is, None for other networks.
    """

    name: str
    skeleton: Skeleton
    layer_laws: Mapping[str, tuple[Law, Law | None]]
    input_law: InputLaw
    preprocessing: Preprocessing
    tensors: Mapping[str, str]
    notes: tuple[str, ...]
    cell: RecurrentLayer | None = None


def read_spec(path: str | Path) -> Spec:
    """The spec in the file at `path`.

    Raises:
        SpecError: a file that cannot be read, or as `parse_spec`.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise SpecError(f"the file has {size} bytes, too many for a spec", where=path.name)
        content = path.read_bytes()
    except OSError as error:
        fact = (error.strerror or "not readable").lower()
        raise SpecError(f"cannot read '{path}': {fact}", where=path.name) from None
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SpecError(
            "the spec is not UTF-8 text", where=f"{path.name}, line {line}", hint="is it TOML?"
        ) from None
    return parse_spec(text, path.name)


def parse_spec(text: str, name: str = "spec.toml") -> Spec:
    """The spec in a text; `name` is the file's, for errors.

    Raises:
        SpecError: with the key, its line, and the nearest valid key where one is near.
    """
    document, source = parse_toml(text, name)
    for key in document:
        if key not in SECTIONS:
            raise source.error((key,), f"unknown section [{key}]", f"{nearest(key, SECTIONS)}")
    if "network" not in document:
        raise source.error((), "the spec has no [network]", "`fpcheck new mlp` writes one")
    network = section(source, document, "network", NETWORK_KEYS)
    init = init_laws(source, document)
    draft = Draft(source, init.weights, init.biases)
    cell = _fill(draft, source, network, init)
    if cell is None and init.recurrent_weights is not None:
        raise source.error(
            ("init", "recurrent_weights"),
            "'recurrent_weights' is of recurrent layers, and there is none",
            "layers = [ { rnn = 64 } ]",
        )
    # PyTorch's default of recurrent layers goes by the units, whatever a matrix takes in.
    told = init.notes
    if cell is not None:
        told = tuple(note.replace("sqrt(fan_in)", f"sqrt({cell.hidden})") for note in told)
    input_law, preprocessing = inputs_of(source, document)
    return Spec(
        name=_name(source, network, name),
        skeleton=Skeleton(tuple(draft.nodes)),
        layer_laws=draft.laws,
        input_law=input_law,
        preprocessing=preprocessing,
        tensors=draft.tensors,
        notes=(*told, *draft.notes),
        cell=cell,
    )


def _fill(
    draft: Draft, source: Source, network: Mapping[str, object], init: InitLaws
) -> RecurrentLayer | None:
    """Put the layers into the draft, or return the cell that they are."""
    if "layers" in network and "nodes" in network:
        raise source.error(
            ("network", "nodes"), "[network] has both 'layers' and 'nodes'", "keep one of them"
        )
    if "layers" not in network and "nodes" not in network:
        raise source.error(("network",), "[network] has no 'layers'", "layers = [ { dense = 48 } ]")
    shape = _input_shape(source, network)
    behind = add_input(draft, shape)
    if "layers" not in network:
        add_graph(draft, network["nodes"])
        return None
    path: Place = ("network", "layers")
    cell = recurrent_layer(source, path, network["layers"], shape, init)
    if cell is None:
        add_list(draft, path, network["layers"], behind, ())
    return cell


def _input_shape(source: Source, network: Mapping[str, object]) -> Shape:
    value = network.get("input")
    if value is None:
        raise source.error(("network",), "[network] has no 'input'", "input = 64, or [1, 28, 28]")
    sizes = value if isinstance(value, list) else [value]
    if not sizes or not all(type(size) is int and 1 <= size <= LARGEST for size in sizes):
        raise source.error(
            ("network", "input"),
            f"'input' is a size or a list of sizes, got {value!r}",
            "64, [channels, length] or [channels, height, width]",
        )
    return tuple(sizes)


def _name(source: Source, network: Mapping[str, object], file_name: str) -> str:
    value = network.get("name")
    if value is None:
        return Path(file_name).stem
    if not isinstance(value, str) or not value:
        raise source.error(("network", "name"), f"'name' is a text, got {value!r}")
    return value
