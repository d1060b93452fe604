"""The readout in the terminal: the verdict first, one table of models, short tables behind it."""

from __future__ import annotations

import json

import pytest
from readout_section import bias, section

from fpcheck.core.catalogue import default_limits
from fpcheck.core.plain import plain
from fpcheck.core.tables import Note, Table
from fpcheck.readout.figures_view import pictures
from fpcheck.readout.rules import judge
from fpcheck.readout.view import view
from fpcheck.report.pictures import write_page, write_png, write_svg
from fpcheck.report.style import Style
from fpcheck.report.terminal import write_panels

PARTS = ("stages", "probes", "kernel", "width_curve", "alignment", "learning_curve")


def panel(one):
    return view(one, judge(one, default_limits()))


def table(one, title) -> Table:
    return next(
        item for item in panel(one).items
        if isinstance(item, Table) and item.title.startswith(title)
    )  # fmt: skip


def rows_of(drawn: Table):
    heads = [column.title for column in drawn.columns]
    return {row[0]: dict(zip(heads, row, strict=True)) for row in drawn.rows}


def notes(one):
    return [item.text for item in panel(one).items if isinstance(item, Note)]


def terminal(one, width):
    return write_panels([panel(one)], Style(width=width))


def test_the_verdict_its_figure_and_the_next_step_come_first():
    first, second, third, *_ = panel(section()).items
    assert first.text == "Verdict: enough. Last layer minus the linear model is +0.05."
    assert second.text == "Next: Keep the inner layers as they are."
    assert third.title == "Predicting 10 classes: accuracy"


def test_one_row_a_model_with_score_interval_difference_draws_and_rule():
    cells = rows_of(table(section(), "Predicting"))
    assert cells["last layer refit"]["held out"] == "0.950"
    assert cells["last layer refit"]["95% CI"] == "0.940–0.960"
    assert cells["last layer refit"]["to last layer"] == ""
    assert cells["linear on input"]["to last layer"] == "-0.050 ± 0.006"
    assert cells["last 2 layers"]["to last layer"] == "+0.010 ± 0.006"
    assert cells["last layer at init"]["draws"] == "5"
    assert cells["network as it is"]["rule"] == "ok"
    assert cells["majority class"]["rule"] == "-"


def test_a_baseline_that_wins_is_marked_and_the_others_are_not():
    pairs = [
        {**pair, "gain": -0.06, "low": -0.08, "high": -0.04}
        if (pair["model"], pair["over"]) == ("last_layer", "rbf")
        else pair
        for pair in section()["paired"]
    ]
    cells = rows_of(table(section(paired=pairs), "Predicting"))
    assert cells["RBF ridge"]["rule"] == "FP307"
    assert cells["nearest neighbours"]["rule"] == "-"


def test_of_several_findings_on_a_model_the_failure_is_shown_with_their_number():
    gains = [{**one, "low": -0.1, "high": 0.3} if one["over"] == "majority" else one
             for one in section()["gains"]]  # fmt: skip
    fits = [{**section()["fits"][0], "condition": None}]
    cells = rows_of(table(section(gains=gains, fits=fits), "Predicting"))
    assert cells["last layer refit"]["rule"] == "FP304 +1"


def test_the_finding_on_an_earlier_layer_stands_beside_it():
    better = {**section()["probes"], "best": "act0", "gain": 0.05, "gain_low": 0.03}
    one = section(probes={**better, "gain_high": 0.07})
    assert [row[-1] for row in table(one, "Score by depth").rows] == ["", "best, FP308", "last"]
    assert "best minus last +0.050 ± 0.020" in table(one, "Score by depth").caption


def test_what_is_undecided_is_marked():
    gains = [
        {**one, "low": -0.02, "high": 0.04} if one["over"] == "linear_on_input" else one
        for one in section()["gains"]
    ]
    cells = rows_of(table(section(gains=gains), "Predicting"))
    assert cells["linear on input"]["rule"] == "FP302?"


def test_models_without_a_score_are_told_with_the_reason():
    assert "Not scored, last 3 layers: there are two layers only." in notes(section())


def test_numbers_have_a_mean_and_an_error_in_their_unit_and_no_balanced_accuracy():
    models = [{**one, "balanced": None, "rmse": 0.25} for one in section()["models"]]
    one = section(metric="r2", balanced_accuracy={}, models=models)
    assert table(one, "Predicting").rows[0][0] == "mean only"
    assert table(one, "Error held out").columns[1].title == "RMSE"
    assert "balanced" not in terminal(one, 100)


def test_the_preprocessing_an_edge_and_duplicates_are_told():
    fits = [{**section()["fits"][0], "penalty_at_edge": True}]
    one = section(fits=fits, duplicates={"rows": 12, "held_out": 0.031, "contradicting": 0})
    text = " ".join(terminal(one, 90).split())
    assert "edge of its grid" in text
    assert "multiplied by 0.0625" in text
    assert "12 rows equal an earlier one; 3.1% of the held-out rows" in text


def test_the_bias_correction_is_silent_unless_asked_for():
    assert not any("ias correction" in text for text in notes(section()))
    assert any("+0.005 ± 0.007" in text for text in notes(section(bias_correction=plain(bias()))))
    failed = section(bias_correction={"skipped": "one split"})
    assert "No bias correction: One split." in notes(failed)


