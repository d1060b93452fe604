"""Several skeletons on one data set: the right one first, and chance called undecided."""

import dataclasses
import re
import typing
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from fpcheck.core.errors import DataError, NothingToJudgeError, UsageError
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.jobs.screen import figures as of_figures
from fpcheck.jobs.screen import screen
from fpcheck.jobs.screen.figures import Course, Figures, table_scores
from fpcheck.jobs.screen.ranking import difference_interval, ranking
from fpcheck.jobs.screen.result import Screening
from fpcheck.readout.kernel_ridge import kernel_trials
from fpcheck.readout.problem import Problem, score
from fpcheck.readout.result import Skipped
from fpcheck.readout.scores import one_hot
from fpcheck.readout.splits import random_split, resampled_interval
from fpcheck.report.document import write_json
from fpcheck.report.schema import SCREEN, schema, violations

SAMPLES = Path(__file__).parents[2] / "samples"
FEW = Settings(splits=8, readout_draws=2)


def small(**wishes):
    return {"settings": FEW, "ntk": False, **wishes}


@pytest.fixture(scope="module")
def signals():
    names = ["signals_dense.toml", "signals_conv.toml"]
    return screen(
        [SAMPLES / name for name in names], SAMPLES / "signals.npz", **small(rows=120, ntk=True)
    )


@pytest.fixture
def spec(tmp_path):
    def write(name, layers, size=6, more=""):
        init = '[init]\nweights = "he_normal"\nbiases = { law = "normal", sigma2 = 0.1 }\n'
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"[network]\ninput = {size}\nlayers = [ {layers} ]\n{init}{more}", "utf-8")
        return path

    return write


@pytest.fixture
def table(tmp_path):
    def save(x, y=None):
        path = tmp_path / "data.npz"
        np.savez(path, X=x, **({} if y is None else {"y": y}))
        return path

    return save


def ring(rows=80, seed=0):
    """Two classes that no line separates."""
    x = np.random.default_rng(seed).normal(size=(rows, 6))
    return x, (np.linalg.norm(x[:, :2], axis=1) > 1.18).astype(np.int64)


def wide(name="relu", units=32):
    return f'{{ dense = {units}, activation = "{name}" }}, {{ dense = 2 }}'


def by_name(document):
    return {one["name"]: one for one in document["candidates"]}


def test_the_convolution_comes_first_on_signals_whose_motif_stands_anywhere(signals):
    first, second = signals["candidates"]
    assert (first["name"], first["rank"], first["standing"]) == ("signals_conv.toml", 1, "best")
    assert (second["rank"], second["standing"]) == (2, "behind")
    assert second["to_best"]["high"] < 0.0
    assert first["nngp"]["score"] > 0.85
    assert second["nngp"]["low"] < 0.5 < second["nngp"]["high"]
    assert (signals["outcome"], signals["recommended"]) == ("one leads", "signals_conv.toml")
    shift = f"{-second['to_best']['gain']:.3f}"
    assert shift in signals["recommendation"]
    assert signals["decided_by"] == second["to_best"]
    assert signals["baseline"]["over_linear"]["low"] > 0.0


def test_every_figure_is_there(signals):
    for one in signals["candidates"]:
        for measure in ("nngp", "ntk", "at_init"):
            assert one[measure]["low"] <= one[measure]["score"] <= one[measure]["high"]
        assert one["at_init"]["draws"] == 2
        assert 0.0 <= one["alignment"]["alignment"] <= 1.0
        assert 1.0 <= one["spread"]["effective_rank"] <= 120.0


def test_the_screen_is_as_its_schema_says(signals):
    jsonschema.Draft202012Validator.check_schema(schema(SCREEN))
    jsonschema.Draft202012Validator(schema(SCREEN)).validate(signals)
    assert violations(signals, SCREEN) == []
    write_json(signals)


def snake(kind):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def test_every_field_stands_in_the_schema():
    def check(kind, described):
        for field, hint in typing.get_type_hints(kind).items():
            assert field in described["properties"], (kind.__name__, field)
            for part in (hint, *typing.get_args(hint)):
                if dataclasses.is_dataclass(part) and part is not Skipped:
                    check(part, schema(SCREEN)["$defs"][snake(part)])

    check(Screening, schema(SCREEN))


def test_a_damaged_screen_is_not_valid(signals):
    for key, value in {"ranked_by": "luck", "candidates": {}, "rows": -1, "baseline": None}.items():
        assert violations({**signals, key: value}, SCREEN)


def test_a_candidate_scores_the_same_in_any_company_and_with_any_threads(spec, table):
    data = table(*ring())
    a, b = spec("a.toml", wide()), spec("b.toml", wide("tanh"))
    c = spec("c.toml", wide("erf", 7))
    first = screen([a, b], data, **small(ntk=True))
    second = screen(
        [c, b], data, **small(ntk=True, settings=Settings(0, splits=8, readout_draws=2, threads=1))
    )
    for key in ("nngp", "ntk", "at_init", "alignment", "spread", "width_gain"):
        assert by_name(first)["b.toml"][key] == by_name(second)["b.toml"][key]
    assert write_json(first) == write_json(screen([a, b], data, **small(ntk=True)))


