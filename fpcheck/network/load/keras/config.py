"""The configuration of a Keras model: JSON read with bounds, its settings read with their types.

Nothing that it names is imported or run; it is data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load.files import ModelFile, shown

MAX_CONFIG = 2**24  # characters; the largest published models take under two million
# A value takes up to 100 bytes of memory and two characters of text, hence a bound of its own.
MAX_VALUES = 2**20
# Layers that do nothing at inference.
IDENTITY = (
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "AlphaDropout", "GaussianDropout",
    "GaussianNoise", "ActivityRegularization", "Identity", "RandomFlip", "RandomRotation",
    "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness",
)  # fmt: skip


def parse_json(file: ModelFile, text: str, entry: str) -> object:
    """The value that a JSON text in `file` is.

    Raises:
        ModelFileError: it is too large, too deep, no JSON, or names a key twice.
    """
    if len(text) > MAX_CONFIG or text.count(",") + text.count("[") + text.count("{") > MAX_VALUES:
        raise file.fault("the configuration is larger than that of any model", entry=entry)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise file.fault(f"the configuration names '{shown(twice)}' twice", entry=entry)
        return found

    try:
        found: object = json.loads(text, object_pairs_hook=unique)
        return found
    except RecursionError:
        raise file.fault("the configuration is nested too deeply", entry=entry) from None
    except ValueError as error:
        words = shown(str(error))
        raise file.fault(f"the configuration is no JSON ({words})", entry=entry) from None


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """The settings of one layer, read by key with their type; `name` is what messages call it."""

    name: str
    class_name: str
    values: Mapping[str, Any]

    def fault(self, key: str, wanted: str) -> ModelFileError:
        """An error about the setting `key`, to be raised."""
        found = shown(repr(self.values.get(key)), 60)
        return ModelFileError(
            f"layer '{shown(self.name)}' ({shown(self.class_name)}): '{shown(key)}' is {found}, "
            f"expected {wanted}"
        )

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number."""
        value = self.values.get(key, default)
        if type(value) is not int or not -(2**40) < value < 2**40:
            raise self.fault(key, "a whole number")
        return value

    def number(self, key: str, default: float) -> float:
        """A finite number; Keras 3 writes some as {"class_name": "__numpy__", ...}."""
        value = self.values.get(key, default)
        if isinstance(value, Mapping):
            inner = value.get("config")
            value = inner.get("value") if isinstance(inner, Mapping) else None
        if isinstance(value, list) and len(value) == 1:
            (value,) = value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fault(key, "a number")
        try:
            number = float(value)
        except OverflowError:
            raise self.fault(key, "a number") from None
        if not math.isfinite(number):
            raise self.fault(key, "a finite number")
        return number

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.fault(key, "true or false")
        return value

    def word(self, key: str, default: str) -> str:
        """A string; null counts as the default."""
        value = self.values.get(key)
        value = default if value is None else value
        if not isinstance(value, str):
            raise self.fault(key, "a word")
        return value

    def sizes(self, key: str, count: int, default: int | None = None) -> tuple[int, ...]:
        """`count` positive whole numbers, or one that stands for all."""
        value = self.values.get(key)
        value = default if value is None else value
        items = value if isinstance(value, list) else [value] * count
        if len(items) != count or not all(type(n) is int and 0 < n < 2**31 for n in items):
            raise self.fault(key, f"{count} positive whole numbers")
        return tuple(items)

    def integers(self, key: str) -> tuple[int, ...]:
        """Whole numbers, or one."""
        value = self.values.get(key)
        items = value if isinstance(value, list) else [value]
        if not all(type(n) is int and abs(n) < 2**40 for n in items):
            raise self.fault(key, "whole numbers")
        return tuple(items)

    @property
    def channels_first(self) -> bool:
        """Whether the layer's data format is channels first."""
        return self.word("data_format", "channels_last") == "channels_first"


def row_shape(config: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    """The input shape that a layer's configuration states, without the batch axis; None if none."""
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if not isinstance(shape, list) or not shape or len(shape) > 8:
        return None
    sizes = shape[1:]
    if not all(n is None or (type(n) is int and 0 < n < 2**31) for n in sizes):
        return None
    return tuple(sizes)
