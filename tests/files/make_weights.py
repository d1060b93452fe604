"""Writes the reference networks in the formats that hold weights alone, with the real libraries.

    python tests/files/make_weights.py

Needs torch, safetensors, scikit-learn, skops, flax and jax.
"""

from __future__ import annotations

import json
import warnings
import zipfile

import numpy as np
from reference import CNN_INPUT, FOLDER, cnn, mlp


def channels_last(layers):
    """The CNN as Flax and Keras keep it: kernels (h, w, in, out), rows flattened channels last."""
    out = {}
    for name, (weight, bias) in layers.items():
        if weight.ndim == 4:
            out[name] = (np.ascontiguousarray(weight.transpose(2, 3, 1, 0)), bias)
        else:
            by_place = weight.reshape(len(weight), 4, 2, 2).transpose(0, 2, 3, 1)
            out[name] = (np.ascontiguousarray(by_place.reshape(len(weight), -1).T), bias)
    return out


def without_debug_files(path):
    """The TorchScript archive rewritten without the names of the source files of its maker."""
    with zipfile.ZipFile(path) as archive:
        kept = [(e, archive.read(e)) for e in archive.infolist() if ".debug_pkl" not in e.filename]
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in kept:
            archive.writestr(entry.filename, data, entry.compress_type)


def npz():
    layers = list(mlp().values())
    folder = FOLDER / "npz"
    habits = {
        "w0_b0": {
            f"{letter}{i}": part
            for i, pair in enumerate(layers)
            for letter, part in zip("wb", pair, strict=True)
        },
        "W1_slash_b1": {
            f"{letter}{i + 1}": part
            for i, (w, b) in enumerate(layers)
            for letter, part in (("W", w.T), ("b", b))
        },
        "layers": {
            f"layers.{i}.{word}": part
            for i, pair in enumerate(layers)
            for word, part in zip(("weight", "bias"), pair, strict=True)
        },
        "coefs": {f"coefs_{i}": w.T for i, (w, _) in enumerate(layers)}
        | {f"intercepts_{i}": b for i, (_, b) in enumerate(layers)},
    }
    for name, arrays in habits.items():
        np.savez(folder / f"mlp_{name}.npz", **arrays)
    np.savez(folder / "mlp_arr.npz", *(part for pair in layers for part in pair))
    parts = {
        f"{name}.{word}": part
        for name, pair in cnn().items()
        for word, part in zip(("weight", "bias"), pair, strict=True)
    }
    np.savez(folder / "cnn.npz", **parts)


