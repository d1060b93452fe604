"""What a live model is called: `package.module:name`."""

from __future__ import annotations

import re

TARGET = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*(?:\.[^\W\d]\w*)*)")


def names_target(text: str) -> bool:
    """Whether `text` is of the form `package.module:name`."""
    return TARGET.fullmatch(text) is not None
