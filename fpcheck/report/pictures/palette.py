"""The colours of a picture: one a basin, greys for what is no basin, dimmed by shades."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from fpcheck.core.tables import Picture, Region

Colour: TypeAlias = tuple[int, int, int]

# Nine by hand, then each as far as can be from all before it and from the greys, in OKLab as seen
# with full colour vision, without red cones and without green ones, taken together.
_HEX = """
4C78A8 F2A541 59A87C D9534F 8E6BBF 7BC5D8 E891B9 9C755F F2D35E 942864 286434 4040B8 28A0F4
28F4AC D07CF4 288828 A04028 64D058 C44088 C48828 405888 4070E8 9434A0 B87CA0 F47C70 28F4F4
"""
PALETTE: tuple[Colour, ...] = tuple(
    (int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)) for code in _HEX.split()
)
GREYS: dict[str, Colour] = {
    "other": (0xB8, 0xBC, 0xC4),
    "unresolved": (0xEE, 0xEE, 0xF1),
    "diverged": (0x2B, 0x2F, 0x36),
    "blank": (0xFA, 0xFA, 0xFB),
}
DARKEST = 9  # the last of the shades
# The lightest shade is this far on the way to white, the darkest this far on the way to black.
LIGHTENED, DARKENED = 0.22, 0.38


def colours(regions: Sequence[Region]) -> list[Colour]:
    """The colour of every region: the palette's in order for basins, over again after the last."""
    out: list[Colour] = []
    basins = 0
    for region in regions:
        if region.kind == "basin":
            out.append(PALETTE[basins % len(PALETTE)])
            basins += 1
        else:
            out.append(GREYS[region.kind])
    return out


def legend_of(picture: Picture) -> list[tuple[Region, Colour]]:
    """The regions that a file's legend names: of curves those that are drawn."""
    drawn = {curve.region for curve in picture.curves}
    pairs = zip(picture.regions, colours(picture.regions), strict=True)
    return [pair for number, pair in enumerate(pairs) if not picture.curves or number in drawn]


def shaded(colour: Colour, shade: int) -> Colour:
    """The colour under a shade from 0 to 9."""
    along = LIGHTENED - (LIGHTENED + DARKENED) * shade / DARKEST
    target, share = (255, along) if along > 0.0 else (0, -along)
    red, green, blue = (round(part + share * (target - part)) for part in colour)
    return red, green, blue


def cell_colours(picture: Picture) -> list[list[Colour]]:
    """The colour of every cell, rows from the top.

    What did not settle is not shaded: it always took all the steps.
    """
    base = colours(picture.regions)
    if not picture.shades:
        return [[base[index] for index in row] for row in picture.cells]
    table = [
        [shaded(colour, shade) if region.kind in ("basin", "other") else colour
         for shade in range(DARKEST + 1)]
        for colour, region in zip(base, picture.regions, strict=True)
    ]  # fmt: skip
    return [
        [table[index][shade] for index, shade in zip(row, shades, strict=True)]
        for row, shades in zip(picture.cells, picture.shades, strict=True)
    ]


def hex_code(colour: Colour) -> str:
    """#rrggbb."""
    return "#" + "".join(f"{part:02x}" for part in colour)
