"""A trace as text, page and figures: everything that is known is shown, nothing else is."""

import copy
import json
import math
import re
from itertools import pairwise

import pytest
from made_up_trace import ESCAPE, LAYERS, made_up_trace

from fpcheck.core.tables import Axis
from fpcheck.report.document import write_json
from fpcheck.report.pictures.ticks import ticks
from fpcheck.report.schema import TRACE, violations
from fpcheck.report.style import Style
from fpcheck.report.trace_axes import across
from fpcheck.report.trace_figures import figures, loss_figure, radius_figure, ratio_figure, spectra
from fpcheck.report.trace_page import write_trace_page
from fpcheck.report.trace_terminal import write_trace
from fpcheck.report.trace_timeline import LONGEST, chosen, timeline
from fpcheck.report.trace_wording import figure, spark

INTERRUPTED = {"skipped": "the run was interrupted"}


def _interrupted(count: int):
    document = made_up_trace(20, points=False)
    del document["checkpoints"][count:]
    return document | {
        "tracks": INTERRUPTED, "trends": INTERRUPTED, "findings": [], "verdict": "not judged",
    }  # fmt: skip


def _nothing_known():
    """Every number that may be null is null."""
    document = made_up_trace(4, data=False, points=False)
    for one in document["checkpoints"]:
        one["parameter_norm"] = None
        for layer in one["layers"]:
            for key in ("tail_index", "ratio", "frobenius_norm", "stable_rank", "from_first"):
                layer[key] = None
            layer |= {"singular_values": [], "nonfinite": 3, "law": "not finite"}
        one["signal"] = {"skipped": "NaN"}
        one["distance"] = dict.fromkeys(one["distance"])
    document["trends"]["tails"] = []
    document["trends"]["ratio_peaks"] = []
    document["trends"]["most_changed"] = {"layer": None, "relative": None}
    return document


DOCUMENTS = {
    "whole": made_up_trace(),
    "no data": made_up_trace(data=False, points=False),
    "no steps": made_up_trace(steps=False),
    "long": made_up_trace(90),
    "one": made_up_trace(1, data=False, points=False),
    "interrupted": _interrupted(5),
    "nothing known": _nothing_known(),
}


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(name, width):
    text = write_trace(DOCUMENTS[name], Style(width=width))
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_trace_is_valid_shows_in_ascii_and_becomes_a_page(name):
    document = DOCUMENTS[name]
    assert violations(document, TRACE) == []
    text = write_trace(document, Style(ascii_only=True, verbose=True))
    assert text.isascii()
    assert not re.search(r"\b(nan|None|inf)\b|\\u", text)
    page = write_trace_page(document)
    assert page.count("<table>") == page.count("</table>")
    assert "None" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_80_columns_show_loss_accuracy_spark_tail_and_readout_of_every_checkpoint():
    text = write_trace(made_up_trace(points=False), Style(width=80))
    (line,) = [line for line in text.splitlines() if line.endswith("escape") and "800" in line]
    assert line.split()[:4] == ["800", "1.626", "52.5%", "6.50"]
    heading = next(line for line in text.splitlines() if "σ1/σ2 by layer" in line)
    for column in ("step", "loss", "acc", "norm", "tail", "read"):
        assert column in heading


def test_quiet_leaves_the_verdict_the_answer_and_the_findings():
    text = write_trace(made_up_trace(), Style(quiet=True))
    assert "WARN" in text
    assert "leaves its plateau" in text
    assert "FP503" in text
    assert "Timeline" not in text


def test_a_long_run_keeps_its_ends_and_its_events_and_verbose_shows_all():
    document = made_up_trace(90)
    short = timeline(document)
    assert len(short.rows) <= LONGEST
    steps = [row[0] for row in short.rows]
    assert steps[0] == "0"
    assert steps[-1] == "8 900"
    assert "800" in steps
    assert len(timeline(document, whole=True).rows) == 90


def test_what_is_shown_by_depth_holds_the_first_the_escape_and_the_last():
    shown = chosen(made_up_trace(90))
    assert len(shown) == 6
    assert {0, ESCAPE, 89} <= set(shown)


def test_vanished_pairs_and_left_out_files_are_named():
    text = write_trace(made_up_trace(), Style(width=120))
    assert "vanished with T3 at 1 000" in text
    assert "step_0900.pt" in text
    assert "the file is cut short" in text


