"""The pictures of the simplicity question: bits against rows, and errors promised and measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from fpcheck.core.plain import Section
from fpcheck.core.tables import Axis, Curve, Mark, Picture, Region
from fpcheck.core.wording import share_text
from fpcheck.simplicity.wording import LOWER_BOUND, bits_text

# The shape of the frame: only files draw these pictures, as curves, so the cells are empty ground.
COLUMNS, ROWS = 72, 48
BLANK = Region("", "", "blank")
ROOM = 1.08  # of the largest value, above it
TRUE, SHUFFLED, INTERVAL, LINE = 1, 2, 3, 4
MEASURED, BOUND = 1, 2


def pictures(section: Section) -> Iterator[Picture]:
    """Those of the pictures that the section has numbers for."""
    if [one for one in section.get("growth", {}).get("points", ()) if one["bits"] is not None]:
        yield growth_picture(section)
    if section.get("guess_and_check_error") is not None:
        yield error_picture(section)


def growth_picture(section: Section) -> Picture:
    """Bits over the training rows for true and shuffled labels; noise goes along the line."""
    points = section["growth"]["points"]
    most = float(max(one["rows"] for one in points))
    curves: list[Curve] = []
    marks: list[Mark] = []
    highest = 0.0
    for region, key, status in ((SHUFFLED, "random_bits", "random_status"),
                                (TRUE, "bits", "status")):  # fmt: skip
        known = [one for one in points if one.get(key) is not None]
        for one in known:
            curves += _interval(float(one["rows"]), one.get(f"{key}_low"), one.get(f"{key}_high"))
            marks.append(Mark("", one["rows"], one[key], stable=one[status] != LOWER_BOUND))
            ends = [one[key], one.get(f"{key}_high") or 0.0]
            highest = max([highest, *map(float, ends)])
        curves.append(_through(known, key, region))
    curves.insert(0, Curve((0.0, ROOM * most), (0.0, ROOM * most), LINE))
    return Picture(
        title="Bits against training rows",
        cells=_ground(),
        regions=(
            BLANK,
            Region("as given", f"{bits_text(section)} bits at {section['rows']} rows"),
            Region("shuffled", _shuffled(section)),
            Region("95%", "interval", "other"),
            Region("1 bit", "a row", "diverged"),
        ),
        x=Axis("training rows", 0.0, ROOM * most),
        y=Axis("bits", 0.0, max(ROOM * highest, 1.0)),
        marks=tuple(marks),
        curves=tuple(curves),
        caption="Sampled; hollow points are lower bounds. Noise costs as much for every row, the "
        "labels of a narrow teacher ever less.",
    )


def error_picture(section: Section) -> Picture:
    """The measured errors with their intervals, and the bounds on them."""
    training = section["training"]
    rows: list[tuple[str, Section, str, float | None]] = [
        ("random", section, "guess_and_check_error", section["error_bound"]),
        ("vote", section, "vote_error", section["error_bound_vote"]),
        ("trained", training, "test_error", None),
        ("commonest", section, "majority_error", None),
    ]
    curves: list[Curve] = []
    marks: list[Mark] = []
    highest = 0.05
    for place, (name, part, key, bound) in enumerate(rows, start=1):
        if bound is not None:
            curves.append(Curve((place - 0.3, place + 0.3), (bound, bound), BOUND))
            highest = max(highest, bound)
        value = part.get(key)
        if value is None:
            continue
        curves += _interval(place, part.get(f"{key}_low"), part.get(f"{key}_high"), MEASURED)
        marks.append(Mark(f"{name} {share_text(value)}", place, value))
        highest = max(highest, value, part.get(f"{key}_high") or 0.0)
    return Picture(
        title="Error on new rows, promised and measured",
        cells=_ground(),
        regions=(
            BLANK,
            Region("95%", "interval of what is measured"),
            Region("bound", f"holds with {1.0 - section['error_bound_delta']:.0%}"),
        ),
        x=Axis("1 random network, 2 vote of such, 3 trained, 4 commonest answer", 0.4, 4.35),
        y=Axis("error on new rows", -0.03 * highest, ROOM * highest),
        marks=tuple(marks),
        curves=tuple(curves),
        caption=f"{section['test_rows']} test rows; random networks that fit "
        f"{section['rows']} training rows.",
    )


def _interval(
    x: float, low: float | None, high: float | None, region: int = INTERVAL
) -> Iterator[Curve]:
    if low is not None and high is not None and math.isfinite(high):
        yield Curve((x, x), (float(low), float(high)), region)


def _through(points: Sequence[Section], key: str, region: int) -> Curve:
    return Curve(
        tuple(float(one["rows"]) for one in points),
        tuple(float(one[key]) for one in points),
        region,
    )


def _shuffled(section: Section) -> str:
    if section.get("random_label_bits") is None:
        return ""
    return f"{bits_text(section, 'random_label_bits', 'random_label_status')} bits"


def _ground() -> tuple[tuple[int, ...], ...]:
    return ((0,) * COLUMNS,) * ROWS
