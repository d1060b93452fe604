from __future__ import annotations

import sys

import pytest
from stand_ins import a_finding, fake_report

from fpcheck.core.errors import DataError, ModelFileError, NothingToJudgeError


def test_a_clean_report_exits_with_0(fpcheck):
    fpcheck.analyze = lambda model, **_: fake_report(model, a_finding("FP206", "pass"))
    done = fpcheck("analyze", "net.npz")
    assert (done.code, done.err) == (0, "")
    assert "PASS" in done.out


def test_a_failing_error_exits_with_1_and_names_the_next_command(fpcheck):
    fpcheck.analyze = lambda model, **_: fake_report(model, a_finding())
    done = fpcheck("analyze", "net.npz")
    assert done.code == 1
    assert done.out.endswith("Next: fpcheck explain FP202\n")


def test_the_gate_decides_about_warnings(fpcheck):
    fpcheck.analyze = lambda model, **_: fake_report(model, a_finding("FP203"))
    assert fpcheck("analyze", "net.npz").code == 0
    assert fpcheck("analyze", "net.npz", "--fail-on", "warning").code == 1
    assert fpcheck("analyze", "net.npz", "--fail-on", "never").code == 0


def test_nothing_judged_exits_with_3_and_says_so(fpcheck):
    fpcheck.analyze = lambda model, **_: fake_report(
        model, a_finding("FP201", "skipped"), questions=["attractors"]
    )
    done = fpcheck("analyze", "net.npz", "--question", "attractors")
    assert done.code == 3
    assert "NOT JUDGED" in done.out
    assert "not a self-map" in done.out
    assert "nothing that was asked could be judged" in done.err


def raising(error):
    def analyze(model, **_):
        raise error

    return analyze


def test_an_error_is_told_in_three_lines_on_stderr(fpcheck):
    fpcheck.analyze = raising(
        ModelFileError("weight is (64, 32)", where="net.npz, rec.weight", hint="transposed?")
    )
    done = fpcheck("analyze", "net.npz")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: weight is (64, 32)\n   in: net.npz, rec.weight\n hint: transposed?\n"
    )


def test_an_error_without_place_and_hint_is_one_line(fpcheck):
    fpcheck.analyze = raising(DataError("no rows"))
    assert fpcheck("analyze", "net.npz").err == "error: no rows\n"


def test_an_error_s_own_exit_code_counts(fpcheck):
    fpcheck.analyze = raising(NothingToJudgeError("nothing"))
    assert fpcheck("analyze", "net.npz").code == 3


def test_hostile_text_in_an_error_is_escaped(fpcheck):
    fpcheck.analyze = raising(ModelFileError("array 'a\x1b[2J\nerror: fake' is odd"))
    assert fpcheck("analyze", "n.npz").err == "error: array 'a\\x1b[2J\\nerror: fake' is odd\n"


def test_an_unexpected_exception_is_called_a_bug_on_one_line(fpcheck):
    fpcheck.analyze = raising(KeyError("rec.\nweight"))
    done = fpcheck("analyze", "net.npz")
    assert done.code == 4
    assert done.err.count("\n") == 1
    assert "this is a bug in fpcheck" in done.err
    assert "KeyError" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("error", [KeyError("x"), ModelFileError("y")])
def test_a_traceback_comes_with_verbose_only(fpcheck, error):
    fpcheck.analyze = raising(error)
    assert "Traceback" in fpcheck("analyze", "net.npz", "-v").err
    assert "Traceback" not in fpcheck("analyze", "net.npz").err


def test_memory_that_runs_out_exits_with_2(fpcheck):
    fpcheck.analyze = raising(MemoryError())
    done = fpcheck("analyze", "net.npz")
    assert done.code == 2
    assert "out of memory" in done.err
    assert "hint" in done.err


def test_an_interruption_exits_with_130_without_a_word(fpcheck):
    fpcheck.analyze = raising(KeyboardInterrupt())
    done = fpcheck("analyze", "net.npz", "-o", "report.json")
    assert (done.code, done.out, done.err) == (130, "", "")