def test_a_spark_rises_with_the_value_and_pools_many_layers():
    limits = (0.0, math.log(100.0))
    assert spark([1.0, 10.0, 100.0], limits) == "▁▅█"
    assert spark([1.0, 10.0, None], limits, ascii_only=True) == "15?"
    many = spark([1.0] * 99 + [100.0], limits)
    assert len(many) == 16
    assert many[-1] == "█"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.00"), (2.302585, "2.30"), (31.24, "31.2"), (812.0, "812"), (3.1e-14, "3.10e-14"),
     (None, "-"), (math.nan, "-"), (math.inf, "-")],
)  # fmt: skip
def test_figures_have_three_digits_and_the_unknown_is_a_dash(value, text):
    assert figure(value) == text


def test_the_loss_figure_goes_through_the_losses_and_marks_the_escape():
    document = made_up_trace()
    picture = loss_figure(document)
    line = picture.curves[-1]
    assert line.x == tuple(float(100 * i) for i in range(20))
    assert 10.0 ** line.y[3] == pytest.approx(document["checkpoints"][3]["loss"])
    escape = picture.curves[0]
    assert escape.x == (100.0 * ESCAPE,) * 2
    assert picture.y.log


def test_a_gap_in_the_run_is_a_gap_in_the_line():
    document = copy.deepcopy(made_up_trace())
    document["checkpoints"][5]["loss"] = None
    lines = [c for c in loss_figure(document).curves if len(c.x) > 2]
    assert [len(c.x) for c in lines] == [5, 14]


def test_there_is_a_line_a_layer_and_a_spectrum_a_layer_the_clearest_first():
    document = made_up_trace()
    names = [region.name for region in ratio_figure(document).regions]
    assert names[1:-1] == list(LAYERS)
    titles = [picture.title for picture in spectra(document)]
    assert len(titles) == 6
    assert titles[0].endswith("fc6")


def test_every_figure_draws_inside_its_axes():
    document = made_up_trace()
    for picture in [*figures(document), *spectra(document)]:
        for curve in picture.curves:
            assert all(picture.x.low <= x <= picture.x.high for x in curve.x), picture.title
            assert all(picture.y.low <= y <= picture.y.high for y in curve.y), picture.title


def test_crowded_early_steps_go_on_a_logarithmic_axis():
    document = copy.deepcopy(made_up_trace(8))
    for one, step in zip(document["checkpoints"], [0, 1, 2, 4, 8, 64, 512, 4096], strict=True):
        one["step"] = step
    places, axis = across(document)
    assert axis.log
    assert places[0] == 0.0
    assert all(a < b for a, b in pairwise(places))


def test_repeated_steps_are_counted_instead():
    document = copy.deepcopy(made_up_trace(4))
    document["checkpoints"][2]["step"] = 100
    assert across(document)[0] == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("low", "high"), [(-13.0, 2.0), (0.0, 1.0), (0.36, 0.37), (-3.2, -2.9), (250.0, 307.0)]
)
def test_logarithmic_ticks_stand_where_their_numbers_are(low, high):
    found = ticks(Axis("", low, high, log=True))
    assert 2 <= len(found) <= 7
    for at, text in found:
        assert low - 1e-9 <= at <= high + 1e-9
        assert math.log10(float(text.replace("\N{MINUS SIGN}", "-"))) == pytest.approx(at, abs=1e-4)


def test_the_page_holds_the_trace_and_nothing_of_a_file_acts_in_it():
    document = copy.deepcopy(made_up_trace())
    document["run"]["name"] = "</title><script>alert(1)</script>"
    document["checkpoints"][0]["layers"][0]["law"] = "<img src=x onerror=alert(2)>"
    page = write_trace_page(document)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert page.count("<script") == 1
    found = re.search(r'<script type="application/json" id="trace">(.*?)</script>', page, re.DOTALL)
    assert json.loads(found[1]) == json.loads(write_json(document))
    assert "http" not in re.sub(r'xmlns="[^"]*"|http-equiv', "", page)


def test_the_page_says_what_the_terminal_says():
    document = made_up_trace()
    page = write_trace_page(document)
    for words in ("leaves its plateau", "vanished with T3", "FP503", "step_0900.pt", "heavier"):
        assert words in page
    assert page.count("<svg") == 14


def test_many_events_of_fixed_points_are_marked_without_names():
    document = made_up_trace(20)
    few = radius_figure(document)
    assert few is not None
    assert "vanished" in {mark.name for mark in few.marks}
    document["tracks"] = [copy.deepcopy(document["tracks"][1]) for _ in range(9)]
    many = radius_figure(document)
    assert many is not None
    assert [mark.name for mark in many.marks] == [""] * 9
