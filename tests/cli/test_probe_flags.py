"""The flags of the training probe: refused by name, with a hint, where no probe is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpcheck.core.config import read_configuration

SAMPLES = Path(__file__).parents[2] / "samples"
MODEL = str(SAMPLES / "digits_small_init.toml")
DATA = ("--data", str(SAMPLES / "digits.npz"))
ASKED = ("--question", "escape")
OF_BOTH = (
    ("--probe-steps", "20"),
    ("--optimiser", "adam"),
    ("--lr", "0.01"),
    ("--batch", "64"),
)
FLAGS = (*OF_BOTH, ("--escape-scan",))


@pytest.mark.parametrize(
    ("flag", "value", "what"),
    [
        ("--probe-steps", "0", "at least 1"),
        ("--optimiser", "adm", "did you mean 'adam'?"),
        ("--lr", "-1", "at least 0"),
        ("--lr", "nan", "finite number"),
        ("--batch", "-1", "at least 0"),
    ],
)
def test_a_value_that_no_probe_can_use_is_refused(fpcheck, flag, value, what):
    result = fpcheck("analyze", MODEL, *DATA, *ASKED, f"{flag}={value}")
    assert (result.code, result.out, fpcheck.calls) == (2, "", [])
    message, where, hint = result.err.splitlines()
    assert what in message
    assert where == f"   in: {flag}"
    assert hint.startswith(" hint: ")


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_of_the_probe_is_refused_where_there_is_none(fpcheck, flag):
    cases = (
        (DATA, "which is not asked for", "--question escape"),
        (ASKED, "which needs data with targets", "--data FILE"),
    )
    for rest, why, hint in cases:
        result = fpcheck("analyze", MODEL, *flag, *rest)
        assert (result.code, fpcheck.calls) == (2, [])
        assert why in result.err
        assert hint in result.err
    assert fpcheck("analyze", MODEL, *flag, *DATA, *ASKED).code == 0


@pytest.mark.parametrize("flag", OF_BOTH)
def test_a_short_run_beside_the_signal_takes_the_same_flags(fpcheck, flag):
    asked = ("--question", "signal", "--short-run")
    assert fpcheck("analyze", MODEL, *flag, *DATA, *asked).code == 0


def test_a_short_run_has_no_scan(fpcheck):
    result = fpcheck("analyze", MODEL, *DATA, "-Q", "signal", "--short-run", "--escape-scan")
    assert result.code == 2
    assert "--question escape" in result.err


def test_every_flag_of_the_probe_reaches_the_settings(fpcheck):
    given = [part for flag in FLAGS for part in flag]
    assert fpcheck("analyze", MODEL, *DATA, *ASKED, *given).code == 0
    ((_, arguments),) = fpcheck.calls
    settings = arguments["settings"]
    assert (settings.probe_steps, settings.probe_optimiser) == (20, "adam")
    assert (settings.probe_rate, settings.probe_batch, settings.escape_scan) == (0.01, 64, True)


def test_a_file_sets_the_probe_for_all_models_and_is_not_refused(fpcheck):
    Path("fpcheck.toml").write_text('probe-steps = 30\noptimiser = "momentum"\nlr = 0.5\n')
    assert fpcheck("analyze", MODEL, "--question", "signal").code == 0
    settings = read_configuration(Path()).settings_for()
    assert (settings.probe_steps, settings.probe_optimiser) == (30, "momentum")
    assert settings.probe_rate == 0.5
