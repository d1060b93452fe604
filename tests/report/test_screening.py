"""The view of a screen: what it says of what is known, undecided and not there."""

from __future__ import annotations

import copy

import pytest

from fpcheck.core.tables import Note, Table
from fpcheck.report.schema import SCREEN, violations
from fpcheck.report.screening import screening
from fpcheck.report.style import Style
from fpcheck.report.terminal import write_panels


def a_score(value, skipped=""):
    known = value is not None
    return {
        "score": value,
        "low": value - 0.05 if known else None,
        "high": value + 0.05 if known else None,
        "draws": 0,
        "draws_sd": None,
        "skipped": skipped,
    }


def a_difference(model, over, gain, half=0.05):
    return {
        "model": model,
        "over": over,
        "gain": gain,
        "low": gain - half,
        "high": gain + half,
        "together": 6,
    }


def a_candidate(name, rank, value, standing, gap=None):
    return {
        "name": name,
        "format": "spec",
        "sha256": "0" * 64,
        "parameters": 82946,
        "layers": 3,
        "rank": rank,
        "standing": standing,
        "to_best": gap,
        "nngp": a_score(value),
        "ntk": a_score(value),
        "at_init": a_score(value - 0.1),
        "width_gain": a_difference("nngp", "at_init", 0.1),
        "alignment": {
            "kernel": "nngp",
            "rows": 100,
            "alignment": 0.2,
            "chance": 0.1,
            "chance_sd": 0.01,
            "shares": [{"top": 1, "share": 0.5}],
            "spectrum": [0.5, 0.25],
        },
        "spread": {
            "effective_rank": 10.0,
            "centred_rank": 20.0,
            "off_diagonal_mean": 0.5,
            "off_diagonal_sd": 0.1,
        },
        "law": "drawn by the spec's laws",
        "notes": [],
        "skipped": "",
    }


@pytest.fixture
def document():
    lost = a_candidate("recurrent.toml", None, 0.5, "not ranked") | {"skipped": "it has no end"}
    return {
        "schema": "fpcheck/screen/1",
        "fpcheck": "0.1.0",
        "settings": {
            "seed": 0,
            "splits": 20,
            "test_share": 0.25,
            "draws": 5,
            "rows": 500,
            "ntk": True,
            "by": None,
            "activation": None,
            "output_activation": None,
            "preprocessing": None,
            "versions": {"numpy": "2.0"},
        },
        "data": "signals.npz",
        "target": "2 classes",
        "metric": "accuracy",
        "classes": ["0", "1"],
        "rows": 4000,
        "used": 500,
        "test_rows": 125,
        "splits": 20,
        "ranked_by": "nngp",
        "ranked_because": "it has no chance of draws in it",
        "outcome": "undecided",
        "recommended": "b.toml",
        "recommendation": "Undecided between a.toml and b.toml.",
        "decided_by": a_difference("b.toml", "a.toml", -0.01),
        "baseline": {
            "linear": a_score(0.7),
            "majority": a_score(0.5),
            "over_linear": a_difference("a.toml", "linear", 0.2),
            "over_majority": a_difference("a.toml", "majority", 0.4),
            "linear_gain": a_difference("linear", "majority", 0.2),
        },
        "candidates": [
            a_candidate("a.toml", 1, 0.9, "best"),
            a_candidate("b.toml", 2, 0.89, "undecided", a_difference("b.toml", "a.toml", -0.01)),
            a_candidate(
                "a_rather_long_name_of_a_spec.toml",
                3,
                0.6,
                "behind",
                a_difference("a_rather_long_name_of_a_spec.toml", "a.toml", -0.3),
            ),
            lost,
        ],
        "notes": ["500 of 4000 rows were drawn"],
        "interval": "95% corrected resampled t",
        "status": "sampled",
    }


def tables(document):
    return [
        item for panel in screening(document) for item in panel.items if isinstance(item, Table)
    ]


def notes(document):
    panels = screening(document)
    return " ".join(item.text for panel in panels for item in panel.items if isinstance(item, Note))


def test_what_is_viewed_here_is_a_screen(document):
    assert violations(document, SCREEN) == []


@pytest.mark.parametrize("columns", [60, 80, 92, 120])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_it_keeps_to_the_width(document, columns, ascii_only):
    text = write_panels(screening(document), Style(width=columns, ascii_only=ascii_only))
    assert max(map(len, text.splitlines())) <= columns
    assert text.isascii() or not ascii_only


def test_the_recommendation_comes_first_and_the_order_says_what_is_undecided(document):
    text = write_panels(screening(document), Style(width=100))
    assert text.index("Undecided between") < text.index("to the best")
    order = tables(document)[0]
    standings = [row[-1] for row in order.rows]
    assert standings == ["best", "undecided", "behind", "behind", "behind"]
    assert order.rows[1][4:6] == ("-0.010", "-0.060 to +0.040")


def test_a_simple_model_that_is_ahead_or_not_told_apart_is_called_so(document):
    ahead = copy.deepcopy(document)
    ahead["baseline"]["over_linear"] = a_difference("a.toml", "linear", -0.2)
    assert tables(ahead)[0].rows[3][4:] == ("+0.200", "+0.150 to +0.250", "ahead")
    near = copy.deepcopy(document)
    near["baseline"]["over_linear"] = a_difference("a.toml", "linear", 0.01)
    assert tables(near)[0].rows[3][-1] == "undecided"


def test_what_was_not_judged_is_told_with_its_reason_and_has_no_figures(document):
    assert "not ranked, recurrent.toml: it has no end" in notes(document)
    assert "recurrent.toml" not in [row[0] for row in tables(document)[1].rows]


def test_a_missing_figure_is_a_dash_with_its_reason_once(document):
    for one in document["candidates"][:2]:
        one["ntk"] = a_score(None, "the step has no slope")
    assert [row[3] for row in tables(document)[1].rows] == ["-", "-", "0.600"]
    assert notes(document).count("no NTK of a.toml, b.toml: the step has no slope") == 1


def test_an_interval_without_bounds_is_shown_as_unknown(document):
    document["candidates"][1]["to_best"] |= {"low": None, "high": None}
    assert tables(document)[0].rows[1][5] == "? to ?"


def test_nothing_ranked_still_shows_what_there_is(document):
    document |= {"ranked_by": None, "decided_by": None}
    document["candidates"] = document["candidates"][3:]
    document["baseline"] |= {"over_linear": None, "over_majority": None}
    assert violations(document, SCREEN) == []
    assert "it has no end" in write_panels(screening(document), Style(width=80))
