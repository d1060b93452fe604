"""Pictures as files: what is decoded again is what was drawn, and nothing in them acts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import zlib
from xml.etree import ElementTree

import pytest

from fpcheck.core.tables import Axis, Curve, Mark, Picture, Region
from fpcheck.report.pictures import write_page, write_png, write_svg
from fpcheck.report.pictures.canvas import Canvas
from fpcheck.report.pictures.figure import LEFT, TOP
from fpcheck.report.pictures.glyphs import GLYPHS, UNKNOWN, segments, text_width
from fpcheck.report.pictures.palette import GREYS, PALETTE, cell_colours, colours, shaded
from fpcheck.report.pictures.png import encode_cells
from fpcheck.report.pictures.ticks import ticks
from fpcheck.report.pictures.wrapping import shortened, wrapped

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert('&\"]]>\x1b[31m\u202e"


def picture(**changes):
    values = {
        "title": "Basins in the plane through A, B and C",
        "cells": ((0, 0, 1, 2), (0, 1, 1, 2), (0, 1, 3, 2)),
        "regions": (
            Region("A", "41.7%"), Region("B", "33.3%"),
            Region("?", "25.0%, unresolved after 2000 steps", "unresolved"),
            Region("∞", "8.3%, diverged", "diverged"),
        ),
        "x": Axis("from A towards B", -2.0, 2.0),
        "y": Axis("across", -1.5, 1.5),
        "marks": (Mark("A", -1.5, 1.0), Mark("D", 0.0, 0.0, stable=False)),
        "shades": ((0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 0, 1)),
        "shading": "Darker took longer.",
        "caption": "Shares of this square, of no law.",
    }  # fmt: skip
    return Picture(**{**values, **changes})


def decoded(data):
    """(width, height, rows of (r, g, b)) of a PNG, by the specification and nothing of ours."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, chunks = 8, {}
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        (check,) = struct.unpack(">I", data[place + 8 + length : place + 12 + length])
        assert check == zlib.crc32(kind + body)
        chunks[kind] = body
        place += 12 + length
    assert kind == b"IEND"
    width, height, depth, colour_type, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, rest) == (8, [0, 0, 0])
    size = {2: 3, 3: 1}[colour_type]
    raw = zlib.decompress(chunks[b"IDAT"])
    assert len(raw) == height * (1 + size * width)
    rows = []
    for row in range(height):
        line = raw[row * (1 + size * width) :][: 1 + size * width]
        assert line[0] == 0
        if colour_type == 3:
            table = chunks[b"PLTE"]
            rows.append([tuple(table[3 * i : 3 * i + 3]) for i in line[1:]])
        else:
            rows.append([tuple(line[1 + 3 * i : 4 + 3 * i]) for i in range(width)])
    return width, height, rows


def test_a_png_of_cells_has_their_colours():
    drawn = picture()
    width, height, rows = decoded(encode_cells(cell_colours(drawn)))
    assert (width, height) == (4, 3)
    assert rows == cell_colours(drawn)


def test_a_png_of_more_than_256_colours_keeps_every_one():
    cells = [[(i, j, 7) for i in range(20)] for j in range(20)]
    assert decoded(encode_cells(cells))[2] == cells


