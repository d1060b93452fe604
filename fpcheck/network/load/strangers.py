"""What a file is when it is no model that is read here: told from its first bytes and its name.

A download that went wrong, a format of another framework, a right format under a wrong suffix: each
is named, with what to do instead.
"""

from __future__ import annotations

import string
from pathlib import Path

from fpcheck.core.printable import printable

HEAD = 512  # bytes that tell
SHORTEST = 8  # characters; fewer may begin anything
QUOTED = 40  # characters of a text that are shown
# Suffixes of formats that never are text; another suffix is told to be unknown, text or not.
_BINARY = (
    *(".npz", ".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".tar", ".jit", ".ptl"),
    *(".skops", ".onnx", ".h5", ".hdf5", ".keras"),
)
_TEXT = frozenset(string.printable.encode())
_NEVER_ZIP = (".safetensors", ".onnx", ".h5", ".hdf5")
_ONNX = "convert it to .onnx"
_PICKLE = "a pickle can run commands and is not read; save the weights with numpy.savez"
_TENSORFLOW = (
    "load it with Keras and write model.save('model.keras'), or convert it: "
    "python -m tf2onnx.convert"
)
_EXPORTED = (
    "save its weights, torch.save(program.state_dict, 'weights.pt'), or its graph: "
    "torch.onnx.export"
)
_LLAMA = "bring the .safetensors files that it was made from"
_LFS = "fetch the file that it stands for: git lfs pull"
_ROWS = "rows of data go beside a model: --data FILE"

# What begins like this is no model. [git-lfs specification; the formats' own magic numbers]
_SIGNS = (
    (0, b"version https://git-lfs", "is a Git LFS pointer, not the file itself", _LFS),
    (0, b"\x89PNG", "is an image", ""),
    (0, b"\xff\xd8\xff", "is an image", ""),
    (0, b"GIF8", "is an image", ""),
    (0, b"%PDF", "is a PDF document", ""),
    (0, b"\x1f\x8b", "is compressed with gzip", "unpack it first: gunzip"),
    (0, b"\xfd7zXZ\0", "is compressed with xz", "unpack it first: unxz"),
    (0, b"\x28\xb5\x2f\xfd", "is compressed with zstandard", "unpack it first: unzstd"),
    (0, b"7z\xbc\xaf", "is a 7z archive", "unpack it first"),
    (0, b"Rar!", "is a RAR archive", "unpack it first"),
    (0, b"GGUF", "is a GGUF file", _LLAMA),
    (0, b"\x93NUMPY", "is a single NumPy array", _ROWS),
    (4, b"TFL3", "is a TensorFlow Lite model", "python -m tf2onnx.convert --tflite FILE"),
    (4, b"ORTM", "is a model in onnxruntime's own format", "bring the .onnx it was made from"),
)

# What to do with a file of another kind, by its suffix.
ADVICE = {
    ".json": "a saved report is shown by fpcheck report FILE; of a model's folder, name the folder",
    ".csv": _ROWS,
    ".npy": _ROWS,
    ".parquet": _ROWS,
    ".py": "a live model is named package.module:factory",
    ".pkl": _PICKLE,
    ".pickle": _PICKLE,
    ".joblib": "a pickle can run commands and is not read; save the model with skops.io.dump",
    ".msgpack": "restore it with Flax and save the flat dict with numpy.savez",
    ".gguf": _LLAMA,
    ".ggml": _LLAMA,
    ".pb": f"of TensorFlow: {_TENSORFLOW}",
    ".index": _TENSORFLOW,
    ".data-00000-of-00001": _TENSORFLOW,
    ".tflite": "convert it: python -m tf2onnx.convert --tflite FILE --output model.onnx",
    ".ort": "bring the .onnx that it was made from",
    ".engine": "bring the .onnx that it was made from",
    ".plan": "bring the .onnx that it was made from",
    ".xml": "of OpenVINO: bring the .onnx that it was made from",
    ".mlmodel": "of Core ML: bring the model that it was made from, exported to .onnx",
    ".mlpackage": "of Core ML: bring the model that it was made from, exported to .onnx",
    ".caffemodel": _ONNX,
    ".pdparams": f"of Paddle: {_ONNX} with paddle2onnx",
    ".pdmodel": f"of Paddle: {_ONNX} with paddle2onnx",
    ".pdiparams": f"of Paddle: {_ONNX} with paddle2onnx",
    ".pt2": _EXPORTED,
    ".pte": _EXPORTED,
    ".zip": "unpack it, and name the model file in it",
    ".tar": "unpack it, and name the model file in it",
    ".nemo": "unpack it with tar, and name the model file in it",
    ".mar": "unpack it with unzip, and name the model file in it",
    ".gz": "unpack it first",
    ".tgz": "unpack it first",
    ".xz": "unpack it first",
}


def stranger(path: Path, head: bytes, size: int) -> tuple[str, str] | None:
    """(what the file is, what to do) of one that is no model of its suffix; None of others.

    Args:
        path: of the file.
        head: its first HEAD bytes, or all of them.
        size: bytes that it has.
    """
    for place, sign, what, hint in _SIGNS:
        if head.startswith(sign, place):
            return what, hint or "is this the right file?"
    name = path.name.lower()
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "is a web page, not a model", "download the file itself; does it need a login?"
    if name.endswith(_BINARY) and _is_text(head):
        line = head.decode("ascii").strip().split("\n")[0]
        return f"is a text, not a model: '{printable(line[:QUOTED])}'", "is this the right file?"
    return _misnamed(path.stem, name, head, size)


def _is_text(head: bytes) -> bool:
    return len(head.strip()) >= SHORTEST and _TEXT.issuperset(head)


def _misnamed(stem: str, name: str, head: bytes, size: int) -> tuple[str, str] | None:
    """As `stranger`, of a format that is read, under a suffix that is not its own."""
    header = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and 0 < header <= size - 8 and not name.endswith(".safetensors"):
        return "holds safetensors under another suffix", f"rename it to {stem}.safetensors"
    if head.startswith(b"\x89HDF\r\n\x1a\n") and not name.endswith((".h5", ".hdf5", ".keras")):
        return "is an HDF5 file under another suffix", f"rename it to {stem}.h5"
    if head.startswith(b"PK\x03\x04") and name.endswith(_NEVER_ZIP):
        return (
            "is a zip archive under another suffix",
            "give it the suffix that it was saved under: .pt, .npz or .keras",
        )
    return None
