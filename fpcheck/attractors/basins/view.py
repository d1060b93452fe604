"""A slice of the basins as a picture: plain data from plain data."""

from __future__ import annotations

from fpcheck.core.plain import Section
from fpcheck.core.tables import Axis, Mark, Picture, Region

# Basins that get a colour of their own; the smaller ones are drawn as one.
COLOURED = 26


def picture(section: Section) -> Picture:
    """The picture of a slice, as `basins.slice.Slice` becomes plain."""
    kept, rest = _kept(section["regions"])
    regions = [Region(each["id"], _share(each["share"]), each["kind"]) for each in kept]
    index = {each["symbol"]: number for number, each in enumerate(kept)}
    if rest:
        share = sum(each["share"] for each in rest)
        regions.append(Region("others", f"{_share(share)}, {len(rest)} more basins", "other"))
        index |= {each["symbol"]: len(kept) for each in rest}
    return Picture(
        title=_title(section),
        cells=tuple(tuple(index[symbol] for symbol in row) for row in section["rows"]),
        regions=tuple(_worded(region, section) for region in regions),
        x=Axis(section["x_title"], section["x_low"], section["x_high"]),
        y=Axis(section["y_title"], section["y_low"], section["y_high"]),
        marks=tuple(
            Mark(each["id"], each["x"], each["y"], each["stable"]) for each in section["marks"]
        ),
        shades=tuple(tuple(int(digit) for digit in row) for row in section["shades"]),
        shading=_shading(section),
        caption=_caption(section),
    )


def _kept(regions: list[Section]) -> tuple[list[Section], list[Section]]:
    """The regions that are drawn one by one, and the basins that are drawn together."""
    basins = [each for each in regions if each["kind"] == "basin"]
    rest = basins[COLOURED:]
    return [each for each in regions if each not in rest], rest


def _worded(region: Region, section: Section) -> Region:
    words = {
        "unresolved": f", unresolved after {section['max_steps']} steps",
        "diverged": ", diverged",
    }.get(region.kind, ", on something not listed" if region.name == "elsewhere" else "")
    name = "∞" if region.kind == "diverged" else region.name
    return Region(name, region.text + words, region.kind)


def _title(section: Section) -> str:
    if "plane" in section:
        return f"Basins in {section['plane']}"
    names = section["through"]  # of a report that an earlier version wrote
    return f"Basins in the plane through {', '.join(names)}" if names else "Basins in a plane"


def _caption(section: Section) -> str:
    cells = f"{section['columns']} x {section['height']} cells by their centres (numerical)"
    filled = section["columns"] * section["height"] - section["cells_run"]
    if filled:
        cells += f", {filled} of them filled in from neighbours that all end alike"
    centre = f" from {section['centre']}" if section.get("centre") else ""
    text = f"Axes: distance (2-norm){centre}. Shares of this square, of no law; {cells}."
    if not section["marks"]:
        text += " No fixed point lies on this plane, so none is marked."
    if section["basin_entropy"] > 0.0:
        fractal = " (above log 2: a fractal border)" if section["boundary_entropy"] > 0.6931 else ""
        text += (
            f" Basin entropy {section['basin_entropy']:.3f}, at the borders "
            f"{section['boundary_entropy']:.3f} nats{fractal}."
        )
    return text


def _shading(section: Section) -> str:
    fewest, most = section["fewest_steps"], section["most_steps"]
    return f"Darker took longer: {fewest} to {most} steps and more." if most > fewest else ""


def _share(share: float) -> str:
    return f"{share:.1%}" if share >= 0.0005 else "below 0.1%"
