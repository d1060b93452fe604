"""A seeded fuzz of one loader: mutated files may only be read or refused by an error of ours.

    PYTHONPATH=tests python tests/hostile/mutate.py torchscript 60 0

runs for 60 seconds from seed 0 and prints the seeds of what went wrong. The tests run a short,
fixed part.
"""

from __future__ import annotations

import io
import json
import random
import sys
import tempfile
import time
import traceback
import zipfile
from pathlib import Path

from files.reference import FOLDER

from fpcheck.core.errors import FpcheckError
from fpcheck.network.load import load
from fpcheck.network.summary import summarise

# A word of JSON, a pickle opcode or a size that has been somebody's undoing.
NUMBERS = (0, 1, -1, 2**31 - 1, 2**31, 2**60, 2**63, 2**64 - 1, -(2**63), 1e308, True, None)
WORDS = ("..", "/", "\0", "a" * 300, "é\ud800", "coefs_", "params/x/kernel", "arr_0", "constants.0")
OPCODES = b"(.012}]uetRbQqhj\x80\x81\x85\x86\x94\x95cKMJX\x8a)NGo"

SEEDS = {
    "torchscript": ["pytorch/mlp_script.pt", "pytorch/mlp_trace.jit", "pytorch/mlp_frozen.pt"],
    "legacy": ["pytorch/mlp_legacy.pt", "pytorch/cnn_legacy.pt"],
    "pytorch": ["pytorch/mlp.pt"],
    "skops": ["skops/mlp.skops", "skops/classifier.skops"],
    "npz": ["npz/mlp_arr.npz", "npz/mlp_coefs.npz", "flax/mlp.npz"],
    "safetensors": ["safetensors/mlp.safetensors", "flax/mlp.safetensors"],
    "onnx": [f"onnx/{name}.onnx" for name in ("mlp", "mlp_matmul", "cnn", "mlp_stopped")],
    "keras": [f"keras/{name}" for name in ("mlp.keras", "cnn.h5", "recurrent.keras", "mlp.h5")],
    "sharded": ["safetensors/mlp_sharded", "pytorch/mlp_sharded"],
}


def bytes_mutated(data: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, taken out, put in, doubled or cut off."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not out:
            break
        place = rng.randrange(len(out))
        match rng.randrange(7):
            case 0:
                out[place] = rng.randrange(256)
            case 1:
                out[place] ^= 1 << rng.randrange(8)
            case 2:
                out[place] = rng.choice(OPCODES)
            case 3:
                del out[place : place + rng.choice((1, 2, 8, 64))]
            case 4:
                part = bytes(out[place : place + rng.choice((1, 4, 16, 64))])
                at = rng.randrange(len(out))
                out[at:at] = part
            case 5:
                width = rng.choice((1, 2, 4, 8))
                number = rng.choice((0, 1, 2**31, 2**60, 2**64 - 1, rng.getrandbits(64)))
                out[place : place + width] = (number % 2 ** (8 * width)).to_bytes(width, "little")
            case 6:
                del out[place:]
    return bytes(out)


def json_mutated(value: object, rng: random.Random) -> object:
    """The value with one of its parts replaced, taken out or nested."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        out = dict(value)
        match rng.randrange(8):
            case 0:
                del out[key]
            case 1:
                out[rng.choice(WORDS)] = out.pop(key)
            case _:
                out[key] = json_mutated(value[key], rng)
        return out
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], json_mutated(value[at], rng), *value[at + rng.randrange(2) :]]
    return rng.choice((*NUMBERS, *WORDS, [], {}, [value], {"content": value}, "tanh", '"exp"'))


def zip_mutated(data: bytes, rng: random.Random) -> bytes:
    """The archive with the contents of one entry changed, its checksums right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(out, "w") as after:
        names = before.namelist()
        pickles = [name for name in names if name.endswith((".pkl", ".json"))]
        chosen = rng.choice(pickles or names) if rng.random() < 0.8 else rng.choice(names)
        for name in names:
            part = before.read(name)
            if name == chosen:
                if name.endswith(".json") and rng.random() < 0.8:
                    part = json.dumps(json_mutated(json.loads(part), rng)).encode()
                else:
                    part = bytes_mutated(part, rng)
            after.writestr(name, part, rng.choice((0, 0, 8)))
    return out.getvalue()


def mutated(source: Path, target: Path, rng: random.Random) -> Path:
    """A mutated copy of a file, or of a folder of shards, under `target`."""
    if source.is_dir():
        target.mkdir(exist_ok=True)
        files = sorted(source.iterdir())
        chosen = rng.choice([files[-1], *files]) if rng.random() < 0.3 else None
        for file in files:
            data = file.read_bytes()
            if file.name.endswith(".json") and chosen is None:
                data = json.dumps(json_mutated(json.loads(data), rng)).encode()
            elif file == chosen:
                data = bytes_mutated(data, rng)
            (target / file.name).write_bytes(data)
        return target
    data = source.read_bytes()
    whole = not data.startswith(b"PK") or rng.random() < 0.3
    path = target.with_suffix(source.suffix)
    path.write_bytes(bytes_mutated(data, rng) if whole else zip_mutated(data, rng))
    return path


def attempt(name: str, seed: int, folder: Path) -> str:
    """What became of one mutated file: `read` or the error's class; other errors come through."""
    rng = random.Random(f"{name} {seed}")
    path = mutated(FOLDER / rng.choice(SEEDS[name]), folder / "model", rng)
    options = (
        {} if name in ("skops", "keras", "onnx") else {"activation": rng.choice(("tanh", None))}
    )
    try:
        summarise(load(path, **options))
    except FpcheckError as error:
        if not error.message or "\n" in error.message:
            raise AssertionError("an error is one line of text") from error
        return type(error).__name__
    return "read"


def main(name: str, seconds: float, seed: int) -> None:
    """Fuzz for some seconds under a memory limit, and print what was found."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))
    counts: dict[str, int] = {}
    start = time.monotonic()
    slowest = (0.0, -1)
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() - start < seconds:
            before = time.monotonic()
            try:
                outcome = attempt(name, seed, Path(folder))
            except Exception:
                outcome = "BUG"
                sys.stdout.write(f"seed {seed}\n{traceback.format_exc()}\n")
            slowest = max(slowest, (time.monotonic() - before, seed))
            counts[outcome] = counts.get(outcome, 0) + 1
            seed += 1
    sys.stdout.write(f"{name}: {counts}, slowest {slowest[0]:.2f} s (seed {slowest[1]})\n")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
