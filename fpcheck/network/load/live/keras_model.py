"""A Keras model as a subject: saved to a file of its own for a moment and read as any other."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path

import numpy as np

from fpcheck.core.errors import DataError, FpcheckError
from fpcheck.network.constant_input import ConstantInput
from fpcheck.network.load.files import open_model
from fpcheck.network.load.graph_file import GraphFile, GraphRequest
from fpcheck.network.load.keras import keras_graph
from fpcheck.network.load.live.black_box import Array, Function, described, open_black_box
from fpcheck.network.load.live.entrance import SHAPE_HINT
from fpcheck.network.load.live.fingerprint import fingerprint
from fpcheck.network.load.live.kinds import Foreign
from fpcheck.network.network import Network
from fpcheck.network.program import forward
from fpcheck.network.skeleton import Shape
from fpcheck.network.subject import Subject

HASHED = "the SHA-256 is of the weights' names and bytes"
TRIAL_ROWS = 2
AGREEMENT = 1e-3  # of the largest output: rounding in single precision


def keras_subject(name: str, model: Foreign, shape: Shape | None, held: ConstantInput) -> Subject:
    """The subject of a keras.Model.

    Raises:
        ModelFileError: its configuration cannot be read, and calling it fails too.
    """
    read = _read(name, model, shape, held)
    return Subject(
        name=name,
        format="keras",
        sha256=fingerprint(read.tensors),
        tensors=read.tensors,
        network=read.network,
        no_network=read.no_network,
        hint=read.hint,
        outline=read.outline,
        notes=(HASHED, *read.notes),
        unused=read.unused,
        cells=read.cells,
        partial=read.partial,
    )


def _read(name: str, model: Foreign, shape: Shape | None, held: ConstantInput) -> GraphFile:
    try:
        read = _saved(model, held)
    except DataError:  # the constant input fits no cell
        raise
    except FpcheckError as error:
        return _called(name, model, shape, f"its configuration is not read ({error.message})")
    except Exception as error:  # whatever the model's own get_config raises
        return _called(name, model, shape, f"it cannot be saved ({described(error)})")
    if read.network is None and not read.cells:
        return _called(name, model, shape, "its configuration alone does not tell the network")
    if read.network is None or read.partial is not None or _agrees(model, read.network):
        return read
    return _called(name, model, shape, "its configuration does not give what the model gives")


def _saved(model: Foreign, held: ConstantInput) -> GraphFile:
    """What the reader of `.keras` files makes of the model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        with open_model(path) as file:
            return keras_graph(file, GraphRequest(constant=held))


def _called(name: str, model: Foreign, shape: Shape | None, why: str) -> GraphFile:
    """The model as a black box."""
    tensors = {
        variable.path: np.array(value)
        for variable, value in zip(model.weights, model.get_weights(), strict=True)
    }
    row = shape or _row(model)
    if row is None:
        return GraphFile(tensors, no_network=why, hint=SHAPE_HINT)
    opened = open_black_box(name, _function(model), row)
    return GraphFile(
        tensors, opened.network, outline=opened.network.skeleton, notes=(why, *opened.notes)
    )


def _row(model: Foreign) -> Shape | None:
    """The shape of a row that the model was built for."""
    shape = getattr(model, "input_shape", None) if getattr(model, "built", False) else None
    if not isinstance(shape, tuple) or not all(isinstance(n, int) for n in shape[1:]):
        return None
    return tuple(shape[1:]) or None


def _function(model: Foreign) -> Function:
    """The model as a function of arrays."""

    def function(x: Array) -> object:
        ops = importlib.import_module("keras").ops
        value = model(ops.convert_to_tensor(x.astype(np.float32)), training=False)
        return ops.convert_to_numpy(value)

    return function


def _agrees(model: Foreign, network: Network) -> bool:
    """Whether the network gives what the model gives on rows that are tried."""
    x = np.random.default_rng(0).standard_normal((TRIAL_ROWS, *network.skeleton.input_shape))
    try:
        wanted = np.asarray(_function(model)(x), dtype=np.float64)
    except Exception:  # the black box that comes next says what it is
        return False
    found = forward(network.program, x)
    limit = AGREEMENT * max(1.0, float(np.abs(wanted).max()))
    return wanted.shape == found.shape and bool((np.abs(wanted - found) <= limit).all())
