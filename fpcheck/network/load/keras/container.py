"""The parts of a Keras file: configuration, version, and where every variable lies.

[Keras 3 saving format: a zip of config.json, metadata.json, model.weights.h5; before: one HDF5]
"""

from __future__ import annotations

import os
import re
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import FileIO
from typing import Any

from fpcheck.network.load.archive import (
    STORED,
    Archive,
    Entry,
    data_start,
    open_archive,
    read_entry,
)
from fpcheck.network.load.files import ModelFile
from fpcheck.network.load.keras.config import MAX_CONFIG, parse_json
from fpcheck.network.load.keras.hdf5 import Hdf5, read_hdf5
from fpcheck.network.load.keras.weights import NamedWeights, NumberedWeights, Weights
from fpcheck.network.load.stored import Stored

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
BLOCK = 2**20
# What training and random layers keep beside the model's variables.
TRAINING = ("optimizer", "optimizer_weights", "loss_tracker", "compile_metrics")


@dataclass(frozen=True, slots=True)
class Container:
    """What a Keras file holds. `config` is None where it holds weights alone.

    hard_gates: whether the Keras that wrote it took hard sigmoids for the gates of cells unless
    told otherwise.
    """

    config: Mapping[str, Any] | None
    keras2: bool
    stored: Mapping[str, Stored]
    weights: Weights
    notes: tuple[str, ...]
    hard_gates: bool = False


def open_container(file: ModelFile) -> Container:
    """The parts of a `.keras` or `.h5` file.

    Raises:
        ModelFileError: no Keras file, or a damaged one.
        UnsupportedOperationError: h5py is not installed.
    """
    if bytes(file.read_at(0, min(4, file.size))) == b"PK\x03\x04":
        return _zipped(file)
    return _legacy(file)


def _zipped(file: ModelFile) -> Container:
    archive = open_archive(file)
    config = _json(archive, CONFIG)
    metadata = _json(archive, METADATA) if METADATA in archive.entries else {}
    if WEIGHTS not in archive.entries:
        sharded = "model.weights.json" in archive.entries
        raise file.fault(
            "the weights are sharded" if sharded else f"the archive has no {WEIGHTS}",
            hint="save it again in one piece: model.save('name.keras')",
        )
    entry = archive.entries[WEIGHTS]
    if entry.method != STORED:
        found = read_hdf5(_unpacked(archive, entry))
    else:
        place = data_start(archive, entry)
        _check_sum(file, entry, place)
        found = read_hdf5(file, place, entry.size)
    return _container(found, config, _version(metadata))


def _unpacked(archive: Archive, entry: Entry) -> ModelFile:
    """A packed entry as a file of its own, for libhdf5 seeks; it is gone when it is closed."""
    data = read_entry(archive, entry)
    with tempfile.TemporaryFile() as folded:
        folded.write(data.data)
        folded.flush()
        handle = _Unpacked(os.dup(folded.fileno()), "r")
    return ModelFile(archive.file.path, archive.file.name, handle, entry.size)


class _Unpacked(FileIO):
    """A file that is closed with the last tensor that may be read from it."""

    def __del__(self) -> None:
        self.close()


def _legacy(file: ModelFile) -> Container:
    """A file that is HDF5 itself."""
    found = read_hdf5(file)
    root = found.attributes.get("", {})
    text = root.get("model_config")
    config = None
    if isinstance(text, str):
        config = _mapping(file, parse_json(file, text, "model_config"), "model_config")
    if config is None and any(path.startswith("layers/") for path in found.datasets):
        return _container(found, None, _version(root))
    folder = "model_weights" if "model_weights" in _tops(found) else ""
    weights = NamedWeights(found.datasets, folder)
    stored, notes = _of_model(found)
    return Container(config, _version(root), stored, weights, notes, _hard_gates(root))


def _container(found: Hdf5, config: Mapping[str, Any] | None, keras2: bool) -> Container:
    stored, notes = _of_model(found)
    return Container(config, keras2, stored, NumberedWeights(found.datasets), notes)


def _of_model(found: Hdf5) -> tuple[dict[str, Stored], tuple[str, ...]]:
    """The datasets that are the model's, and notes."""
    kept = {
        path: tensor
        for path, tensor in found.datasets.items()
        if path.split("/", 1)[0] not in TRAINING and "seed_generator" not in path.split("/")
    }
    left = sum(path.split("/", 1)[0] in TRAINING for path in found.datasets)
    notes = (f"{left} tensors of the optimizer are left out",) if left else ()
    return kept, (*found.notes, *notes)


def _tops(found: Hdf5) -> set[str]:
    return {path.split("/", 1)[0] for path in found.datasets}


def _version(metadata: Mapping[str, Any]) -> bool:
    """Whether Keras 2 or older wrote the file."""
    version = metadata.get("keras_version")
    return isinstance(version, str) and version.split(".")[0] in ("0", "1", "2")


def _hard_gates(metadata: Mapping[str, Any]) -> bool:
    """Whether Keras before 2.3 wrote the file; of TensorFlow's own, which counts otherwise, 2.1."""
    version = str(metadata.get("keras_version"))
    found = re.match(r"(\d)\.(\d{1,3})\b", version)
    if found is None:
        return False
    return (int(found[1]), int(found[2])) < ((2, 2) if version.endswith("-tf") else (2, 3))


def _json(archive: Archive, name: str) -> Mapping[str, Any]:
    file = archive.file
    entry = archive.entries.get(name)
    if entry is None:
        raise file.fault(f"the archive has no {name}: it is no Keras model")
    if entry.size > MAX_CONFIG:
        raise file.fault("the configuration is larger than that of any model", entry=name)
    try:
        text = read_entry(archive, entry).tobytes().decode("utf-8")
    except UnicodeDecodeError:
        raise file.fault("the configuration is no UTF-8 text", entry=name) from None
    return _mapping(file, parse_json(file, text, name), name)


def _mapping(file: ModelFile, value: object, entry: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise file.fault("the configuration is not a mapping", entry=entry)
    return value


def _check_sum(file: ModelFile, entry: Entry, place: int) -> None:
    """Raise unless the bytes of a stored entry match its checksum."""
    crc, block = 0, memoryview(bytearray(min(BLOCK, entry.size)))
    for start in range(0, entry.size, BLOCK):
        part = block[: min(BLOCK, entry.size - start)]
        file.read_into(place + start, part)
        crc = zlib.crc32(part, crc)
    if entry.crc and crc != entry.crc:
        raise file.fault(
            "the data do not match their checksum: the file is damaged", entry=entry.name
        )