def test_the_figure_shows_every_cell_as_a_square_of_its_colour():
    drawn = picture(marks=())
    _, _, rows = decoded(write_png(drawn))
    scale = 720 // 4
    for i, line in enumerate(cell_colours(drawn)):
        for j, colour in enumerate(line):
            assert rows[TOP + i * scale + scale // 2][LEFT + j * scale + scale // 2] == colour
            assert rows[TOP + i * scale][LEFT + j * scale] == colour


def test_a_mark_lies_where_its_coordinates_say():
    _, _, rows = decoded(write_png(picture(shades=())))
    x = LEFT + round(720 * (-1.5 + 2.0) / 4.0)
    y = TOP + round(540 * (1.5 - 1.0) / 3.0)
    assert rows[y][x] == (0x1F, 0x23, 0x28)  # a filled disc
    middle = rows[TOP + 270][LEFT + 360]
    assert middle == (255, 255, 255)  # a hollow one


def test_the_figure_writes_title_legend_and_ticks():
    plain = decoded(write_png(picture()))
    for change in ({"title": ""}, {"x": Axis("", -2.0, 2.0)}, {"y": Axis("across", -3.0, 0.0)},
                   {"caption": "Another one."}):  # fmt: skip
        other = decoded(write_png(picture(**change)))
        assert other[2] != plain[2]


def test_the_same_picture_is_the_same_bytes():
    assert write_png(picture()) == write_png(picture())
    assert write_page(picture()) == write_page(picture())


def test_the_drawing_is_well_formed_and_holds_cells_axes_marks_and_legend():
    root = ElementTree.fromstring(write_svg(picture()))
    texts = [text for node in root.iter(f"{SVG}text") for text in node.itertext()]
    legend = ("A", "41.7%", "25.0%, unresolved after 2000 steps")
    caption = "Shares of this square, of no law. Darker took longer."
    for words in (*legend, "from A towards B", "across", "D", "−1", caption):
        assert words in texts
    (image,) = root.iter(f"{SVG}image")
    data = image.attrib["href"].removeprefix("data:image/png;base64,")
    assert decoded(base64.b64decode(data))[2] == cell_colours(picture())
    assert len(list(root.iter(f"{SVG}circle"))) == 4


def curved():
    curves = (
        Curve((-2.0, 2.0), (-1.5, 1.5), 0),
        Curve((-2.0, 0.0, 9.0), (1.0, 1.0, 9.0), 1),
    )
    return picture(curves=curves, marks=())


def test_curves_are_drawn_in_the_place_of_the_cells():
    _, _, rows = decoded(write_png(curved()))
    line, other = PALETTE[:2]
    # Edges are smoothed: the full colour stands within a pixel of the line.
    assert line in [rows[TOP + 270 + i][LEFT + 360] for i in (-1, 0, 1)]  # the diagonal's middle
    assert other in [rows[TOP + 90 + i][LEFT + 180] for i in (-1, 0, 1)]
    assert rows[TOP + 10][LEFT + 10] == (255, 255, 255)
    beyond = [row[LEFT - 40 : LEFT - 10] for row in rows[TOP : TOP + 400]]
    assert not any(other in row for row in beyond)  # nothing leaves the frame


def test_a_drawing_of_curves_names_those_that_it_draws():
    root = ElementTree.fromstring(write_svg(curved()))
    assert not list(root.iter(f"{SVG}image"))
    drawn = [path for path in root.iter(f"{SVG}path") if "stroke" in path.attrib]
    assert len(drawn) == 2
    texts = [text for node in root.iter(f"{SVG}text") for text in node.itertext()]
    assert "B" in texts
    assert "?" not in texts
    assert "<script" not in write_page(curved())


def hostile():
    return picture(
        title=HOSTILE, caption=HOSTILE, regions=tuple(Region(HOSTILE, HOSTILE) for _ in range(4)),
        x=Axis(HOSTILE, -1.0, 1.0), y=Axis(HOSTILE, -1.0, 1.0), marks=(Mark(HOSTILE, 0.0, 0.0),),
    )  # fmt: skip


def test_names_from_files_stay_text_in_every_form():
    drawing = write_svg(hostile())
    root = ElementTree.fromstring(drawing)
    assert not list(root.iter(f"{SVG}script"))
    page = write_page(hostile(), HOSTILE, HOSTILE)
    assert len(re.findall("<script", page)) == 2  # the page's own
    for text in (drawing, page):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert write_png(hostile())


def test_the_page_needs_no_network_and_runs_its_own_script_alone():
    page = write_page(picture(), "net.npz", "1024 starts")
    script = page.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    addresses = re.findall(r'(?:href|src)="([^"]*)"', page)
    assert all(address.startswith("data:image/png") for address in addresses)
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", page).replace("http-equiv", "")
    data = json.loads(re.search(r'application/json">(.*?)</script>', page)[1])
    assert data["cells"] == [list(row) for row in picture().cells]
    assert data["regions"] == ["A", "B", "?", "∞"]
    assert "<h1>net.npz</h1>" in page


@pytest.mark.parametrize("name", ["features, this width", "a name of thirty letters, or so"])
def test_a_legends_text_that_does_not_fit_beside_a_long_name_stands_below_it(name):
    long = picture(regions=(Region(name, "alignment 0.515"), *picture().regions[1:]))
    root = ElementTree.fromstring(write_svg(long))
    lines = [(float(node.attrib["y"]), "".join(node.itertext()).strip())
             for node in root.iter(f"{SVG}text")]  # fmt: skip
    heights = {text: at for at, text in lines}
    assert heights[name] < heights["alignment 0.515"] < heights["B 33.3%"]
    step = heights["? 25.0%, unresolved after 2000 steps"] - heights["B 33.3%"]
    assert heights["B 33.3%"] - heights[name] == 2 * step
    assert write_png(long) != write_png(picture())


def test_colours_differ_from_each_other_and_from_the_greys():
    # Blank ground is nearly the page itself: no legend names it.
    every = [*PALETTE, *(grey for kind, grey in GREYS.items() if kind != "blank")]
    assert len(set(every)) == len(every) == 29
    apart = [sum(abs(a - b) for a, b in zip(one, two, strict=True))
             for i, one in enumerate(every) for two in every[:i]]  # fmt: skip
    assert min(apart) >= 45


def test_basins_take_the_palette_in_order_and_what_is_none_does_not():
    drawn = colours([Region("A", ""), Region("?", "", "unresolved"), Region("B", "")])
    assert drawn == [PALETTE[0], GREYS["unresolved"], PALETTE[1]]
    assert len(colours([Region(str(i), "") for i in range(60)])) == 60


@pytest.mark.parametrize("colour", PALETTE)
def test_shades_darken_step_by_step(colour):
    light = [sum(shaded(colour, shade)) for shade in range(10)]
    assert light == sorted(light, reverse=True)
    assert len(set(light)) == 10


def test_what_did_not_settle_is_not_shaded():
    drawn = picture(cells=((2, 3),), shades=((0, 9),))
    assert cell_colours(drawn) == [[GREYS["unresolved"], GREYS["diverged"]]]


@pytest.mark.parametrize(
    ("low", "high"),
    [(-2.0, 2.0), (0.0, 1.0), (-1e-7, 3e-7), (12345.0, 12346.0), (-3e8, 1e9), (0.31, 0.32)],
)
def test_ticks_are_round_numbers_inside_the_axis(low, high):
    drawn = ticks(Axis("", low, high))
    assert 2 <= len(drawn) <= 7
    values = [value for value, _ in drawn]
    assert all(low - 1e-9 * (high - low) <= value <= high + 1e-9 * (high - low) for value in values)
    for value, text in drawn:
        assert float(text.replace("−", "-")) == pytest.approx(value, abs=1e-6 * (high - low))
    assert len({text for _, text in drawn}) == len(drawn)


def test_an_axis_without_extent_has_no_ticks():
    assert ticks(Axis("", 1.0, 1.0)) == []
    assert ticks(Axis("", 0.0, float("inf"))) == []


def test_every_printable_ascii_character_but_a_few_has_a_glyph_within_its_box():
    missing = {chr(code) for code in range(32, 127)} - set(GLYPHS)
    assert missing == set("$@^`{}~")
    for character, (width, _) in GLYPHS.items():
        for x0, y0, x1, y1 in segments(character)[1]:
            assert -0.01 <= min(x0, x1) <= max(x0, x1) <= width + 0.01, character
            assert -3.01 <= min(y0, y1) <= max(y0, y1) <= 11.01, character
    assert segments("層")[1] == segments("@")[1]
    assert segments("@")[0] == pytest.approx(UNKNOWN[0] + 2.4)


def test_text_is_as_wide_as_its_measure_says():
    canvas = Canvas(400, 40, (255, 255, 255))
    canvas.text(10, 30, "Basins A–C 12.5%", 12.0, (0, 0, 0))
    inked = [i % 400 for i in range(400 * 40) if canvas.pixels[3 * i] < 200]
    assert min(inked) == pytest.approx(10, abs=2)
    assert max(inked) == pytest.approx(10 + text_width("Basins A–C 12.5%", 12.0), abs=5)


def test_nothing_is_drawn_outside_of_the_bitmap():
    canvas = Canvas(20, 20, (255, 255, 255))
    canvas.text(-30, 5, "far out of it", 12.0, (0, 0, 0))
    canvas.disc(19.0, 0.0, 6.0, (9, 9, 9))
    assert len(canvas.pixels) == 3 * 20 * 20


def test_lines_are_broken_between_words_and_long_words_are_cut():
    assert wrapped("one two three", 7, len) == ["one two", "three"]
    assert wrapped("abcdefgh ij", 3, len) == ["abc", "def", "gh", "ij"]
    assert wrapped("", 5, len) == []


def test_what_is_too_long_is_cut_with_dots():
    assert shortened("abc", 3, len) == "abc"
    assert shortened("abcdef", 4, len) == "abc…"
    assert shortened("ab, cdef", 4, len) == "ab…"


def test_between_layers_there_is_no_tick():
    for deepest in (2.0, 3.0, 5.0, 40.0):
        named = ticks(Axis("layer", 1.0, deepest, whole=True))
        assert all(place == round(place) for place, _ in named)
        assert len(named) >= 2
    assert [text for _, text in ticks(Axis("layer", 1.0, 2.0, whole=True))] == ["1", "2"]
