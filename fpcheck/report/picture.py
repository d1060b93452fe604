"""The pictures of a report: slices, diagrams over the gain, and the curves of the questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fpcheck.attractors.basins.view import picture as slice_picture
from fpcheck.attractors.gain_view import diagram, has_diagram
from fpcheck.core.errors import UsageError
from fpcheck.core.plain import Section
from fpcheck.core.tables import Picture
from fpcheck.escape.figures_view import pictures as escape
from fpcheck.readout.figures_view import pictures as readout
from fpcheck.simplicity.figures_view import pictures as simplicity


def pictures_of(document: Section) -> tuple[Picture, ...]:
    """Every map's slice and diagram over the gain, then readout, labels and training probe.

    Raises:
        UsageError: the report has none.
    """
    found = (
        *_slices(document),
        *_diagrams(document),
        *readout(document.get("readout", {})),
        *simplicity(document.get("simplicity", {})),
        *escape(document.get("escape", {})),
    )
    if not found:
        why = _why_none(document["attractors"])
        raise UsageError(
            f"the report on {document['subject']['name']} holds no picture{why and f': {why}'}",
            where="--output",
            hint="fpcheck analyze MODEL --slice auto, --continuation or --data DATA draws one",
        )
    return found


def write_picture(document: Section, form: str) -> str | bytes:
    """The report's pictures as a file of the format `form`: html all, png and svg the first."""
    from fpcheck.report.pictures import write_page, write_png, write_svg

    found = pictures_of(document)
    if form == "png":
        return write_png(found[0])
    if form == "svg":
        return write_svg(found[0])
    return write_page(found, heading=str(document["subject"]["name"]))


def _why_none(section: Section) -> str:
    """What the report says of the pictures that were asked for; "" where none was."""
    if section.get("skipped"):
        return str(section["skipped"]) if section.get("asked", True) else ""
    parts = [one[key] for one in section.get("maps", ()) for key in ("slice", "continuation")]
    told = [str(part["skipped"]) for part in parts if part and part.get("skipped")]
    return told[0] if told else ""


def _slices(document: Section) -> Iterator[Picture]:
    maps = document["attractors"].get("maps", ())
    for one in maps:
        if one.get("slice") and "skipped" not in one["slice"]:
            yield _named(slice_picture(one["slice"]), one, maps)


def _diagrams(document: Section) -> Iterator[Picture]:
    maps = document["attractors"].get("maps", ())
    for one in maps:
        if one.get("continuation") and has_diagram(one["continuation"]):
            yield _named(diagram(one["continuation"]), one, maps)


def _named(picture: Picture, one: Section, maps: list[Section]) -> Picture:
    """The picture with the name of its map, where there are several."""
    return picture if len(maps) < 2 else replace(picture, title=f"{picture.title}: {one['name']}")
