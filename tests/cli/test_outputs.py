from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from stand_ins import a_finding, fake_report

from fpcheck.cli.outputs import Output, plan_outputs, write_whole
from fpcheck.core.errors import ModelFileError, UsageError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(chosen, outputs, models=("net.npz",)):
    return plan_outputs(chosen, outputs, models)


def test_a_report_goes_to_stdout_unless_a_file_takes_its_place(here):
    assert plan(None, []) == ((Output("terminal", None),),)
    assert plan("json", []) == ((Output("json", None),),)
    assert plan("json", ["r.json"]) == ((Output("json", Path("r.json")),),)


def test_format_equals_file_comes_besides(here):
    assert plan(None, ["json=a.json", "terminal=b.txt"]) == (
        (
            Output("terminal", None),
            Output("json", Path("a.json")),
            Output("terminal", Path("b.txt")),
        ),
    )


def test_a_suffix_tells_the_format_where_no_flag_does(here):
    assert plan(None, ["r.json"]) == ((Output("json", Path("r.json")),),)
    assert plan(None, ["r.md"]) == ((Output("terminal", Path("r.md")),),)
    assert plan("terminal", ["r.json"]) == ((Output("terminal", Path("r.json")),),)


def test_several_models_need_several_files(here):
    models = ("a/one.npz", "b/two.npz")
    with pytest.raises(UsageError, match="two reports"):
        plan(None, ["json=r.json"], models)
    with pytest.raises(UsageError, match="stdout"):
        plan("json", [], models)
    names = plan(None, ["json={name}.json"], models)
    assert [outputs[1].path for outputs in names] == [Path("one.npz.json"), Path("two.npz.json")]
    (here / "reports").mkdir()
    folder = plan("json", ["reports"], models)
    assert [outputs[0].path for outputs in folder] == [
        Path("reports/one.npz.json"),
        Path("reports/two.npz.json"),
    ]


def test_the_model_is_never_overwritten(here):
    (here / "net.npz").touch()
    with pytest.raises(UsageError, match="the model itself"):
        plan(None, ["./net.npz"])


def test_a_path_that_cannot_be_written_is_refused_before_the_work(here, monkeypatch):
    with pytest.raises(UsageError, match="no folder") as caught:
        plan(None, ["absent/r.json"])
    assert caught.value.hint == "mkdir -p absent"
    (here / "readonly.json").touch(mode=0o444)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the superuser may write anything
    with pytest.raises(UsageError, match="read-only"):
        plan(None, ["readonly.json"])


def test_a_folder_that_takes_no_file_is_refused_before_the_work(here, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UsageError, match="Permission denied"):
        plan(None, ["r.json"])


def test_trying_a_path_leaves_nothing_behind(here):
    (here / "old.json").write_text("old")
    plan(None, ["json=new.json", "json=old.json"])
    assert [path.name for path in here.iterdir()] == ["old.json"]
    assert (here / "old.json").read_text() == "old"


def test_a_file_is_written_whole_and_keeps_usual_permissions(here):
    target = here / "r.json"
    write_whole(target, "text\n")
    assert target.read_text() == "text\n"
    usual = here / "usual"
    usual.touch()
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


def test_a_write_that_fails_leaves_the_old_file_and_no_part(here, monkeypatch):
    target = here / "r.json"
    target.write_text("old")

    def fail(self, other):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(UsageError, match="No space left"):
        write_whole(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in here.iterdir()] == ["r.json"]


def test_a_link_is_written_through(here):
    (here / "real").mkdir()
    (here / "link.json").symlink_to(here / "real" / "r.json")
    write_whole(here / "link.json", "text")
    assert (here / "link.json").is_symlink()
    assert (here / "real" / "r.json").read_text() == "text"


def test_a_device_is_written_to_and_not_replaced(here):
    plan(None, ["json=/dev/null"], ("a.npz", "b.npz"))
    write_whole(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()


def test_a_name_that_is_no_unicode_is_written_escaped(here):
    write_whole(here / "r.txt", "\udc80")
    assert (here / "r.txt").read_text() == "\\udc80"


def test_json_on_stdout_is_the_report_alone(fpcheck):
    done = fpcheck("analyze", "net.npz", "-f", "json")
    assert json.loads(done.out)["subject"]["name"] == "net.npz"
    assert done.err == ""


def test_files_are_named_on_stderr(fpcheck, tmp_path):
    done = fpcheck("analyze", "net.npz", "-o", "json=r.json")
    assert done.err == "Wrote r.json\n"
    assert "net.npz" in done.out
    assert json.loads((tmp_path / "r.json").read_text())["verdict"] == "pass"


def test_a_file_of_text_has_no_colour_whatever_the_terminal(fpcheck, tmp_path):
    done = fpcheck("analyze", "net.npz", "-o", "r.txt")
    assert done.out == ""
    assert "\x1b" not in (tmp_path / "r.txt").read_text()


def test_several_models_give_one_report_each_and_an_index(fpcheck):
    def analyze(model, **_):
        if model == "broken.npz":
            raise ModelFileError("not an archive", where=model)
        outcome = "fail" if model == "b.npz" else "pass"
        return fake_report(model, a_finding("FP202", outcome))

    fpcheck.analyze = analyze
    done = fpcheck("analyze", "a.npz", "broken.npz", "b.npz")
    assert done.code == 2  # an unreadable model outweighs a finding
    assert done.err == "error: not an archive\n   in: broken.npz\n"
    index = [line.split() for line in done.out.splitlines()[-3:]]
    assert [row[:3] for row in index] == [
        ["a.npz", "pass", "0"],
        ["broken.npz", "no", "report"],
        ["b.npz", "fail", "1"],
    ]
    assert fpcheck("analyze", "a.npz", "b.npz").code == 1
    assert fpcheck("analyze", "a.npz", "c.npz").code == 0


def test_models_of_the_configuration_are_analyzed_with_their_own_limits(fpcheck, tmp_path):
    for name in ("a.npz", "b.npz"):
        (tmp_path / name).touch()
    (tmp_path / "fpcheck.toml").write_text(
        'models = ["*.npz"]\n[per-model."b.npz".limits]\nmax_cycling = 0.5\n'
    )
    fpcheck("analyze")
    assert [(model, dict(args["settings"].limits)) for model, args in fpcheck.calls] == [
        ("a.npz", {}),
        ("b.npz", {"max_cycling": 0.5}),
    ]


def test_a_template_is_written_once_and_overwritten_only_by_force(fpcheck, tmp_path):
    assert fpcheck("new", "mlp").out.startswith("#")
    assert fpcheck("new", "mlp", "-o", "net.toml").err.startswith("Wrote net.toml")
    text = (tmp_path / "net.toml").read_text()
    (tmp_path / "net.toml").write_text("mine")
    done = fpcheck("new", "mlp", "-o", "net.toml")
    assert done.code == 2
    assert "--force" in done.err
    assert (tmp_path / "net.toml").read_text() == "mine"
    assert fpcheck("new", "mlp", "-o", "net.toml", "--force").code == 0
    assert (tmp_path / "net.toml").read_text() == text
