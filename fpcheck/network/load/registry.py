"""The formats of weights files, by suffix."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load.files import ModelFile
from fpcheck.network.load.graph_file import GraphFile, GraphRequest
from fpcheck.network.load.npz import npz_contents
from fpcheck.network.load.pytorch import pytorch_contents
from fpcheck.network.load.safetensors import safetensors_contents
from fpcheck.network.load.sharded import sharded
from fpcheck.network.load.stored import Contents
from fpcheck.network.load.strangers import ADVICE

# What reads a whole graph is large, so it is imported when a file of its format is met.


def _keras_contents(file: ModelFile) -> Contents:
    from fpcheck.network.load.keras import keras_contents

    return keras_contents(file)


def _keras_graph(file: ModelFile, request: GraphRequest) -> GraphFile:
    from fpcheck.network.load.keras import keras_graph

    return keras_graph(file, request)


def _onnx_graph(file: ModelFile, request: GraphRequest) -> GraphFile:
    from fpcheck.network.load.onnx import onnx_graph

    return onnx_graph(file, request)


def _skops_graph(file: ModelFile, request: GraphRequest) -> GraphFile:
    from fpcheck.network.load.skops import skops_graph

    return skops_graph(file, request)


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name in reports, its suffixes, and the reader of what a file holds: tensors
    alone (`contents`), or the network itself where the format stores its graph (`graph`).
    """

    name: str
    suffixes: tuple[str, ...]
    contents: Callable[[ModelFile], Contents] | None = None
    graph: Callable[[ModelFile, GraphRequest], GraphFile] | None = None

    def graph_of(self, file: ModelFile, request: GraphRequest) -> GraphFile:
        """The graph that the file stores. Raises ValueError for a format of tensors alone."""
        if self.graph is None:
            raise ValueError(f"{self.name} stores no graph")
        return self.graph(file, request)


# `.ckpt` is Lightning's; training scripts have written `.pth.tar`, which is no tar archive, since
# PyTorch's own ImageNet example did.
PYTORCH = (".pt", ".pth", ".bin", ".ckpt", ".pt.tar", ".pth.tar", ".jit", ".ptl")
FORMATS = (
    Format("npz", (".npz",), npz_contents),
    Format("safetensors", (".safetensors",), safetensors_contents),
    Format(
        "safetensors", (".safetensors.index.json",), sharded(safetensors_contents, ".safetensors")
    ),
    Format("pytorch", PYTORCH, pytorch_contents),
    Format("pytorch", (".bin.index.json",), sharded(pytorch_contents, ".bin")),
    Format("skops", (".skops",), graph=_skops_graph),
    Format("onnx", (".onnx",), graph=_onnx_graph),
    Format("keras", (".weights.h5",), _keras_contents),
    Format("keras", (".keras", ".h5", ".hdf5"), _keras_contents, _keras_graph),
)
SPEC_SUFFIX = ".toml"


def stores_graph(path: Path) -> bool:
    """Whether the suffix of `path` names a format that stores its graph."""
    known = _known(path)
    return known is not None and known.graph is not None


def has_known_suffix(path: Path) -> bool:
    """Whether the suffix of `path` is that of a model file or a spec."""
    return _known(path) is not None or path.suffix.lower() == SPEC_SUFFIX


def _known(path: Path) -> Format | None:
    """The format that the end of the name says; `.bin.index.json` is one suffix."""
    name = path.name.lower()
    return next((known for known in FORMATS if name.endswith(known.suffixes)), None)


def format_of(path: Path) -> Format:
    """The format that the suffix of `path` names.

    Raises:
        ModelFileError: an unknown suffix.
    """
    known = _known(path)
    if known is not None:
        return known
    suffix = path.suffix.lower()
    suffixes = [end for known in FORMATS for end in known.suffixes]
    near = difflib.get_close_matches(suffix, suffixes, n=1, cutoff=0.75) if suffix else []
    guess = f"did you mean '{near[0]}'? " if near else ""
    known_kinds = f"{guess}models are {', '.join(suffixes)}, and specs ({SPEC_SUFFIX})"
    raise ModelFileError(
        f"{path.name}: unknown suffix '{suffix}'" if suffix else f"{path.name} has no suffix",
        where=str(path),
        hint=ADVICE.get(suffix, known_kinds),
    )
