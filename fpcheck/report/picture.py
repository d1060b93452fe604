"""The picture of a report: the slice that was asked for, else the diagram over the gain."""

from __future__ import annotations

from fpcheck.attractors.basins.view import picture as slice_picture
from fpcheck.attractors.gain_view import diagram
from fpcheck.core.errors import UsageError
from fpcheck.core.plain import Section
from fpcheck.core.tables import Picture


def picture_of(document: Section) -> Picture:
    """The first map's slice, or its diagram of the fixed points over the gain.

    Raises:
        UsageError: the report has neither.
    """
    maps = document["attractors"].get("maps", ())
    for one in maps:
        if one.get("slice"):
            return slice_picture(one["slice"])
    for one in maps:
        if one.get("continuation") and "skipped" not in one["continuation"]:
            return diagram(one["continuation"])
    raise UsageError(
        f"the report on {document['subject']['name']} holds no picture",
        hint="fpcheck analyze MODEL --slice auto, or --continuation, draws one",
    )


def write_picture(document: Section, form: str) -> str | bytes:
    """The report's picture as a file of the format `form`: png, svg or html."""
    from fpcheck.report.pictures import write_page, write_png, write_svg

    picture = picture_of(document)
    if form == "png":
        return write_png(picture)
    if form == "svg":
        return write_svg(picture)
    return write_page(picture, heading=str(document["subject"]["name"]))
