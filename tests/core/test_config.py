from __future__ import annotations

import dataclasses

import pytest

from fpcheck.core.config import read_configuration
from fpcheck.core.config_file import key_lines
from fpcheck.core.errors import UsageError
from fpcheck.core.keys import KEYS
from fpcheck.core.settings import Settings


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_without_files_and_flags_the_settings_are_the_defaults(here):
    assert read_configuration(here).settings_for("net.pt") == Settings()


def test_flags_beat_config_beats_fpcheck_toml_beats_pyproject_beats_defaults(here):
    write(here / "pyproject.toml", "[tool.fpcheck]\nseed = 1\nstarts = 1\nsplits = 5\nsamples = 5")
    write(here / "fpcheck.toml", "seed = 2\nstarts = 2\nsplits = 6")
    named = write(here / "named.toml", "seed = 3\nstarts = 3")
    configuration = read_configuration(here, config=named, flags={"seed": 4, "threads": None})
    settings = configuration.settings_for()
    assert (settings.seed, settings.starts, settings.splits, settings.samples) == (4, 3, 6, 5)
    assert settings.max_steps == Settings().max_steps
    sources = [configuration.value(key).source for key in ("seed", "starts", "splits", "samples")]
    assert sources == [
        "--seed",
        "named.toml, line 2",
        "fpcheck.toml, line 3",
        "pyproject.toml, line 5",
    ]
    assert configuration.value("threads").source == "default"


def test_limits_and_levels_merge_name_by_name(here):
    write(
        here / "pyproject.toml",
        "[tool.fpcheck.limits]\nmax_unresolved = 0.5\nmax_cycling = 0.5\n"
        '[tool.fpcheck.levels]\nFP205 = "error"\nFP206 = "off"\n',
    )
    write(here / "fpcheck.toml", '[limits]\nmax_cycling = 0.25\n[levels]\nFP206 = "warning"\n')
    settings = read_configuration(here, limits=["max_diverged=0.125"]).settings_for()
    assert settings.limits == {
        "max_unresolved": 0.5,
        "max_cycling": 0.25,
        "max_diverged": 0.125,
    }
    assert settings.levels == {"FP205": "error", "FP206": "warning"}


def test_the_nearest_pyproject_with_a_section_counts(here):
    write(here / "pyproject.toml", "[tool.fpcheck]\nseed = 7\n")
    inner = here / "a" / "b"
    inner.mkdir(parents=True)
    write(here / "a" / "pyproject.toml", "[tool.other]\nseed = 8\n")
    assert read_configuration(inner).settings_for().seed == 7


def test_a_limit_for_one_model_holds_for_it_alone_and_yields_to_a_flag(here):
    write(
        here / "fpcheck.toml",
        '[limits]\nmax_cycling = 0.1\n[per-model."models/legacy*.npz".limits]\nmax_cycling = 0.3\n',
    )
    configuration = read_configuration(here)
    assert configuration.settings_for("models/legacy1.npz").limits == {"max_cycling": 0.3}
    assert configuration.settings_for("models/new.npz").limits == {"max_cycling": 0.1}
    assert configuration.settings_for(str(here / "models/legacy.npz")).limits == {
        "max_cycling": 0.3
    }
    flagged = read_configuration(here, limits=["max_cycling=0.9"])
    assert flagged.settings_for("models/legacy1.npz").limits == {"max_cycling": 0.9}


@pytest.mark.parametrize(
    ("text", "line", "word", "hint"),
    [
        ("seed = 0\nstarst = 5\n", 2, "starst", "starts"),
        ("[limits]\n\nmax_unresolvd = 1\n", 3, "max_unresolvd", "max_unresolved"),
        ('[levels]\nFP2O1 = "off"\n', 2, "FP2O1", "FP201"),
        ('seed = 1\nignore = ["FP2O1"]\n', 2, "FP2O1", "FP201"),
        ('[per-model."a.npz"]\nseed = 1\n', 2, "seed", "limits"),
        ('questions = "atractors"\n', 1, "atractors", ""),
    ],
)
def test_an_unknown_name_is_refused_with_its_line_and_the_nearest(here, text, line, word, hint):
    write(here / "fpcheck.toml", text)
    with pytest.raises(UsageError, match=word) as caught:
        read_configuration(here)
    assert caught.value.where == f"fpcheck.toml, line {line}"
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "seed = 1.5",
        'seed = "1"',
        "seed = true",
        "seed = -1",
        "starts = 0",
        "samples = 1",
        "threads = -1",
        "self-map = 1",
        "select = 1",
        "models = [1]",
        'fail-on = "fatal"',
        "limits = 3",
        "levels = []",
        "[limits]\nmax_cycling = '1'",
        "[limits]\nmax_cycling = nan",
        "[limits]\nmax_cycling = true",
        "per-model = 1",
        '[per-model]\n"a" = 1',
    ],
)
def test_a_value_of_the_wrong_type_or_range_is_refused(here, text):
    write(here / "fpcheck.toml", text)
    with pytest.raises(UsageError) as caught:
        read_configuration(here)
    assert caught.value.where.startswith("fpcheck.toml, line ")