@pytest.mark.parametrize("key", PARTS)
def test_a_part_without_numbers_says_why(key):
    text = " ".join(terminal(section(**{key: {"skipped": "the reason why"}}), 80).split())
    assert "The reason why." in text


def test_the_fit_of_the_first_stage_is_told_where_it_is_not_the_tables():
    one = section()
    first, second = one["stages"]["stages"]
    stages = [{**first, "fit": "multinomial logistic"}, second]
    words = "the last layer alone by multinomial logistic, which does better here than the ridge"
    assert (
        words in table(section(stages={**one["stages"], "stages": stages}), "Last layers").caption
    )
    assert words not in table(one, "Last layers").caption


def test_limits_that_could_not_be_told_say_why():
    curve = {**section()["learning_curve"], "asymptote": None, "asymptote_skipped": "too flat"}
    width = {**section()["width_curve"], "limit": None, "limit_skipped": "contradicted"}
    text = " ".join(terminal(section(learning_curve=curve, width_curve=width), 80).split())
    assert "no end told: too flat" in text
    assert "no limit told: contradicted" in text


@pytest.mark.parametrize("width", [60, 80, 92, 120])
@pytest.mark.parametrize("metric", ["accuracy", "r2"])
def test_nothing_is_wider_than_the_terminal(width, metric):
    one = section(metric=metric, bias_correction=plain(bias()))
    lines = terminal(one, width).splitlines()
    assert max(map(len, lines)) <= width


def test_eighty_columns_show_every_column_of_the_models():
    text = terminal(section(), 80)
    head = next(line for line in text.splitlines() if line.startswith("model  "))
    assert head.split() == ["model", "held", "out", "95%", "CI", "to", "last", "layer", "draws",
                            "rule"]  # fmt: skip


@pytest.mark.parametrize("missing", ["low", "high"])
def test_scores_without_bounds_and_far_from_one_are_drawn(missing):
    models = [{**one, "score": -1.2e7, missing: None} for one in section()["models"]]
    text = terminal(section(models=models), 80)
    assert "∞" in text
    assert "-1.2e+07" in text


class TestPictures:
    """Learning curve, score by depth and spectrum as files."""

    def test_every_part_with_numbers_has_its_picture(self):
        titles = [picture.title for picture in pictures(section())]
        assert titles == ["Learning curve of the last layer refit", "Score by depth",
                          "Score by width, last layer of random networks",
                          "Spectrum of the kernels"]  # fmt: skip

    def test_parts_without_numbers_have_none(self):
        why = {"skipped": "why"}
        parts = dict.fromkeys(("learning_curve", "probes", "width_curve", "alignment"), why)
        assert not list(pictures(section(**parts)))
        assert not list(pictures(why))

    def test_every_curve_lies_within_the_axes_but_for_wide_intervals(self):
        for picture in pictures(section()):
            assert picture.x.low < picture.x.high
            assert picture.y.low < picture.y.high
            for curve in picture.curves:
                assert len(curve.x) == len(curve.y) > 1
                if picture.regions[curve.region].name != "95%":
                    assert all(picture.x.low <= x <= picture.x.high for x in curve.x)
                    assert all(picture.y.low <= y <= picture.y.high for y in curve.y)

    def test_the_law_in_the_picture_is_the_fitted_one(self):
        curve = section()["learning_curve"]
        (law,) = (c for c in next(pictures(section())).curves if c.region == 3)
        most = curve["points"][-1]["rows"]
        for rows, score in zip(law.x, law.y, strict=True):
            exact = curve["asymptote"] - curve["gap"] * (most / rows) ** curve["exponent"]
            assert score == pytest.approx(exact)

    def test_the_picture_by_width_holds_its_law_its_limit_and_the_kernels_score(self):
        curve = section()["width_curve"]
        drawn = next(one for one in pictures(section()) if one.title.startswith("Score by width"))
        names = [region.name for region in drawn.regions]
        assert names == ["", "score", "95%", "law", "limit", "NNGP"]
        (law,) = (one for one in drawn.curves if names[one.region] == "law")
        for at, score in zip(law.x, law.y, strict=True):
            exact = curve["limit"] - curve["slope"] / (2.0**at + curve["offset"])
            assert score == pytest.approx(exact)
        assert 2.0 ** law.x[0] == pytest.approx(curve["fitted_from"])
        bare = section(width_curve={**curve, "limit": None, "nngp": None})
        drawn = next(one for one in pictures(bare) if one.title.startswith("Score by width"))
        assert [region.name for region in drawn.regions] == ["", "score", "95%"]

    def test_an_interval_without_bounds_and_equal_scores_are_drawn(self):
        curve = section()["learning_curve"]
        points = [{**one, "score": 0.5, "low": None, "high": None} for one in curve["points"]]
        one = section(learning_curve={**curve, "points": points, "asymptote": None})
        (first, *_) = pictures(one)
        assert [c.region for c in first.curves] == [1]
        assert first.y.low < 0.5 < first.y.high

    def test_they_are_written_in_every_format_from_a_saved_section(self):
        saved = json.loads(json.dumps(section()))
        drawn = list(pictures(saved))
        assert write_png(drawn[0]).startswith(b"\x89PNG")
        assert "Learning curve" in write_svg(drawn[0])
        assert write_page(drawn).count("<svg") == 4
