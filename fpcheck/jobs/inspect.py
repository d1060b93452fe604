"""What `fpcheck inspect` tells of a subject: its summary, and which initialiser it looks like."""

from __future__ import annotations

from typing import Any

from threadpoolctl import threadpool_limits

from fpcheck.core.plain import as_section, plain
from fpcheck.network.subject import Subject
from fpcheck.network.summary import summarise
from fpcheck.weights.criticality import criticality
from fpcheck.weights.matrix_laws import laws


def inspect(subject: Subject) -> dict[str, Any]:
    """The summary's plain data, `initialisers`: (tensor, law) of every weight matrix, and
    `criticality`: what those that are recognised mean for the signal.

    The network is not run. Tensors that are too many to be held are left to `fpcheck analyze`.
    """
    with threadpool_limits(1, "blas"):
        found = laws(subject.tensors, subject.network)
        known = () if subject.network is None else criticality(subject.network, found)
    return {
        **as_section(summarise(subject)),
        "initialisers": [{"tensor": name, "law": plain(law)} for name, law in found.items()],
        "criticality": plain(known),
    }