def test_equal_skeletons_are_undecided_and_the_smallest_is_named(spec, table):
    data = table(*ring(160))
    big, little = spec("big.toml", wide(units=64)), spec("little.toml", wide(units=16))
    document = screen([big, little], data, **small())
    found = by_name(document)["little.toml"]
    assert found["to_best"]["gain"] == 0.0  # one infinite width
    assert found["standing"] == "undecided"
    assert (document["outcome"], document["recommended"]) == ("undecided", "little.toml")
    assert "146" in document["recommendation"]  # 7 x 16 + 17 x 2 parameters


def test_a_linear_task_sends_to_the_linear_model(spec, table):
    x = np.random.default_rng(1).normal(size=(120, 6))
    document = screen(
        [spec("a.toml", wide()), spec("b.toml", wide("tanh"))],
        table(x, x @ np.arange(6.0)),
        **small(),
    )
    assert document["metric"] == "r2"
    assert document["baseline"]["linear"]["score"] == pytest.approx(1.0, abs=1e-6)
    assert (document["outcome"], document["recommended"]) == ("no better than linear", "linear")
    assert document["decided_by"]["over"] == "linear"


def test_where_the_linear_model_alone_learns_it_is_recommended(spec, table):
    x = np.random.default_rng(8).normal(size=(90, 6))
    step = '{ dense = 1, activation = "step" }, { dense = 2 }'
    paths = [spec("a.toml", step), spec("b.toml", step.replace("= 1,", "= 2,"))]
    document = screen(paths, table(x, (x[:, 0] > 0.0).astype(np.int64)), **small(by="at_init"))
    assert document["baseline"]["linear_gain"]["low"] > 0.0
    assert (document["outcome"], document["recommended"]) == ("no better than linear", "linear")


def test_labels_by_chance_recommend_nothing(spec, table):
    rng = np.random.default_rng(2)
    data = table(rng.normal(size=(80, 6)), rng.integers(0, 2, 80))
    document = screen([spec("a.toml", wide()), spec("b.toml", wide("tanh"))], data, **small())
    assert (document["outcome"], document["recommended"]) == ("nothing learned", None)
    assert document["decided_by"]["over"] == "majority"


def test_skeletons_that_are_equally_good_are_seldom_called_behind():
    """Three random kernels that know nothing of the labels, 120 times: 5 % in all are allowed."""
    repeats, alarms = 120, 0
    for repeat in range(repeats):
        rng = np.random.default_rng([7, repeat])
        labels = rng.integers(0, 2, 60)
        problem = Problem("accuracy", one_hot(labels, 2), labels, ("0", "1"), "2 classes")
        splits = [random_split(60, 0.25, child, labels) for child in rng.spawn(10)]
        found = {}
        for name in "abc":
            features = rng.normal(size=(60, 12))
            trials = kernel_trials(
                features @ features.T, problem.targets, splits, 10.0 ** np.arange(-2, 3), threads=1
            )
            values = [
                score(problem, one.held_out, split.test).value
                for one, split in zip(trials, splits, strict=True)
            ]
            found[name] = Figures(np.array(values), "", "", Skipped(""), Skipped(""), "")
        ranked = ranking(found, None, splits[0])
        alarms += len(ranked.undecided) < 2
    # Three standard errors above 5 %.
    assert alarms / repeats <= 0.05 + 3.0 * (0.05 * 0.95 / repeats) ** 0.5


def test_the_interval_is_the_corrected_resampled_t():
    rng = np.random.default_rng(3)
    gains = rng.normal(size=9)
    split = random_split(40, 0.25, rng)
    expected = resampled_interval(gains, len(split.train), len(split.test))
    found = difference_interval(gains, split)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    wider = difference_interval(gains, split, together=6)
    assert wider.low < found.low < found.high < wider.high


def test_draws_add_their_own_variance():
    rng = np.random.default_rng(4)
    split = random_split(40, 0.25, rng)
    alike = np.tile(rng.normal(size=9), (5, 1))
    apart = alike + rng.normal(size=(5, 1))
    one, other = difference_interval(alike, split), difference_interval(apart, split)
    assert other.high - other.low > one.high - one.low
    # Satterthwaite's degrees of freedom are the splits' own where draws do not differ.
    expected = resampled_interval(alike[0], len(split.train), len(split.test))
    assert one.low == pytest.approx(expected.low, rel=1e-12)


def test_wide_features_score_alike_through_their_kernel(monkeypatch):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(200, 30))
    y = x[:, :1] + 0.5 * rng.normal(size=(200, 1))
    problem = Problem("r2", y, None, (), "1 number a row")
    splits = [random_split(200, 0.25, child) for child in rng.spawn(6)]
    course = Course(problem, splits, 2, False, 1, Monitor())
    direct = table_scores(x, course)
    monkeypatch.setattr(of_figures, "KERNEL_FROM", 1)
    # The grids start from other penalties: scores differ by what a fraction of half a decade does.
    assert table_scores(x, course) == pytest.approx(direct, abs=0.02)


