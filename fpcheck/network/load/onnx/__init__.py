"""ONNX: graph and weights, read with the `onnx` package; nothing in the file is ever run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpcheck.network.load.files import ModelFile
    from fpcheck.network.load.graph_file import GraphFile, GraphRequest


def onnx_graph(file: ModelFile, request: GraphRequest) -> GraphFile:
    """The network in an ONNX file, or the part of it before an operator that is not supported.

    Raises:
        ModelFileError: the file cannot be read, or the extra `onnx` is missing.
    """
    from fpcheck.network.load.onnx.reading import read_onnx  # onnx takes a while to import

    return read_onnx(file, request)
