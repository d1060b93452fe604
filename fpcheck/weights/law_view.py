"""The law of every weight matrix as a table: which initialiser it looks like, and its scale."""

from __future__ import annotations

from collections.abc import Sequence

from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Table

TITLE = "Which initialiser"
MOST_ALTERNATIVES = 2
COLUMNS = (
    Column("tensor", "left"),
    Column("looks like", "left"),
    # The family's own estimate, not the mean square of the table above: they differ by chance.
    Column("σ_w² by law"),
    Column("95% CI"),
    Column("family", "left", priority=2),
    Column("why", "left", priority=3),
)


def law_table(laws: Sequence[tuple[str, Section]]) -> Table:
    """The table of (tensor, law) pairs in their order."""
    levels = {law["level"] for _, law in laws}
    caption = (
        f"a law is excluded where a test rejects it at {min(levels):g} in all, so a fresh layer is "
        "called trained less often than that"
        if levels
        else ""
    )
    strides = sorted({law["stride"] for _, law in laws if law["stride"] > 1})
    if strides:
        caption += f"; of the largest tensors every {strides[0]}th row or column was used"
    return Table(TITLE, COLUMNS, tuple(_row(name, law) for name, law in laws), caption)


def looks_like(law: Section) -> str:
    """The answer in a few words."""
    if law["initialiser"] is not None:
        return str(law["initialiser"])
    if law["initialiser_status"] == "cannot tell":
        names = [entry["name"] for entry in law["candidates"] if not entry["excluded"]]
        if len(names) == 1:
            return f"cannot tell ({names[0]} or near it)"
        shown = names[:MOST_ALTERNATIVES]
        more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
        return f"cannot tell ({', '.join(shown)}{more})" if names else "cannot tell"
    if law["initialiser_status"] == "none named":
        return f"{_family(law)}, of no named scale"
    by = ", by " if str(law["reason"]).startswith("the ") else ": "
    return f"{law['initialiser_status']}{by}{law['reason']}"


def _family(law: Section) -> str:
    """The family with its index: student_t(3.1), alpha_stable(1.5), lattice(8)."""
    index = law["index"]
    name = str(law["family"])
    return name if index is None or name == "cauchy" else f"{name}({index:.3g})"


def _row(name: str, law: Section) -> tuple[str, ...]:
    families = [str(family) for family in law["families"] if family != law["family"]]
    words, reason = looks_like(law), str(law["reason"])
    return (
        name,
        words,
        "-" if law["sigma_w2"] is None else f"{law['sigma_w2']:.4g}",
        _interval(law),
        " or ".join([_family(law), *families]) if law["families"] else "-",
        "-" if not reason or words.endswith(reason) else reason,
    )


def _interval(law: Section) -> str:
    low, high = law["sigma_w2_low"], law["sigma_w2_high"]
    if low is None or high is None:
        return "-"
    return "exact" if low == high else f"{low:.4g}–{high:.4g}"