def test_starts_of_zero_are_refused_with_a_hint(here):
    with pytest.raises(UsageError, match="at least 1, got 0") as caught:
        read_configuration(here, flags={"starts": 0})
    assert caught.value.where == "--starts"
    assert "1024" in caught.value.hint


def test_text_that_is_not_toml_says_where(here):
    write(here / "fpcheck.toml", "seed = 1\nstarts == 2\n")
    with pytest.raises(UsageError, match="line 2"):
        read_configuration(here)


def test_a_missing_config_file_is_refused(here):
    with pytest.raises(UsageError, match="no configuration file"):
        read_configuration(here, config=here / "absent.toml")


def test_a_file_of_bytes_is_refused(here):
    (here / "fpcheck.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_configuration(here)


def test_questions_come_in_their_own_order_without_repeats(here):
    configuration = read_configuration(here, flags={"questions": ["readout,signal", "signal"]})
    assert configuration.settings_for().questions == ("signal", "readout")


def test_configured_models_are_globs_seen_from_the_file(here, monkeypatch):
    (here / "models").mkdir()
    for name in ("b.npz", "a.npz", "c.pt"):
        (here / "models" / name).touch()
    write(here / "pyproject.toml", '[tool.fpcheck]\nmodels = ["models/*.npz"]\n')
    assert read_configuration(here).models() == ("models/a.npz", "models/b.npz")
    monkeypatch.chdir(here / "models")
    assert read_configuration(here / "models").models() == ("a.npz", "b.npz")


def test_live_models_stand_among_configured_files_as_they_are(here):
    (here / "a.npz").touch()
    write(here / "fpcheck.toml", 'models = ["nets.small:make", "a.npz", "nets.small:make"]\n')
    configuration = read_configuration(here)
    assert configuration.models() == ("nets.small:make", "a.npz")
    (here / "named:so").touch()  # a file of that name is a file
    write(here / "fpcheck.toml", 'models = ["named:so"]\n')
    assert read_configuration(here).models() == ("named:so",)


def test_limits_can_be_set_for_one_live_model(here):
    write(here / "fpcheck.toml", '[per-model."nets.small:*".limits]\nmax_cycling = 0.3\n')
    configuration = read_configuration(here)
    assert configuration.settings_for("nets.small:make").limits == {"max_cycling": 0.3}
    assert configuration.settings_for("nets.large:make").limits == {}


def test_a_glob_of_models_that_matches_nothing_is_refused(here):
    write(here / "fpcheck.toml", 'models = ["nothing/*.npz"]\n')
    with pytest.raises(UsageError, match="nothing"):
        read_configuration(here).models()


def test_every_key_is_a_setting_and_its_default_is_the_setting_s(here):
    fields = {field.name: field.default for field in dataclasses.fields(Settings)}
    for key in KEYS:
        if key.field:
            assert key.default == fields[key.field]


def test_show_settings_lists_every_key_and_limit_with_its_source(here):
    write(here / "fpcheck.toml", "starts = 3\n[limits]\nmax_cycling = 0.25\n")
    rows = read_configuration(here, flags={"seed": 9}).rows("net.pt")
    assert ("seed", "9", "--seed") in rows
    assert ("starts", "3", "fpcheck.toml, line 1") in rows
    assert ("limits.max_cycling", "0.25", "fpcheck.toml, line 3") in rows
    assert ("splits", "20", "default") in rows
    assert {key.name for key in KEYS} <= {name for name, _, _ in rows}


def test_lines_are_found_in_every_way_of_writing_a_key():
    text = '# a comment\nseed = 1\n[ tool . fpcheck ]\n"a.b" = 1\nx.y = 2\n[[list]]\nz = 3\n'
    assert key_lines(text) == {
        ("seed",): 2,
        ("tool", "fpcheck"): 3,
        ("tool", "fpcheck", "a.b"): 4,
        ("tool", "fpcheck", "x", "y"): 5,
        ("list",): 6,
        ("list", "z"): 7,
    }
