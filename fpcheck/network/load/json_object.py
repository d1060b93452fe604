"""JSON objects out of model files: UTF-8, no key twice, nothing that nests without end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load.files import shown


def json_object(text: bytes | bytearray, fault: Callable[[str], ModelFileError]) -> dict[str, Any]:
    """The object that `text` is; whoever takes it apart checks the types of its values.

    fault: makes the error to be raised from what is wrong with the text.

    Raises:
        ModelFileError: it is no JSON, no object, or names a key twice.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("two keys have one name")
        return dict(pairs)

    # JSON nests by recursion in C; what nests deeper than a stack can is refused before.
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        reason = "it nests too deeply" if isinstance(error, RecursionError) else str(error)
        raise fault(shown(reason)) from None
    if not isinstance(value, dict):
        raise fault("it is no JSON object")
    return value