def test_an_interruption_leaves_no_file(fpcheck, tmp_path):
    fpcheck.analyze = raising(KeyboardInterrupt())
    fpcheck("analyze", "net.npz", "-o", "report.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["analyse", "net.npz"], "analyze"),
        (["analyze", "net.npz", "--sed", "1"], "--se"),
        (["analyze", "net.npz", "--seed", "one"], "--seed must be a whole number"),
        (["analyze", "net.npz", "--seed", "1.5"], "--seed must be a whole number"),
        (["analyze", "net.npz", "--seed"], "--seed"),
        (["analyze"], "no model was given"),
        (["analyze", "net.npz", "--starts", "0"], "at least 1, got 0"),
        (["analyze", "net.npz", "--starts", "-5"], "at least 1, got -5"),
        (["analyze", "net.npz", "--max-steps", "0"], "at least 1"),
        (["analyze", "net.npz", "--threads", "-1"], "at least 0"),
        (["analyze", "net.npz", "--splits", "1"], "at least 2"),
        (["analyze", "net.npz", "--seed", "-1"], "at least 0"),
        (["analyze", "net.npz", "--question", "atractors"], "attractors"),
        (["analyze", "net.npz", "--limit", "max_unresolvd=1"], "max_unresolved"),
        (["analyze", "net.npz", "--limit", "max_unresolved"], "NAME=VALUE"),
        (["analyze", "net.npz", "--select", "FP9"], "codes start with FP0, FP1"),
        (["analyze", "net.npz", "--select", ""], "select is empty"),
        (["analyze", "net.npz", "-Q", ""], "questions is empty"),
        (["analyze", "net.npz", "--samples", "1"], "at least 2, got 1"),
        (["analyze", "net.npz", "--limit", "max_cycling=nan"], "finite"),
        (["analyze", "net.npz", "--limit", "max_cycling=lots"], "the default is 0.01"),
        (["analyze", "net.npz", "--fail-on", "eror"], "error"),
        (["analyze", "net.npz", "--config", "absent.toml"], "absent.toml"),
        (["analyze", "net.npz", "--width", "10"], "at least 40"),
        (["analyze", "net.npz", "-q", "-v"], "exclude"),
        (["analyze", "net.npz", "-f", "jsn"], "json"),
        (["analyze", "net.npz", "-o", "jsn=x"], "json"),
        (["analyze", "net.npz", "-o", "absent/x.json"], "mkdir"),
        (["analyze", "net.npz", "-o", "json="], "no file name after 'json='"),
        (["analyze", "net.npz", "-o", "x.json", "-o", "json=x.json"], "a file of its own"),
        (["analyze", "net.npz", "-o", ""], "empty file name"),
        (["analyze", "net.npz", "--data", "d.npz", "--clip", "1"], "two numbers"),
        (["analyze", "net.npz", "--data", "d.npz", "--clip", "1,-1"], "lower one first"),
        (["analyze", "net.npz", "--data", "d.npz", "--clip", "a,b"], "--clip"),
        (["analyze", "net.npz", "--data", "d.npz", "--scale", "nan"], "finite"),
        (["analyze", "net.npz", "--data", "d.npz", "--scale", "uint"], '"unit"'),
        (["analyze", "net.npz", "--data", "d.npz", "--task", "regresion"], "regression"),
        (["analyze", "net.npz", "--scale", "2"], "no data were given"),
        (["analyze", "net.npz", "--target", "y"], "no data were given"),
        (["analyze", "net.npz", "--task", "regression"], "no data were given"),
        (["explain", "FP2O1"], "FP201"),
        (["report", "absent.json"], "absent.json"),
        (["new", "mpl"], "mlp"),
        (["inspect", "absent.npz"], "absent.npz"),
    ],
)
def test_misuse_exits_with_2_before_any_work_and_says_what_is_near(fpcheck, arguments, said):
    done = fpcheck(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert said in done.err
    assert "\n hint: " in done.err
    assert "Traceback" not in done.err or "-v" in arguments
    assert fpcheck.calls == []


def test_flags_reach_the_analysis(fpcheck):
    fpcheck(
        "analyze", "net.npz", "--data", "d.npz", "--target", "y", "--spec", "s.toml",
        "--task", "regression", "--activation", "tanh", "--output-activation", "relu",
        "--key", "ema", "--layout", "in_out", "-Q", "signal", "--question", "readout",
        "--seed", "7", "--starts", "3",
        "--max-steps", "4", "--max-period", "5", "--samples", "6", "--splits", "8", "--threads",
        "1", "--no-self-map", "--limit", "max_cycling=0.5", "--select", "FP2,FP0", "--ignore",
        "FP201", "--fail-on", "warning", "--timings", "--clip=-1,1", "--scale", "0.5",
        "--input", "mean", "--input-shape", "3,4",
    )  # fmt: skip
    ((model, arguments),) = fpcheck.calls
    settings = arguments.pop("settings")
    preprocessing = arguments.pop("preprocessing")
    arguments.pop("monitor")
    assert model == "net.npz"
    assert {name: str(value) for name, value in arguments.items()} == {
        "data": "d.npz", "target": "y", "task": "regression", "spec": "s.toml",
        "activation": "tanh", "output_activation": "relu", "key": "ema", "layout": "in_out",
        "timings": "True", "input_choice": "mean", "input_shape": "(3, 4)",
    }  # fmt: skip
    assert (settings.seed, settings.starts, settings.max_steps, settings.max_period) == (7, 3, 4, 5)
    assert (settings.samples, settings.splits, settings.threads) == (6, 8, 1)
    assert settings.questions == ("signal", "readout")
    assert settings.self_map is False
    assert settings.limits == {"max_cycling": 0.5}
    assert (settings.select, settings.ignore) == (("FP2", "FP0"), ("FP201",))
    assert settings.fail_on == "warning"
    assert (preprocessing.scale, preprocessing.clip) == (0.5, (-1.0, 1.0))


def test_help_version_and_no_arguments_exit_with_0(fpcheck):
    assert "analyze" in fpcheck("--help").out
    assert "analyze" in fpcheck().out
    for flag in ("--version", "-V"):
        assert fpcheck(flag).out == "fpcheck 0.1.0\n"
    for command in ("analyze", "inspect", "explain", "new", "report", "warm", "bench"):
        done = fpcheck(command, "--help")
        assert done.code == 0
        assert "Usage: fpcheck" in done.out
    assert "numpy" not in sys.modules or fpcheck.calls == []


def test_show_settings_prints_values_and_sources_and_analyzes_nothing(fpcheck, tmp_path):
    (tmp_path / "fpcheck.toml").write_text("starts = 5\n")
    done = fpcheck("analyze", "--show-settings", "--seed", "3")
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert ["seed", "3", "--seed"] in lines
    assert ["starts", "5", "fpcheck.toml,", "line", "1"] in lines
    assert fpcheck.calls == []
