"""The model file in a folder, by the names under which the hubs keep it; else what lies there."""

from __future__ import annotations

from pathlib import Path

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load.files import shown
from fpcheck.network.load.registry import has_known_suffix
from fpcheck.network.load.strangers import ADVICE

INDEX = ".index.json"
LISTED = 3  # names in a hint
# What a folder of a model holds, the first that is there; an index stands before its own shards.
NAMES = (
    "model.safetensors.index.json",
    "model.safetensors",
    "pytorch_model.bin.index.json",
    "pytorch_model.bin",
)
# Formats that are folders, by an entry of theirs.
_FORMATS = (
    ("saved_model.pb", "a TensorFlow SavedModel", ADVICE[".pb"].removeprefix("of TensorFlow: ")),
    (
        "checkpoint",
        "a TensorFlow checkpoint",
        "load it with Keras and write model.save('model.keras')",
    ),
    ("_METADATA", "an Orbax checkpoint", "restore it and save the flat dict with numpy.savez"),
    ("Manifest.json", "a Core ML package", ADVICE[".mlpackage"].removeprefix("of Core ML: ")),
)


def model_in(path: Path) -> Path:
    """The model file in the folder `path`; `path` itself where it is no folder.

    Raises:
        ModelFileError: a folder without a model under one of the usual names, or with several.
    """
    if not path.is_dir():
        return path
    for name in NAMES:
        if (path / name).is_file():
            return path / name
    name = path.name or str(path)
    try:
        entries = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        raise ModelFileError(f"{name} cannot be listed: {error.strerror}", where=name) from None
    indexes = [entry for entry in entries if entry.endswith(INDEX)]
    if len(indexes) == 1:
        return path / indexes[0]
    for entry, what, hint in _FORMATS:
        if entry in entries:
            raise ModelFileError(f"{name} is {what}, which is not read", where=name, hint=hint)
    models = [entry for entry in entries if has_known_suffix(path / entry)]
    raise ModelFileError(
        f"{name} is a directory without {NAMES[0]} or another usual name",
        where=name,
        hint=_hint(path, models),
    )


def _hint(path: Path, models: list[str]) -> str:
    if not models:
        return "no file in it has the suffix of a model"
    named = ", ".join(shown(str(path / entry)) for entry in models[:LISTED])
    more = f" and {len(models) - LISTED} more" if len(models) > LISTED else ""
    return f"name the model file in it: {named}{more}"
