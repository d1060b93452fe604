"""The pictures of the readout: learning curve, score by depth and width, spectrum of kernels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from fpcheck.core.plain import Section
from fpcheck.core.tables import Axis, Curve, Mark, Picture, Region
from fpcheck.readout.kernel_view import kernel_name
from fpcheck.readout.wording import METRICS, model_name

# The shape of the frame. Only files draw these pictures, and they draw curves, so that the cells
# are empty ground; the terminal has the tables.
COLUMNS, ROWS = 72, 48
BLANK = Region("", "", "blank")
ROOM = 0.06  # of the range of scores, around it
LAW_POINTS = 60
FAINTEST = -16.0  # log10 of the least share of a spectrum that is no rounding


def pictures(section: Section) -> Iterator[Picture]:
    """Those of the pictures that the section has numbers for."""
    curve = section.get("learning_curve", {})
    if curve.get("points"):
        yield learning_picture(section)
    if len(section.get("probes", {}).get("probes", ())) > 1:
        yield depth_picture(section)
    if len(section.get("width_curve", {}).get("points", ())) > 1:
        yield width_picture(section)
    if any(len(one["spectrum"]) > 1 for one in _alignments(section)):
        yield spectrum_picture(section)


def learning_picture(section: Section) -> Picture:
    """The score over the training rows, its interval, and the law to its limit."""
    curve = section["learning_curve"]
    points = curve["points"]
    most = points[-1]["rows"]
    curves = [*_band(points, "rows"), _through(points, "rows", "score", 1)]
    regions = [BLANK, Region("score", "mean over the splits"), Region("95%", "interval", "other")]
    ends = []
    if curve["asymptote"] is not None:
        x = [most * (0.1 + 1.4 * i / LAW_POINTS) for i in range(LAW_POINTS + 1)]
        x = [rows for rows in x if rows >= points[0]["rows"]]
        law = [curve["asymptote"] - curve["gap"] * (most / n) ** curve["exponent"] for n in x]
        ends = [curve["asymptote"]]
        regions += [Region("law", "power of the rows"), Region("limit", f"{ends[0]:.3f}")]
        curves.append(Curve(tuple(x), tuple(law), 3))
        curves.append(Curve((0.0, 1.5 * most), (ends[0], ends[0]), 4))
    return Picture(
        title=f"Learning curve of the {model_name(section, curve['model'])}",
        cells=_ground(),
        regions=tuple(regions),
        x=Axis("training rows", 0.0, 1.5 * most),
        y=_scores(section, points, ends),
        marks=tuple(Mark("", one["rows"], one["score"]) for one in points),
        curves=tuple(curves),
        caption=f"Held out, {curve['splits']} random splits; sampled.",
    )


def depth_picture(section: Section) -> Picture:
    """The score of a linear readout of every layer over its depth; the best one is named."""
    probes = section["probes"]["probes"]
    deepest = max(one["depth"] for one in probes)
    best = section["probes"]["best"]
    return Picture(
        title="Score by depth",
        cells=_ground(),
        regions=(
            BLANK,
            Region("score", "linear readout"),
            Region("95%", "interval", "other"),
        ),
        x=Axis(
            "depth: layers with weights above the input", -0.3, 1.25 * deepest + 0.3, whole=True
        ),
        y=_scores(section, probes, []),
        marks=tuple(
            Mark(one["node"] if one["node"] == best else "", one["depth"], one["score"])
            for one in probes
        ),
        curves=(*_band(probes, "depth"), _through(probes, "depth", "score", 1)),
        caption=f"Held out, {section['probes']['splits']} random splits; sampled.",
    )


def width_picture(section: Section) -> Picture:
    """The score of random networks over their width, the law in 1/width, and infinite width."""
    curve = section["width_curve"]
    points = [{**one, "log": math.log2(one["width"])} for one in curve["points"]]
    narrow, wide = points[0]["log"], points[-1]["log"] + 1.0
    curves = [*_band(points, "log"), _through(points, "log", "score", 1)]
    regions = [
        BLANK,
        Region("score", f"mean of {curve['draws']} networks"),
        Region("95%", "interval", "other"),
    ]
    ends = []
    if curve["limit"] is not None:
        ends.append(curve["limit"])
        begin = math.log2(curve["fitted_from"] or points[0]["width"])
        x = [begin + (wide - begin) * i / LAW_POINTS for i in range(LAW_POINTS + 1)]
        offset = curve.get("offset") or 0.0
        law = [curve["limit"] - curve["slope"] / (2.0**at + offset) for at in x]
        regions += [
            Region("law", "limit - slope/(width + offset)"),
            Region("limit", f"{ends[-1]:.3f}"),
        ]
        curves.append(Curve(tuple(x), tuple(law), len(regions) - 2))
        curves.append(Curve((narrow, wide), (ends[0], ends[0]), len(regions) - 1))
    if curve["nngp"] is not None:
        ends.append(curve["nngp"])
        regions.append(Region("NNGP", f"the kernel itself, {ends[-1]:.3f}"))
        curves.append(Curve((narrow, wide), (ends[-1], ends[-1]), len(regions) - 1))
    return Picture(
        title="Score by width, last layer of random networks",
        cells=_ground(),
        regions=tuple(regions),
        x=Axis("log2 of the features that the last layer sees", narrow - 0.3, wide),
        y=_scores(section, points, ends),
        marks=tuple(
            Mark("as given" if one["factor"] == 1.0 else "", one["log"], one["score"])
            for one in points
        ),
        curves=tuple(curves),
        caption=f"Held out, {curve['splits']} random splits; sampled.",
    )


def spectrum_picture(section: Section) -> Picture:
    """The leading eigenvalues of the centred kernels, as shares of their sum."""
    shown = [one for one in _alignments(section) if len(one["spectrum"]) > 1]
    logs = [[_log(value) for value in one["spectrum"]] for one in shown]
    low = min(value for line in logs for value in line)
    high = max(value for line in logs for value in line)
    room = max(ROOM * (high - low), 0.1)
    longest = max(map(len, logs))
    return Picture(
        title="Spectrum of the kernels",
        cells=_ground(),
        regions=(
            BLANK,
            *(Region(kernel_name(one), f"alignment {_aligned(one)}") for one in shown),
        ),
        x=Axis("eigenvalue, from the largest", 1.0, float(longest)),
        y=Axis("log10 of its share", low - room, min(high + room, 0.05)),
        curves=tuple(
            Curve(tuple(float(i + 1) for i in range(len(line))), tuple(line), number + 1)
            for number, line in enumerate(logs)
        ),
        caption=f"Centred kernels of {shown[0]['rows']} rows; numerical.",
    )


def _alignments(section: Section) -> Sequence[Section]:
    found = section.get("alignment", ())
    return found if isinstance(found, list) else ()


def _aligned(one: Section) -> str:
    return "-" if one["alignment"] is None else f"{one['alignment']:.3f}"


def _log(value: float | None) -> float:
    return max(FAINTEST, math.log10(value)) if value else FAINTEST


def _ground() -> tuple[tuple[int, ...], ...]:
    return ((0,) * COLUMNS,) * ROWS


def _through(points: Sequence[Section], x: str, y: str, region: int) -> Curve:
    return Curve(
        tuple(float(one[x]) for one in points), tuple(float(one[y]) for one in points), region
    )


def _band(points: Sequence[Section], x: str) -> Iterator[Curve]:
    """The ends of the intervals, where all of them have any."""
    for end in ("low", "high"):
        if all(one[end] is not None for one in points):
            yield _through(points, x, end, 2)


def _scores(section: Section, points: Sequence[Section], more: Sequence[float]) -> Axis:
    """The scores' axis: all means, and of their intervals what leaves these room."""
    means = [*(one["score"] for one in points), *more]
    least, most = min(means), max(means)
    reach = max(most - least, 0.02)
    lows = [one["low"] for one in points if one["low"] is not None]
    highs = [one["high"] for one in points if one["high"] is not None]
    low = max(min([least, *lows]), least - reach)
    high = min(max([most, *highs]), most + reach)
    room = max(ROOM * (high - low), 1e-3)
    return Axis(f"{METRICS[section['metric']]}, held out", low - room, high + room)
