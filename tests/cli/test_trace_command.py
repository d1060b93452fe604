"""`fpcheck trace` from the command line: outputs, exit codes, resuming, errors."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from made_up_trace import made_up_trace

from fpcheck.cli.main import run
from fpcheck.core.errors import ModelFileError
from fpcheck.report.schema import TRACE, violations

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """Runs `fpcheck trace`; the job is a stand-in that answers with `call.document`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    Path("run").mkdir()
    Path("run/a.npz").write_bytes(b"")

    def stand_in(paths, *, partial, **wishes):
        call.asked.append((tuple(paths), wishes))
        for count in range(1, call.measured + 1):
            if partial is not None:
                partial({**call.document, "checkpoints": call.document["checkpoints"][:count]})
        if call.error is not None:
            raise call.error
        return call.document

    def call(*words):
        capsys.readouterr()
        code = run([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    call.document, call.error, call.measured, call.asked = made_up_trace(), None, 0, []
    monkeypatch.setitem(sys.modules, "fpcheck.jobs.trace", SimpleNamespace(trace=stand_in))
    return call


def test_the_answer_goes_to_stdout_and_a_warning_passes_the_usual_gate(command):
    code, out, err = command("trace", "run")
    assert code == 0
    assert "leaves its plateau" in out
    assert err == ""
    code, _, _ = command("trace", "run", "--fail-on", "warning")
    assert code == 1


def test_every_flag_reaches_the_job(command):
    Path("d.npz").write_bytes(b"")
    command(
        "trace", "run", "-d", "d.npz", "--target", "y", "--activation", "relu", "--seed", "7",
        "--no-attractors", "--resume", "old.json", "--key", "ema", "--centre", "mean",
        "--ignore", "FP1", "--task", "classification", "--spec", "net.toml",
    )  # fmt: skip
    ((paths, wishes),) = command.asked
    assert paths == ("run",)
    assert wishes["data"] == Path("d.npz")
    assert (wishes["activation"], wishes["key"], wishes["target"]) == ("relu", "ema", "y")
    assert wishes["attractors"] is False
    assert wishes["resume"] == Path("old.json")
    assert wishes["spec"] == Path("net.toml")
    assert wishes["preprocessing"] is not None
    assert wishes["settings"].seed == 7
    assert wishes["settings"].ignore == ("FP1",)


def test_json_html_and_pictures_are_written_beside_the_terminal(command):
    code, out, err = command(
        "trace", "run", "-o", "json=t.json", "-o", "html=t.html", "-o", "svg=t.svg",
        "-o", "png={name}.png",
    )  # fmt: skip
    assert code == 0
    assert "Timeline" in out
    assert "Wrote t.json, t.html, t.svg, run.png" in err
    assert violations(json.loads(Path("t.json").read_text()), TRACE) == []
    assert Path("t.html").read_text().startswith("<!doctype html>")
    assert Path("t.svg").read_text().startswith("<?xml")
    assert Path("run.png").read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_keeps_what_was_measured_and_says_how_to_go_on(command):
    command.error, command.measured = KeyboardInterrupt(), 7
    code, out, err = command("trace", "run", "-o", "json=t.json")
    assert code == 130
    assert out == ""
    assert "t.json holds 7 checkpoints; --resume t.json" in err
    assert len(json.loads(Path("t.json").read_text())["checkpoints"]) == 7


def test_an_error_on_the_way_keeps_what_was_measured_too(command):
    command.error, command.measured = ModelFileError("gone", where="b.npz", hint="look"), 5
    code, _, _ = command("trace", "run", "-o", "json=t.json")
    assert code == 2
    assert len(json.loads(Path("t.json").read_text())["checkpoints"]) == 5


def test_ctrl_c_without_a_file_says_that_nothing_was_kept(command):
    command.error = KeyboardInterrupt()
    code, _, err = command("trace", "run")
    assert code == 130
    assert "-o json=FILE keeps" in err


def test_nothing_judged_is_exit_code_3(command):
    for finding in command.document["findings"]:
        finding["outcome"] = "skipped"
    code, _, err = command("trace", "run")
    assert code == 3
    assert "nothing could be judged" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no checkpoint was given"),
        (("gone",), "no checkpoint or folder at 'gone'"),
        (("run", "-o", "run/a.npz"), "'run/a.npz' is a checkpoint"),
        (("run/a.npz", "-o", "run/a.npz"), "'run/a.npz' is a checkpoint"),
        (("run", "-o", "json=gone/t.json"), "there is no folder 'gone'"),
        (("run", "-f", "jsn"), "unknown format 'jsn'"),
        (("run", "--target", "y"), "--target is about the data"),
        (("run", "--width", "3"), "--width must be at least"),
        (("run", "--select", "FP9"), "no rule has a code"),
        (("run", "--atractors"), "No such option"),
    ],
)
def test_what_cannot_be_used_is_exit_code_2_with_a_hint(command, words, message):
    code, out, err = command("trace", *words)
    assert code == 2
    assert out == ""
    assert message in err
    assert "hint:" in err


def test_an_error_of_the_job_is_told_in_three_lines(command):
    command.error = ModelFileError("none can be read", where="a.npz", hint="copy it again")
    code, _, err = command("trace", "run")
    assert code == 2
    assert err.splitlines() == [
        "error: none can be read", "   in: a.npz", " hint: copy it again",
    ]  # fmt: skip


def test_a_saved_trace_that_was_interrupted_is_shown_again_and_not_judged(command):
    interrupted = {"skipped": "the run was interrupted"}
    document = command.document | {
        "tracks": interrupted, "trends": interrupted, "findings": [], "verdict": "not judged",
        "settings": {"seed": 0},
    }  # fmt: skip
    Path("t.json").write_text(json.dumps(document), "utf-8")
    code, out, _ = command("report", "t.json")
    assert code == 3
    assert "NOT JUDGED" in out
    assert "Timeline" in out


def test_a_damaged_trace_is_refused_with_the_place(command):
    document = command.document
    document["checkpoints"][3]["loss"] = "low"
    Path("t.json").write_text(json.dumps(document), "utf-8")
    code, _, err = command("report", "t.json")
    assert code == 2
    assert "damaged trace: checkpoints[3].loss" in err


@pytest.fixture
def real(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*words):
        capsys.readouterr()
        code = run([str(word) for word in words])
        return code, *capsys.readouterr()

    return call


def test_the_sample_runs_tell_their_stories_and_a_saved_trace_can_be_judged_again(real):
    data = SAMPLES / "digits.npz"
    code, out, _ = real(
        "trace", SAMPLES / "run_small_init", "--activation", "relu", "-d", data,
        "-o", "json=t.json",
    )  # fmt: skip
    assert code == 0
    assert "FP503" in out
    assert "FP504" in out
    assert max(map(len, out.splitlines())) <= 80
    assert violations(json.loads(Path("t.json").read_text()), TRACE) == []
    again = real("report", "t.json")
    assert again[:2] == (code, out)
    code, out, _ = real("report", "t.json", "--ignore", "FP503", "--fail-on", "warning")
    assert code == 0
    assert "FP503" not in out


def test_weights_alone_are_traced_and_the_missing_flag_is_named(real):
    files = sorted((SAMPLES / "run_standard_init").glob("*.safetensors"))[:3]
    code, out, _ = real("trace", *files, "-f", "terminal")
    assert code in (0, 3)
    assert "--activation" in out
    assert "loss" not in next(line for line in out.splitlines() if "σ1/σ2 by layer" in line)