def test_where_infinite_width_is_not_known_of_one_all_are_ranked_at_initialisation(spec, table):
    conv = (
        '{ reshape = [1, 6] }, { conv1d = 8, kernel = 3, activation = "relu" }, '
        '{ pool = "max", size = 2 }, { flatten = true }, { dense = 2 }'
    )
    paths = [spec("max.toml", conv), spec("b.toml", wide())]
    document = screen(paths, table(*ring()), **small())
    assert document["ranked_by"] == "at_init"
    assert "max.toml" in document["ranked_because"]
    assert {one["rank"] for one in document["candidates"]} == {1, 2}
    found = by_name(document)["max.toml"]
    assert found["nngp"]["score"] is None
    assert found["nngp"]["skipped"]
    assert "skipped" in found["alignment"]
    forced = screen(paths, table(*ring()), **small(by="nngp"))
    assert by_name(forced)["max.toml"]["standing"] == "not ranked"
    assert violations(forced, SCREEN) == []


def test_what_cannot_be_judged_does_not_keep_the_others_waiting(spec, table):
    odd = spec("odd.toml", "{ reshape = [1, 6] }, { conv1d = 2, kernel = 3 }")
    document = screen(
        [odd, spec("a.toml", wide()), spec("b.toml", wide("tanh"))], table(*ring()), **small()
    )
    found = by_name(document)["odd.toml"]
    assert found["standing"] == "not ranked"
    assert "dense layer" in found["skipped"]
    assert document["candidates"][-1]["name"] == "odd.toml"
    assert violations(document, SCREEN) == []
    with pytest.raises(NothingToJudgeError, match="dense layer"):
        screen([odd, spec("more.toml", "{ reshape = [1, 6] }")], table(*ring()), **small())


def test_checkpoints_take_the_activation_and_give_the_size_of_their_weights():
    document = screen(
        [SAMPLES / "autoencoder.npz", SAMPLES / "untrained_normal.npz"],
        SAMPLES / "digits.npz",
        **small(rows=100, activation="tanh", target="y"),
    )
    assert document["used"] == 100 < document["rows"]
    assert "100 of" in document["notes"][-1]
    for one in document["candidates"]:
        assert "measured from its own entries" in one["law"]
        assert one["nngp"]["score"] > 0.5


def test_without_targets_a_self_map_is_asked_for_its_input(spec, table):
    x = np.random.default_rng(6).normal(size=(60, 6)) @ np.diag([3.0, 2.0, 1.0, 0.1, 0.1, 0.1])
    chain = '{{ dense = {}, activation = "tanh" }}, {{ dense = 6 }}'
    paths = [spec("a.toml", chain.format(2)), spec("b.toml", chain.format(24))]
    document = screen(paths, table(x), **small())
    assert document["ranked_by"] == "at_init"
    assert document["candidates"][0]["name"] == "b.toml"
    assert document["baseline"]["linear"]["skipped"]
    one, other = [
        spec("c.toml", chain.format(2), more="[inputs]\nclip = [-1.0, 1.0]\n"),
        paths[0],
    ]
    assert (
        "preprocessing" in by_name(screen([other, one], table(x), **small()))["c.toml"]["skipped"]
    )


def test_files_of_one_name_are_told_apart_by_their_folders(spec, table):
    paths = [spec("one/net.toml", wide()), spec("two/net.toml", wide("tanh"))]
    names = {one["name"] for one in screen(paths, table(*ring()), **small())["candidates"]}
    assert names == {"one/net.toml", "two/net.toml"}


def test_bad_input_is_told_in_a_sentence(spec, table):
    a, b = spec("a.toml", wide()), spec("b.toml", wide("tanh"))
    x, y = ring()
    data = table(x, y)
    with pytest.raises(UsageError, match="two or more"):
        screen([a], data)
    with pytest.raises(UsageError, match="given twice"):
        screen([a, a], data)
    with pytest.raises(UsageError, match="takes an activation"):
        screen([a, b], data, activation="tanh")
    with pytest.raises(UsageError, match="unknown measure"):
        screen([a, b], data, by="luck")
    with pytest.raises(UsageError, match="exclude"):
        screen([a, b], data, by="ntk", ntk=False)
    with pytest.raises(DataError, match=r"wrong\.toml"):
        screen([a, spec("wrong.toml", wide(), size=7)], data)
    with pytest.raises(DataError, match="one class"):
        screen([a, b], table(x, np.zeros(len(x), dtype=np.int64)))
    with pytest.raises(NothingToJudgeError, match="12 rows"):
        screen([a, b], table(x[:12], y[:12]))
    with pytest.raises(NothingToJudgeError, match="no targets"):
        screen([a, b], table(x))
