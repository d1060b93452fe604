"""The flags of the simplicity question: refused by name, with a hint, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpcheck.core.config import read_configuration

SAMPLES = Path(__file__).parents[2] / "samples"
MODEL = str(SAMPLES / "planted.toml")
DATA = ("--data", str(SAMPLES / "teacher.npz"))
ASKED = ("--question", "simplicity")
FLAGS = (
    ("--label-rows", "20"),
    ("--errors", "2"),
    ("--label-law", "normal"),
    ("--label-tolerance", "0.3"),
    ("--label-shuffles", "3"),
    ("--label-scan", "width"),
    ("--scaled-neurons",),
    ("--no-label-training",),
)


@pytest.mark.parametrize(
    ("flag", "value", "what"),
    [
        ("--label-rows", "-1", "at least 0"),
        ("--errors", "-1", "at least 0"),
        ("--errors", "some", "--errors must be a whole number"),
        ("--label-law", " ", "must be a name"),
        ("--label-tolerance", "0", "above 0"),
        ("--label-tolerance", "nan", "finite number"),
        ("--label-shuffles", "1", "at least 2"),
        ("--label-scan", "widht", "did you mean 'width'?"),
        ("--label-scan", ",", "is empty text"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_before_any_work(fpcheck, flag, value, what):
    result = fpcheck("analyze", MODEL, *DATA, *ASKED, f"{flag}={value}")
    assert (result.code, result.out, fpcheck.calls) == (2, "", [])
    message, where, hint = result.err.splitlines()
    assert what in message
    assert where == f"   in: {flag}"
    assert hint.startswith(" hint: ")


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_of_the_labels_is_refused_where_they_are_not_asked_for(fpcheck, flag):
    cases = (
        (DATA, "which is not asked for", "--question simplicity"),
        (ASKED, "which needs data with targets", "--data FILE"),
    )
    for rest, why, hint in cases:
        result = fpcheck("analyze", MODEL, *flag, *rest)
        assert (result.code, fpcheck.calls) == (2, [])
        assert why in result.err
        assert hint in result.err
    assert fpcheck("analyze", MODEL, *flag, *DATA, *ASKED).code == 0


def test_every_flag_reaches_the_settings(fpcheck):
    given = [part for flag in FLAGS for part in flag]
    assert fpcheck("analyze", MODEL, *DATA, *ASKED, *given, "--label-scan", "depth").code == 0
    ((_, arguments),) = fpcheck.calls
    settings = arguments["settings"]
    assert (settings.label_rows, settings.label_errors, settings.label_law) == (20, 2, "normal")
    assert (settings.label_tolerance, settings.label_shuffles) == (0.3, 3)
    assert settings.label_scan == ("width", "depth")
    assert (settings.scaled_neurons, settings.label_training) == (True, False)


def test_the_same_keys_of_a_file_are_for_all_models_and_not_refused(fpcheck):
    Path("fpcheck.toml").write_text(
        'label-rows = 30\nerrors = 1\nlabel-scan = ["depth", "width"]\nlabel-training = false\n'
    )
    assert fpcheck("analyze", MODEL, "--question", "signal").code == 0
    settings = read_configuration(Path()).settings_for()
    assert (settings.label_rows, settings.label_errors) == (30, 1)
    assert settings.label_scan == ("width", "depth")
    assert settings.label_training is False


def test_the_question_is_asked_by_name_alone(fpcheck):
    assert fpcheck("analyze", MODEL, *DATA, *FLAGS[0]).code == 2
    refused = fpcheck("analyze", MODEL, *ASKED, "-o", "png=bits.png")
    assert (refused.code, fpcheck.calls) == (2, [])
    assert fpcheck("analyze", MODEL, *DATA, *ASKED, "--effort", "2").code == 0
