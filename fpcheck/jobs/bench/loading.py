"""Reading a checkpoint: ours (hash, tensors, chain of layers) against each format's own reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from fpcheck.core.streams import random_stream
from fpcheck.jobs.bench.chains import torch_module
from fpcheck.jobs.bench.race import OURS, Race
from fpcheck.network.load import load

Tensors = Mapping[str, NDArray[np.generic]]

LAYERS = 8
WIDTH = 512


def loading_races(quick: bool) -> Iterator[Race[Tensors]]:
    """A race a format, over one chain of float32 layers (8 MB)."""
    tensors = _tensors()
    torch = torch_module()
    with TemporaryDirectory() as folder:
        files = {
            suffix: Path(folder) / f"chain.{suffix}" for suffix in ("npz", "safetensors", "pt")
        }
        np.savez(files["npz"], allow_pickle=False, **tensors)
        save_file(tensors, files["safetensors"])
        peers: dict[str, tuple[str, Callable[[], Tensors]]] = {
            "npz": ("numpy", lambda: dict(np.load(files["npz"]))),
            "safetensors": ("safetensors", lambda: load_file(files["safetensors"])),
        }
        if torch is not None:
            torch.save({name: torch.from_numpy(t) for name, t in tensors.items()}, files["pt"])
            peers["pt"] = (
                "torch",
                lambda: {
                    name: tensor.numpy()
                    for name, tensor in torch.load(files["pt"], weights_only=True).items()
                },
            )
        for suffix, (peer, read) in peers.items():
            yield Race(
                group="load",
                case=f".{suffix}, {LAYERS} layers of width {WIDTH}, float32",
                ways={OURS: _ours(files[suffix]), peer: read},
                agree=_agree,
                rounds=3 if quick else 7,
            )


def _tensors() -> dict[str, NDArray[np.float32]]:
    rng = random_stream(0, "bench", 200)
    tensors = {}
    for i in range(LAYERS):
        tensors[f"{i}.weight"] = rng.normal(size=(WIDTH, WIDTH)).astype(np.float32)
        tensors[f"{i}.bias"] = rng.normal(size=WIDTH).astype(np.float32)
    return tensors


def _ours(path: Path) -> Callable[[], Tensors]:
    return lambda: load(path, activation="tanh").tensors


def _agree(ours: Tensors, theirs: Tensors) -> None:
    assert set(ours) == set(theirs), "different tensors"
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(np.asarray(ours[name]), tensor)
