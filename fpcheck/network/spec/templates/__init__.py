"""The specs that `fpcheck new` writes, and the JSON schema of the spec."""

from __future__ import annotations

import difflib
import json
from importlib import resources

from fpcheck.core.errors import UsageError
from fpcheck.core.plain import Section

KINDS = ("mlp", "cnn1d", "autoencoder", "rnn")


def template(kind: str) -> str:
    """The commented spec of the given kind, as text to start from.

    Raises:
        UsageError: no such kind.
    """
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(KINDS)}"
        raise UsageError(f"there is no template '{kind}'", hint=hint)
    return resources.files(__package__).joinpath(f"{kind}.toml").read_text("utf-8")


def schema() -> Section:
    """The JSON schema of a spec, for editors and for other programs that write specs."""
    text = resources.files("fpcheck.network.spec").joinpath("schema.json").read_text("utf-8")
    loaded: Section = json.loads(text)
    return loaded
