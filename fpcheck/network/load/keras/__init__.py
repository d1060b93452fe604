"""Keras models: `.keras` archives and `.h5` files, read without Keras; nothing in them is run."""

from fpcheck.network.load.keras.model import keras_contents, keras_graph

__all__ = ["keras_contents", "keras_graph"]
