"""The formats of weights files, by suffix."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load.files import ModelFile
from fpcheck.network.load.npz import npz_contents
from fpcheck.network.load.pytorch import pytorch_contents
from fpcheck.network.load.safetensors import safetensors_contents
from fpcheck.network.load.stored import Contents


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name in reports, its suffixes, and the reader of what a file holds."""

    name: str
    suffixes: tuple[str, ...]
    contents: Callable[[ModelFile], Contents]


FORMATS = (
    Format("npz", (".npz",), npz_contents),
    Format("safetensors", (".safetensors",), safetensors_contents),
    Format("pytorch", (".pt", ".pth"), pytorch_contents),
)
SPEC_SUFFIX = ".toml"
# What the file is rather than a model, by suffix.
STRANGERS = {
    ".json": "a saved report is shown by fpcheck report FILE",
    ".csv": "rows of data go beside a model: --data FILE",
    ".npy": "rows of data go beside a model: --data FILE",
    ".parquet": "rows of data go beside a model: --data FILE",
    ".pkl": "a pickle can run commands and is not read; save the weights with numpy.savez",
    ".onnx": "save the weights with numpy.savez",
    ".h5": "save the weights with numpy.savez",
    ".keras": "save the weights with numpy.savez",
}


def format_of(path: Path) -> Format:
    """The format that the suffix of `path` names.

    Raises:
        ModelFileError: an unknown suffix.
    """
    suffix = path.suffix.lower()
    for known in FORMATS:
        if suffix in known.suffixes:
            return known
    suffixes = [s for known in FORMATS for s in known.suffixes]
    near = difflib.get_close_matches(suffix, suffixes, n=1) if suffix else []
    guess = f"did you mean '{near[0]}'? " if near else ""
    if suffix in STRANGERS:
        guess = f"{STRANGERS[suffix]}; "
    raise ModelFileError(
        f"{path.name}: unknown suffix '{suffix}'" if suffix else f"{path.name} has no suffix",
        where=str(path),
        hint=f"{guess}models are {', '.join(suffixes)}, and specs ({SPEC_SUFFIX})",
    )
