"""The pictures of the training probe: loss, singular values, rank by depth, norm, the scan."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from fpcheck.core.plain import Section
from fpcheck.core.tables import Axis, Curve, Mark, Picture, Region
from fpcheck.escape.scan_view import scan_picture
from fpcheck.escape.wording import figure, law_through

# The shape of the frame: only files draw these pictures, as curves, so the cells are empty ground.
COLUMNS, ROWS = 72, 48
BLANK = Region("", "", "blank")
ROOM = 0.06  # of the range, around what is drawn
HEADROOM = 0.2  # above the loss, for the names of what happened
LEAST_SPAN = 0.05  # decades of a logarithmic axis
SHOWN_LAYERS = 8
Line = tuple[list[float], list[float]]


def pictures(section: Section) -> Iterator[Picture]:
    """Those of the pictures that the section has numbers for."""
    if len(section.get("steps", ())) < 2:
        return
    loss = _line(section["steps"], "loss")
    if len(loss[0]) > 1:
        yield loss_picture(section, loss)
    if any(layer["ratio"] for one in section["steps"] for layer in one["layers"]):
        yield ratio_picture(section)
    if len([one for one in section["low_rank"] if one["ratio"]]) > 1:
        yield depth_picture(section)
    if section["direction"].get("predicted_norms"):
        yield norm_picture(section)
    if "skipped" not in section["scan"]:
        yield scan_picture(section["scan"])


def loss_picture(section: Section, line: Line) -> Picture:
    """The loss by step on a logarithmic axis, with what happened marked on it."""
    x, y = line
    last = max(x)
    constant = _log(section["constant_loss"])
    levels = [*y, constant] if constant is not None else y
    curves = [Curve(tuple(x), tuple(y), 1)]
    if constant is not None:
        curves.insert(0, Curve((0.0, last), (constant, constant), 2))
    axis = _log_axis("loss", levels)
    axis = replace(axis, high=axis.high + HEADROOM * (axis.high - axis.low))
    marks = []
    for place, (name, step) in enumerate(_dated(section)):
        # Lower from one to the next, so that their names do not meet.
        height = axis.high - (0.05 + 0.07 * place) * (axis.high - axis.low)
        curves.insert(0, Curve((step, step), (axis.low, axis.high), 2))
        marks.append(Mark(f"{name} {step}", step, height))
    return Picture(
        title="Loss of the training probe",
        cells=_ground(),
        regions=(
            BLANK,
            Region("loss", section["loss_name"]),
            Region("constant", f"{figure(section['constant_loss'], 4)}, the best one", "other"),
        ),
        x=Axis("step", 0.0, _beyond(last)),
        y=axis,
        marks=tuple(marks),
        curves=tuple(curves),
        caption=f"{section['trainability']}: {section['trainability_reason']}.",
    )


def ratio_picture(section: Section) -> Picture:
    """sigma_1/sigma_2 of every layer by step; where there are many, of some of them."""
    names = [layer["name"] for layer in section["steps"][0]["layers"]]
    count = min(len(names), SHOWN_LAYERS)
    places = [round(i * (len(names) - 1) / max(count - 1, 1)) for i in range(count)]
    curves, regions, every = [], [BLANK], []
    last = float(section["steps"][-1]["step"])
    for place in places:
        line = [(one["step"], _log(one["layers"][place]["ratio"])) for one in section["steps"]]
        known = [(float(step), value) for step, value in line if value is not None]
        if not known:
            continue
        regions.append(Region(names[place], f"ends at {10.0 ** known[-1][1]:.3g}"))
        curves.append(
            Curve(tuple(x for x, _ in known), tuple(y for _, y in known), len(regions) - 1)
        )
        every += [value for _, value in known]
    y = _log_axis("sigma_1/sigma_2", every)
    if section["escaped_at"] is not None:
        at = float(section["escaped_at"])
        curves.insert(0, Curve((at, at), (y.low, y.high), len(regions)))
        regions.append(Region("escape", f"step {section['escaped_at']}", "other"))
    return Picture(
        title="Leading singular value over the second, by layer",
        cells=_ground(),
        regions=tuple(regions),
        x=Axis("step", 0.0, _beyond(last)),
        y=y,
        curves=tuple(curves),
        caption="Of the weights at the recorded steps.",
    )


def depth_picture(section: Section) -> Picture:
    """sigma_1/sigma_2 at the escape and at the start by depth, beside l^(1/4)."""
    layers = [one for one in section["low_rank"] if one["ratio"]]
    depth = [math.log10(one["depth"]) for one in layers]
    ratio = [math.log10(one["ratio"]) for one in layers]
    law = [math.log10(value or 1.0) for value in law_through(layers, 0.25)]
    before = [one for one in layers if one["start_ratio"]]
    start = [math.log10(one["start_ratio"]) for one in before]
    curves = [Curve(tuple(depth), tuple(law), 3), Curve(tuple(depth), tuple(ratio), 1)]
    if before:
        x = tuple(math.log10(one["depth"]) for one in before)
        curves.insert(0, Curve(x, tuple(start), 2))
    fitted = section["law"]
    caption = str(fitted.get("skipped", "")) or (
        f"Fitted exponent {fitted['exponent']:.2f}, 95% over layers "
        f"{fitted['exponent_low']:.2f} to {fitted['exponent_high']:.2f}"
    )
    return Picture(
        title="Rank at the escape by depth",
        cells=_ground(),
        regions=(
            BLANK,
            Region("escape", f"weights of step {section['low_rank_at']}"),
            Region("start", "weights of step 0", "other"),
            Region("law", "depth^(1/4)"),
        ),
        x=Axis("depth of the layer", min(depth) - LEAST_SPAN, max(depth) + LEAST_SPAN, log=True),
        y=_log_axis("sigma_1/sigma_2", [*ratio, *law, *start]),
        marks=tuple(Mark(str(one["name"]), x, y) for one, x, y in
                    zip(layers, depth, ratio, strict=True)),
        curves=tuple(curves),
        caption=f"{caption.rstrip('.')}.",
    )  # fmt: skip


def norm_picture(section: Section) -> Picture:
    """|weights| by step beside what the first order at zero predicts."""
    x, y = _line(section["steps"], "parameter_norm")
    told = section["direction"]["predicted_norms"]
    pairs = [
        (float(one["step"]), value)
        for one, norm in zip(section["steps"], told, strict=True)
        if (value := _log(norm)) is not None
    ]
    curves = [Curve(tuple(x), tuple(y), 1)]
    if len(pairs) > 1:
        curves.append(Curve(tuple(a for a, _ in pairs), tuple(b for _, b in pairs), 2))
    regions = [BLANK, Region("measured", "of the run"), Region("predicted", "from these weights")]
    step = section["direction"]["predicted_escape"]
    axis = _log_axis("norm of the weights", [*y, *(value for _, value in pairs)])
    if section["escaped_at"] is not None:
        at = float(section["escaped_at"])
        curves.insert(0, Curve((at, at), (axis.low, axis.high), 3))
        regions.append(Region("escape", f"measured, step {section['escaped_at']}", "other"))
    told_words = "" if step is None else f" Predicted escape: step {step:.0f}."
    return Picture(
        title="Norm of the weights, measured and predicted",
        cells=_ground(),
        regions=tuple(regions),
        x=Axis("step", 0.0, _beyond(max(x))),
        y=axis,
        curves=tuple(curves),
        caption=f"By the gradient flow of the loss's first order at zero.{told_words}",
    )


def _dated(section: Section) -> Iterator[tuple[str, int]]:
    if section["escaped_at"] is not None:
        yield "escape", section["escaped_at"]
    if section["next_saddle"] is not None:
        yield "saddle", section["next_saddle"]["from"]
    if section["spike_at"] is not None:
        yield "spike", section["spike_at"]
    if section["diverged_at"] is not None:
        yield "divergence", section["diverged_at"]


def _line(steps: Sequence[Section], key: str) -> Line:
    """(steps, common logarithms) of the records that have a number above 0."""
    known = [(float(one["step"]), _log(one[key])) for one in steps]
    kept = [(step, value) for step, value in known if value is not None]
    return [step for step, _ in kept], [value for _, value in kept]


def _log(value: float | None) -> float | None:
    return math.log10(value) if value is not None and 0.0 < value < math.inf else None


def _log_axis(title: str, values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    room = max(ROOM * (high - low), 0.5 * LEAST_SPAN)
    return Axis(title, low - room, high + room, log=True)


def _beyond(last: float) -> float:
    return (1.0 + ROOM) * max(last, 1.0)


def _ground() -> tuple[tuple[int, ...], ...]:
    return ((0,) * COLUMNS,) * ROWS
