"""The flags of the readout question: refused by name, with a hint, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpcheck.core.config import read_configuration

SAMPLES = Path(__file__).parents[2] / "samples"
MODEL = str(SAMPLES / "classifier.safetensors")
DATA = ("--data", str(SAMPLES / "digits.npz"))


@pytest.mark.parametrize(
    ("flag", "value", "what"),
    [
        ("--bias-share", "0", "above 0 and below 1"),
        ("--bias-share", "1", "above 0 and below 1"),
        ("--bias-share", "-0.1", "at least 0"),
        ("--bias-share", "nan", "finite number"),
        ("--bias-share", "some", "--bias-share must be a number"),
        ("--readout-draws", "-1", "at least 0"),
        ("--readout-draws", "2.5", "--readout-draws must be a whole number"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_before_any_work(fpcheck, flag, value, what):
    result = fpcheck("analyze", MODEL, *DATA, f"{flag}={value}")
    assert (result.code, result.out, fpcheck.calls) == (2, "", [])
    message, where, hint = result.err.splitlines()
    assert what in message
    assert where == f"   in: {flag}"
    assert hint.startswith(" hint: ")


@pytest.mark.parametrize("flag", [("--bias-share", "0.1"), ("--readout-draws", "3")])
def test_a_flag_of_the_readout_is_refused_where_it_is_not_asked_for(fpcheck, flag):
    for rest, hint in (((), "--data FILE"), ((*DATA, "-Q", "signal"), "--question readout")):
        result = fpcheck("analyze", MODEL, *flag, *rest)
        assert (result.code, fpcheck.calls) == (2, [])
        assert f"in: {flag[0]}" in result.err
        assert hint in result.err
    assert fpcheck("analyze", MODEL, *flag, *DATA).code == 0


def test_the_same_keys_of_a_file_are_for_all_models_and_not_refused(fpcheck):
    Path("fpcheck.toml").write_text("bias-share = 0.2\nreadout-draws = 3\n")
    assert fpcheck("analyze", MODEL, "--question", "signal").code == 0
    settings = read_configuration(Path()).settings_for()
    assert (settings.bias_share, settings.readout_draws) == (0.2, 3)


def test_a_picture_is_written_where_the_readout_is_asked_for_and_refused_elsewhere(fpcheck):
    refused = fpcheck("analyze", MODEL, "-o", "png=curve.png")
    assert (refused.code, fpcheck.calls) == (2, [])
    assert "--data the readout's curves" in refused.err
    narrowed = fpcheck("analyze", MODEL, *DATA, "-Q", "signal", "-o", "png=curve.png")
    assert (narrowed.code, fpcheck.calls) == (2, [])
