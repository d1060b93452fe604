"""The figures of a trace: what is drawn over the steps, and over the depth at some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fpcheck.core.plain import Section
from fpcheck.core.tables import Axis, Curve, Mark, Picture, Region
from fpcheck.report.trace_axes import BLANK, GROUND, Line, across, drawn, level_axis, log
from fpcheck.report.trace_timeline import chosen
from fpcheck.report.trace_wording import METRICS, at, known, metric_of, place, trend

MOST_TRACKS = 12  # lines that a figure of fixed points can tell apart
MOST_NAMED = 6  # events in it that are named


def figures(document: Section) -> Iterator[Picture]:
    """Those of the figures that the trace has numbers for, but for the spectra."""
    found = (
        loss_figure(document),
        score_figure(document),
        ratio_figure(document),
        tail_figure(document),
        variance_figure(document),
        readout_figure(document),
        radius_figure(document),
        distance_figure(document),
    )
    yield from (picture for picture in found if picture is not None)


def loss_figure(document: Section) -> Picture | None:
    """The loss by step on a logarithmic axis, the escape and the best marked."""
    values = [log(one["loss"]) for one in document["checkpoints"]]
    loss = trend(document, "loss")
    marks = _named(document, values, {loss.get("best_at"): "best"})
    return drawn(
        document, "Loss", [Line("loss", "on all rows", values)], "loss", logarithmic=True,
        marks=marks, caption=_data(document),
    )  # fmt: skip


def score_figure(document: Section) -> Picture | None:
    """Accuracy or R² by step."""
    metric = METRICS[metric_of(document)]
    values = [known(one["accuracy"]) for one in document["checkpoints"]]
    line = Line(metric, "on all rows", values)
    return drawn(document, metric.capitalize(), [line], metric, caption=_data(document))


def ratio_figure(document: Section) -> Picture | None:
    """How far the first singular value of every layer leads, by step."""
    lines = [
        Line(name, "", [log(_layer(one, name, "ratio")) for one in document["checkpoints"]])
        for name in _names(document)
    ]
    return drawn(
        document, "The first singular value over the second", lines, "σ1 / σ2", logarithmic=True,
        caption="1 is no lead at all; numerical.",
    )  # fmt: skip


def tail_figure(document: Section) -> Picture | None:
    """The tail index of every layer by step; the interval of the one with the heaviest end."""
    names = _names(document)
    ends = {n: known(_layer(document["checkpoints"][-1], n, "tail_index")) for n in names}
    lines = []
    heavy = min((n for n in names if ends[n] is not None), key=lambda n: ends[n] or 0.0, default="")
    for key in ("tail_index_low", "tail_index_high") if heavy else ():
        values = [known(_layer(one, heavy, key)) for one in document["checkpoints"]]
        lines.append(Line("95%", f"interval of {heavy}", values, kind="other"))
    for name in names:
        values = [known(_layer(one, name, "tail_index")) for one in document["checkpoints"]]
        lines.append(Line(name, "", values))
    return drawn(
        document, "Tail index of the weights", lines, "tail index",
        caption="Hill's estimate; smaller is heavier, below 2 the variance is infinite. Sampled.",
    )  # fmt: skip


def variance_figure(document: Section) -> Picture | None:
    """The variance of the pre-activations over the depth, a line a checkpoint."""
    return _depth_figure(
        document, "signal", "variance", "Variance through depth", "variance", logarithmic=True
    )


def readout_figure(document: Section) -> Picture | None:
    """The score of a linear readout of every layer over the depth, a line a checkpoint."""
    metric = METRICS[metric_of(document)]
    return _depth_figure(
        document, "readout", "score", "Readout by depth", f"{metric}, held out", logarithmic=False
    )


def radius_figure(document: Section) -> Picture | None:
    """The spectral radius of every fixed point that was followed, and the line of stability."""
    tracks = document["tracks"]
    if isinstance(tracks, dict) or not tracks:
        return None
    count = len(document["checkpoints"])
    shown = tracks[:MOST_TRACKS]
    lines = [Line("stable below", "1", [1.0] * count, kind="other")]
    lines += [
        Line(str(one["id"]), _life(document, one), [known(v) for v in one["spectral_radius"]])
        for one in shown
    ]
    marks = []
    x = across(document)[0]
    for one in shown:
        radii = [known(v) for v in one["spectral_radius"]]
        for event in one["events"]:
            index = event["checkpoint"]
            last = _last(radii, index)
            if last is not None and event["kind"] != "born":
                gained = event["kind"] == "gained stability"
                marks.append(Mark(str(event["kind"]), x[last], radii[last] or 0.0, stable=gained))
    if len(marks) > MOST_NAMED:  # names would lie on one another; the table has them
        marks = [replace(mark, name="") for mark in marks]
    left = f" The first {len(shown)} of {len(tracks)}." if len(shown) < len(tracks) else ""
    return drawn(
        document, "Fixed points", lines, "spectral radius of the Jacobian", marks=marks,
        caption=f"Followed by identity from one checkpoint to the next; numerical.{left}",
    )  # fmt: skip


def distance_figure(document: Section) -> Picture | None:
    """How far the run went: from its start, along its path, and the norm of the weights."""
    checkpoints = document["checkpoints"]
    lines = [
        Line(name, words, [known(one["distance"][key]) for one in checkpoints])
        for key, name, words in (
            ("from_first", "distance", "from the first"),
            ("path", "path", "sum of all steps"),
        )
    ]
    norms = [known(one["parameter_norm"]) for one in checkpoints]
    lines.append(Line("norm", "of all weights", norms))
    return drawn(document, "Distance travelled", lines, "Euclidean norm", caption="Numerical.")


def spectra(document: Section) -> Iterator[Picture]:
    """The leading singular values of every layer by step, the one with the clearest lead first."""
    names = _names(document)
    first = trend(document, "dominant").get("clearest")
    for name in sorted(names, key=lambda n: n != first):
        per_step = [_values(one, name) for one in document["checkpoints"]]
        most = max(map(len, per_step), default=0)
        lines = [
            Line(f"σ{k + 1}", "", [log(v[k]) if k < len(v) else None for v in per_step])
            for k in range(most)
        ]
        picture = drawn(
            document, f"Singular values of layer {name}", lines, "singular value", logarithmic=True,
            caption="The ten largest; numerical.",
        )  # fmt: skip
        if picture is not None:
            yield picture


def _depth_figure(
    document: Section, key: str, value: str, title: str, name: str, *, logarithmic: bool
) -> Picture | None:
    checkpoints = document["checkpoints"]
    curves, regions, everything = [], [BLANK], []
    deepest = 1
    for index in chosen(document):
        layers = checkpoints[index][key].get("layers", ())
        points = [
            (float(depth), log(one[value]) if logarithmic else known(one[value]))
            for depth, one in enumerate(layers, 1)
        ]
        points = [(x, y) for x, y in points if y is not None]
        if not points:
            continue
        deepest = max(deepest, len(layers))
        regions.append(Region(place(document, index), _said(document, index)))
        xs, ys = zip(*points, strict=True)
        everything += [y for y in ys if y is not None]
        curves.append(Curve(tuple(xs), tuple(ys), len(regions) - 1))
    if not everything or deepest < 2:
        return None
    return Picture(
        title=title, cells=GROUND, regions=tuple(regions),
        x=Axis("layer, from the input", 1.0, float(deepest), whole=True),
        y=level_axis(name, everything, logarithmic=logarithmic), curves=tuple(curves),
        caption="A line a checkpoint; sampled.",
    )  # fmt: skip


def _named(
    document: Section, values: Sequence[float | None], names: dict[int | None, str]
) -> list[Mark]:
    """Marks on a line at the checkpoints that have a name."""
    x = across(document)[0]
    out = []
    for index, name in names.items():
        if index is not None and 0 <= index < len(values):
            y = values[index]
            if y is not None:
                out.append(Mark(name, x[index], y))
    return out


def _said(document: Section, index: int) -> str:
    if trend(document, "loss").get("escape") == index:
        return "the escape"
    return {0: "the first", len(document["checkpoints"]) - 1: "the last"}.get(index, "")


def _names(document: Section) -> list[str]:
    return [str(layer["name"]) for layer in document["checkpoints"][0]["layers"]]


def _layer(checkpoint: Section, name: str, key: str) -> object:
    """What a checkpoint says of a layer under `key`; None where it has no such layer."""
    return next((one[key] for one in checkpoint["layers"] if one["name"] == name), None)


def _values(checkpoint: Section, name: str) -> list[float | None]:
    """The singular values of a layer at a checkpoint."""
    found = _layer(checkpoint, name, "singular_values")
    return list(found) if isinstance(found, list) else []


def _last(values: Sequence[float | None], index: int) -> int | None:
    """The last place up to `index` at which there is a number."""
    return next((i for i in range(min(index, len(values) - 1), -1, -1) if values[i] is not None),
                None)  # fmt: skip


def _life(document: Section, track: Section) -> str:
    return f"{at(document, track['born'])} to {place(document, track['last'])}"


def _data(document: Section) -> str:
    data = document["run"]["data"] or {}
    return f"Of {data.get('name', 'the data')}; numerical."
