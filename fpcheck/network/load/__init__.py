"""Readers of model files, one file a format; `load` is the entrance to all of them."""

from fpcheck.network.load.loading import load

__all__ = ["load"]