def pytorch():
    import torch
    from safetensors.torch import save_file
    from torch import nn

    def filled(module, layers):
        own = [part for part in module if hasattr(part, "weight")]
        with torch.no_grad():
            for part, (weight, bias) in zip(own, layers.values(), strict=True):
                part.weight.copy_(torch.from_numpy(weight))
                part.bias.copy_(torch.from_numpy(bias))
        return module.eval()

    networks = {
        "mlp": (
            filled(
                nn.Sequential(
                    nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 6)
                ),
                mlp(),
            ),
            (6,),
        ),
        "cnn": (
            filled(
                nn.Sequential(
                    nn.Conv2d(2, 3, 3, padding=1),
                    nn.ReLU(),
                    nn.MaxPool2d(2),
                    nn.Conv2d(3, 4, 3),
                    nn.ReLU(),
                    nn.Flatten(),
                    nn.Linear(16, 5),
                ),
                cnn(),
            ),
            CNN_INPUT,
        ),
    }
    folder, shards = FOLDER / "pytorch", FOLDER / "safetensors"
    for name, (module, shape) in networks.items():
        state = module.state_dict()
        torch.save(state, folder / f"{name}.pt")
        torch.save(state, folder / f"{name}_legacy.pt", _use_new_zipfile_serialization=False)
        torch.jit.save(torch.jit.script(module), folder / f"{name}_script.pt")
        traced = torch.jit.trace(module, torch.zeros(1, *shape))
        torch.jit.save(traced, folder / f"{name}_trace.jit")
        save_file(state, shards / f"{name}.safetensors")
        # Two shards and their index, as the hubs have them, in both formats.
        keys = list(state)
        halves = (keys[: len(keys) // 2], keys[len(keys) // 2 :])
        for stem, suffix, save, home in (
            ("model", "safetensors", save_file, shards),
            ("pytorch_model", "bin", torch.save, folder),
        ):
            own = home / f"{name}_sharded"
            own.mkdir(exist_ok=True)
            places = {}
            for i, half in enumerate(halves):
                shard = f"{stem}-{i + 1:05}-of-00002.{suffix}"
                save({key: state[key] for key in half}, own / shard)
                places |= dict.fromkeys(half, shard)
            size = sum(tensor.numel() * 4 for tensor in state.values())
            index = {"metadata": {"total_size": size}, "weight_map": places}
            (own / f"{stem}.{suffix}.index.json").write_text(json.dumps(index, indent=2))
    frozen = torch.jit.freeze(torch.jit.script(networks["mlp"][0]))
    torch.jit.save(frozen, folder / "mlp_frozen.pt")
    networks["mlp"][0].half()
    torch.jit.script(networks["mlp"][0])._save_for_lite_interpreter(
        str(folder / "mlp_lite_half.ptl")
    )
    for path in (*folder.glob("*_script.pt"), *folder.glob("*.jit"), *folder.glob("*.ptl")):
        without_debug_files(path)
    without_debug_files(folder / "mlp_frozen.pt")


def flax():
    import jax
    from flax import linen as nn
    from flax.traverse_util import flatten_dict
    from safetensors.numpy import save_file

    class Mlp(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.tanh(nn.Dense(5)(x))
            x = nn.tanh(nn.Dense(4)(x))
            return nn.Dense(6)(x)

    class Cnn(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.relu(nn.Conv(3, (3, 3), padding=1)(x))
            x = nn.max_pool(x, (2, 2), (2, 2))
            x = nn.relu(nn.Conv(4, (3, 3), padding="VALID")(x))
            return nn.Dense(5)(x.reshape(len(x), -1))

    def filled(module, row, layers):
        flat = flatten_dict(module.init(jax.random.key(0), row), sep="/")
        modules = sorted({key.rsplit("/", 1)[0] for key in flat}, key=lambda key: key)
        for name, (weight, bias) in zip(modules, layers.values(), strict=True):
            assert flat[f"{name}/kernel"].shape == weight.shape
            flat |= {f"{name}/kernel": weight, f"{name}/bias": bias}
        return {key: np.asarray(value) for key, value in flat.items()}

    folder = FOLDER / "flax"
    flat = filled(
        Mlp(), np.zeros((1, 6)), {name: (w.T.copy(), b) for name, (w, b) in mlp().items()}
    )
    np.savez(folder / "mlp.npz", **flat)
    save_file(
        {key.replace("/", "."): value for key, value in flat.items()}, folder / "mlp.safetensors"
    )
    image = np.zeros((1, *CNN_INPUT[1:], CNN_INPUT[0]))
    np.savez(folder / "cnn.npz", **filled(Cnn(), image, channels_last(cnn())))


def skops():
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from skops.io import dump

    folder = FOLDER / "skops"
    rng = np.random.default_rng(7)
    rows = rng.standard_normal((20, 6)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network = MLPRegressor(
            hidden_layer_sizes=(5, 4), activation="tanh", solver="lbfgs", max_iter=1, random_state=0
        )
        network.fit(rows, rows)
        network.coefs_ = [weight.T for weight, _ in mlp().values()]
        network.intercepts_ = [bias for _, bias in mlp().values()]
        dump(network, folder / "mlp.skops")
        dump(make_pipeline(StandardScaler().fit(rows), network), folder / "pipeline.skops")
        classifier = MLPClassifier(hidden_layer_sizes=(4,), max_iter=1, random_state=0)
        classifier.fit(rows, np.arange(20) % 3)
        dump(classifier, folder / "classifier.skops")


if __name__ == "__main__":
    for make in (npz, pytorch, flax, skops):
        make()
